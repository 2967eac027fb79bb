"""Saving and adding many rows at once: one statement for all of them, where Django's own costs more than the rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection
from django.db.models import Field, Model


@contextmanager
def sent_ahead() -> Iterator[None]:
    """Within, statements are sent without waiting for what each comes to: PostgreSQL works while rows are made ready.

    For statements that give nothing back, in a transaction. Raises at its end what one of them broke.
    """
    connection.ensure_connection()
    raw: psycopg.Connection = connection.connection
    with connection.wrap_database_errors, raw.pipeline():
        yield


def save(rows: Sequence[Model], *names: str) -> None:
    """Writes the fields `names` of `rows` (all of one model, locked by the caller), each row its own values.

    As with `Model.save`, a field that takes the time by itself (`updated_at`) is to be named and takes it anew.
    Raises IntegrityError as PostgreSQL does.
    """
    if not rows:
        return
    meta = rows[0]._meta
    by_name: dict[str, Field[Any, Any]] = {field.name: field for field in meta.concrete_fields}
    key = by_name[meta.pk.name]
    fields = [by_name[name] for name in names]
    quoted = [connection.ops.quote_name(str(field.column)) for field in (key, *fields)]
    kinds = [field.rel_db_type(connection) if field is key else field.db_type(connection) for field in (key, *fields)]
    values = [
        [field.get_db_prep_save(field.pre_save(row, False), connection) for row in rows] for field in (key, *fields)
    ]
    sql = (
        f"UPDATE {connection.ops.quote_name(meta.db_table)} AS mine"  # noqa: S608  ours
        f" SET {', '.join(f'{name} = given.{name}' for name in quoted[1:])}"
        f" FROM unnest({', '.join(f'%s::{kind}[]' for kind in kinds)}) AS given ({', '.join(quoted)})"
        f" WHERE mine.{quoted[0]} = given.{quoted[0]}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def insert(model: type[Model], rows: Sequence[Mapping[str, Any]], **same: Any) -> None:
    """Adds `rows`, all with the same keys, to the table of `model`; `same` is what they have in common.

    Keys are fields' names, those of foreign keys with `_id`. Values are of JSON, ids or times. What is not named takes
    the default that the database has, if any, not that of the model. Raises IntegrityError as PostgreSQL does.
    """
    if not rows:
        return
    fields: dict[str, Field[Any, Any]] = {field.attname: field for field in model._meta.concrete_fields}
    quote = connection.ops.quote_name
    own = [(quote(str(fields[name].column)), fields[name].rel_db_type(connection), name) for name in rows[0]]
    common = [fields[name] for name in same]
    sql = (
        f"INSERT INTO {quote(model._meta.db_table)}"  # noqa: S608  ours
        f" ({', '.join([column for column, _, _ in own] + [quote(str(field.column)) for field in common])})"
        f" SELECT {', '.join([column for column, _, _ in own] + ['%s'] * len(common))}"
        f" FROM json_to_recordset(%s::json) AS given ({', '.join(f'{column} {kind}' for column, kind, _ in own)})"
    )
    given = json.dumps(
        [dict(zip((column[1:-1] for column, _, _ in own), row.values(), strict=True)) for row in rows], default=str
    )
    values = [field.get_db_prep_save(same[field.attname], connection) for field in common]
    with connection.cursor() as cursor:
        cursor.execute(sql, [*values, given])
