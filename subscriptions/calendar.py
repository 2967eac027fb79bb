"""Month arithmetic, pure: anniversaries are counted from the anchor, so 31 January never becomes the 28th for good."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from dateutil.relativedelta import relativedelta


def anniversary(anchor: datetime, months: int, zone: tzinfo) -> datetime:
    """The instant `months` months after `anchor`, at the same wall-clock time in `zone`; in UTC.

    A day that the month lacks becomes its last day. A wall-clock time that a daylight-saving change skips is taken
    with the offset before it, one that comes twice is its first.
    """
    local = anchor.astimezone(zone)
    moved = local.replace(tzinfo=None) + relativedelta(months=months)
    return moved.replace(tzinfo=zone, fold=0).astimezone(UTC)


def months_begun(anchor: datetime, at: datetime, zone: tzinfo) -> int:
    """How many months from `anchor` have begun by `at`: 0 before it, 1 from it on, 2 from the first anniversary."""
    if at < anchor:
        return 0
    local, now = anchor.astimezone(zone), at.astimezone(zone)
    begun = max((now.year - local.year) * 12 + now.month - local.month, 0)
    while anniversary(anchor, begun, zone) <= at:
        begun += 1
    return begun
