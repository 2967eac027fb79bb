"""Many towns at once: each process has a database of its own. How many there are changes nothing of what happens."""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

from simulation import cores, database
from simulation.running import Result, Run, simulate

_turn: Any = None  # the number of the next town, shared by the processes

Lived = tuple[Result, list[str]]  # and its log, where it was asked for


def live(runs: list[Run], jobs: int, tell: Callable[[str], None] | None) -> tuple[Result, list[Result]]:
    """Simulates every town of some runs in `jobs` processes. Returns the whole, and the towns where something broke.

    Raises Unfit.
    """
    began = time.monotonic()
    queue = sorted((town for run in runs for town in run.towns()), key=lambda town: -town.work)  # no long one is last
    jobs = min(jobs, len(queue))
    context = multiprocessing.get_context("fork")
    turn = context.Value("i", 0)
    if jobs == 1:
        _take_turns(turn)
        lived = [_live_in(1, queue, tell is not None)]
    else:
        database.let_go()
        with ProcessPoolExecutor(jobs, mp_context=context, initializer=_take_turns, initargs=(turn,)) as pool:
            waiting = [pool.submit(_live_in, number, queue, tell is not None) for number in range(1, jobs + 1)]
            lived = [each.result() for each in waiting]
    whole = Result(runs[0])
    towns = sorted((town for share in lived for town in share), key=lambda town: (town[0].run.seed, town[0].run.only))
    for result, log in towns:
        whole.add(result)
        for line in log:
            (tell or str)(line)
    whole.seconds = time.monotonic() - began
    return whole, [result for result, _ in towns if result.breaches]


def _take_turns(turn: Any) -> None:
    """In each process: whose town it is next is counted by all of them together."""
    global _turn
    _turn = turn


def _turns(towns: int) -> Iterator[int]:
    """The numbers of the towns that no other process has taken: some live much longer than others."""
    while True:
        with _turn.get_lock():
            number, _turn.value = _turn.value, _turn.value + 1
        if number >= towns:
            return
        yield number


def _live_in(number: int, towns: list[Run], logged: bool) -> list[Lived]:
    """One process's share, in the database of that number."""
    lived = []
    with database.simulated(number), cores.shared(number), _little_collecting():
        for town in _turns(len(towns)):
            log: list[str] = []
            result = simulate(towns[town], log.append if logged else lambda line: None)
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
