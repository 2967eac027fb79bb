"""A process and the PostgreSQL that works for it share one core.

They never work at the same time, and to wake another core for a question costs ten times as much as its answer: on a
virtual machine of two cores 30 microseconds against 300.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.db import connection


@contextmanager
def shared(number: int) -> Iterator[None]:
    """Keeps the process of this number (1 is the first), and its connection's backend, to a core of their own.

    Where the backend is no process that we may move, of another machine or user, everything stays as it is.
    """
    before = _allowed()
    core = {sorted(before)[(number - 1) % len(before)]} if before else before
    connection.ensure_connection()
    if not (core and move(connection.connection.info.backend_pid, core)):
        yield
        return
    os.sched_setaffinity(0, core)
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, before)


def move(backend: int, cores: set[int]) -> bool:
    """Keeps the process that works for Django's connection to these cores; False where that cannot be."""
    try:
        title = Path(f"/proc/{backend}/cmdline").read_text(errors="replace")  # another machine's has another, or none
        if str(connection.settings_dict["NAME"]) not in title:
            return False
        os.sched_setaffinity(backend, cores)
    except (AttributeError, OSError):
        return False
    return True


def _allowed() -> set[int]:
    """The cores that this process may use; none where the system does not say."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
