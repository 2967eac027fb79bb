"""Month arithmetic over every anchor day, term and kind of time zone: no gap, no overlap, no drift."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from subscriptions.calendar import anniversary, days_used, months_begun

MOSCOW, NEW_YORK = ZoneInfo("Europe/Moscow"), ZoneInfo("America/New_York")
# Half-hour changes, changes at midnight, the other half of the year, skipped days, and none at all.
ZONES = st.sampled_from(
    [
        ZoneInfo(name)
        for name in (
            "UTC", "Europe/Moscow", "Europe/London", "America/New_York", "America/Havana", "America/Scoresbysund",
            "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kolkata", "Africa/Casablanca", "Asia/Gaza",
        )
    ]
)  # fmt: skip
MOMENTS = st.datetimes(datetime(2010, 1, 1), datetime(2040, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
MONTHS = st.sampled_from([1, 2, 3, 6, 12, 24])


def at(text: str, zone: ZoneInfo = MOSCOW) -> datetime:
    """A moment by the wall clock of `zone`, in UTC as everywhere: within one zone Python subtracts wall clocks."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


@given(MOMENTS, MONTHS, ZONES, st.integers(1, 40))
def test_terms_follow_one_another_without_gap_or_overlap_and_only_forward(
    anchor: datetime, months: int, zone: ZoneInfo, terms: int
) -> None:
    edges = [anniversary(anchor, number * months, zone) for number in range(terms + 1)]
    assert edges[0] == anchor
    for begin, end in pairwise(edges):
        assert timedelta(days=28 * months - 1, hours=22) <= end - begin <= timedelta(days=31 * months + 1, hours=2)


@given(MOMENTS, st.integers(0, 240), ZONES)
@example(at("2026-01-31T12:00"), 13, MOSCOW)
def test_the_anchor_day_never_drifts(anchor: datetime, months: int, zone: ZoneInfo) -> None:
    began, there = anchor.astimezone(zone), anniversary(anchor, months, zone).astimezone(zone)
    year, month = divmod(began.year * 12 + began.month - 1 + months, 12)
    day = min(began.day, monthrange(year, month + 1)[1])
    wall = datetime(year, month + 1, day, began.hour, began.minute, began.second, began.microsecond)  # noqa: DTZ001
    assert abs(there.replace(tzinfo=None) - wall) <= timedelta(hours=24 if zone.key == "Pacific/Apia" else 1)
    if wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall:
        assert there.replace(tzinfo=None) == wall  # only a time that does not exist may be another


@given(MOMENTS, st.integers(0, 120), ZONES)
def test_a_month_begins_at_its_anniversary_and_not_a_moment_before(
    anchor: datetime, months: int, zone: ZoneInfo
) -> None:
    edge = anniversary(anchor, months, zone)
    assert months_begun(anchor, edge, zone) == months + 1
    assert months_begun(anchor, edge - timedelta(microseconds=1), zone) == months


@given(MOMENTS, st.timedeltas(timedelta(0), timedelta(days=4000)), ZONES)
def test_the_months_begun_are_the_anniversaries_passed(anchor: datetime, after: timedelta, zone: ZoneInfo) -> None:
    begun = months_begun(anchor, anchor + after, zone)
    assert anniversary(anchor, begun - 1, zone) <= anchor + after < anniversary(anchor, begun, zone)


@given(MOMENTS, st.timedeltas(timedelta(0), timedelta(days=800)), st.timedeltas(timedelta(0)), ZONES)
def test_the_days_used_only_grow_and_are_the_calendar_s(
    anchor: datetime, after: timedelta, more: timedelta, zone: ZoneInfo
) -> None:
    moment = anchor + after
    used = days_used(anchor, moment, zone)
    assert used <= days_used(anchor, moment + more % timedelta(days=3), zone)
    dates = (moment.astimezone(zone).date() - anchor.astimezone(zone).date()).days
    skipped = 1 if zone.key == "Pacific/Apia" else 0
    assert dates - 1 - skipped <= used <= dates + 1


