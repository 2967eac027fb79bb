"""One run: load, kills by the dice of a seed, quiet, verdict."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

from tests.killing.customers import Caller, Customer, Notes
from tests.killing.stage import Stage, stage
from tests.killing.verdict import Books, Verdict, judge, wait_until_final

FINAL_WITHIN = 120.0  # seconds after the last restart, or the last customer


def run(
    name: str,
    folder: Path,
    *,
    kills: int,
    seed: int,
    customers: int,
    hurry: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Verdict:
    """Kills `kills` times under the load of `customers`. `hurry` does not wait for the leases of the killed."""
    began = time.monotonic()
    with stage(name, folder) as scene:
        tokens = json.loads(scene.manage("tests.killing.people", str(customers)))
        notes, enough = Notes(), Event()
        say(f"Everything runs after {time.monotonic() - began:.0f} s; {customers} customers come.")
        crowd = [
            Customer(seed * 10_000 + number, Caller(scene.url, notes), scene.bank_url, token, tokens[0], enough)
            for number, token in enumerate(tokens[1:])
        ]
        for customer in crowd:
            customer.start()
        _kill(scene, kills, random.Random(seed), say)
        quiet = _calm(scene)
        enough.set()
        say("The killing is over.")
        books = Books(scene.postgres.url)
        _see_off(scene, crowd, books, notes, hurry=hurry)
        unfinished = wait_until_final(scene, books, FINAL_WITHIN, hurry=hurry)
        seconds = time.monotonic() - quiet
        verdict = judge(scene, notes, unfinished)
    verdict.figures = {"seed": seed, "customers": customers, "seconds_to_final": round(seconds, 1)} | verdict.figures
    verdict.figures["seconds"] = round(time.monotonic() - began)
    return verdict


def _kill(scene: Stage, kills: int, dice: random.Random, say: Callable[[str], None]) -> None:
    """Each program gets its share; which comes when, what of it, and how long it stays away is for the dice."""
    names = list(scene.parts)
    queue = [names[number % len(names)] for number in range(kills)]
    dice.shuffle(queue)
    for number, name in enumerate(queue, 1):
        until = time.monotonic() + dice.uniform(0.3, 2.5)
        while time.monotonic() < until or name not in scene.up():
            scene.supervise()
            time.sleep(0.05)
        pause = dice.choice((0.0, dice.uniform(0.0, 3.0)))
        what = scene.kill(name, dice, pause)
        say(f"{number:4} of {kills}: {what}, away for {pause:.1f} s")


def _calm(scene: Stage) -> float:
    """Starts the last ones again; when that was."""
    while len(scene.up()) < len(scene.parts):
        scene.supervise()
        time.sleep(0.05)
    return time.monotonic()


def _see_off(scene: Stage, crowd: list[Customer], books: Books, notes: Notes, *, hurry: bool) -> None:
    """The customers end the trip that they are on; what dies by itself is still started again."""
    until = time.monotonic() + 2 * FINAL_WITHIN
    while any(customer.is_alive() for customer in crowd) and time.monotonic() < until:
        scene.supervise()
        if hurry:
            books.end_leases()
        time.sleep(0.5)
    notes.odd += [f"{customer.name} never came to an end" for customer in crowd if customer.is_alive()]
