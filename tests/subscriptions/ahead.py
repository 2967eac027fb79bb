"""Somebody whose next term, of another plan, is paid before it begins."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from billing import payments
from subscriptions import agreements, entitlements, lifecycle, next_plans
from subscriptions.models import Subscription
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.renewing import Renewing
from tests.subscriptions.terms import at, fake_bank
from tests.things import plan

MORNING = at("2026-01-31T12:00")
SOON = at("2026-02-10T12:00")
END = at("2026-02-28T12:00")
THEN = at("2026-03-31T12:00")
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
EARLY = END - 7 * DAY


def plans(settings: Any) -> FakeAcquirer:
    """Basic and Gold, charged a week before; the others at the end."""
    week = 7 * 24
    plan("basic", 1, 29_900, name="Basic", renewal_lead_hours=week, reminder_days=10)
    plan("gold", 1, 59_900, name="Gold", roles=["cinema", "gold"], renewal_lead_hours=week, grace_days=5)
    plan("prime", 12, 499_900, name="Prime", roles=["cinema", "gold", "prime"])
    plan("all", 1, 99_900, name="Everything", roles=["cinema", "all"])
    plan("kept", 1, 39_900, name="Kept", refund_policy="none")
    return fake_bank(settings)


def roles(vera: Renewing, moment: datetime) -> list[str]:
    return [each.role for each in entitlements.of(vera.user.pk, at=moment)]


def ahead(bank: FakeAcquirer, now: str = "gold", then: str = "basic", **more: Any) -> Renewing:
    """Somebody whose next term, of another plan, is charged a week before it begins."""
    vera = Renewing(bank, now, MORNING, **more)
    next_plans.plan_next(vera.id, then, actor="test", at=SOON)
    vera.go(EARLY)
    return vera


def pays(vera: Renewing, moment: datetime) -> None:
    """The next term, by hand on the bank's page."""
    payment = agreements.pay(vera.id, lifecycle.Order(plan=""), actor="vera", at=moment)
    assert payment is not None
    vera.bank.pay(payment.pk)
    payments.check(payment.pk, at=moment)
    vera.go(moment)


def codes(row: Subscription) -> tuple[str, str | None, datetime | None]:
    return row.plan.code, row.next_plan and row.next_plan.code, row.switches_at
