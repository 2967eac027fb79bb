"""What comes back of a term: laws that hold for every price, plan and moment, and figures found by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moneyed import Money

from billing import money
from subscriptions import pricing, quotes
from subscriptions.calendar import anniversary
from subscriptions.models import Plan

MOSCOW, NEW_YORK = ZoneInfo("Europe/Moscow"), ZoneInfo("America/New_York")
POLICIES = [policy.value for policy in Plan.RefundPolicy]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


def at(text: str, zone: ZoneInfo = MOSCOW) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def term(starts_at: datetime, months: int = 12, kopecks: int = 269_900, **more: Any) -> pricing.Term:
    zone = more.get("zone", MOSCOW)
    return pricing.Term(
        **{
            "policy": "unused_months",
            "paid": money.from_minor(kopecks, "RUB"),
            "refunded": Money(0, "RUB"),
            "months": months,
            "starts_at": starts_at,
            "ends_at": anniversary(starts_at, months, zone),
            "paid_at": starts_at,
            "zone": zone,
            "cooling_off": HOUR,
        }
        | more
    )


@st.composite
def terms(draw: st.DrawFn) -> pricing.Term:
    """Any term: begun at once or stacked behind another, some of it given back before."""
    starts_at, kopecks = draw(MOMENTS), draw(st.integers(1, 10**9))
    zone = ZoneInfo(draw(st.sampled_from(["UTC", "Europe/Moscow", "America/New_York", "Australia/Lord_Howe"])))
    return term(
        starts_at,
        draw(st.sampled_from([1, 2, 3, 6, 12])),
        kopecks,
        policy=draw(st.sampled_from(POLICIES)),
        refunded=money.from_minor(draw(st.integers(0, kopecks)), "RUB"),
        paid_at=starts_at - draw(st.sampled_from([timedelta(0), HOUR / 2, 40 * DAY])),
        zone=zone,
    )


AFTER = st.timedeltas(-50 * DAY, 420 * DAY)


# --- Laws ---


@given(terms(), AFTER)
def test_M8_never_below_zero_and_never_more_than_is_left(sold: pricing.Term, after: timedelta) -> None:
    found = pricing.unused(sold, sold.starts_at + after)
    assert Money(0, "RUB") <= found.refund <= sold.paid - sold.refunded
    money.to_minor(found.refund)  # whole kopecks, or BadAmount


@given(terms(), AFTER, st.timedeltas(timedelta(0), 400 * DAY) | st.timedeltas(timedelta(0), 3 * HOUR))
def test_M8_cancelling_later_never_returns_more(sold: pricing.Term, after: timedelta, later: timedelta) -> None:
    moment = sold.starts_at + after
    assert pricing.unused(sold, moment + later).refund <= pricing.unused(sold, moment).refund


@given(terms(), st.timedeltas(timedelta(0), HOUR - timedelta(microseconds=1)))
def test_T5_within_the_hour_everything_comes_back_and_access_ends(sold: pricing.Term, after: timedelta) -> None:
    moment = sold.paid_at + after
    found = pricing.unused(sold, moment)
    if sold.policy == "none":
        assert found.refund == Money(0, "RUB")
    else:
        assert (found.refund, found.access_until) == (sold.paid - sold.refunded, moment)


@given(terms(), AFTER)
def test_M8_access_never_ends_in_the_past_nor_after_the_term(sold: pricing.Term, after: timedelta) -> None:
    moment = sold.starts_at + after
    assert moment <= pricing.unused(sold, moment).access_until <= max(sold.ends_at, moment)


@given(terms(), AFTER)
def test_M8_what_comes_back_and_what_was_watched_add_up(sold: pricing.Term, after: timedelta) -> None:
    """Whoever keeps watching to the end of access has paid exactly the shares of the months that it covers."""
    sold = replace(sold, policy="unused_months", refunded=Money(0, "RUB"), paid_at=sold.starts_at - 40 * DAY)
    moment = sold.starts_at + after
    found = pricing.unused(sold, moment)
    covered = next(n for n in range(100) if anniversary(sold.starts_at, n, sold.zone) >= min(
        max(found.access_until, sold.starts_at), sold.ends_at))  # fmt: skip
    kept = sum(money.split(sold.paid, sold.months)[:covered], start=Money(0, "RUB"))
    assert found.refund + kept == sold.paid


@given(terms(), AFTER)
def test_B3_every_figure_is_explained(sold: pricing.Term, after: timedelta) -> None:
    found = pricing.unused(sold, sold.starts_at + after)
    if found.refund:
        assert money.spoken(found.refund) in found.explanation


# --- Figures by hand ---

YEAR = term(at("2026-01-31T12:00"))  # 269,900 kopecks: eight shares of 22,492, then four of 22,491


@pytest.mark.parametrize(
    ("moment", "kopecks", "until"),
    [
        ("2026-01-31T12:00", 269_900, "2026-01-31T12:00"),
        ("2026-01-31T12:59:59.999999", 269_900, "2026-01-31T12:59:59.999999"),
        ("2026-01-31T13:00", 247_408, "2026-02-28T12:00"),
        ("2026-02-28T11:59:59", 247_408, "2026-02-28T12:00"),
        ("2026-02-28T12:00", 224_916, "2026-03-31T12:00"),
        ("2026-03-31T11:59:59", 224_916, "2026-03-31T12:00"),
        ("2026-03-31T12:00", 202_424, "2026-04-30T12:00"),
        ("2026-08-31T11:59", 112_456, "2026-08-31T12:00"),
        ("2026-08-31T12:00", 89_964, "2026-09-30T12:00"),
        ("2026-11-30T12:00", 22_491, "2026-12-31T12:00"),
        ("2026-12-31T12:00", 0, "2027-01-31T12:00"),
        ("2027-02-02T12:00", 0, "2027-02-02T12:00"),
    ],
)
def test_M8_unused_months_to_the_kopeck(moment: str, kopecks: int, until: str) -> None:
    found = pricing.unused(YEAR, at(moment))
    assert (money.to_minor(found.refund), found.access_until) == (kopecks, at(until))


@pytest.mark.parametrize(
    ("moment", "kopecks"),
    [
        ("2026-04-01T12:30", 31_000),  # the hour
        ("2026-04-01T13:00", 29_966),  # 29 whole days of 30
        ("2026-04-02T12:00", 29_966),  # the second day is whole at its first instant
        ("2026-04-02T12:00:01", 28_933),
        ("2026-04-30T12:00", 1_033),
        ("2026-04-30T12:00:01", 0),
        ("2026-05-03T12:00", 0),
    ],
)
def test_M8_pro_rata_days_to_the_kopeck(moment: str, kopecks: int) -> None:
    found = pricing.unused(term(at("2026-04-01T12:00"), 1, 31_000, policy="pro_rata_days"), at(moment))
    assert (money.to_minor(found.refund), found.access_until) == (kopecks, at(moment))


@pytest.mark.parametrize(
    ("moment", "days"), [("2026-03-05T11:30", 27), ("2026-03-05T12:30", 26), ("2026-03-20T11:30", 12)]
)
def test_M8_a_daylight_saving_change_in_the_term_takes_no_day_of_the_refund(moment: str, days: int) -> None:
    """From 1 March to 1 April New York's clocks lose an hour; its calendar has 31 days all the same."""
    sold = term(at("2026-03-01T12:00", NEW_YORK), 1, 31_000, policy="pro_rata_days", zone=NEW_YORK)
    assert pricing.unused(sold, at(moment, NEW_YORK)).refund == money.from_minor(days * 1_000, "RUB")