@given(MOMENTS, MONTHS, ZONES)
def test_a_whole_term_uses_exactly_its_days(anchor: datetime, months: int, zone: ZoneInfo) -> None:
    end = anniversary(anchor, months, zone)
    began, ended = anchor.astimezone(zone).date(), end.astimezone(zone).date()
    if zone.key != "Pacific/Apia":
        assert days_used(anchor, end, zone) in ((ended - began).days, (ended - began).days + 1)
    assert days_used(anchor, anchor, zone) == 0
    assert days_used(anchor, anchor + timedelta(microseconds=1), zone) == 1


@pytest.mark.parametrize(
    ("anchor", "zone", "edges"),
    [
        ("2026-01-31T12:00", MOSCOW, {1: "2026-02-28", 2: "2026-03-31", 3: "2026-04-30", 12: "2027-01-31"}),
        ("2024-01-31T12:00", MOSCOW, {1: "2024-02-29", 2: "2024-03-31", 13: "2025-02-28", 49: "2028-02-29"}),
        ("2024-02-29T12:00", MOSCOW, {12: "2025-02-28", 24: "2026-02-28", 36: "2027-02-28", 48: "2028-02-29"}),
        ("2026-08-30T12:00", NEW_YORK, {6: "2027-02-28", 7: "2027-03-30", 18: "2028-02-29"}),
    ],
)
def test_M8_anniversaries_by_hand(anchor: str, zone: ZoneInfo, edges: dict[int, str]) -> None:
    for months, day in edges.items():
        assert anniversary(at(anchor, zone), months, zone) == at(f"{day}T12:00", zone)


def test_a_day_begins_in_the_plan_s_zone_and_not_in_utc() -> None:
    """Half past midnight on 1 March in Moscow is still February in UTC."""
    assert anniversary(at("2026-03-01T00:30"), 1, MOSCOW) == at("2026-04-01T00:30")
    assert anniversary(at("2026-01-31T00:30"), 1, MOSCOW) == at("2026-02-28T00:30")


@pytest.mark.parametrize(
    ("anchor", "months", "instant"),
    [
        ("2026-02-08T02:30", 1, "2026-03-08T07:30+00:00"),  # skipped: 02:30 is 03:30 daylight time
        ("2026-10-01T01:30", 1, "2026-11-01T05:30+00:00"),  # comes twice: the first
        ("2026-02-20T12:00", 1, "2026-03-20T16:00+00:00"),  # the same hour on the wall
        ("2026-10-20T12:00", 1, "2026-11-20T17:00+00:00"),
    ],
)
def test_daylight_saving_in_new_york(anchor: str, months: int, instant: str) -> None:
    assert anniversary(at(anchor, NEW_YORK), months, NEW_YORK) == datetime.fromisoformat(instant)


def test_a_term_bought_in_a_skipped_hour_s_month_keeps_its_own_hour_afterwards() -> None:
    assert anniversary(at("2026-02-08T02:30", NEW_YORK), 2, NEW_YORK) == at("2026-04-08T02:30", NEW_YORK)


def test_a_term_begun_in_the_hour_that_comes_twice_begins_when_it_begins() -> None:
    """No months after the anchor is the anchor, not an hour before it."""
    second = at("2026-11-01T01:30", NEW_YORK) + timedelta(hours=1)
    assert second.astimezone(NEW_YORK).hour == 1
    assert anniversary(second, 0, NEW_YORK) == second


def test_a_day_that_an_island_skipped_does_not_begin_a_month_early() -> None:
    """Kiritimati had no 31 December 1994: the second anniversary of 31 October came on New Year's Day."""
    island = ZoneInfo("Pacific/Kiritimati")
    anchor, morning = at("1994-10-31T10:00", island), at("1995-01-01T05:00", island)
    assert anniversary(anchor, 2, island) > morning
    assert months_begun(anchor, morning, island) == 2


@pytest.mark.parametrize(
    ("moment", "used"),
    [("2026-03-05T11:30", 4), ("2026-03-05T12:00", 4), ("2026-03-12T11:30", 11), ("2026-03-12T12:30", 12)],
)
def test_the_day_of_a_change_is_one_day(moment: str, used: int) -> None:
    assert days_used(at("2026-03-01T12:00", NEW_YORK), at(moment, NEW_YORK), NEW_YORK) == used
