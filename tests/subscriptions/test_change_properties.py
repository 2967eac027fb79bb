"""Another plan at any moment of any term: what it counts for, how long it then runs, and preview equals deed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moneyed import Money

from billing import money, payments
from billing.models import Refund
from subscriptions import changes, lifecycle, pricing
from subscriptions.calendar import anchor_before, anniversary, continued, days_after, months_begun, whole_days
from subscriptions.models import Period, Plan, Subscription
from tests import things
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.terms import at, bought, fake_bank, news, right
from tests.subscriptions.test_calendar_properties import ANCHORS, ZONES

pure = settings(deadline=None, max_examples=200)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
SHARES = st.floats(0, 1, exclude_max=True)


@st.composite
def terms(draw: Any) -> pricing.Term:
    """Any paid term: the first, or one whose months are counted from years before."""
    anchor, zone, months, before = draw(ANCHORS), draw(ZONES), draw(st.integers(1, 36)), draw(st.integers(0, 60))
    paid = draw(st.integers(1, 10**9))
    starts_at = anniversary(anchor, before, zone)
    return pricing.Term(
        policy=draw(st.sampled_from(Plan.RefundPolicy.values)),
        paid=money.from_minor(paid, "RUB"),
        refunded=money.from_minor(draw(st.integers(0, paid) | st.just(0)), "RUB"),
        months=months,
        starts_at=starts_at,
        ends_at=anniversary(anchor, before + months, zone),
        paid_at=starts_at,
        zone=zone,
        cooling_off=HOUR,
        anchor_at=anchor,
    )


def moment(term: pricing.Term, share: float) -> datetime:
    return min(term.starts_at + (term.ends_at - term.starts_at) * share, term.ends_at - SECOND)


@pure
@given(terms(), SHARES, SHARES)
def test_upgrading_later_never_counts_more(term: pricing.Term, one: float, other: float) -> None:
    early, late = sorted([moment(term, one), moment(term, other)])
    first, second = pricing.credit(term, early), pricing.credit(term, late)
    assert Money(0, "RUB") <= second.amount <= first.amount <= term.paid - term.refunded
    assert first.months >= second.months >= 1


@pure
@given(terms(), SHARES)
def test_what_is_counted_and_the_months_behind_it_add_up(term: pricing.Term, share: float) -> None:
    when = moment(term, share)
    found, shares = pricing.credit(term, when), money.split(term.paid, term.months)
    behind = sum(shares[: term.months - found.months], start=Money(0, "RUB"))
    assert found.amount == min(term.paid - behind, term.paid - term.refunded)
    assert term.starts_at <= found.counts_from <= when < anniversary(found.counts_from, 1, term.zone) + 4 * 24 * HOUR


@pure
@given(terms(), SHARES, st.integers(1, 36))
def test_the_new_term_ends_after_the_month_in_progress_and_on_the_anchors_day(
    term: pricing.Term, share: float, months: int
) -> None:
    when, anchor = moment(term, share), term.anchor_at
    assert anchor is not None
    found = pricing.credit(term, when)
    ends_at = continued(anchor, found.counts_from, months, term.zone)
    begun = months_begun(anchor, found.counts_from, term.zone) - 1
    assert ends_at == anniversary(anchor, begun + months, term.zone) > when


@pure
@given(ANCHORS, ZONES, st.integers(0, 3_660), st.integers(0, 3_660))
def test_after_any_rest_the_months_are_counted_from_a_day_before_it(
    end: datetime, zone: Any, ahead: int, rested: int
) -> None:
    """However long it was, and however far away the end is."""
    end = days_after(end, rested, zone)
    since = days_after(end, -ahead, zone)
    anchor = anchor_before(end, since, zone)
    months = months_begun(anchor, end, zone) - 1
    assert anchor <= since and anniversary(anchor, months, zone) == end
    assert (since - anchor).days <= 62  # the nearest such day


@pure
@given(ANCHORS, ZONES, st.timedeltas(timedelta(0), timedelta(days=3_660)))
def test_a_rest_of_whole_days_is_never_longer_than_the_rest(since: datetime, zone: Any, rest: timedelta) -> None:
    days = whole_days(since, since + rest, zone)
    assert days >= 0 and days_after(since, days, zone) <= max(since + rest, days_after(since, 0, zone))
    assert days_after(since, days + 1, zone) > since + rest


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    things.plan("month", 1, 29_900)
    things.plan("quarter", 3, 79_901)
    things.plan("prime", 7, 499_903)
    return fake_bank(settings)


@pytest.mark.django_db
@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    code=st.sampled_from(["month", "quarter"]),
    start=st.datetimes(
        datetime.fromisoformat("2024-01-28"), datetime.fromisoformat("2026-03-02"), timezones=st.just(UTC)
    ),
    share=st.floats(0.001, 0.999),
)
def test_P13_the_change_that_is_made_is_the_one_that_was_shown(
    bank: FakeAcquirer, code: str, start: datetime, share: float
) -> None:
    sold = bought(bank, code, start)
    assert sold.valid_till
    when = start + (sold.valid_till - start) * share
    seen = changes.preview(sold, "prime", at=when)
    assert seen.credit + seen.to_pay == seen.price and Money(0, "RUB") <= seen.returnable <= seen.credit
    order = lifecycle.Order(plan="prime", expected_total=seen.to_pay)
    asked = changes.upgrade(sold.pk, order, actor="test", at=when)
    bank.pay(asked.payment.pk)
    payments.check(asked.payment.pk, at=when)
    news(when)
    done = Subscription.objects.get(pk=sold.pk)
    assert (done.plan.code, done.valid_till) == ("prime", seen.ends_at)
    assert asked.payment.money == seen.to_pay and bank.took(asked.payment.pk) == seen.to_pay
    assert (asked.change.credit_money, asked.change.returnable_money) == (seen.credit, seen.returnable)


@pytest.mark.django_db
def test_a_change_paid_at_the_instant_at_which_the_term_begins_is_made(bank: FakeAcquirer) -> None:
    morning = at("2026-01-31T12:00")
    sold = bought(bank, "quarter", morning)
    seen = changes.preview(sold, "prime", at=morning)
    assert (seen.credit, seen.counts_from) == (Money("799.01", "RUB"), morning)  # all of it is left
    asked = changes.upgrade(sold.pk, lifecycle.Order(plan="prime"), actor="test", at=morning)
    bank.pay(asked.payment.pk)
    payments.check(asked.payment.pk, at=morning)
    news(morning)
    done, least = Subscription.objects.get(pk=sold.pk), morning + datetime.resolution
    assert (done.plan.code, done.valid_till, Refund.objects.count()) == ("prime", seen.ends_at, 0)
    spans = Period.objects.order_by("number").values_list("starts_at", "ends_at")
    assert [*spans] == [(morning, least), (least, seen.ends_at)]
    assert right(morning)
