"""The bank's memory: one SQLite file that survives a killed process. One writer at a time, each commit on the disk."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from acquiring.bank.records import Note, Operation, Payment, Refund, Token

Record = TypeVar("Record", Payment, Refund, Token, Operation, Note)

_TABLES: dict[type[Any], str] = {
    Payment: "payments",
    Refund: "refunds",
    Token: "tokens",
    Operation: "operations",
    Note: "notes",
}
_COLUMNS = {kind: tuple(field.name for field in fields(kind)) for kind in _TABLES}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS payments (
    seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, order_id TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0), currency TEXT NOT NULL, description TEXT NOT NULL,
    customer TEXT NOT NULL, email TEXT NOT NULL, return_url TEXT NOT NULL, callback_url TEXT NOT NULL,
    save_card INTEGER NOT NULL, capture INTEGER NOT NULL, expires_at TEXT NOT NULL, origin TEXT NOT NULL,
    status TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL, finished_at TEXT NOT NULL,
    captured INTEGER NOT NULL CHECK (captured BETWEEN 0 AND amount),
    refunded INTEGER NOT NULL CHECK (refunded BETWEEN 0 AND captured),
    charged_back INTEGER NOT NULL, decline_code TEXT NOT NULL, challenge_tries INTEGER NOT NULL,
    card TEXT NOT NULL, token TEXT NOT NULL, tongue TEXT NOT NULL DEFAULT '', extra TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS payments_order ON payments (order_id);
CREATE INDEX IF NOT EXISTS payments_to_expire ON payments (expires_at) WHERE status IN ('created', 'awaiting_3ds');
CREATE TABLE IF NOT EXISTS refunds (
    seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, order_id TEXT NOT NULL, payment_id TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0), currency TEXT NOT NULL, reason TEXT NOT NULL, status TEXT NOT NULL,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL, settle_at TEXT NOT NULL, extra TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX IF NOT EXISTS refunds_order ON refunds (order_id) WHERE order_id <> '';
CREATE INDEX IF NOT EXISTS refunds_payment ON refunds (payment_id);
CREATE INDEX IF NOT EXISTS refunds_to_settle ON refunds (settle_at) WHERE status = 'pending';
CREATE TABLE IF NOT EXISTS tokens (
    token TEXT PRIMARY KEY, customer TEXT NOT NULL, card TEXT NOT NULL, created_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS operations (
    seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, order_id TEXT NOT NULL, payment_id TEXT NOT NULL,
    kind TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL, state TEXT NOT NULL, at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS operations_at ON operations (at);
CREATE TABLE IF NOT EXISTS notes (
    seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, type TEXT NOT NULL, object_id TEXT NOT NULL, url TEXT NOT NULL,
    body TEXT NOT NULL, created_at TEXT NOT NULL, next_at TEXT NOT NULL, state TEXT NOT NULL, tries INTEGER NOT NULL,
    copies INTEGER NOT NULL, held INTEGER NOT NULL, forged INTEGER NOT NULL, last_status TEXT NOT NULL,
    tongue TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS notes_due ON notes (next_at) WHERE state = 'pending';
CREATE TABLE IF NOT EXISTS attempts (
    seq INTEGER PRIMARY KEY, note_id TEXT NOT NULL, at TEXT NOT NULL, result TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS attempts_note ON attempts (note_id);
CREATE TABLE IF NOT EXISTS endpoints (
    tongue TEXT PRIMARY KEY, id TEXT NOT NULL, url TEXT NOT NULL, created_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL, at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS numbers (seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, at TEXT NOT NULL);
"""
# Books of before an order could be captured twice.
_ONE_PAYMENT_PER_ORDER = "name = 'payments' AND sql LIKE '%order_id TEXT UNIQUE%'"
_SET_ASIDE = "ALTER TABLE payments RENAME TO payments_before; DROP INDEX IF EXISTS payments_to_expire;"
_TAKE_OVER = "INSERT INTO payments SELECT * FROM payments_before; DROP TABLE payments_before;"
# Columns that books of before did not have.
_SINCE = {"payments": ("tongue", "extra"), "refunds": ("extra",), "notes": ("tongue",)}
_BOOLEANS = frozenset({"save_card", "capture", "held", "forged"})


class Books:
    """The store. `path` is a file, or ":memory:" for a simulator. Safe for threads: they take turns."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._db = sqlite3.connect(str(path), isolation_level=None, check_same_thread=False, timeout=10)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        old = self._db.execute(f"SELECT 1 FROM sqlite_master WHERE {_ONE_PAYMENT_PER_ORDER}").fetchone()
        for table, columns in _SINCE.items():
            self._widen(table, columns)
        self._db.executescript(f"BEGIN; {_SET_ASIDE} {_SCHEMA} {_TAKE_OVER} COMMIT;" if old else _SCHEMA)

    def _widen(self, table: str, columns: tuple[str, ...]) -> None:
        known = {row["name"] for row in self._db.execute(f"PRAGMA table_info({table})")}
        for column in columns:
            if known and column not in known:
                self._db.execute(f"ALTER TABLE {table} ADD COLUMN {column} TEXT NOT NULL DEFAULT ''")

    def close(self) -> None:
        """Waits for the writer of the moment, then closes the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, alone. Inside another one it is part of that one."""
        with self._lock:
            if self._depth == 0:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._db.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._db.execute("COMMIT")

    def query(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """Rows of a statement."""
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def number(self, subject_id: str, at: str = "") -> int:
        """The number of a try to move money, given to it the first time (`at`) it is asked for; 0 for none yet."""
        if at:
            self.query("INSERT OR IGNORE INTO numbers (id, at) VALUES (?, ?)", subject_id, at)
        rows = self.query("SELECT seq FROM numbers WHERE id = ?", subject_id)
        return int(rows[0]["seq"]) if rows else 0

    def add(self, record: Payment | Refund | Token | Operation | Note) -> None:
        """Writes a new row. Raises sqlite3.IntegrityError when its id is taken."""
        names = _COLUMNS[type(record)]
        marks = ", ".join("?" * len(names))
        sql = f"INSERT INTO {_TABLES[type(record)]} ({', '.join(names)}) VALUES ({marks})"
        self.query(sql, *(getattr(record, name) for name in names))

    def save(self, record: Payment | Refund | Operation | Note) -> None:
        """Writes a known row anew."""
        names = _COLUMNS[type(record)]
        assignments = ", ".join(f"{name} = ?" for name in names)
        sql = f"UPDATE {_TABLES[type(record)]} SET {assignments} WHERE id = ?"
        self.query(sql, *(getattr(record, name) for name in names), record.id)

    def select(self, kind: type[Record], where: str = "1", *values: Any) -> list[Record]:
        """Rows of one kind. `where` may go on with ORDER BY and LIMIT; it is always a literal of this package."""
        names = _COLUMNS[kind]
        sql = f"SELECT {', '.join(names)} FROM {_TABLES[kind]} WHERE {where}"
        rows = self.query(sql, *values)
        return [kind(**_values(row, names)) for row in rows]

    def first(self, kind: type[Record], where: str, *values: Any) -> Record | None:
        """One row of one kind, or None."""
        found = self.select(kind, f"{where} LIMIT 1", *values)
        return found[0] if found else None

    def empty(self) -> None:
        """Forgets everything. For tests."""
        with self.transaction():
            for table in (*_TABLES.values(), "attempts", "answers", "numbers", "endpoints"):
                self.query(f"DELETE FROM {table}")


def _values(row: sqlite3.Row, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: bool(row[name]) if name in _BOOLEANS else row[name] for name in names}
