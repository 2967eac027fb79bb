"""Questions that are asked after each step, kept by PostgreSQL with their plans: planning costs more than answering."""

from __future__ import annotations

from typing import Any

from django.db import connection


def keep(name: str, sql: str, *types: str) -> None:
    """Has the session keep a question; its values stand in it as $1, $2, ... of these types."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_prepared_statements WHERE name = %s)", [name])
        if not cursor.fetchone()[0]:
            cursor.execute(f"PREPARE {name} {'({})'.format(', '.join(types)) if types else ''} AS {sql}")


def ask(name: str, *values: Any) -> list[tuple[Any, ...]]:
    """The answer to a question that is kept."""
    places = f"({', '.join(['%s'] * len(values))})" if values else ""
    with connection.cursor() as cursor:
        cursor.execute(f"EXECUTE {name} {places}", values or None)
        return list(cursor.fetchall())
