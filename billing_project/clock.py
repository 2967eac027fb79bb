"""A developer's clock: what takes a year is tried by hand in an hour. `script/clock +40d` moves it while all runs.

The file holds by how many seconds the clock is ahead; `script/server` names it in CLOCK_FILE. Only with DEBUG on. Every
mouth asks `timezone.now`, so that is the one place. Log-in tokens and the scheduler keep the real time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone


def install(file: str, *, debug: bool) -> None:
    """Lets `timezone.now` be ahead by what `file` says at each moment; "" leaves it alone.

    Raises ImproperlyConfigured where this is no laptop.
    """
    if file and not debug:
        raise ImproperlyConfigured("CLOCK_FILE moves the time of everything: only with DEBUG on")
    if file:
        timezone.now = moved(timezone.now, Path(file))


def moved(real: Callable[[], datetime], file: Path) -> Callable[[], datetime]:
    """The clock `real`, ahead by what `file` says when it is asked."""

    def now() -> datetime:
        return real() + timedelta(seconds=ahead(file))

    return now


def ahead(file: Path) -> int:
    """Seconds; 0 where nobody has moved the clock."""
    try:
        return int(file.read_text())
    except FileNotFoundError:
        return 0
