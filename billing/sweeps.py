"""Sweeps: find what is due, take it under a lease, do each row on its own; one that fails never stops the others."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Model, QuerySet

from billing.outcomes import storable

log = logging.getLogger(__name__)

MANY = 30_000  # counters stop here: one that overflowed its column would stop the sweep for every row
LONGEST_WISH = timedelta(hours=1)
PARK_AFTER = 5  # times that a row's verb failed in our own code


def claim(
    due: QuerySet[Any], column: str, *, at: datetime, lease: timedelta, limit: int, counter: str = ""
) -> list[Any]:
    """Takes up to `limit` rows of `due` whose `column` is not after `at`; returns their primary keys, oldest first.

    `column` is moved on by `lease`: a process that dies with the rows in hand leaves them to the next sweep after
    that. `counter`, where given, is raised by one. Rows that another sweep holds are passed over.
    """
    meta, quote = due.model._meta, connection.ops.quote_name
    table, key, moved = quote(meta.db_table), quote(str(meta.pk.column)), quote(str(meta.get_field(column).column))
    with transaction.atomic():
        found = due.filter(**{f"{column}__lte": at}).order_by(column, "pk").values_list("pk", column)
        free = found.select_for_update(skip_locked=True, no_key=True, of=("self",))[:limit]
        sql, values = free.query.sql_with_params()
        counted = f", {quote(counter)} = least({quote(counter)} + 1, {MANY})" if counter else ""
        with connection.cursor() as cursor:
            cursor.execute(
                f"WITH due (id, since) AS MATERIALIZED ({sql})"  # noqa: S608  Django's, and names of ours
                f" UPDATE {table} SET {moved} = %s{counted} FROM due WHERE {table}.{key} = due.id"
                " RETURNING due.since, due.id",
                [*values, at + lease],
            )
            return [pk for _, pk in sorted(cursor.fetchall())]


def each(
    rows: list[Any],
    verb: Callable[[Any], object],
    failed: Callable[[Any, Exception], object] | None = None,
    lease: timedelta | None = None,
) -> int:
    """Does `verb` on each row; logs the ones that fail, for the lease to bring back. Returns how many went well.

    `failed` is told of each one that failed, and may set it back further. Where half of the `lease` has gone by, the
    rest is left to whoever takes it up after the lease: a slow acquirer must not be called twice at the same time.
    """
    done, begun = 0, time.monotonic()
    for row in rows:
        if lease is not None and time.monotonic() - begun > lease.total_seconds() / 2:
            log.warning("%s is slow: the rest of its rows waits for the lease", getattr(verb, "__qualname__", verb))
            break
        try:
            verb(row)
            done += 1
        except Exception as error:
            log.exception("%s failed for %s", getattr(verb, "__qualname__", verb), row)
            if failed is not None:
                _tell(failed, row, error)
    return done


def poll(
    due: QuerySet[Any],
    ask: Callable[[Any], object],
    *,
    at: datetime,
    lease: timedelta,
    limit: int,
    steps: Sequence[timedelta],
) -> int:
    """Asks the acquirers about up to `limit` rows of `due` whose `next_check_at` has come; returns how many they were.

    A row that our own code fails for is put off by `steps`.
    """
    rows = claim(due, "next_check_at", at=at, lease=lease, limit=limit, counter="checks")
    each(rows, ask, lambda pk, error: set_back(due.model, pk, error, steps, at), lease)
    return len(rows)


def set_back(model: type[Model], pk: Any, error: Exception, steps: Sequence[timedelta], at: datetime) -> None:
    """Puts off a payment or refund that our code could not ask about; parks it when that goes on."""
    with transaction.atomic():
        row: Any = model._default_manager.select_for_update(no_key=True).get(pk=pk)
        if row.next_check_at is None:
            return
        row.next_check_at = at + back_off(row.checks, *steps)
        if row.checks >= PARK_AFTER:
            row.parked = storable(f"The acquirer cannot be asked: {type(error).__name__}: {error}"[:2000])
        row.save(update_fields=["next_check_at", "parked", "updated_at"])


def _tell(failed: Callable[[Any, Exception], object], row: Any, error: Exception) -> None:
    try:
        failed(row, error)
    except Exception:
        log.exception("%s cannot be set back", row)


def back_off(attempts: int, *steps: timedelta, wish: timedelta | None = None) -> timedelta:
    """The wait before the next try: the steps in turn, then the last one for ever.

    No less than the acquirer wishes, up to LONGEST_WISH.
    """
    return max(steps[min(max(attempts, 0), len(steps) - 1)], min(wish or timedelta(), LONGEST_WISH))
