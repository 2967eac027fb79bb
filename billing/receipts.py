"""Fiscal receipts (54-FZ): sent with each payment and refund at acquirers that have a cash register, then watched.

The acquirer's cash register makes the receipt; here it is written down when the money has moved, and asked about until
the tax office has it. One that is refused, or not registered for too long, needs a human.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Coalesce
from moneyed import Money

from acquiring import registry
from acquiring import types as port
from acquiring.types import Outcome, ReceiptStatus, Subject
from billing import calls, events, health, money, sweeps
from billing.errors import Conflict, NotFound
from billing.models import Invoice, InvoiceLine, Payment, Receipt, Refund

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
BACK_OFF = tuple(timedelta(minutes=m) for m in (1, 2, 5, 15, 30, 60, 180))
SAVED = ("next_check_at", "parked", "registered_at")


def rules(acquirer: str) -> Mapping[str, str] | None:
    """The entry's "receipts" (tax_system, vat, subject, mode) of an acquirer that makes receipts; None for others."""
    entry: Mapping[str, Any] = settings.ACQUIRERS.get(acquirer, {})
    found: Mapping[str, str] | None = entry.get("receipts")
    return found if found and registry.get(acquirer).capabilities.receipts else None


def of(operation: Payment | Refund) -> port.Receipt | None:
    """What the receipt of a payment or refund shall say; None where no receipt is made.

    The lines are the invoice's, in proportion to what is paid or given back; they add up to it.
    """
    payment = operation.payment if isinstance(operation, Refund) else operation
    how = rules(payment.acquirer)
    if how is None:
        return None
    lines = [line for line in payment.invoice.lines.order_by("position") if line.amount]
    shares = money.share_out(operation.money, [line.amount for line in lines])
    items = tuple(
        port.ReceiptItem(
            name=line.description[:128],
            quantity=Decimal(line.quantity if _is_whole(line, share) else 1),
            amount=share,
            vat=how.get("vat", "none"),
            subject=_subject(payment.invoice, how),
            mode=_mode(payment.invoice, how),
        )
        for line, share in zip(lines, shares, strict=True)
        if share.amount
    )
    return port.Receipt(items, email=payment.user.email, tax_system=how.get("tax_system", ""))


def begin(operation: Payment | Refund, outcome: Outcome, *, at: datetime) -> None:
    """Writes down the receipt of money that moved, in its transaction. The second time changes nothing."""
    said = of(operation)
    if said is None:
        return
    which = {"refund": operation} if isinstance(operation, Refund) else {"payment": operation}
    if Receipt.objects.filter(**which).exists():
        return
    receipt = Receipt.objects.create(
        **which,
        amount=sum(money.to_minor(item.amount) for item in said.items),
        currency=operation.currency,
        items=[_kept(item) for item in said.items],
        next_check_at=at + BACK_OFF[0],
        created_at=at,
    )
    events.emit("receipt.pending", receipt, actor="system", at=at, to_state=receipt.status, data=_told(receipt))
    if outcome.receipt is not None:
        _apply(receipt, outcome.receipt, actor="system", at=at)


def is_to_come(operation: Payment | Refund) -> bool:
    """Whether a receipt of this operation will be written down when it is settled, and has not been yet."""
    payment = operation.payment if isinstance(operation, Refund) else operation
    which = {"refund": operation} if isinstance(operation, Refund) else {"payment": operation}
    waits = operation.is_live and rules(payment.acquirer) is not None
    return waits and not Receipt.objects.filter(**which).exists()


def note(operation: Payment | Refund, status: ReceiptStatus | None, *, actor: str, at: datetime) -> None:
    """What the acquirer said of the receipt of one operation. Nothing where it said nothing or none is known."""
    which = {"refund": operation} if isinstance(operation, Refund) else {"payment": operation}
    with transaction.atomic():
        receipt = Receipt.objects.select_for_update().filter(**which).first()
        if receipt is not None and status is not None:
            _apply(receipt, status, actor=actor, at=at)


def check(receipt_id: uuid.UUID, *, at: datetime) -> Receipt:
    """Asks the acquirer what became of a receipt. Raises NotFound."""
    receipt = _get(receipt_id)
    if receipt.status == Receipt.Status.REGISTERED:
        return receipt
    operation, payment = receipt.operation, receipt.paid
    subject = Subject(operation.noun)
    reference = operation.acquirer_refund_id if isinstance(operation, Refund) else operation.acquirer_payment_id
    our_id = str(operation.pk if isinstance(operation, Refund) else operation.order_id)
    said = calls.acquirer(payment.acquirer).fetch(subject, our_id, reference, calls.clue(operation))
    health.looked_up(payment.acquirer, said, at=at)
    with transaction.atomic():
        receipt = Receipt.objects.select_for_update().get(pk=receipt_id)
        _apply(receipt, said.receipt or ReceiptStatus.PENDING, actor=f"acquirer:{payment.acquirer}", at=at)
    return receipt


