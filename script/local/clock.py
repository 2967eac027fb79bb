"""`script/clock`: the time of day of this checkout's shop and bank, which a developer moves ahead."""

import argparse
import re
from datetime import datetime, timedelta

from local.console import say
from local.places import VAR
from local.problem import Problem

FILE = VAR / "clock"
UNITS = {"d": "days", "h": "hours", "m": "minutes"}
USAGE = """Moves the clock of script/server ahead, also while it runs: +40d, +3h or +15m. Without a step it is told.

Never back: what has happened has happened. `script/server --reset` begins anew, at the real time."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("script/clock", None, USAGE, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", nargs="?", help="+40d, +3h or +15m")
    step = parser.parse_args(arguments).step
    ahead = timedelta(seconds=int(FILE.read_text()) if FILE.exists() else 0)
    if step:
        ahead += span(step)
        FILE.parent.mkdir(parents=True, exist_ok=True)
        new = FILE.with_suffix(".new")
        new.write_text(str(int(ahead.total_seconds())))
        new.replace(FILE)  # nobody ever reads half of it
    say(f"It is {datetime.now().astimezone() + ahead:%d %B %Y, %H:%M %Z} here ({ahead} ahead).")
    return 0


def span(step: str) -> timedelta:
    """`+40d` as a time. Raises Problem."""
    found = re.fullmatch(r"\+([0-9]{1,4})([dhm])", step)
    if not found:
        raise Problem(f"{step} is no step: +40d, +3h or +15m.")
    return timedelta(**{UNITS[found[2]]: int(found[1])})
