"""What sets one town apart from another, and what it costs to simulate."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Temper:
    """One of ten kinds of towns."""

    unhurried: bool  # the worker hears no wake-ups: what waits goes at once
    crowded: bool  # everybody comes on the same evenings
    of_all_protocols: bool  # its customers pay at any acquirer; others at the bank's own

    @property
    def work(self) -> int:
        """More where a year takes longer: a worker that is woken looks often, each acquirer is asked for statements."""
        return 2 * (not self.unhurried) + self.of_all_protocols


def temper(seed: int, town: int) -> Temper:
    """Of any ten towns in a row no two are of one kind."""
    kind = (seed + town) % 10
    return Temper(unhurried=kind < 5, crowded=kind < 7, of_all_protocols=kind % 2 == 0)


def turn(seed: int, town: int) -> int:
    """Counts on by one with every second town, so that each kind of town has both turns in time."""
    return (seed + town) // 2
