"""Databases of the simulation's own, beside the product's: made, migrated, emptied; nothing else is touched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from django.apps import apps
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.migrations.executor import MigrationExecutor
from psycopg._preparing import PrepareManager  # there is no public door to it

from simulation.errors import Unfit

SUFFIX = "_simulation"
MARK = "Boxoffice: emptied at the start of every simulation"
OURS = ("accounts", "billing", "subscriptions", "notifications")
# Sequences that belong to no column, such as that of the invoices' numbers, do not restart with a table.
LOOSE_SEQUENCES = """
    SELECT setval(oid::regclass, 1, false) FROM pg_class
     WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace
       AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype IN ('a', 'i'))"""
PLANS = 5_000  # more statements than the product has
LOCK = 7_461_536  # any number that nobody else locks in this database


def check_product() -> None:
    """The product's own database answers and is migrated. Raises Unfit."""
    name = connection.settings_dict["NAME"]
    if SUFFIX in str(name):
        raise Unfit(f"{name} is a database of simulations. DATABASE_URL must name the product's; it is not touched.")
    try:
        connection.ensure_connection()
        if _unmigrated():
            raise Unfit(f"The database {name} is not migrated. Run: manage.py migrate")
    except DatabaseError as error:
        raise Unfit(f"The database {name} cannot be reached: {_said(error)}") from error


@contextmanager
def simulated(number: int = 1) -> Iterator[None]:
    """Leads Django's default connection to an empty database of simulations, that of the `number`. Raises Unfit."""
    settings = connection.settings_dict
    real, options = settings["NAME"], settings["OPTIONS"]
    name = f"{real}{SUFFIX}_{number}"
    if len(name) > 63:
        raise Unfit(f"{name} is longer than PostgreSQL's names may be (63).")
    _make(name)
    once: dict[str, object] = {
        "options": f"{options.get('options', '')} -c plan_cache_mode=force_generic_plan -c jit=off"
    }
    once |= {"server_side_binding": True, "prepare_threshold": 1}  # planning costs more than these small tables do
    _lead_to(name, {key: value for key, value in options.items() if key != "pool"} | once)
    try:
        with _keeping_plans():
            _prepare(name)
            yield
    finally:
        _lead_to(real, options)


@contextmanager
def _keeping_plans() -> Iterator[None]:
    """PostgreSQL keeps the plan of every statement of a run.

    After each roll-back psycopg has it forget them all, since a table might have been made anew there. Here the one
    table that is, a temporary one, is looked up by its name again; and processes that die roll back all the time.
    """

    def opened(sender: object, connection: BaseDatabaseWrapper, **more: object) -> None:
        connection.connection.prepared_max = PLANS

    connection_created.connect(opened)
    try:
        with patch.multiple(PrepareManager, clear=lambda self: False, _should_discard=lambda self, *said: False):
            yield
    finally:
        connection_created.disconnect(opened)


def rows(sql: str, **values: Any) -> list[tuple[Any, ...]]:
    """The answer to a question of the simulation's own."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return list(cursor.fetchall())


def empty() -> None:
    """Empties every table of the product and counts from 1 again, so that a run repeats itself to the byte."""
    tables = sorted({model._meta.db_table for model in apps.get_models() if model._meta.app_label in OURS})
    quoted = ", ".join(map(connection.ops.quote_name, tables))
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {quoted} RESTART IDENTITY CASCADE")
        cursor.execute(LOOSE_SEQUENCES)


def _make(name: str) -> None:
    if _is_ours(name):
        return
    try:
        with connection.cursor() as cursor:
            quoted = connection.ops.quote_name(name)
            cursor.execute(f"CREATE DATABASE {quoted}")
            cursor.execute(f"COMMENT ON DATABASE {quoted} IS '{MARK}'")
            cursor.execute(f"ALTER DATABASE {quoted} SET synchronous_commit = off")
    except DatabaseError as error:
        raise Unfit(f"The database {name} cannot be made: {_said(error)}") from error


def _is_ours(name: str) -> bool:
    """Whether the database is there. Raises Unfit for one that no simulation has made."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [name])
        found = cursor.fetchone()
    if found and found[0] != MARK:
        raise Unfit(f"There is a database {name} that no simulation has made. It is left alone; rename it.")
    return found is not None


def _prepare(name: str) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_database(), pg_try_advisory_lock(%s)", [LOCK])
            current, alone = cursor.fetchone()
        if current != name:  # never seen, and the one mistake that must not be possible
            raise Unfit(f"Connected to {current} instead of {name}.")
        if not alone:
            raise Unfit(f"Another simulation runs in {name}. Wait for its end.")
        if _unmigrated():
            call_command("migrate", verbosity=0, interactive=False)
        empty()
    except DatabaseError as error:
        raise Unfit(
            f"The database {name} cannot be prepared: {_said(error)}. Drop it; the next simulation makes it anew."
        ) from error


def _lead_to(name: str, options: dict[str, object]) -> None:
    let_go()
    connection.settings_dict["NAME"] = name
    connection.settings_dict["OPTIONS"] = options


def let_go() -> None:
    """Closes the connection, and the pool that it came from: neither may be shared with a child process."""
    connection.close()
    close_pool = getattr(connections[DEFAULT_DB_ALIAS], "close_pool", None)
    if close_pool:
        close_pool()


def _unmigrated() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _said(error: Exception) -> str:
    return " ".join(str(error).split())
