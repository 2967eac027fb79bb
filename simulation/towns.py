"""Many towns at once: each process has a database of its own. How many there are changes nothing of what happens."""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

from simulation import database
from simulation.running import Result, Run, simulate

Lived = tuple[Result, list[str]]  # and its log, where it was asked for


def live(runs: list[Run], jobs: int, tell: Callable[[str], None] | None) -> tuple[Result, list[Result]]:
    """Simulates every town of some runs in `jobs` processes. Returns the whole, and the towns where something broke.

    Raises Unfit.
    """
    began = time.monotonic()
    queue = [town for run in runs for town in run.towns()]
    jobs = min(jobs, len(queue))
    shares = [queue[number::jobs] for number in range(jobs)]
    logged = [tell is not None] * jobs
    if jobs == 1:
        lived = [_live_in(1, shares[0], logged[0])]
    else:
        database.let_go()
        with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("fork")) as pool:
            lived = list(pool.map(_live_in, range(1, jobs + 1), shares, logged))
    whole = Result(runs[0])
    towns = sorted((town for share in lived for town in share), key=lambda town: (town[0].run.seed, town[0].run.only))
    for result, log in towns:
        whole.add(result)
        for line in log:
            (tell or str)(line)
    whole.seconds = time.monotonic() - began
    return whole, [result for result, _ in towns if result.breaches]


def _live_in(number: int, towns: list[Run], logged: bool) -> list[Lived]:
    """One process's share, in the database of that number."""
    lived = []
    with database.simulated(number), _little_collecting():
        for town in towns:
            log: list[str] = []
            result = simulate(town, log.append if logged else lambda line: None)
            lived.append((result, log))
    return lived


@contextmanager
def _little_collecting() -> Iterator[None]:
    """Python looks for garbage seldom: in the whole of Django it costs a tenth of the time."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
