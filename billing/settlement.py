"""Settlement: what an acquirer said of a payment becomes fact here, in one transaction, once.

Answers to our calls, callbacks and polling all end in `apply`. Lock, look again, transition, transfer, invoice, event.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import DatabaseError, transaction
from moneyed import Money

from acquiring.types import Card, Decline, Outcome, Status
from billing import events, invoices, ledger, mismatches, money, outcomes, parking, receipts, refunds, sweeps, wake
from billing.models import Invoice, InvoiceLine, Payment, PaymentMethod
from billing.models.fields import digest

log = logging.getLogger(__name__)

BACK_OFF = tuple(timedelta(seconds=s) for s in (10, 20, 40, 60, 120, 300, 600, 1800, 3600, 6 * 3600))
SILENT = "The acquirer has not said for days whether this payment was made. Ask it by telephone."
PARK_AFTER = 40  # checks: more than a week; it goes on being asked, but a human should know

NOTED = (  # what `note` sets
    "acquirer_payment_id",
    "redirect_url",
    "widget",
    "card",
    "raw",
    "next_check_at",
    "checks",
    "parked",
    *("decline", "decline_code", "decline_message", "retry_after"),
)
TAKEN = ("surplus", "captured", "settled_at")  # what `take` sets besides


def apply(payment_id: uuid.UUID, outcome: Outcome, *, actor: str, at: datetime, sure: bool = False) -> Payment:
    """Writes down what the acquirer said of a payment. The second time changes nothing.

    A figure or an id that is not ours parks the payment with the reason and changes nothing else. A capture that
    nobody owed is booked to suspense and refunded by itself.

    `sure`: the acquirer was asked about this very capture, so another id than ours is believed. The first capture of
    an order is its payment; each further one is a payment of its own, goes back, and is returned here.
    """
    outcome = outcomes.kept(outcome)
    with transaction.atomic():
        payment = refunds.lock_payment(payment_id)
        if payment.status == Payment.Status.SUCCEEDED:
            receipts.note(payment, outcome.receipt, actor=actor, at=at)
            return _taken_again(payment, outcome, sure, actor=actor, at=at)
        if outcome.decline == Decline.NOT_SENT and payment.acquirer_payment_id:
            outcome = Outcome.unknown(outcome.message)  # another try has arrived meanwhile
        odd = mismatches.odd(payment, outcome, sure)
        if odd:
            if payment.is_live or not mismatches.is_dealt_with(payment, outcome):
                parking.park(payment, odd, steps=BACK_OFF, actor=actor, at=at)
            else:  # not asked about again either
                Payment.objects.filter(pk=payment.pk).update(next_check_at=None)
                payment.next_check_at = None
            return payment
        note(payment, outcome, at)
        if outcome.status == Status.SUCCEEDED:
            _settle(payment, outcome, actor=actor, at=at)
        elif payment.is_live:
            _move(payment, outcome, actor=actor, at=at)
        else:
            _save(payment)  # a late failure or a late "pending" undoes nothing
    return payment


def _step_back(payment: Payment, *, at: datetime) -> None:
    """An older payment paid the invoice after all, so the one that took its place gives way.

    Its page may still be open: `next_check_at` has the sweep close it, and a capture there is surplus.
    """
    for rival in payment.invoice.payments.select_for_update().filter(status__in=Payment.LIVE).exclude(pk=payment.pk):
        rival.invoice, rival.next_check_at, rival.checks = payment.invoice, at, 0
        reason, saved = "Another payment has paid this invoice", ["next_check_at", "checks"]
        events.change(rival, rival.cancel, actor="system", at=at, reason=reason, save=saved, data=told(rival))
        wake.after_commit("billing.tasks.poll_payments")


def _move(payment: Payment, outcome: Outcome, *, actor: str, at: datetime) -> None:
    """The transitions in which no money moves."""
    if outcome.status == Status.FAILED:
        payment.next_check_at = None
        payment.decline, payment.retry_after = outcome.decline or "", outcome.retry_after
        payment.decline_code, payment.decline_message = outcome.code[:60], outcome.message[:300]
        transition, reason = payment.fail, outcome.message
    elif outcome.status == Status.CANCELLED:
        payment.next_check_at = None
        transition, reason = payment.cancel, outcome.message
    elif outcome.status == Status.AUTHORIZED and payment.status != Payment.Status.AUTHORIZED:
        transition, reason = payment.authorize, ""
    elif outcome.status == Status.PENDING and payment.status in (Payment.Status.CREATED, Payment.Status.UNKNOWN):
        transition, reason = payment.wait, ""
    elif outcome.status == Status.UNKNOWN and not outcome.absent and payment.status == Payment.Status.CREATED:
        transition, reason = payment.doubt, outcome.message
    else:
        _save(payment)
        return
    events.change(payment, transition, actor=actor, at=at, reason=reason, save=NOTED, data=told(payment))


def _settle(payment: Payment, outcome: Outcome, *, actor: str, at: datetime) -> None:
    """Money moved: transfer, invoice and events, or, for money that nobody owed, suspense and a refund."""
    invoice = payment.invoice
    take(payment, outcome, at)
    if payment.save_card and outcome.card and outcome.card.token:
        payment.method = payment.method or _keep_card(payment, outcome.card, at=at)
    if not payment.surplus and not payment.is_live:  # beside a live one there is no other: a unique index
        _step_back(payment, at=at)
    saved = [*NOTED, *TAKEN, "method"]
    events.change(payment, payment.succeed, actor=actor, at=at, save=saved, data=told(payment))
    ledger.post(
        f"payment:{payment.pk}",
        debit=ledger.source(payment),
        credit=ledger.suspense(payment.currency) if payment.surplus else invoice.account,
        amount=payment.captured_money,
        description=f"Payment of invoice {invoice.number}",
        at=outcome.occurred_at or at,
    )
    receipts.begin(payment, outcome, at=at)
    if payment.surplus:
        _give_back(payment, at=at)
    else:
        invoices.paid(invoice, payment, actor=actor, at=at)


def take(payment: Payment, outcome: Outcome, at: datetime) -> None:
    """What a capture says of its payment, which is locked, as its invoice is. Nothing is saved."""
    payment.surplus = payment.invoice.status != Invoice.Status.OPEN
    payment.captured = money.to_minor(outcome.amount) if outcome.amount is not None else payment.amount
    payment.settled_at, payment.next_check_at = at, None
    payment.decline = payment.decline_code = payment.decline_message = ""
    payment.retry_after = None


def _give_back(payment: Payment, *, at: datetime) -> None:
    """A capture on a dead payment, or of an invoice that is paid or void: the customer gets it back without asking."""
    state = payment.invoice.get_status_display().lower()
    refund = refunds.promise(
        payment,
        amount=payment.captured_money,
        reason=f"Paid although the invoice was already {state}",
        actor="system",
        at=at,
        explanation=f"Invoice {payment.invoice.number} was already {state}, so this payment is given back in full.",
        request_key=f"surplus:{payment.pk}",
    )
    refund.next_check_at = at
    refund.save(update_fields=["next_check_at"])
    events.emit("payment.surplus", payment, actor="system", at=at, data=told(payment))
    refunds.hurry()


def save_card(user_id: uuid.UUID, acquirer: str, card: Card, *, at: datetime) -> PaymentMethod:
    """Keeps the token of a card, once for each customer and acquirer."""
    return PaymentMethod.objects.get_or_create(
        user_id=user_id,
        acquirer=acquirer,
        token_digest=digest(card.token),
        removed_at=None,
        defaults={
            "token": card.token,
            "mask": card.mask,
            "brand": card.brand,
            "exp_month": card.exp_month,
            "exp_year": card.exp_year,
            "created_at": at,
        },
    )[0]


def _keep_card(payment: Payment, card: Card, *, at: datetime) -> PaymentMethod | None:
    try:
        with transaction.atomic():
            return save_card(payment.user_id, payment.acquirer, card, at=at)
    except (DatabaseError, ValueError):  # a card that cannot be kept must not keep the money out of the books
        log.exception("the card of payment %s cannot be kept", payment.pk)
        return None


def what(invoice: Invoice) -> str:
    """What an invoice is for, as its lines say."""
    return what_of([invoice])[invoice.pk]


def what_of(rows: Sequence[Invoice]) -> dict[uuid.UUID, str]:
    """`what` of many invoices, in one statement."""
    found: dict[uuid.UUID, list[str]] = {row.pk: [] for row in rows}
    lines = InvoiceLine.objects.filter(invoice__in=list(found)).order_by("position")
    for invoice_id, description in lines.values_list("invoice_id", "description"):
        found[invoice_id].append(description)
    return {invoice_id: "; ".join(descriptions) for invoice_id, descriptions in found.items()}


def told(payment: Payment, description: str | None = None) -> dict[str, str]:
    """What events tell of a payment; `description`, where it is known, is `what` its invoice is for."""
    return {
        "amount": money.plain(payment.money),
        "currency": payment.currency,
        "spoken": money.spoken(payment.money),
        "invoice": str(payment.invoice_id),
        "invoice_number": str(payment.invoice.number),
        "purpose": payment.invoice.purpose,
        "description": what(payment.invoice) if description is None else description,
        "acquirer": payment.acquirer,
        "card": payment.card,
        "decline": payment.decline,
        "decline_message": payment.decline_message,
    }


def _taken_again(payment: Payment, outcome: Outcome, sure: bool, *, actor: str, at: datetime) -> Payment:
    """News of a payment that was made. Money taken again for the same order is a payment of its own, and goes back."""
    ours, theirs = payment.acquirer_payment_id, outcome.reference
    if outcome.status not in (Status.SUCCEEDED, Status.AUTHORIZED) or not ours or theirs in ("", ours):
        return payment
    known = Payment.objects.filter(acquirer=payment.acquirer, acquirer_payment_id=theirs).first()
    if known:
        return known
    why = f"This payment was made as {ours}, and the acquirer took money again as {theirs}"
    taken = outcome.amount if outcome.amount is not None else payment.captured_money
    bookable = taken.currency.code == payment.currency and taken.amount > 0 and outcome.our_id == str(payment.pk)
    if not sure or not bookable or outcome.status == Status.AUTHORIZED:
        parking.park(payment, f"{why}: give it back.", steps=BACK_OFF, actor=actor, at=at)
        return payment
    again = _again(payment, replace(outcome, amount=taken), taken, actor=actor, at=at)
    why += f". That is given back by itself: {money.spoken(taken)}; its own page tells how far it is."
    parking.park(payment, why, steps=BACK_OFF, actor=actor, at=at)
    return again


def _again(payment: Payment, outcome: Outcome, taken: Money, *, actor: str, at: datetime) -> Payment:
    """Books the second capture of a payment's order, and promises it back."""
    again = Payment.objects.create(
        invoice=payment.invoice,
        user_id=payment.user_id,
        amount=money.to_minor(taken),
        currency=payment.currency,
        surplus=True,
        again_of=payment.again_of or payment,
        acquirer=payment.acquirer,
        created_at=at,
    )
    reason = f"The order of payment {payment.pk} was captured again"
    data = told(again)
    events.emit("payment.created", again, actor=actor, at=at, reason=reason, to_state=again.status, data=data)
    note(again, outcome, at)
    _settle(again, outcome, actor=actor, at=at)
    return again


