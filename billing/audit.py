"""The audit: every promise of the books as a query that finds what breaks it. Set-based, one snapshot, read only.

Apps register their own checks (billing in `billing.checks`, the others in their `audit` modules); `run` asks them all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

# What is called late. Sweeps run each few seconds and back off by hours at most while an acquirer is out of reach.
OVERDUE = timedelta(hours=1)  # after a row's own due time
SETTLED_WITHIN = timedelta(hours=1)  # from a fact to what its event brings about
PAYMENT_FINAL_WITHIN = timedelta(days=14)
REFUND_FINAL_WITHIN = timedelta(days=21)
INVOICE_CLOSED_WITHIN = timedelta(days=1)  # after its time to be paid

LIMITS: dict[str, Any] = {
    "overdue": OVERDUE,
    "settled_within": SETTLED_WITHIN,
    "payment_final_within": PAYMENT_FINAL_WITHIN,
    "refund_final_within": REFUND_FINAL_WITHIN,
    "invoice_closed_within": INVOICE_CLOSED_WITHIN,
}


@dataclass(frozen=True, slots=True)
class Check:
    """One promise. `sql` gives a row for each breach; it may use %(at)s and the names of `LIMITS`.

    One that is only `told` (parked rows, which wait for a human) is no breach. `joint`: several checks have this same
    query, which is asked once, and says in a column `promise` whose name each row is for.
    """

    name: str
    sentence: str
    sql: str | Callable[[], str]
    told: bool = False
    joint: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What breaks a promise: the first rows, and how many there are in all."""

    check: Check
    count: int
    rows: list[dict[str, Any]]


@dataclass(slots=True)
class Report:
    """What an audit came to."""

    checks: int = 0
    rows: int = 0
    seconds: float = 0  # of the clock on the wall
    breaches: list[Finding] = field(default_factory=list)
    told: list[Finding] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)


class CannotAudit(Exception):
    """The database cannot be read as it should be; the text says why."""


OURS = {"found_in_all", "found_as", "promise"}  # columns that are no part of what is found

_checks: dict[str, Check] = {}
_explanations: list[str] = []
_tables: list[str] = []


def register(*checks: Check) -> None:
    """Adds checks; a name counts once."""
    _checks.update({check.name: check for check in checks})


def explains(sql: str) -> None:
    """Adds a query of the references of transfers that something accounts for."""
    if sql not in _explanations:
        _explanations.append(sql)


def reads(*tables: str) -> None:
    """Adds tables whose rows the checks look at, for the summary."""
    _tables.extend(table for table in tables if table not in _tables)


def explained() -> str:
    """A query of every reference that something accounts for."""
    return " UNION ALL ".join(_explanations)


def names() -> list[str]:
    """The checks, in the order in which they run."""
    return list(_checks)


def ready() -> None:
    """Returns where the database can be asked: it answers, and every migration is there. Raises CannotAudit."""
    try:  # not through the pool, which tries for long and does not say why
        psycopg.connect(**connection.get_connection_params()).close()
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except (DatabaseError, psycopg.Error) as error:
        raise CannotAudit(f"the database does not answer: {str(error).strip()}") from error
    if missing:
        first = f"{missing[0][0].app_label}.{missing[0][0].name}"
        raise CannotAudit(
            f"the database is not migrated, {len(missing)} migrations are missing, the first is {first}. "
            "Run manage.py migrate."
        )


def run(*, at: datetime, shown: int = 10, only: frozenset[str] = frozenset()) -> Report:
    """Asks every check (or `only` some) at `at`, all in one snapshot. Raises CannotAudit."""
    report, began = Report(), time.monotonic()
    try:
        with _snapshot():
            report.rows = sum(_count(table) for table in _tables)
            for sql, checks in _questions(only).items():
                _ask(sql, checks, report, at=at, shown=shown)
    except DatabaseError as error:
        raise CannotAudit(f"The database cannot be read: {str(error).strip().splitlines()[0]}") from error
    report.seconds = time.monotonic() - began
    return report


def _questions(only: frozenset[str]) -> dict[str, list[Check]]:
    """The queries, each with those of the checks wanted that it answers."""
    questions: dict[str, list[Check]] = {}
    for check in _checks.values():
        if not only or check.name in only:
            sql = check.sql if isinstance(check.sql, str) else check.sql()
            questions.setdefault(sql, []).append(check)
    return questions


def _ask(sql: str, checks: list[Check], report: Report, *, at: datetime, shown: int) -> None:
    """Asks the query of these checks, of one as a rule; what each row is for is in `promise` where they are several."""
    promise = "promise" if checks[0].joint else "''"
    began = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM (SELECT count(*) OVER each AS found_in_all, row_number() OVER each AS found_as, *"  # noqa: S608  ours
            f" FROM ({sql}) AS breach WINDOW each AS (PARTITION BY {promise})) AS found WHERE found_as <= %(shown)s",
            LIMITS | {"at": at, "shown": shown},
        )
        columns = [column.name for column in cursor.description or ()]
        rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    report.timings["+".join(check.name for check in checks)] = time.monotonic() - began
    for check in checks:
        report.checks += 1
        mine = [row for row in rows if not check.joint or row["promise"] == check.name]
        if mine:
            told = [{name: value for name, value in row.items() if name not in OURS} for row in mine]
            finding = Finding(check, int(mine[0]["found_in_all"]), told)
            (report.told if check.told else report.breaches).append(finding)


def _count(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608  ours
        return int(cursor.fetchone()[0])


@contextmanager
def _snapshot() -> Iterator[None]:
    """One moment for all checks, so that what is written meanwhile is no breach. Writing is refused."""
    nested = connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if not nested:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SET LOCAL work_mem = '128MB'")
        cursor.execute("SET LOCAL jit = off")
        yield
