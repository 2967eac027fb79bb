"""Paid invoices that come many at once and have more to do than to begin a first term: a promo code, another plan."""

from __future__ import annotations

from typing import Any

import pytest

from billing import callbacks, events
from billing.models import Payment
from subscriptions import changes, lifecycle
from subscriptions.models import Change, Redemption, Subscription
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.promo import promo
from tests.subscriptions.terms import at, bought, chosen, fake_bank
from tests.things import plan, viewer

pytestmark = pytest.mark.django_db
MORNING, NOON = at("2026-01-31T11:00"), at("2026-01-31T12:00")


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    plan("month", 1, 29_900)
    plan("year", 12, 269_900)
    return fake_bank(settings)


def ring(bank: FakeAcquirer, payment: Payment | None) -> None:
    assert payment is not None
    bank.pay(payment.pk)
    post = bank.callback(payment.pk)
    callbacks.receive("fake", "pay", post["headers"], post["data"], at=NOON)


def together() -> None:
    while callbacks.process_due(at=NOON) or events.deliver_due(at=NOON):
        pass


def test_T4_codes_of_many_that_are_paid_at_once_are_used(bank: FakeAcquirer) -> None:
    promo(percent=20)
    for number in range(6):
        code = "SPRING" if number % 2 else ""
        ring(bank, chosen("month", MORNING, viewer(f"{number}@example.com"), promo_code=code).payment)
    together()
    assert set(Subscription.objects.values_list("status", flat=True)) == {"active"}
    assert Redemption.objects.filter(used_at=NOON).count() == 3


def test_another_plan_that_is_paid_among_many_is_begun(bank: FakeAcquirer) -> None:
    for number in range(4):
        sold = bought(bank, "month", MORNING, viewer(f"old{number}@example.com"))
        order = lifecycle.Order(plan="year")
        ring(bank, changes.upgrade(sold.pk, order, actor="test", at=NOON).payment)
        ring(bank, chosen("month", MORNING, viewer(f"new{number}@example.com")).payment)
    together()
    assert sorted(Subscription.objects.values_list("plan__code", flat=True)) == ["month"] * 4 + ["year"] * 4
    assert not Change.objects.filter(done_at=None).exists()
