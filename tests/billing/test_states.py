"""Every state against every transition, the refused ones too, from one table for each machine."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import pytest
from django_fsm import TransitionNotAllowed

from billing.models import AcquirerHealth, Case, Halt, Invoice, Payment, Receipt, Refund
from billing.models.state import StatefulModel
from subscriptions.models import PriceMove, Subscription

TABLES: dict[type[StatefulModel], str] = {
    AcquirerHealth: """
        trip:       closed half_open -> open
        probe:      open half_open -> half_open
        recover:    open half_open -> closed
        switch_off: closed open half_open -> off
        switch_on:  off -> closed
    """,
    Case: """
        resolve:    open -> resolved
    """,
    Halt: """
        let_run:    stopped kept -> let
        keep:       stopped -> kept
        stop:       kept let -> stopped
        end:        stopped kept let -> over
    """,
    Invoice: """
        issue:      draft -> open
        pay:        open -> paid
        void:       draft open -> void
        write_off:  open -> uncollectible
    """,
    Payment: """
        wait:       created unknown -> pending
        doubt:      created pending authorized -> unknown
        authorize:  created pending unknown -> authorized
        succeed:    created pending authorized unknown failed cancelled -> succeeded
        fail:       created pending authorized unknown -> failed
        cancel:     created pending authorized unknown -> cancelled
    """,
    PriceMove: """
        announce:   draft -> announced
        finish:     announced -> done
        withdraw:   draft announced -> withdrawn
    """,
    Receipt: """
        register:   pending failed -> registered
        fail:       pending -> failed
    """,
    Refund: """
        wait:       created unknown -> pending
        doubt:      created pending -> unknown
        succeed:    created pending unknown failed -> succeeded
        fail:       created pending unknown -> failed
    """,
    Subscription: """
        activate:   pending suspended -> active
        fall_due:   active -> past_due
        recover:    past_due -> active
        pause:      active -> paused
        resume:     paused -> active
        suspend:    active -> suspended
        cancel:     active past_due suspended -> cancelled
        expire:     past_due -> expired
        end:        cancelled -> ended
        abandon:    pending -> abandoned
    """,
}


def rows() -> list[tuple[type[StatefulModel], str, str, str | None]]:
    """(model, state, transition, target or None where it is refused) for every pair."""
    found: list[tuple[type[StatefulModel], str, str, str | None]] = []
    for model, table in TABLES.items():
        allowed = {}
        for name, sources, target in re.findall(r"(\w+):\s+([\w ]+?) -> (\w+)", table):
            allowed.update({(source, name): target for source in sources.split()})
        names = {name for _, name in allowed}
        states: Any = model.Status
        found += [(model, s, n, allowed.get((s, n))) for s, n in product(states.values, sorted(names))]
    return found


@pytest.mark.parametrize(("model", "state", "transition", "target"), rows())
def test_a_transition_leads_where_the_table_says_or_is_refused(
    model: type[StatefulModel], state: str, transition: str, target: str | None
) -> None:
    row = model(status=state)
    if target is None:
        with pytest.raises(TransitionNotAllowed):
            getattr(row, transition)()
        assert row.status == state
    else:
        getattr(row, transition)()
        assert row.status == target


@pytest.mark.parametrize("model", TABLES)
def test_the_table_names_every_transition_of_the_code(model: type[StatefulModel]) -> None:
    in_code = {name for name in dir(model) if hasattr(getattr(model, name, None), "_django_fsm")}
    assert in_code == set(re.findall(r"(\w+):", TABLES[model]))


@pytest.mark.parametrize("model", TABLES)
def test_a_state_cannot_be_set_by_hand(model: type[StatefulModel]) -> None:
    row = model()
    with pytest.raises(AttributeError):
        row.status = "paid"
