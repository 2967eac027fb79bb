"""The benchmarks still run and find what they are for; how fast anything is, is for `script/bench` to say."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from benchmarks import paths
from benchmarks.table import table


@pytest.mark.slow
def test_each_trip_is_still_made() -> None:
    """A path whose trip is not made any more ends with a failure; a missed goal is none here."""
    few = {"rounds": 1, "trips": 2, "payments": 20, "rows": 20, "due": 5, "charges": 5, "existing": 50}
    words = [word for name, value in few.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "benchmarks", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "DEBUG": "1"})
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["failed"] == [], done.stderr
    assert {each["path"] for each in figures["comparisons"]} == set(paths.GOALS)


@pytest.mark.parametrize(
    ("ratio", "at_most", "verdict"),
    [(0.5, False, "reached"), (0.49, False, "MISSED"), (0.5, True, "reached"), (0.51, True, "MISSED")],
)
def test_a_goal_is_reached_or_missed(ratio: float, at_most: bool, verdict: str) -> None:
    compared = paths.Comparison("settled", "view", ratio, ratio, ratio, (1, 2), goal=0.5, at_most=at_most)
    assert table([compared]).splitlines()[1].endswith(verdict)


def test_a_path_that_does_not_exist_is_named() -> None:
    command = [sys.executable, "-m", "benchmarks", "speed"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "there is no path speed; there are received," in done.stderr
