"""Who may watch: exactly while something is paid for it, found by one query."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from subscriptions import cancellation, entitlements
from subscriptions.entitlements import Entitlement
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.terms import at, bought, chosen, fake_bank
from tests.things import plan, viewer

pytestmark = pytest.mark.django_db
MORNING = at("2026-01-31T12:00")
INSTANT, SECOND = timedelta(microseconds=1), timedelta(seconds=1)


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    plan("month", 1, 29_900)
    plan("whole", 1, 29_900, refund_policy="window_only")
    plan("premium", 12, 600_000, roles=["cinema", "premium"])
    return fake_bank(settings)


def test_T6_access_ends_exactly_at_the_instant(bank: FakeAcquirer) -> None:
    sold = bought(bank, "month", MORNING)
    end = at("2026-03-02T12:00")  # the term and two days of grace
    assert entitlements.of(sold.user_id, at=MORNING) == [Entitlement("cinema", end)]
    assert entitlements.may(sold.user_id, "cinema", at=end - INSTANT)
    assert not entitlements.may(sold.user_id, "cinema", at=end)
    assert not entitlements.may(sold.user_id, "premium", at=MORNING)
    assert not entitlements.may(viewer().pk, "cinema", at=MORNING)


def test_M7_an_unpaid_subscription_owes_nothing(bank: FakeAcquirer) -> None:
    assert entitlements.of(chosen("month", MORNING).subscription.user_id, at=MORNING) == []


def test_access_is_one_query_however_many_subscriptions_there_were(
    bank: FakeAcquirer, django_assert_num_queries: Any
) -> None:
    user = viewer()
    for month in range(1, 4):
        sold = bought(bank, "month", MORNING + timedelta(days=40 * month), user)
        cancellation.cancel(sold.pk, actor="test", at=MORNING + timedelta(days=40 * month + 1))
    with django_assert_num_queries(1):
        assert entitlements.may(user.pk, "cinema", at=MORNING + timedelta(days=122))
    with django_assert_num_queries(1):
        assert entitlements.of(user.pk, at=MORNING) == []


def test_T1_roles_of_a_term_that_begins_later_are_not_owed_before_it(bank: FakeAcquirer) -> None:
    """Bought behind a cancelled month; else a year of premium films could be watched first and given back whole."""
    user = viewer()
    cancellation.cancel(bought(bank, "whole", MORNING, user).pk, actor="test", at=at("2026-02-01T12:00"))
    premium = bought(bank, "premium", at("2026-02-02T12:00"), user)
    begins, ends = at("2026-02-28T12:00"), at("2027-03-02T12:00")
    assert premium.anchor_at == begins
    assert not entitlements.may(user.pk, "premium", at=begins - INSTANT)
    assert entitlements.may(user.pk, "premium", at=begins)
    # One role of both goes on without a break, and one says so.
    assert entitlements.of(user.pk, at=at("2026-02-03T12:00")) == [Entitlement("cinema", ends)]
    assert entitlements.of(user.pk, at=begins) == [Entitlement("cinema", ends), Entitlement("premium", ends)]


def test_T1_a_later_term_given_back_before_it_began_owes_nothing(bank: FakeAcquirer) -> None:
    user = viewer()
    cancellation.cancel(bought(bank, "whole", MORNING, user).pk, actor="test", at=at("2026-02-01T12:00"))
    premium = bought(bank, "premium", at("2026-02-02T12:00"), user)
    cancellation.cancel(premium.pk, actor="test", at=at("2026-02-05T12:00"))
    assert entitlements.of(user.pk, at=at("2026-02-06T12:00")) == [Entitlement("cinema", at("2026-02-28T12:00"))]


def test_access_does_not_wait_for_the_sweep_to_end(bank: FakeAcquirer) -> None:
    """A worker that is away for a week prolongs nobody's films."""
    sold = bought(bank, "month", MORNING)
    sold.refresh_from_db()
    assert sold.status == "active"
    assert not entitlements.may(sold.user_id, "cinema", at=at("2026-03-09T12:00"))
    assert not sold.has_access(at("2026-03-09T12:00"))
