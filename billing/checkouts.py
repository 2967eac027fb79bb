"""Closing invoices that nobody will pay: first the acquirer closes its page, only then is the invoice void."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from billing import invoices, payments, sweeps
from billing.errors import Conflict
from billing.models import Invoice, Payment

LEASE = timedelta(minutes=2)
LONGEST = timedelta(hours=6)


def close(invoice_id: uuid.UUID, *, actor: str, at: datetime, reason: str, patient: bool = False) -> Invoice:
    """Voids an open invoice, after the acquirer has confirmed that its live payment can no longer succeed.

    Where the acquirer cannot close its page, the invoice is `patient`ly left open for as long as that page is; else
    what is paid there from now on goes back. Raises Conflict `invoice_paid` when it turns out paid,
    `payment_in_progress` while the acquirer cannot say.
    """
    for payment_id in Payment.objects.filter(invoice_id=invoice_id, status__in=Payment.LIVE).values_list(
        "pk", flat=True
    ):
        payments.cancel(payment_id, at=at, patient=patient)
    return invoices.void(invoice_id, actor=actor, at=at, reason=reason)


def close_due(*, at: datetime, limit: int = 20) -> int:
    """Closes the unpaid invoices whose time is over at `at`. Returns how many were taken up."""
    rows = sweeps.claim(
        Invoice.objects.filter(status=Invoice.Status.OPEN, next_sweep_at__isnull=False),
        "next_sweep_at",
        at=at,
        lease=LEASE,
        limit=limit,
    )
    sweeps.each(rows, lambda pk: _close_quietly(pk, at))
    return len(rows)


def _close_quietly(invoice_id: uuid.UUID, at: datetime) -> None:
    try:
        close(invoice_id, actor="system", at=at, reason="Not paid in time", patient=True)
    except Conflict:  # paid in the last moment, or the acquirer cannot say yet
        _later(invoice_id, at)


def _later(invoice_id: uuid.UUID, at: datetime) -> None:
    """Puts off an invoice that could not be closed: the longer it has been so, the longer."""
    invoice = Invoice.objects.filter(pk=invoice_id, status=Invoice.Status.OPEN).first()
    if invoice is not None and invoice.expires_at is not None:
        wait = min(max((at - invoice.expires_at) / 4, LEASE), LONGEST)
        Invoice.objects.filter(pk=invoice_id, status=Invoice.Status.OPEN).update(next_sweep_at=at + wait)
