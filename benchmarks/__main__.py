"""`script/bench [PATH ...]`: measures hot paths against the bare thing, each path in a process of its own.

Exit status 0: every goal is reached; 1: one is missed, or a trip was not made; 2: bad arguments. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks import database, paths
from benchmarks.table import memory, table


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__.split("\n\n")[0])
    parser.add_argument("paths", nargs="*", metavar="PATH", help=f"of {', '.join(paths.GOALS)}; all unless told")
    paths.arguments(parser)
    options = parser.parse_args(given)
    if unknown := set(options.paths) - set(paths.GOALS):
        parser.error(f"there is no path {', '.join(sorted(unknown))}; there are {', '.join(paths.GOALS)}")
    url = os.environ["DATABASE_URL"]
    wanted = [path for path in paths.GOALS if path in (options.paths or paths.GOALS)]
    with database.new(url, "bench") as migrated:
        env = {**os.environ, "DEBUG": "1", "DATABASE_URL": migrated}
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], env=env, check=True)
        found = {path: _measured(path, paths.scale_of(options), url, migrated) for path in wanted}
    return _tell(found)


def _measured(path: str, scale: paths.Scale, url: str, migrated: str) -> dict[str, Any]:
    """What a process of its own finds, on a database in which nothing else was measured."""
    print(f"measuring: {path} ...", file=sys.stderr, flush=True)
    words = [word for name, value in asdict(scale).items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "benchmarks.paths", path, *words]
    with database.new(url, f"bench_{path}", like=migrated) as own:
        env = {**os.environ, "DATABASE_URL": own}
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        return {"comparisons": [], "peak_mib": 0.0, "failed": True}
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _tell(found: dict[str, Any]) -> int:
    comparisons = [paths.Comparison(**each) for measured in found.values() for each in measured["comparisons"]]
    missed = [f"{each.path} against {each.against}" for each in comparisons if not each.reached]
    failed = [path for path, measured in found.items() if measured.get("failed")]
    print(table(comparisons))
    print()
    print(memory({path: measured["peak_mib"] for path, measured in found.items()}))
    print()
    for path in failed:
        print(f"FAILED: {path} could not be measured, see above")
    for name in missed:
        print(f"MISSED: {name}")
    figures = {"missed": missed, "failed": failed, "comparisons": [asdict(each) for each in comparisons]}
    print(json.dumps(figures | {"peak_mib": {path: measured["peak_mib"] for path, measured in found.items()}}))
    return 1 if missed or failed else 0


if __name__ == "__main__":
    sys.exit(main())
