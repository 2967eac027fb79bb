"""The audit against the bare join: both say how many rows per second they pass judgement on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.utils import timezone

from benchmarks import fill
from benchmarks.measure import Side
from billing import audit

CHUNK = 10_000

# Each payment with its invoice, its transfer and the sum of its refunds, and how many of them do not agree.
JOIN = """
    SELECT count(*), count(*) FILTER (WHERE payment.captured <> invoice.total OR transfer.amount <> payment.captured
                                         OR payment.refunded <> coalesce(refund.sum, 0))
      FROM billing_payment payment
      JOIN billing_invoice invoice ON invoice.id = payment.invoice_id
      LEFT JOIN billing_transfer transfer ON transfer.reference = 'payment:' || payment.id
      LEFT JOIN (SELECT payment_id, sum(amount) AS sum FROM billing_refund WHERE status = 'succeeded'
                  GROUP BY payment_id) refund ON refund.payment_id = payment.id"""
JOINED = ("billing_payment", "billing_invoice", "billing_transfer", "billing_refund")


def sides(payments: int) -> list[Side]:
    """Fills the database with so many payments first."""
    for begin in range(0, payments, CHUNK):
        fill.refunded(min(CHUNK, payments - begin))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        joined = sum(_count(cursor, table) for table in JOINED)

    def product(_: Sequence[Any]) -> int:
        report = audit.run(at=timezone.now())
        assert not report.breaches, report.breaches
        return report.rows

    def bare(_: Sequence[Any]) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SET work_mem = '128MB'")  # as the audit has it
            cursor.execute("SET jit = off")
            cursor.execute(JOIN)
            found, wrong = cursor.fetchone()
        assert (found, wrong) == (payments, 0), (found, wrong)
        return joined

    return [Side("product", _nothing, product), Side("bare join", _nothing, bare)]


def _nothing(_: int) -> range:
    return range(1)


def _count(cursor: Any, table: str) -> int:
    cursor.execute(f"SELECT count(*) FROM {table}")
    return int(cursor.fetchone()[0])
