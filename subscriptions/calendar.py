"""Month arithmetic, pure: anniversaries are counted from the anchor, so 31 January never becomes the 28th for good."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from dateutil.relativedelta import relativedelta


def anniversary(anchor: datetime, months: int, zone: tzinfo) -> datetime:
    """The instant `months` months after `anchor`, at the same wall-clock time in `zone`; in UTC.

    A day that the month lacks becomes its last day. A wall-clock time that a daylight-saving change skips is taken
    with the offset before it, one that comes twice is its first.
    """
    return _moved(anchor, relativedelta(months=months), zone) if months else anchor.astimezone(UTC)


def continued(anchor: datetime, end: datetime, months: int, zone: tzinfo) -> datetime:
    """The end of a term of `months` months that begins at `end`, where the term before it ended; in UTC.

    The months go on being counted from `anchor`, so that its day never drifts; from `end` itself where that is no
    anniversary of it (a term that was moved by hand).
    """
    since = anchor_at(anchor, end, zone)
    return anniversary(since, max(months_begun(since, end, zone) - 1, 0) + months, zone)


def anchor_at(anchor: datetime, end: datetime, zone: tzinfo) -> datetime:
    """What the months of a term that begins at `end` are counted from: `anchor`, where `end` is an anniversary of it.

    Otherwise `end` itself: after days for nothing or a trial the months begin anew, and keep that day from then on.
    """
    before = months_begun(anchor, end, zone) - 1
    return anchor if before >= 0 and anniversary(anchor, before, zone) == end else end


def months_begun(anchor: datetime, at: datetime, zone: tzinfo) -> int:
    """How many months from `anchor` have begun by `at`: 0 before it, 1 from it on, 2 from the first anniversary."""
    if at < anchor:
        return 0
    local, now = anchor.astimezone(zone), at.astimezone(zone)
    # One less than the months' names say: a skipped day may have put the last anniversary off into the next month.
    begun = max((now.year - local.year) * 12 + now.month - local.month - 1, 0)
    while anniversary(anchor, begun, zone) <= at:
        begun += 1
    return begun


def days_used(anchor: datetime, at: datetime, zone: tzinfo) -> int:
    """How many days counted from `anchor` had begun before `at`, by the wall clock of `zone`.

    A day begins at the anchor's time of day; that of a daylight-saving change is one day, though of 23 or 25 hours.
    """
    if at <= anchor:
        return 0
    used = max((at.astimezone(zone).date() - anchor.astimezone(zone).date()).days - 1, 1)
    while _moved(anchor, timedelta(days=used), zone) < at:
        used += 1
    return used


def days_after(anchor: datetime, days: int, zone: tzinfo) -> datetime:
    """The instant `days` days after `anchor`, at the same wall-clock time in `zone`; in UTC."""
    return _moved(anchor, timedelta(days=days), zone)


def anchor_before(end: datetime, limit: datetime, zone: tzinfo) -> datetime:
    """The latest instant up to `limit` of which `end` is an anniversary: what months are counted from when a term was
    moved by days. It has the day of `end` itself, so that the 31st stays the 31st.
    """
    wall = end.astimezone(zone).replace(tzinfo=None)
    for months in range(1, 12 * 400):
        earlier = wall - relativedelta(months=months)
        found = earlier.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if earlier.day == wall.day and found <= limit and anniversary(found, months, zone) == end:
            return found
    raise ValueError("there is no such instant")


def whole_days(since: datetime, at: datetime, zone: tzinfo) -> int:
    """How many whole days have gone by from `since` to `at`, by the wall clock of `zone`."""
    gone = max((at.astimezone(zone).date() - since.astimezone(zone).date()).days, 0)
    while gone and _moved(since, timedelta(days=gone), zone) > at:
        gone -= 1
    return gone


def _moved(anchor: datetime, by: relativedelta | timedelta, zone: tzinfo) -> datetime:
    """`anchor` moved by the wall clock of `zone`; in UTC."""
    wall = anchor.astimezone(zone).replace(tzinfo=None) + by
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
