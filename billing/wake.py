"""Wakes a sweep at once, after the commit. Losing the wake-up loses nothing: beat wakes the same sweeps anyway."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any

from celery import current_app
from django.db import transaction

log = logging.getLogger(__name__)

QUIET_SECONDS = 15.0  # after a broker did not take a wake-up, pages stop waiting for it this long

_quiet_until = 0.0


@dataclass(frozen=True, slots=True)
class _Call:
    """A wake-up to come; two of one task are equal."""

    task: str

    def __call__(self) -> None:
        now(self.task)


def after_commit(task: str) -> None:
    """Asks Celery to run `task` (its name) once the transaction in progress is committed, or now without one.

    However often it is asked for in one transaction, it is woken once.
    """
    connection = transaction.get_connection()
    asked = _Call(task)
    kept = set(connection.savepoint_ids)  # what was asked for in a savepoint that is gone may yet be rolled back
    if not any(call == asked and savepoints <= kept for savepoints, call, _ in connection.run_on_commit):
        transaction.on_commit(asked, robust=True)


def now(task: str) -> None:
    """Asks Celery to run `task` (its name). Never raises and never waits long."""
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return
    try:
        connections: Any = current_app.pool
        with connections.acquire(block=True, timeout=1) as connection:
            # Left to itself, sending tries to connect for six seconds.
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=1)
            current_app.send_task(task, connection=connection, retry=False, expires=60)
    except Exception as error:  # whatever the broker's client raises, the sweep will do the work
        _quiet_until = time.monotonic() + QUIET_SECONDS
        log.warning("could not wake %s: %s", task, error)
