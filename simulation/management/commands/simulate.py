"""`manage.py simulate`: subscribers live a year while everything fails; the books are looked at after every step."""

from __future__ import annotations

import argparse
import json
import os
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from simulation import database, plans, points, towns
from simulation.errors import Unfit
from simulation.running import Result, Run, shortest

SEARCH = 120.0  # seconds at most that are spent on a shorter replay
MOST = 1_000_000


class Command(BaseCommand):
    help = (
        "Simulates subscribers, each for a year, in a database of its own beside the product's, with a bank in this "
        "process and with every failure: the same seed gives the same run. Prints what broke and exits 1; the last "
        "line is a JSON object."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--years", type=_years, required=True, help="subscriber-years: this many live one year each"
        )
        parser.add_argument("--faults", type=_rate, default=0.2, help="how much fails, 0 to 1 (default 0.2)")
        parser.add_argument("--seed", type=int, default=1, help="any whole number (default 1)")
        parser.add_argument("--seeds", type=_few, default=1, help="so many seeds from that one on (default 1)")
        parser.add_argument(
            "--plans", choices=[plans.REAL, plans.DEMO], default=plans.DEMO, help="what is on sale (default demo)"
        )
        parser.add_argument(
            "--only", type=_numbers, default=(), help="only these subscribers (as a replay prints them)"
        )
        parser.add_argument("--jobs", type=_few, default=os.cpu_count() or 1, help="processes (default: one a core)")
        parser.add_argument("--log", action="store_true", help="print each step")
        parser.add_argument("--points", action="store_true", help="print the crash points that were not reached")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            database.check_product()
            on_sale = plans.read(options["plans"])
            seeds = range(options["seed"], options["seed"] + options["seeds"])
            runs = [Run(options["years"], options["faults"], seed, on_sale, options["only"]) for seed in seeds]
            result = self._run(runs, options)
        except Unfit as problem:
            raise CommandError(str(problem), returncode=2) from problem
        self.stdout.write(json.dumps(result.as_json()))
        if result.breaches:
            raise SystemExit(1)

    def _run(self, runs: list[Run], options: dict[str, Any]) -> Result:
        result, broken = towns.live(runs, options["jobs"], self.stdout.write if options["log"] else None)
        self._summary(result, all_points=options["points"])
        if broken:
            self._breaches(broken)
            with database.simulated():
                self._replay(shortest(broken[0], time.monotonic() + SEARCH), options["plans"])
        return result

    def _summary(self, result: Result, *, all_points: bool) -> None:
        self.stdout.write(f"{result.steps} steps, log {result.digest}")
        faults = ", ".join(f"{name} {count}" for name, count in sorted(result.faults.items()))
        self.stdout.write(f"Faults: {faults or 'none'}")
        missed = sorted(set(points.points()) - result.died)
        self.stdout.write(f"Crash points: died at {len(result.died)} of {len(points.points())}")
        for point in missed if all_points else ():
            self.stdout.write(f"  not reached: {point}, passed {result.passed[point]} times")
        for place in sorted(result.strange):
            self.stdout.write(f"  not found in the source: {place}")

    def _breaches(self, broken: list[Result]) -> None:
        for town in broken:
            for breach in town.breaches:
                only = f"subscribers {town.run.only[0]} to {town.run.only[-1]}"
                self.stdout.write(f"BROKEN seed {town.run.seed}, {only}, step {breach.step}: {breach.what}")
        self.stdout.write(f"Looking for a shorter run, for {SEARCH:.0f} seconds at most ...")
        self.stdout.flush()

    def _replay(self, short: Result, sold: str) -> None:
        run = short.run
        replay = f"--years {run.years} --faults {run.faults} --seed {run.seed} --plans {sold} --log"
        self.stdout.write(
            f"Shortest replay found: manage.py simulate {replay} --only {','.join(map(str, run.subscribers))}"
        )
        first = short.breaches[0]
        self.stdout.write(f"  it breaks at step {first.step}: {first.what}")


def _years(text: str) -> int:
    years = int(text)
    if not 1 <= years <= MOST:
        raise argparse.ArgumentTypeError(f"from 1 to {MOST:,}")
    return years


def _few(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1000:
        raise argparse.ArgumentTypeError("from 1 to 1,000")
    return number


def _rate(text: str) -> float:
    rate = float(text)  # a likelihood, no money
    if not 0 <= rate <= 1:
        raise argparse.ArgumentTypeError("from 0 to 1")
    return rate


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(sorted({int(part) for part in text.split(",")}))
    if numbers[0] < 1:
        raise argparse.ArgumentTypeError("numbers from 1, with commas between")
    return numbers
