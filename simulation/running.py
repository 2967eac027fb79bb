"""One run from the first visit to the audit, and the search for a shorter one that breaks as well."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import groupby
from typing import Any

from accounts.models import User
from simulation import database, plans, points
from simulation.closing import Closing
from simulation.courier import Courier
from simulation.diary import Diary
from simulation.errors import Stopped
from simulation.habits import Subscriber
from simulation.mishaps import Mishaps
from simulation.points import Point
from simulation.staff import Staff
from simulation.temper import temper
from simulation.watch import Breach
from simulation.weather import Weather
from simulation.worker import Worker
from simulation.world import BEGIN, World

YEAR = timedelta(days=365)
TRIES = 24  # shorter runs that are tried after a breach
TOWN = 100  # subscribers that share a world: a bank, a database, a shop


@dataclass(frozen=True, slots=True)
class Run:
    """What is simulated. `only` names the subscribers of a part of it; each has the same habits as in the whole."""

    years: int
    faults: float
    seed: int
    on_sale: list[tuple[plans.Row, list[plans.Row]]] = field(repr=False)
    only: tuple[int, ...] = ()

    @property
    def subscribers(self) -> Sequence[int]:
        return self.only or range(1, self.years + 1)

    @property
    def work(self) -> int:
        """Of a town: how much longer it takes than others."""
        return temper(self.seed, _town(self.subscribers[0])).work

    def towns(self) -> list[Run]:
        """The run in worlds of their own, of at most TOWN subscribers each, whatever runs where."""
        grouped = groupby(self.subscribers, key=_town)
        return [replace(self, only=tuple(numbers)) for _, numbers in grouped]


@dataclass(slots=True)
class Result:
    """What came of a run."""

    run: Run
    years: int = 0
    steps: int = 0
    operations: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    results: Counter[str] = field(default_factory=Counter)
    digest: str = ""
    breaches: list[Breach] = field(default_factory=list)
    double_charges: int = 0
    lost_operations: int = 0
    died: set[Point] = field(default_factory=set)
    passed: Counter[Point] = field(default_factory=Counter)
    strange: set[str] = field(default_factory=set)  # places that a process passed and the source does not show
    seconds: float = 0

    def add(self, other: Result) -> None:
        """Takes another town's result into this one."""
        self.years += other.years
        self.steps += other.steps
        self.operations += other.operations
        self.faults += other.faults
        self.results += other.results
        self.digest = hashlib.sha256(f"{self.digest}{other.digest}".encode()).hexdigest()[:16]
        self.breaches += other.breaches
        self.double_charges += other.double_charges
        self.lost_operations += other.lost_operations
        self.died |= other.died
        self.passed += other.passed
        self.strange |= other.strange

    def as_json(self) -> dict[str, Any]:
        """The figures of the last line."""
        return {
            "years": self.years,
            "operations": self.operations,
            "faults_injected": self.faults.total(),
            "crash_points_reached": len(self.died),
            "crash_points_total": len(points.points()),
            "double_charges": self.double_charges,
            "lost_operations": self.lost_operations,
            "breaches": len(self.breaches),
            "seconds": round(self.seconds, 1),
        }


def simulate(run: Run, tell: Callable[[str], None] = lambda line: None) -> Result:
    """Lives the year of every subscriber of one town, in an empty database; `tell` hears each line of the log."""
    database.empty()
    diary = Diary(tell)
    world = World(run.seed, _town(run.subscribers[0]), run.faults, diary)
    result = Result(run, years=len(run.subscribers))
    with world.running():
        life = _Life(world, run)
        try:
            life.live()
            life.closing.audit()
        except Stopped:
            pass
    diary.faults["database_away"] += world.crashes.hiccups
    result.steps, result.operations, result.digest = diary.step, diary.operations, diary.digest
    result.faults, result.results = diary.faults, diary.results
    result.breaches = world.watch.breaches
    result.double_charges = max(life.closing.double_charges, world.watch.double_charges)
    result.lost_operations = life.closing.lost
    result.died, result.passed, result.strange = set(world.crashes.died), world.crashes.passed, world.crashes.strange
    return result


class _Life:
    """Everybody in one world."""

    def __init__(self, world: World, run: Run) -> None:
        self.world = world
        codes = plans.write(run.on_sale)
        self.worker, self.courier, self.weather = Worker(world), Courier(world), Weather(world)
        self.mishaps = Mishaps(world, self.courier)
        self.staff = Staff(world, len(run.subscribers))
        self.closing = Closing(world, self.worker, self.courier, self.staff, self.weather)
        people = [
            User(email=f"subscriber{number}@example.com", password="!", email_confirmed_at=BEGIN, date_joined=BEGIN)
            for number in run.subscribers
        ]
        for number, user in zip(run.subscribers, User.objects.bulk_create(people), strict=True):
            Subscriber(world, self.courier, number, user.pk, codes).live()

    def live(self) -> None:
        """A year: whatever is next is done next, by a subscriber, the worker or the bank's courier."""
        self.weather.begin()
        self.mishaps.begin()
        self.staff.begin()
        world, end = self.world, BEGIN + YEAR
        while True:
            deeds = [
                (world.next_at, self._next_deed),
                (self.worker.next_at, self._work),
                (self.courier.next_at, self._carry),
            ]
            at, deed = min(((at, deed) for at, deed in deeds if at), key=lambda pair: pair[0], default=(None, None))
            if at is None or deed is None or at > end:
                return
            world.pass_time(at)
            deed()

    def _next_deed(self) -> None:
        step = self.world.diary.step
        self.world.do_next()
        if self.world.diary.step > step:
            self.worker.plan()

    def _work(self) -> None:
        for bank in self.world.banks.values():
            bank.chores()
        self.worker.run()
        self.worker.plan()

    def _carry(self) -> None:
        self.courier.run()
        if self.world.trouble(0.3):
            self.worker.process_oddly()


def _town(number: int) -> int:
    return (number - 1) // TOWN


def shortest(result: Result, deadline: float) -> Result:
    """The shortest run found that breaks as well: with fewer subscribers, by halves, until `deadline` (monotonic)."""
    best = result
    crowd = list(result.run.subscribers)
    tries, parts = 0, 2
    while len(crowd) > 1 and tries < TRIES and time.monotonic() < deadline:
        size = -(-len(crowd) // parts)
        for start in range(0, len(crowd), size):
            tries += 1
            some = crowd[start : start + size]
            smaller = replace(best.run, only=tuple(some))
            found = simulate(smaller)
            if found.breaches:
                best, crowd, parts = found, some, 2
                break
            if tries >= TRIES or time.monotonic() > deadline:
                return best
        else:
            if size == 1:
                break
            parts = min(parts * 2, len(crowd))
    return best