def poll_due(*, at: datetime, limit: int = 50) -> int:
    """Asks about the receipts that are due at `at`. Returns how many were taken up."""
    rows = Receipt.objects.filter(next_check_at__isnull=False)
    named = rows.annotate(acquirer=Coalesce("payment__acquirer", "refund__payment__acquirer"))
    due = health.askable(named, "acquirer", at=at)
    return sweeps.poll(due, lambda pk: check(pk, at=at), at=at, lease=LEASE, limit=limit, steps=BACK_OFF)


def registered_by_hand(receipt_id: uuid.UUID, *, actor: str, reason: str, at: datetime) -> Receipt:
    """Staff made the receipt in the cash register's own cabinet. Raises NotFound; Conflict `registered_already`."""
    with transaction.atomic():
        receipt = Receipt.objects.select_for_update().filter(pk=receipt_id).first()
        if receipt is None:
            raise NotFound("There is no such receipt.", "receipt_not_found")
        if receipt.status == Receipt.Status.REGISTERED:
            raise Conflict("This receipt is registered already.", "registered_already")
        _register(receipt, actor=actor, reason=reason, at=at)
    return receipt


def _apply(receipt: Receipt, status: ReceiptStatus, *, actor: str, at: datetime) -> None:
    if receipt.status == Receipt.Status.REGISTERED:
        return
    if status is ReceiptStatus.REGISTERED:
        _register(receipt, actor=actor, reason="", at=at)
    elif status is ReceiptStatus.FAILED and receipt.status == Receipt.Status.PENDING:
        receipt.next_check_at = None
        receipt.parked = "The cash register refused this receipt. Make it by hand there, then say so here."
        data = _told(receipt)
        events.change(receipt, receipt.fail, actor=actor, at=at, reason=receipt.parked, save=SAVED, data=data)
    elif receipt.status == Receipt.Status.PENDING:
        late = at - receipt.created_at >= settings.RECEIPT_PENDING_LIMIT
        if late and not receipt.parked:
            receipt.parked = "The cash register has not registered this receipt in time. Look there what holds it up."
            events.emit("receipt.parked", receipt, actor=actor, at=at, reason=receipt.parked)
        receipt.next_check_at = at + sweeps.back_off(receipt.checks, *BACK_OFF)
        receipt.save(update_fields=["next_check_at", "parked", "updated_at"])


def _register(receipt: Receipt, *, actor: str, reason: str, at: datetime) -> None:
    receipt.next_check_at, receipt.parked, receipt.registered_at = None, "", at
    data = _told(receipt)
    events.change(receipt, receipt.register, actor=actor, at=at, reason=reason, save=SAVED, data=data)


def _is_whole(line: InvoiceLine, share: Money) -> bool:
    """Whether quantity times price still is what the line costs."""
    return money.to_minor(share) == line.amount and not line.discount


def _subject(invoice: Invoice, how: Mapping[str, str]) -> str:
    # Money put into a wallet buys nothing yet: an advance, whose subject is a payment (FFD 1.05).
    return "payment" if invoice.purpose == "top_up" else how.get("subject", "service")


def _mode(invoice: Invoice, how: Mapping[str, str]) -> str:
    return "advance" if invoice.purpose == "top_up" else how.get("mode", "full_payment")


def _kept(item: port.ReceiptItem) -> dict[str, object]:
    return {
        "name": item.name,
        "quantity": str(item.quantity),
        "amount": money.to_minor(item.amount),
        "vat": item.vat,
        "subject": item.subject,
        "mode": item.mode,
    }


def _told(receipt: Receipt) -> dict[str, str]:
    return {
        "of": receipt.operation.noun,
        "of_id": str(receipt.operation.pk),
        "amount": money.plain(receipt.money),
        "currency": receipt.currency,
    }


def _get(receipt_id: uuid.UUID) -> Receipt:
    found = Receipt.objects.select_related("payment__user", "refund__payment__user").filter(pk=receipt_id).first()
    if found is None:
        raise NotFound("There is no such receipt.", "receipt_not_found")
    return found
