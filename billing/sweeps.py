"""Sweeps: find what is due, take it under a lease, do each row on its own; one that fails never stops the others."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Model, QuerySet

log = logging.getLogger(__name__)


def claim(
    due: QuerySet[Any], column: str, *, at: datetime, lease: timedelta, limit: int, counter: str = ""
) -> list[Any]:
    """Takes up to `limit` rows of `due` whose `column` is not after `at`; returns their primary keys, oldest first.

    `column` is moved on by `lease`: a process that dies with the rows in hand leaves them to the next sweep after
    that. `counter`, where given, is raised by one. Rows that another sweep holds are passed over.
    """
    model: type[Model] = due.model
    with transaction.atomic():
        rows = list(
            due.filter(**{f"{column}__lte": at})
            .order_by(column, "pk")
            .select_for_update(skip_locked=True, no_key=True, of=("self",))
            .values_list("pk", flat=True)[:limit]
        )
        changes: dict[str, Any] = {column: at + lease}
        if counter:
            changes[counter] = F(counter) + 1
        model._default_manager.filter(pk__in=rows).update(**changes)
    return rows


def each(rows: list[Any], verb: Callable[[Any], object]) -> int:
    """Does `verb` on each row; logs the ones that fail, for the lease to bring back. Returns how many went well."""
    done = 0
    for row in rows:
        try:
            verb(row)
            done += 1
        except Exception:
            log.exception("%s failed for %s", getattr(verb, "__qualname__", verb), row)
    return done


def back_off(attempts: int, *steps: timedelta) -> timedelta:
    """The wait before the next try: the steps in turn, then the last one for ever."""
    return steps[min(max(attempts, 0), len(steps) - 1)]
