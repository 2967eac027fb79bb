"""Kills the process at the points of `points`: hooks around commits, writes and calls out decide by the dice."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from types import FrameType, TracebackType
from typing import Any, TypeVar
from unittest.mock import patch

from django.db import connection, transaction

from simulation import points
from simulation.errors import Away, Died
from simulation.points import Point, Site

T = TypeVar("T")

# Times the rate: at a point where nobody died yet, in the towns whose turn it is there and (the first time that it is
# passed) in others; at another point; that another process runs. Were all points as likely, those at the end of a rare
# deed would be come to too seldom.
NEW, ELSEWHERE, OLD, OTHER = 4.0, 0.75, 0.01, 0.03
TURNS = 2  # every second town is where a point is likely to kill
HICCUP = 0.002  # times the rate: a statement that PostgreSQL does not answer

_CHANGES = ("INSERT", "UPDATE", "DELETE")
_READS = ("SELECT", "SAVEPOINT", "RELEASE", "ROLLBACK")


class Crashes:
    """Where processes passed and where they died. `between` lets another process run in the middle of this one."""

    def __init__(self, chance: Random, rate: float, turn: int = 0) -> None:
        self._chance, self._rate = chance, rate
        every = points.points()
        self._turn = {point for number, point in enumerate(every) if (number + turn) % TURNS == 0}
        self.armed = False
        self.died: Counter[Point] = Counter()
        self.passed: Counter[Point] = Counter()
        self.strange: set[str] = set()  # reached, but not found in the source
        self.between: Callable[[], None] = lambda: None
        self.hiccups = 0
        self.writes = 0  # statements that may have changed a row
        self.told = 0  # of these, those that may have written an event

    def reach(self, site: Site | None, *, after: bool) -> None:
        """A process comes to a point; here it may die, or another process may run. Raises Died."""
        if site is None or not self.armed:
            return
        point = Point(site, after)
        self.passed[point] += 1
        seldom = ELSEWHERE * self.passed[point]  # who is passed over the first time has a better chance the next
        likely = OLD if point in self.died else NEW if point in self._turn else min(seldom, NEW)
        if self._chance.random() < self._rate * likely:
            self.died[point] += 1
            raise Died(str(point))
        if not connection.in_atomic_block and self._chance.random() < self._rate * OTHER:
            self.between()

    def call(self, deed: Callable[..., T], *args: Any) -> T:
        """Does a call to the outside, between its two points. Raises Died."""
        site = self._site(sys._getframe(1), points.CALL)
        self.reach(site, after=False)
        result = deed(*args)
        self.reach(site, after=True)
        return result

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Hooks into Django for the time of a simulation."""
        original = transaction.Atomic.__exit__

        def leave(
            block: transaction.Atomic,
            kind: type[BaseException] | None,
            error: BaseException | None,
            trace: TracebackType | None,
        ) -> None:
            site = None if kind is not None else self._block(sys._getframe(1))
            try:
                self.reach(site, after=False)
            except Died as died:
                original(block, Died, died, died.__traceback__)  # rolls back, as PostgreSQL does for the dead
                raise
            original(block, kind, error, trace)
            self.reach(site, after=True)

        with patch.object(transaction.Atomic, "__exit__", leave), connection.execute_wrapper(self._statement):
            yield

    def _statement(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if self.armed and self._chance.random() < self._rate * HICCUP:
            self.hiccups += 1
            raise Away("PostgreSQL does not answer")
        if not sql.startswith(_READS):
            self.writes += 1
            self.told += "billing_event" in sql
        site = self._write(sys._getframe(1)) if self.armed and sql.startswith(_CHANGES) else None
        self.reach(site, after=False)
        result = execute(sql, params, many, context)
        self.reach(site, after=True)
        return result

    def _block(self, frame: FrameType) -> Site | None:
        """The site of a `with transaction.atomic` that stands in a verb itself."""
        if frame.f_code.co_filename not in points.files():
            return None
        return self._known(frame, points.COMMIT)

    def _write(self, frame: FrameType) -> Site | None:
        verb = _verb(frame)
        return points.around(verb, points.WRITE) if verb else None

    def _site(self, frame: FrameType, kind: str) -> Site | None:
        verb = _verb(frame)
        return self._known(verb, kind) if verb else None

    def _known(self, frame: FrameType, kind: str) -> Site | None:
        site = points.around(frame, kind)
        if site is None:
            self.strange.add(f"{frame.f_code.co_filename}:{frame.f_lineno} {kind}")
        return site


def _verb(frame: FrameType | None) -> FrameType | None:
    """The innermost frame that is a verb's."""
    known = points.files()
    while frame is not None and frame.f_code.co_filename not in known:
        frame = frame.f_back
    return frame
