"""Whatever a customer does and however late the sweeps are: the plan of now is that of the term that runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from billing import payments
from billing.errors import Refused
from subscriptions import agreements, cancellation, changes, entitlements, lifecycle, next_plans, pauses
from subscriptions.models import Plan, Subscription
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.renewing import Renewing
from tests.subscriptions.terms import at, fake_bank, right
from tests.things import plan

MORNING = at("2026-01-31T12:00")
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
PLANS = ("basic", "gold", "prime")


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    early = {"renewal_lead_hours": 240, "reminder_days": 60}
    plan("basic", 1, 29_900, roles=["basic"], **early)
    plan("gold", 1, 59_900, roles=["gold"], **early, time_zone="America/New_York", refund_policy="none")
    plan("prime", 3, 199_900, roles=["prime"], reminder_days=40, grace_days=10)
    return fake_bank(settings)


def pays(vera: Renewing) -> None:
    payment = agreements.pay(vera.id, lifecycle.Order(plan=""), actor="vera", at=vera.at)
    if payment is not None:
        settles(vera, payment.pk)


def upgrades(vera: Renewing) -> None:
    settles(vera, changes.upgrade(vera.id, lifecycle.Order(plan="prime"), actor="vera", at=vera.at).payment.pk)


def settles(vera: Renewing, payment_id: Any) -> None:
    vera.bank.pay(payment_id)
    payments.check(payment_id, at=vera.at)
    vera.go(vera.at)


DEEDS: dict[str, Callable[[Renewing], object]] = {
    **{
        f"{code} next": lambda vera, code=code: next_plans.plan_next(vera.id, code, actor="vera", at=vera.at)
        for code in PLANS
    },
    "keep": lambda vera: next_plans.keep_plan(vera.id, actor="vera", at=vera.at),
    "pay": pays,
    "upgrade": upgrades,
    "pause": lambda vera: pauses.pause(vera.id, actor="vera", at=vera.at),
    "resume": lambda vera: pauses.resume(vera.id, actor="vera", at=vera.at),
    "wait": lambda vera: vera.go(vera.at),
    "cancel": lambda vera: cancellation.cancel(vera.id, actor="vera", at=vera.at),
}
CHOICES = st.sampled_from([*DEEDS, "pay", "basic next", "gold next"])
STEPS = st.lists(st.tuples(CHOICES, st.sampled_from([0, 1, 3, 8, 20]), st.booleans()), min_size=4, max_size=14)


def as_the_term_that_runs(vera: Renewing) -> None:
    """Access is that of the running term's plan at once; the row says so, too, when its sweep has run."""
    row = vera.row
    running = row.periods.filter(starts_at__lte=vera.at, ends_at__gt=vera.at).select_related("plan").first()
    if running is None or running.plan is None or not row.has_access(vera.at):
        return
    assert [each.role for each in entitlements.of(vera.user.pk, at=vera.at)] == [running.plan.code]
    if row.switches_at is not None:
        assert row.switches_at > running.starts_at or row.plan_ahead == running.plan
        later = row.periods.get(starts_at=row.switches_at)
        assert later.plan == row.next_plan
    if row.switches_at is None or row.switches_at > vera.at:
        assert row.plan == running.plan


@pytest.mark.django_db
@settings(  # a failing town takes minutes to make smaller
    deadline=None,
    max_examples=12,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(first=st.sampled_from(PLANS), steps=STEPS)
def test_the_plan_of_now_is_that_of_the_term_that_runs(
    bank: FakeAcquirer, first: str, steps: list[tuple[str, int, bool]]
) -> None:
    vera = Renewing(bank, first, MORNING)
    for deed, days, swept in steps:
        vera.at += days * DAY + SECOND
        if swept:
            vera.go(vera.at)
        try:
            DEEDS[deed](vera)
        except Refused:
            continue
        finally:
            as_the_term_that_runs(vera)
    vera.go(vera.at)
    next_plans.begin_due(at=vera.at)
    as_the_term_that_runs(vera)
    assert not Subscription.objects.filter(switches_at__lte=vera.at).exclude(status="paused").exists()
    assert right(vera.at) and Plan.objects.count() == len(PLANS)
