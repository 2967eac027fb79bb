"""`script/hunt kills`: as many kills as you like. Exit status 0: nothing; 1: found something; 2: cannot run."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import traceback
from pathlib import Path

from local.problem import Problem

from tests.killing.run import run


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        "script/hunt kills", description="Kills web, workers, beat, database, broker and bank under load, by SIGKILL."
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1, help="whom, when and for how long")
    parser.add_argument("--customers", type=int, default=50, help="at once")
    parser.add_argument("--keep", action="store_true", help="keep the logs, even when nothing was found")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # either way everything that was started is ended
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    try:
        verdict = run(
            "kills",
            folder,
            kills=options.kills,
            seed=options.seed,
            customers=options.customers,
            say=lambda text: print(text, flush=True),
        )
    except Problem as problem:
        print(f"Cannot run: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception:
        traceback.print_exc()  # of the hunt itself: it is no find
        print(f"Logs: {folder}", file=sys.stderr)
        return 2
    for sentence in verdict.wrong:
        print(f"WRONG: {sentence}")
    if verdict.wrong or options.keep:
        print(f"Logs: {folder}")
    else:
        shutil.rmtree(folder)
    print(json.dumps(verdict.figures | {"wrong": len(verdict.wrong)}), flush=True)
    return 1 if verdict.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
