"""P13: pausing keeps what is paid and not used; going on moves the end by whole days."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import Conflict, Forbidden
from billing.models import Invoice
from subscriptions import cancellation, endings, entitlements, grants, pauses
from subscriptions.calendar import anchor_before, anniversary, days_after, whole_days
from subscriptions.models import Plan, Subscription
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.terms import MOSCOW, at, bought, chosen, fake_bank, right, rub, told
from tests.things import plan

day = datetime.fromisoformat
pytestmark = pytest.mark.django_db
MORNING = at("2026-01-31T12:00")
LATER = at("2026-03-10T12:00")
BACK = at("2026-03-20T13:00")


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    plan("month", 1, 29_900)
    plan("year", 12, 269_900)
    return fake_bank(settings)


def paused(sold: Subscription, moment: datetime = LATER) -> Subscription:
    return pauses.pause(sold.pk, actor="test", at=moment, reason="holidays")


def resumed(sold: Subscription, moment: datetime = BACK) -> Subscription:
    return pauses.resume(sold.pk, actor="test", at=moment)


def test_a_paused_subscription_gives_no_access_and_has_no_end(bank: FakeAcquirer) -> None:
    sold = paused(bought(bank, "year", MORNING))
    assert (sold.status, sold.paused_at, sold.valid_till) == ("paused", LATER, at("2027-01-31T12:00"))
    assert not sold.has_access(LATER) and not entitlements.may(sold.user_id, "cinema", at=LATER)
    assert endings.end_due(at=at("2028-01-01T12:00")) == 0
    assert right(LATER)


def test_going_on_moves_the_end_by_the_whole_days_rested(bank: FakeAcquirer) -> None:
    sold = paused(bought(bank, "year", MORNING))
    assert pauses.return_preview(sold, at=BACK).valid_till == at("2027-02-10T12:00")
    sold = resumed(sold)
    period = sold.periods.get()
    assert (sold.status, sold.valid_till, period.ends_at) == ("active", at("2027-02-10T12:00"), sold.valid_till)
    assert (sold.access_until, sold.next_action_at) == (at("2027-02-12T12:00"), sold.valid_till)
    assert sold.has_access(BACK) and sold.paused_at is None
    assert told(sold)[2:] == ["subscription.paused", "subscription.activated", "subscription.resumed"]
    assert right(BACK)


def test_pausing_again_and_again_gains_nothing(bank: FakeAcquirer) -> None:
    sold = bought(bank, "year", MORNING)
    moment = LATER
    for _ in range(5):
        sold = resumed(paused(sold, moment), moment + timedelta(hours=23))
        moment += timedelta(hours=23, minutes=1)
    assert sold.valid_till == at("2027-01-31T12:00")


def test_pausing_and_going_on_twice_change_nothing_the_second_time(bank: FakeAcquirer) -> None:
    sold = bought(bank, "year", MORNING)
    paused(sold)
    assert paused(sold, BACK).paused_at == LATER
    resumed(sold)
    assert resumed(sold, BACK + timedelta(days=9)).valid_till == at("2027-02-10T12:00")


def test_a_refund_after_a_rest_counts_no_month_that_was_rested(bank: FakeAcquirer) -> None:
    sold = bought(bank, "year", MORNING)
    before = cancellation.preview(sold, at=LATER).refund
    sold = resumed(paused(sold), at("2026-09-10T12:00"))  # half a year
    after = cancellation.preview(sold, at=at("2026-09-10T12:00"))
    assert after.refund == before == rub("2249.16")


def test_a_term_after_the_paused_one_moves_with_it(bank: FakeAcquirer) -> None:
    sold = bought(bank, "month", MORNING)
    sold = grants.extend(sold.pk, grants.Gift("month", days=7), actor="staff", at=MORNING, reason="sorry")
    sold = resumed(paused(sold, at("2026-02-10T12:00")), at("2026-02-15T12:00"))
    spans = list(sold.periods.order_by("number").values_list("starts_at", "ends_at"))
    assert spans == [(MORNING, at("2026-03-05T12:00")), (at("2026-03-05T12:00"), at("2026-03-12T12:00"))]
    assert sold.valid_till == at("2026-03-12T12:00")
    assert right(at("2026-02-15T12:00"))


def test_a_customer_pauses_only_where_the_plan_says_so(bank: FakeAcquirer) -> None:
    sold = bought(bank, "year", MORNING)
    with pytest.raises(Forbidden) as refused:
        pauses.pause(sold.pk, actor="test", at=LATER, by_customer=True)
    assert refused.value.code == "not_pausable"
    Plan.objects.filter(code="year").update(customers_may_pause=True)
    assert pauses.pause(sold.pk, actor="test", at=LATER, by_customer=True).status == "paused"


def test_what_does_not_run_is_not_paused_and_what_is_not_paused_does_not_go_on(bank: FakeAcquirer) -> None:
    waiting = chosen("month", MORNING).subscription
    for verb, code in ((pauses.pause, "not_running"), (pauses.resume, "not_paused")):
        with pytest.raises(Conflict) as refused:
            verb(waiting.pk, actor="test", at=MORNING)
        assert refused.value.code == code
    sold = paused(bought(bank, "year", MORNING))
    with pytest.raises(Conflict, match="nothing to cancel"):
        cancellation.cancel(sold.pk, actor="test", at=LATER)
    assert Invoice.objects.count() == 2


@given(start=st.datetimes(min_value=day("2020-01-01"), max_value=day("2040-01-01")), seconds=st.integers(0, 10**8))
def test_whole_days_are_no_longer_than_what_went_by(start: datetime, seconds: int) -> None:
    since = start.replace(tzinfo=MOSCOW)
    moment = since + timedelta(seconds=seconds)
    days = whole_days(since, moment, MOSCOW)
    assert days_after(since, days, MOSCOW) <= moment < days_after(since, days + 1, MOSCOW)


@given(end=st.datetimes(min_value=day("2021-01-01"), max_value=day("2040-01-01")), days=st.integers(0, 500))
def test_the_anchor_of_a_moved_end_keeps_its_day(end: datetime, days: int) -> None:
    moved = end.replace(tzinfo=MOSCOW)
    anchor = anchor_before(moved, moved - timedelta(days=days), MOSCOW)
    assert anchor <= moved - timedelta(days=days)
    assert anchor.astimezone(MOSCOW).day == moved.day
    assert any(anniversary(anchor, months, MOSCOW) == moved for months in range(1, 80))
