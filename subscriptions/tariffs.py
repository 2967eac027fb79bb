"""The arithmetic of a tariff by the hour, pure and in whole numbers: no part of a minor unit is lost or charged twice.

Time is counted in microseconds and money in 1/HOUR of a minor unit, so that rate x time needs no rounding. The
sweep's SQL says the same; a property test holds both against each other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

MICROSECOND = timedelta(microseconds=1)
HOUR = timedelta(hours=1) // MICROSECOND
FAR = timedelta(days=3650) // MICROSECOND  # nobody is promised more: a date must stay a date


@dataclass(frozen=True, slots=True)
class Clock:
    """A running meter: `rate` minor units an hour since `since`, of which `charged` minor units were taken.

    `carry` is what was used before `since` and is less than a minor unit: parts of 1/HOUR.
    """

    rate: int
    since: datetime
    carry: int = 0
    charged: int = 0

    def used(self, at: datetime) -> int:
        """What was used until `at`, in 1/HOUR of a minor unit; never less than was charged."""
        return self.carry + self.rate * max((at - self.since) // MICROSECOND, 0)

    def due(self, at: datetime) -> int:
        """The whole minor units that were used until `at` and not charged yet."""
        return max(self.used(at) // HOUR - self.charged, 0)

    def dry_at(self, balance: int) -> datetime:
        """When `balance` minor units, and what was charged, will be used up."""
        left = (self.charged + balance) * HOUR - self.carry
        return self.since + min(max(-(-left // self.rate), 0), FAR) * MICROSECOND

    def taken(self, amount: int) -> Clock:
        """The clock after `amount` was charged."""
        return replace(self, charged=self.charged + amount)

    def stopped(self, at: datetime) -> Clock:
        """The clock stopped at `at`, all that is due charged: only what is less than a minor unit goes on."""
        return Clock(self.rate, at, max(self.used(at) - self.charged * HOUR, 0))


def spoken(left: timedelta) -> str:
    """3 hours 20 minutes; 24 hours."""
    hours, minutes = divmod(int(left.total_seconds()) // 60, 60)
    words = [f"{hours} hour{'s' * (hours != 1)}"] if hours else []
    if minutes or not hours:
        words.append(f"{minutes} minute{'s' * (minutes != 1)}")
    return " ".join(words)
