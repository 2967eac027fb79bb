"""Invoices: issue, mark paid, waive, void. Closing one that has a live payment needs the acquirer: see checkouts."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from django.db import transaction
from moneyed import Money

from billing import bulk, events, money, wake
from billing.errors import Conflict, NotFound
from billing.models import Account, Invoice, InvoiceLine, Payment


@dataclass(frozen=True, slots=True)
class Draft:
    """An invoice to be, of many that are issued at once. Events know it as the invoice."""

    noun: ClassVar[str] = Invoice.noun

    user_id: uuid.UUID
    lines: Sequence[Line]
    account: Account
    purpose: str
    id: uuid.UUID = field(default_factory=uuid.uuid4)

    @property
    def pk(self) -> uuid.UUID:
        return self.id

    @property
    def customer_id(self) -> uuid.UUID:
        return self.user_id

    @property
    def total(self) -> Money:
        return sum((line.amount for line in self.lines[1:]), start=self.lines[0].amount)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an invoice to be. `product` is a code ("plan:year"), `description` what the customer reads."""

    product: str
    description: str
    unit_price: Money
    quantity: int = 1
    discount: Money | None = None

    @property
    def amount(self) -> Money:
        total: Money = self.unit_price * self.quantity
        return total - self.discount if self.discount is not None else total


def issue(
    *,
    user_id: uuid.UUID,
    lines: Sequence[Line],
    account: Account,
    purpose: str,
    actor: str,
    at: datetime,
    expires_at: datetime | None = None,
    request_key: str | None = None,
) -> Invoice:
    """Issues an open invoice over the sum of `lines`; its payment will be booked to `account`.

    Unpaid at `expires_at`, it is voided by a sweep. Raises IntegrityError for lines that do not add up.
    """
    total = sum((line.amount for line in lines[1:]), start=lines[0].amount)
    with transaction.atomic():
        invoice = Invoice.objects.create(
            user_id=user_id,
            purpose=purpose,
            account=account,
            total=money.to_minor(total),
            currency=total.currency.code,
            expires_at=expires_at,
            next_sweep_at=expires_at,
            request_key=request_key,
            created_at=at,
        )
        invoice.refresh_from_db(fields=["number"])
        InvoiceLine.objects.bulk_create(_row(invoice, position, line) for position, line in enumerate(lines, 1))
        events.change(invoice, invoice.issue, actor=actor, at=at, data={"total": money.plain(total)})
    return invoice


def issue_many(drafts: Sequence[Draft], *, actor: str, at: datetime) -> None:
    """Issues many open invoices, none of which runs out by itself, in a few statements however many they are.

    Each has the id of its draft. Call it in a transaction. Raises IntegrityError for lines that do not add up.
    """
    totals = [draft.total for draft in drafts]
    bulk.insert(
        Invoice,
        [
            {
                "id": draft.id,
                "user_id": draft.user_id,
                "purpose": draft.purpose,
                "account_id": draft.account.pk,
                "total": money.to_minor(total),
                "currency": total.currency.code,
            }
            for draft, total in zip(drafts, totals, strict=True)
        ],
        status=Invoice.Status.OPEN,
        created_at=at,
        updated_at=at,
    )
    lines = [(draft.id, number, line) for draft in drafts for number, line in enumerate(draft.lines, 1)]
    bulk.insert(InvoiceLine, [{"invoice_id": pk, "position": number} | _values(line) for pk, number, line in lines])
    events.emit_many(
        "invoice.issued",
        [(draft, {"total": money.plain(total)}) for draft, total in zip(drafts, totals, strict=True)],
        actor=actor,
        at=at,
        from_state=Invoice.Status.DRAFT,
        to_state=Invoice.Status.OPEN,
    )


def get(invoice_id: uuid.UUID) -> Invoice:
    """The invoice as it is now. Raises NotFound."""
    try:
        return Invoice.objects.get(pk=invoice_id)
    except Invoice.DoesNotExist:
        raise NotFound("There is no such invoice.", "invoice_not_found") from None