def note(payment: Payment, outcome: Outcome, at: datetime) -> None:
    """Keeps what the answer tells besides the state, and says when to ask again."""
    if outcome.status == Status.SUCCEEDED:
        payment.acquirer_payment_id = outcome.reference or payment.acquirer_payment_id  # what was captured
    payment.acquirer_payment_id = payment.acquirer_payment_id or outcome.reference
    payment.redirect_url = outcome.redirect_url or payment.redirect_url
    payment.widget = dict(outcome.widget) or payment.widget
    if outcome.card:
        payment.card = outcomes.storable(f"{outcome.card.brand} {outcome.card.mask}".strip()[:60])
    if outcome.raw:
        payment.raw = dict(outcome.raw)
    closed = outcome.absent or outcome.status in (Status.FAILED, Status.CANCELLED)
    explained = closed or outcome.status == Status.AUTHORIZED
    if outcome.status == Status.SUCCEEDED or (payment.is_live and explained):
        payment.parked = ""  # a mismatch stays marked meanwhile: "pending" explains nothing
    if not payment.is_live and closed:
        payment.next_check_at = None
        payment.parked = "" if payment.parked == SILENT else payment.parked
    elif not payment.is_live and payment.next_check_at is None and not outcome.again:
        # Open there and dead here, or somebody rang and it did not say why: the sweep closes it, and asks so.
        payment.next_check_at, payment.checks = at, 0
    elif payment.is_live or payment.next_check_at:
        payment.next_check_at = at + sweeps.back_off(payment.checks, *BACK_OFF, wish=outcome.wait)
        if payment.checks >= PARK_AFTER and outcome.status != Status.SUCCEEDED and not closed:
            payment.parked = SILENT


def _save(payment: Payment) -> None:
    payment.save(update_fields=[*NOTED, "updated_at"])
