"""The days of grace, terms that begin later, and rules that were bought."""

from __future__ import annotations

from typing import Any

import pytest

from billing.models import Event
from subscriptions import cancellation, endings, entitlements
from subscriptions.models import Plan, Subscription
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.terms import at, bought, chosen, fake_bank, rub
from tests.things import plan, viewer

pytestmark = pytest.mark.django_db
MORNING = at("2026-01-31T12:00")


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    plan("month", 1, 29_900)
    plan("whole", 1, 29_900, refund_policy="window_only")
    plan("year", 12, 269_900)
    return fake_bank(settings)


def test_a_term_that_begins_later_gives_no_access_yet(bank: FakeAcquirer) -> None:
    user = viewer()
    cancellation.cancel(bought(bank, "whole", MORNING, user).pk, actor="t", at=at("2026-02-01T12:00"))
    second = bought(bank, "year", at("2026-02-02T12:00"), user)
    assert not second.has_access(at("2026-02-03T12:00"))
    assert second.has_access(at("2026-02-28T12:00"))


def test_T6_in_the_days_of_grace_the_next_term_can_be_bought_and_the_grace_goes_on(bank: FakeAcquirer) -> None:
    user = viewer()
    first = bought(bank, "month", MORNING, user)
    later = at("2026-03-01T12:00")
    endings.end_due(at=later)
    chosen("month", later, user)
    first.refresh_from_db()
    assert first.status == "expired"
    assert entitlements.may(user.pk, "cinema", at=later)
    assert not entitlements.may(user.pk, "cinema", at=at("2026-03-02T12:00"))
    assert Event.objects.filter(kind="subscription.expired", subject_id=first.pk).count() == 1


def test_T6_cancelling_in_the_days_of_grace_makes_no_day_of_grace_a_paid_one(bank: FakeAcquirer) -> None:
    sold = bought(bank, "month", MORNING)
    later = at("2026-03-01T12:00")
    endings.end_due(at=later)
    cancelled = cancellation.cancel(sold.pk, actor="t", at=later).subscription
    assert (cancelled.valid_till, cancelled.access_until) == (at("2026-02-28T12:00"), later)


def test_M8_a_refund_rule_changed_later_is_not_the_one_that_was_bought(bank: FakeAcquirer) -> None:
    sold = bought(bank, "year", MORNING)
    Plan.objects.filter(code="year").update(refund_policy="none")
    assert cancellation.preview(Subscription.objects.get(pk=sold.pk), at=MORNING).refund == rub(2699)


@pytest.mark.parametrize("state", ["paused", "suspended"])
def test_a_resting_subscription_does_not_keep_the_sweep_busy(bank: FakeAcquirer, state: str) -> None:
    sold = bought(bank, "month", MORNING)
    paused_at = MORNING if state == "paused" else None
    Subscription.objects.filter(pk=sold.pk).update(status=state, paused_at=paused_at)
    later = at("2026-04-01T12:00")
    assert [endings.end_due(at=later) for _ in range(2)] == [1, 0]


def test_reading_a_row_anew_never_lifts_the_protection_of_states(bank: FakeAcquirer) -> None:
    sold = bought(bank, "month", MORNING)
    Subscription.objects.filter(pk=sold.pk).update(status="cancelled")
    sold.refresh_from_db()
    assert sold.status == "cancelled"
    Subscription.objects.filter(pk=sold.pk).update(status="ended")
    sold.refresh_from_db(fields=["status"])
    assert sold.status == "ended"
    with pytest.raises(AttributeError):
        sold.status = "active"