@pytest.mark.parametrize("policy", ["window_only", "none"])
def test_M8_nothing_comes_back_after_the_hour_and_access_goes_on(policy: str) -> None:
    found = pricing.unused(replace(YEAR, policy=policy), at("2026-01-31T13:00"))
    assert (found.refund, found.access_until) == (Money(0, "RUB"), at("2027-01-31T12:00"))


def test_M8_what_came_back_before_is_not_given_twice() -> None:
    found = pricing.unused(replace(YEAR, refunded=Money("2000", "RUB")), at("2026-02-10T12:00"))
    assert found.refund == Money("699", "RUB")
    assert "came back before" in found.explanation


def test_M8_a_term_not_begun_comes_back_whole_after_the_hour() -> None:
    sold = replace(YEAR, paid_at=at("2026-01-02T12:00"))
    found = pricing.unused(sold, at("2026-01-20T12:00"))
    assert (found.refund, found.access_until) == (Money("2699", "RUB"), at("2026-01-31T12:00"))


@pytest.mark.parametrize("policy", POLICIES)
def test_M8_after_the_end_nobody_is_told_that_access_goes_on(policy: str) -> None:
    found = pricing.unused(replace(YEAR, policy=policy), at("2027-02-01T12:00"))
    assert found.refund == Money(0, "RUB")
    assert "access ends now" in found.explanation


@pytest.mark.parametrize(
    ("moment", "kopecks", "until"),
    [
        ("2026-03-30T11:00", 60_000, "2026-03-30T12:00"),
        ("2026-03-30T12:00", 30_000, "2026-04-30T12:00"),
        ("2026-04-30T12:00", 0, "2026-05-30T12:00"),
    ],
)
def test_M10_the_months_of_a_later_term_are_counted_from_the_anchor(moment: str, kopecks: int, until: str) -> None:
    """Begun on 30 November, renewed on 28 February: the next month begins on 30 March, not on the 28th."""
    anchor = at("2025-11-30T12:00")
    second = term(anniversary(anchor, 3, MOSCOW), 3, 90_000, ends_at=anniversary(anchor, 6, MOSCOW), anchor_at=anchor)
    found = pricing.unused(second, at(moment))
    assert (money.to_minor(found.refund), found.access_until) == (kopecks, at(until))


def test_an_anchor_that_the_term_does_not_stand_on_is_left_alone() -> None:
    moved = replace(YEAR, anchor_at=at("2025-12-05T10:00"))
    assert pricing.unused(moved, at("2026-03-01T12:00")) == pricing.unused(YEAR, at("2026-03-01T12:00"))


# --- Quotes and savings ---


def test_B3_a_quote_says_what_it_is_for() -> None:
    quote = quotes.quote("Year", 12, Money("2699", "RUB"))
    assert quote.total == quote.list_price == Money("2699", "RUB")
    assert quote.applied is None
    assert quote.explanation == "Year, 12 months: 2\u00a0699.00\u00a0₽."


@pytest.mark.parametrize(
    ("price", "months", "monthly", "saved"),
    [
        ("2699", 12, "299", ("889", 24)),
        ("3588", 12, "299", None),
        ("3600", 12, "299", None),
        ("3587.99", 12, "299", ("0.01", 0)),
        ("299", 1, None, None),
    ],
)
def test_M7_a_saving_is_against_months_one_by_one(
    price: str, months: int, monthly: str | None, saved: tuple[str, int] | None
) -> None:
    found = pricing.saving(Money(price, "RUB"), months, Money(monthly, "RUB") if monthly else None)
    assert (found and (found.amount, found.percent)) == (saved and (Money(saved[0], "RUB"), saved[1]))


def test_M7_a_saving_compares_nothing_across_currencies() -> None:
    assert pricing.saving(Money(1, "USD"), 12, Money(299, "RUB")) is None