def lock(invoice_id: uuid.UUID) -> Invoice:
    """The invoice, locked until the end of the transaction. Raises NotFound."""
    try:
        return Invoice.objects.select_for_update(of=("self",)).select_related("account").get(pk=invoice_id)
    except Invoice.DoesNotExist:
        raise NotFound("There is no such invoice.", "invoice_not_found") from None


def lock_of(payment_id: uuid.UUID) -> Invoice:
    """The invoice of a payment, locked until the end of the transaction. Raises NotFound."""
    try:
        return Invoice.objects.select_for_update(of=("self",)).select_related("account").get(payments=payment_id)
    except Invoice.DoesNotExist:
        raise NotFound("There is no such payment.", "payment_not_found") from None


def paid(invoice: Invoice, payment: Payment, *, actor: str, at: datetime) -> None:
    """Marks a locked open invoice as paid by `payment`."""
    invoice.paid_at = at
    invoice.next_sweep_at = None
    events.change(
        invoice,
        invoice.pay,
        actor=actor,
        at=at,
        save=["paid_at", "next_sweep_at"],
        data={"payment": str(payment.pk)},
    )


def waive(invoice_id: uuid.UUID, *, actor: str, at: datetime, reason: str = "") -> Invoice:
    """Marks an open invoice over nothing as paid, without a payment; what it was for begins as with any other.

    One that is paid stays as it is. Raises NotFound; Conflict `invoice_closed`, and `not_free` where there is a sum.
    """
    with transaction.atomic():
        invoice = lock(invoice_id)
        if invoice.total:
            raise Conflict(f"{money.spoken(invoice.money)} is to be paid for this invoice.", "not_free")
        if invoice.status == Invoice.Status.PAID:
            return invoice
        if invoice.status != Invoice.Status.OPEN:
            raise Conflict("The invoice is closed; begin anew.", "invoice_closed")
        invoice.paid_at, invoice.next_sweep_at = at, None
        saved = ["paid_at", "next_sweep_at"]
        events.change(invoice, invoice.pay, actor=actor, at=at, reason=reason, save=saved, data={"payment": None})
    return invoice


def void(invoice_id: uuid.UUID, *, actor: str, at: datetime, reason: str) -> Invoice:
    """Voids an invoice that nobody has paid and nobody is paying. A void one stays as it is.

    Raises Conflict: `invoice_paid`, `payment_in_progress`; NotFound.
    """
    with transaction.atomic():
        invoice = lock(invoice_id)
        if invoice.status == Invoice.Status.VOID:
            return invoice
        if invoice.status not in (Invoice.Status.DRAFT, Invoice.Status.OPEN):
            raise Conflict("The invoice is closed already; money is given back by a refund.", "invoice_paid")
        if invoice.payments.filter(status__in=Payment.LIVE).exists():
            raise Conflict("A payment of this invoice is in progress.", "payment_in_progress")
        invoice.next_sweep_at = None
        events.change(invoice, invoice.void, actor=actor, at=at, reason=reason, save=["next_sweep_at"])
    return invoice


def write_off(invoice: Invoice, *, actor: str, at: datetime, reason: str) -> Invoice:
    """Gives up a locked open invoice, though a payment of it may be under way; any other stays as it is.

    The acquirers are asked to close what is under way. Money that arrives all the same is surplus and goes back.
    """
    if invoice.status != Invoice.Status.OPEN:
        return invoice
    invoice.next_sweep_at = None
    events.change(invoice, invoice.write_off, actor=actor, at=at, reason=reason, save=["next_sweep_at"])
    if invoice.payments.filter(status__in=Payment.LIVE).update(next_check_at=at):
        wake.after_commit("billing.tasks.poll_payments")
    return invoice


def _row(invoice: Invoice, position: int, line: Line) -> InvoiceLine:
    return InvoiceLine(invoice=invoice, position=position, **_values(line))


def _values(line: Line) -> dict[str, Any]:
    return {
        "product": line.product,
        "description": line.description,
        "quantity": line.quantity,
        "unit_price": money.to_minor(line.unit_price),
        "discount": money.to_minor(line.discount) if line.discount is not None else 0,
        "amount": money.to_minor(line.amount),
    }
