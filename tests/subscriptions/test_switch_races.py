"""The sweep of plans beside the others, on real connections: the plan of a paid term begins once."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from subscriptions import agreements, cancellation, endings, next_plans, pauses
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.ahead import DAY, EARLY, END, THEN, ahead, codes
from tests.subscriptions.terms import fake_bank, right, told
from tests.subscriptions.test_races import at_once
from tests.things import plan

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    plan("basic", 1, 29_900)
    plan("gold", 1, 59_900, renewal_lead_hours=7 * 24)
    plan("kept", 1, 39_900, refund_policy="none")
    return fake_bank(settings)


def test_sweeps_and_ends_at_the_same_time_begin_a_plan_once(bank: FakeAcquirer) -> None:
    vera = ahead(bank)
    agreements.switch_off(vera.id, actor="test", at=END - DAY)
    late = THEN + 30 * DAY
    sweeps = [partial(next_plans.begin_due, at=late), partial(endings.end, vera.id, at=late)]
    at_once(*sweeps * 5)
    assert (codes(vera.row), vera.row.status) == (("basic", None, None), "expired")
    assert told(vera.row).count("subscription.plan_begun") == 1 == told(vera.row).count("subscription.expired")
    assert right(late)


def test_a_rest_or_a_cancellation_at_the_very_moment_meets_the_plan_that_begins(bank: FakeAcquirer) -> None:
    vera = ahead(bank, "gold", "kept")
    at_once(
        *[partial(next_plans.begin_due, at=END)] * 3,
        partial(pauses.pause, vera.id, actor="test", at=END),
        partial(cancellation.cancel, vera.id, actor="test", at=END),
    )
    assert codes(vera.row) == ("kept", None, None)
    assert told(vera.row).count("subscription.plan_begun") == 1
    assert vera.row.status in ("paused", "cancelled") and right(END)


def test_a_plan_chosen_as_another_is_being_paid_waits_for_its_turn(bank: FakeAcquirer) -> None:
    vera = ahead(bank)
    found = at_once(
        partial(next_plans.keep_plan, vera.id, actor="test", at=EARLY),
        partial(next_plans.plan_next, vera.id, "kept", actor="test", at=EARLY),
    )
    assert found == ["next_term_paid"] * 2 and codes(vera.row) == ("gold", "basic", END)
