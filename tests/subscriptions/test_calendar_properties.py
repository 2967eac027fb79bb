"""For every anchor, term and time zone: terms follow one another without a gap, an overlap or a drift."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from subscriptions.calendar import anniversary, continued

ZONES = st.sampled_from(
    [ZoneInfo(name) for name in (
        "Europe/Moscow", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "Australia/Lord_Howe",
        "Africa/Casablanca", "Pacific/Chatham", "UTC",
    )]
)  # fmt: skip
FROM, TO = datetime.fromisoformat("2000-01-01"), datetime.fromisoformat("2090-12-31")
ANCHORS = st.datetimes(FROM, TO, timezones=st.just(UTC))
TERMS = st.lists(st.sampled_from([1, 2, 3, 6, 12]), min_size=2, max_size=14)


@given(ANCHORS, TERMS, ZONES)
def test_terms_of_any_lengths_leave_no_gap_and_do_not_overlap(
    anchor: datetime, terms: list[int], zone: ZoneInfo
) -> None:
    ends = [anchor]
    for months in terms:
        ends.append(continued(anchor, ends[-1], months, zone))
    assert all(before < after for before, after in pairwise(ends))
    assert ends[-1] == anniversary(anchor, sum(terms), zone)  # as if it had been one term: nothing drifts


@given(ANCHORS, st.integers(1, 60), ZONES)
def test_a_term_ends_on_the_anchors_day_or_the_months_last(anchor: datetime, months: int, zone: ZoneInfo) -> None:
    end = anchor
    for _ in range(months):
        end = continued(anchor, end, 1, zone)
    here, there = anchor.astimezone(zone), end.astimezone(zone)
    last = monthrange(there.year, there.month)[1]
    skipped = there.date() - timedelta(days=1)  # where a zone skipped the day or the hour altogether
    assert there.day == min(here.day, last) or skipped.day == min(here.day, monthrange(skipped.year, skipped.month)[1])


@given(ANCHORS, st.integers(1, 12), ZONES, st.timedeltas(timedelta(minutes=1), timedelta(days=40)))
def test_a_term_moved_by_hand_is_counted_from_where_it_was_moved_to(
    anchor: datetime, months: int, zone: ZoneInfo, by: timedelta
) -> None:
    moved = anchor + by
    end = continued(anchor, moved, months, zone)
    assert end > moved
    assert end in (anniversary(moved, months, zone), *(anniversary(anchor, n + months, zone) for n in range(3)))
