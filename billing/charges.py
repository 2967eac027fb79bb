"""Saved cards charged many at once: the payments written in one statement, the answers settled in a few.

What is written is what `payments.start` and `settlement.apply` write for each. Whatever is not ordinary (something
was tried before, a refusal, a doubt, a row in somebody else's hands) is left to them.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection, transaction

from acquiring.types import Charge, Outcome, Status
from billing import batches, bulk, calls, events, health, mismatches, outcomes, payments, receipts, routes, settlement
from billing.errors import Refused
from billing.models import Invoice, Payment, PaymentMethod

log = logging.getLogger(__name__)

FRESH = 1.0  # seconds from the commit for which nobody looks again before the call
LATEST = payments.LEASE.total_seconds() / 4  # then the poll is near, and two calls must not meet at the acquirer
SENDABLE = """
    SELECT payment.checks FROM billing_payment payment
      JOIN billing_invoice invoice ON invoice.id = payment.invoice_id
      JOIN billing_paymentmethod method ON method.id = payment.method_id
     WHERE payment.id = %s AND payment.status = 'created' AND invoice.status = 'open'
       AND method.removed_at IS NULL"""


@dataclass(frozen=True, slots=True)
class Started:
    """A payment that is written and about to be sent."""

    payment: Payment
    order: Charge
    begun: float = field(default_factory=time.monotonic)


def start_many(methods: Mapping[uuid.UUID, uuid.UUID], *, actor: str, at: datetime) -> list[Started]:
    """Begins to collect open invoices, never tried before, each by the card that `methods` names for it.

    Locks the invoices in the caller's transaction; those that somebody else holds, or that are not ordinary, are left
    out. `send` each one after the commit.
    """
    found = Invoice.objects.filter(pk__in=list(methods), status=Invoice.Status.OPEN, total__gt=0, expires_at=None)
    rows = list(found.order_by("pk").select_for_update(of=("self",), skip_locked=True).select_related("user"))
    cards = PaymentMethod.objects.filter(removed_at=None).in_bulk(set(methods.values()))
    tried = set(Payment.objects.filter(invoice__in=list(methods)).values_list("invoice_id", flat=True))
    usual = {
        kind for kind in {(card.acquirer, row.currency) for card in cards.values() for row in rows} if _usual(*kind)
    }
    begun = []
    for invoice in rows:
        card = cards.get(methods[invoice.pk])
        kind = (card.acquirer, invoice.currency) if card and card.user_id == invoice.user_id else None
        if card and invoice.pk not in tried and kind in usual:
            begun.append(_payment(invoice, card, at))
    lines = settlement.what_of([payment.invoice for payment in begun])
    _write(begun, at)
    told = [(payment, settlement.told(payment, lines[payment.invoice_id])) for payment in begun]
    events.emit_many("payment.created", told, actor=actor, at=at, to_state=Payment.Status.CREATED)
    return [Started(payment, payments.order(payment, lines[payment.invoice_id])) for payment in begun]


def send(started: Started) -> Outcome | None:
    """Sends one payment and returns what the acquirer answers; nothing is written, and no connection held meanwhile.

    None where it had to wait, and must not be charged any more: the card was removed or the invoice closed. Raises
    TimeoutError where it waited so long that the poll will soon take it up: that one sends it, under the same key.
    """
    acquirer = started.payment.acquirer
    with calls.in_turn(acquirer):
        waited = time.monotonic() - started.begun
        if waited > LATEST:
            raise TimeoutError("it waited too long for its turn")
        if waited > FRESH and not _wanted(started.payment):
            return None
        return calls.acquirer(acquirer).charge(started.order)


def settle(answers: Sequence[tuple[Started, Outcome | None]], *, at: datetime) -> set[uuid.UUID]:
    """Applies these answers, the ordinary ones together. Returns the payments that were settled so.

    One that cannot be applied is logged; the lease of its payment brings it back.
    """
    said = {each.payment.pk: outcome for each, outcome in answers if outcome and _plain(outcome)}
    try:
        with transaction.atomic():
            done = _settled(said, at) if said else set()
    except Exception:  # nothing of it is written; one by one the culprit is found, and the others go on
        log.exception("a batch of %s charges failed", len(said))
        done = set()
    well = {each.payment.acquirer: outcome for each, outcome in answers if outcome and each.payment.pk in done}
    for acquirer, outcome in well.items():
        health.note(acquirer, outcome, at=at)
    for each, said_of_it in answers:
        if each.payment.pk not in done:
            _apply(each.payment, said_of_it, at)
    return done


def _wanted(payment: Payment) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(SENDABLE, [payment.pk])
        found = cursor.fetchone()
    if found and found[0]:
        raise TimeoutError("the poll has taken it up")
    return found is not None


def _apply(payment: Payment, outcome: Outcome | None, at: datetime) -> None:
    try:
        if outcome is None:
            payments.submit(payment.pk, at=at, first=True)
        else:
            payments.answered(payment, outcome, at=at, first=True)
    except Exception:
        log.exception("the answer about payment %s cannot be applied", payment.pk)


def _plain(outcome: Outcome) -> bool:
    return outcome.status == Status.SUCCEEDED and outcome.charged_back is None and not outcome.decline


def _settled(said: Mapping[uuid.UUID, Outcome], at: datetime) -> set[uuid.UUID]:
    bills = Invoice.objects.filter(payments__in=list(said), status=Invoice.Status.OPEN).order_by("pk")
    bills = bills.select_related("account")
    invoices = {invoice.pk: invoice for invoice in bills.select_for_update(of=("self",), skip_locked=True)}
    created = Payment.objects.filter(
        pk__in=list(said), invoice__in=list(invoices), status=Payment.Status.CREATED, surplus=False, parked=""
    )
    rows = list(created.order_by("pk").select_for_update(skip_locked=True))
    references = [outcome.reference for outcome in said.values() if outcome.reference]
    known = set(
        Payment.objects.filter(acquirer_payment_id__in=references).values_list("acquirer_payment_id", flat=True)
    )
    made = []
    for payment in rows:
        payment.invoice, outcome = invoices[payment.invoice_id], outcomes.kept(said[payment.pk])
        if not payment.acquirer_payment_id and not mismatches.odd(payment, outcome, sure=False, known=known):
            made.append(batches.Made(payment, payment.invoice, outcome))
    if made:
        batches.write(made, before=Payment.Status.CREATED, at=at)
    return {each.payment.pk for each in made}


def _usual(acquirer: str, currency: str) -> bool:
    """Whether the acquirer takes the currency, and makes no receipts: those are written one by one."""
    try:
        routes.check(acquirer, currency)
    except Refused:
        return False
    return receipts.rules(acquirer) is None


def _payment(invoice: Invoice, card: PaymentMethod, at: datetime) -> Payment:
    return Payment(
        invoice=invoice,
        user=invoice.user,
        amount=invoice.total,
        currency=invoice.currency,
        acquirer=card.acquirer,
        method=card,
        next_check_at=at + payments.LEASE,  # the process that goes on to call may die
        created_at=at,
    )


def _write(begun: Sequence[Payment], at: datetime) -> None:
    own = ("id", "invoice_id", "user_id", "amount", "currency", "acquirer", "method_id", "next_check_at", "created_at")
    given = {field.attname for field in Payment._meta.concrete_fields} - {*own, "updated_at"}
    same = {name: getattr(begun[0], name) for name in given} if begun else {}  # the defaults
    bulk.insert(Payment, [{name: getattr(row, name) for name in own} for row in begun], **same, updated_at=at)
