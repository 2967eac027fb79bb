"""What a due row costs a sweep among many that are not due, held against the same rows alone.

Each number of rows has a database and a process of its own, filled before; they take turns at the same sweeps.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from benchmarks import database
from benchmarks.measure import middle

SWEEPS = ("renewals", "endings", "hours")
SIZES = (10_000, 100_000)


@dataclass(frozen=True, slots=True)
class Among:
    """What a sweep came to among `existing` rows: due rows per second there and alone, and the cost of one there by
    its cost alone, round by round.
    """

    sweep: str
    existing: int
    rate: float
    alone: float
    costs: list[float]


def found(existing: int, due: int, rounds: int) -> list[Among]:
    """Each sweep among 10,000, 100,000 and `existing` rows, as far as that is not fewer."""
    sizes = sorted({size for size in SIZES if size < existing} | {existing})
    seconds: dict[tuple[str, int], list[float]] = {(sweep, size): [] for sweep in SWEEPS for size in (0, *sizes)}
    with ExitStack() as open_:
        sweepers = {size: open_.enter_context(_sweeper(size)) for size in (0, *sizes)}
        for number in range(-1, rounds):  # the first is to warm up
            for sweep in SWEEPS:
                for size in (0, *sizes)[:: 1 if number % 2 == 0 else -1]:
                    took = _asked(sweepers[size], f"{sweep} {due}")
                    if number >= 0:
                        seconds[sweep, size].append(took)
    return [_among(sweep, size, due, seconds) for sweep in SWEEPS for size in sizes]


def _among(sweep: str, size: int, due: int, seconds: dict[tuple[str, int], list[float]]) -> Among:
    here, alone = seconds[sweep, size], seconds[sweep, 0]
    costs = [mine / theirs for mine, theirs in zip(here, alone, strict=True)]
    return Among(sweep, size, due / middle(here), due / middle(alone), costs)


@contextmanager
def _sweeper(size: int) -> Iterator[subprocess.Popen[str]]:
    url = os.environ["DATABASE_URL"]
    command = [sys.executable, "-m", "benchmarks.sweeper", str(size)]
    with database.new(url, str(size), like=url) as own:
        env = {**os.environ, "DATABASE_URL": own}
        with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                _told(process)  # that it is ready
                yield process
            finally:
                process.kill()


def _asked(process: subprocess.Popen[str], question: str) -> float:
    assert process.stdin is not None
    process.stdin.write(question + "\n")
    process.stdin.flush()
    return _told(process)


def _told(process: subprocess.Popen[str]) -> float:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("a sweeper died, see above")
    return float(json.loads(line))
