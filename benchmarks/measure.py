"""Rounds in which every side takes its turn, what they come to, and what one trip asks of PostgreSQL."""

from __future__ import annotations

import gc
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from django.db import close_old_connections, connection
from django.test.utils import CaptureQueriesContext

FRAME = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")


@dataclass(frozen=True)
class Side:
    """One way to make trips.

    `prepare` makes what a number of trips needs, off the clock; `run` makes the trips and returns how many units it
    has done; `check` raises AssertionError where they were not made. `statements`: where they cannot be counted.
    """

    name: str
    prepare: Callable[[int], Sequence[Any]]
    run: Callable[[Sequence[Any]], int]
    check: Callable[[Sequence[Any]], None] = lambda items: None
    statements: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What one trip asks of PostgreSQL: statements, and transactions that were committed for them."""

    statements: int
    commits: int


def each(trip: Callable[[Any], object]) -> Callable[[Sequence[Any]], int]:
    """A `run` that makes one trip after the other."""

    def run(items: Sequence[Any]) -> int:
        for item in items:
            trip(item)
        return len(items)

    return run


def take_turns(sides: Sequence[Side], *, trips: int, rounds: int) -> dict[str, list[float]]:
    """Units per second of each side, round by round. Who was first in one round is last in the next."""
    rates: dict[str, list[float]] = {side.name: [] for side in sides}
    for side in sides:
        _turn(side, max(trips // 5, 1))  # to warm up
    for number in range(rounds):
        for side in sides[:: 1 if number % 2 == 0 else -1]:
            rates[side.name].append(_turn(side, trips))
    return rates


def _turn(side: Side, trips: int) -> float:
    items = side.prepare(trips)
    gc.collect()
    began = time.perf_counter()
    done = side.run(items)
    seconds = time.perf_counter() - began
    side.check(items)
    return done / seconds


def ratios(rates: dict[str, list[float]], ours: str, theirs: str) -> list[float]:
    """Our rate by theirs, round by round."""
    return [our / their for our, their in zip(rates[ours], rates[theirs], strict=True)]


def middle(values: Sequence[float]) -> float:
    return median(values)


def asked(side: Side) -> Asked:
    """Counts one trip, as the code asks: not what the driver or the pool add by themselves."""
    if side.statements is not None:
        return Asked(side.statements, 1)
    _turn(side, 1)  # what is kept between trips is there now
    items = side.prepare(1)
    with CaptureQueriesContext(connection) as queries:
        side.run(items)
    words = [query["sql"].split(maxsplit=1)[0].rstrip(";").upper() for query in queries.captured_queries]
    side.check(items)
    return Asked(sum(word not in FRAME for word in words), words.count("COMMIT"))


def peak_mib() -> float:
    """The most memory (resident set) that this process has had, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def idle() -> None:
    """As after a request or a task: the connection goes back to the pool."""
    close_old_connections()
