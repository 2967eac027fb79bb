"""Lists: newest first, by filters, with a cursor."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from acquiring.bank.books import Books
from acquiring.bank.records import Payment, Refund, stamp
from acquiring.bank.yookassa.names import in_books, theirs
from acquiring.bank.yookassa.reading import Bad

Row = TypeVar("Row", Payment, Refund)

COMPARISONS = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}
BEFORE = {
    "payments": "seq < (SELECT seq FROM payments WHERE id = ?)",
    "refunds": "seq < (SELECT seq FROM refunds WHERE id = ?)",
}
PAYMENT_STATUS = {
    "pending": "status IN ('created', 'awaiting_3ds')",
    "waiting_for_capture": "status = 'authorized'",
    "succeeded": "status = 'succeeded'",
    "canceled": "status IN ('declined', 'voided', 'expired')",
}
REFUND_STATUS = {
    "pending": "status = 'pending'",
    "succeeded": "status = 'succeeded'",
    "canceled": "status = 'declined'",
}


def payments(books: Books, args: Mapping[str, str]) -> tuple[list[Payment], str]:
    """One page of payments and the cursor of the next. Raises Bad."""
    where, values = ["tongue = 'yookassa'"], []
    for name, column in (("created_at", "created_at"), ("captured_at", "finished_at")):
        for word, sign in COMPARISONS.items():
            if f"{name}.{word}" in args:
                where.append(f"{column} {sign} ?")
                values.append(_moment(args, f"{name}.{word}"))
                if name == "captured_at":
                    where.append("status = 'succeeded'")
    where += _status(args, PAYMENT_STATUS)
    return _page(books, Payment, "payments", "pay", where, values, args)


def refunds(books: Books, args: Mapping[str, str]) -> tuple[list[Refund], str]:
    """One page of refunds and the cursor of the next. Raises Bad."""
    where, values = ["payment_id IN (SELECT id FROM payments WHERE tongue = 'yookassa')"], []
    if "payment_id" in args:
        where.append("payment_id = ?")
        values.append(in_books("pay", args["payment_id"]))
    for word, sign in COMPARISONS.items():
        if f"created_at.{word}" in args:
            where.append(f"created_at {sign} ?")
            values.append(_moment(args, f"created_at.{word}"))
    where += _status(args, REFUND_STATUS)
    return _page(books, Refund, "refunds", "ref", where, values, args)


def _page(
    books: Books,
    kind: type[Row],
    table: str,
    prefix: str,
    where: list[str],
    values: list[Any],
    args: Mapping[str, str],
) -> tuple[list[Row], str]:
    limit = args.get("limit", "10")
    if not limit.isdecimal() or not 1 <= int(limit) <= 100:
        raise Bad("limit must be from 1 to 100", "limit")
    if "cursor" in args:
        where = [*where, BEFORE[table]]
        values = [*values, in_books(prefix, args["cursor"])]
    sql = f"{' AND '.join(where)} ORDER BY seq DESC LIMIT ?"
    rows = books.select(kind, sql, *values, int(limit) + 1)
    found = rows[: int(limit)]
    return found, theirs(found[-1].id) if len(rows) > len(found) else ""


def _status(args: Mapping[str, str], known: Mapping[str, str]) -> list[str]:
    if "status" not in args:
        return []
    if args["status"] not in known:
        raise Bad("there is no such status", "status")
    return [known[args["status"]]]


def _moment(args: Mapping[str, str], name: str) -> str:
    try:
        read = datetime.fromisoformat(args[name])
    except ValueError:
        raise Bad(f"{name} must be an ISO 8601 time", name) from None
    if read.tzinfo is None:
        raise Bad(f"{name} must be an ISO 8601 time with an offset", name)
    return stamp(read)
