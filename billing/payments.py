"""Payments: commit the attempt, call the acquirer, write down its answer; ask about the unknown until it is known."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest

from acquiring import registry
from acquiring.http import Unanswered
from acquiring.types import Charge, Decline, Outcome, Status, Subject
from billing import (
    calls,
    events,
    health,
    invoices,
    outcomes,
    outgoing,
    receipts,
    routes,
    sending,
    settlement,
    sweeps,
    wake,
)
from billing.errors import Conflict, Invalid, NotFound
from billing.models import Invoice, Payment, PaymentMethod

log = logging.getLogger(__name__)

LEASE = sending.LEASE
HURRY_EVERY = timedelta(seconds=3)
LEFT_OPEN = Outcome(Status.CANCELLED, message="The bank's page closes by itself; nobody waits for it any more.")
NOTHING_THERE = Outcome(Status.CANCELLED, message="The bank has never received this payment.")

NEVER_ARRIVED = Outcome(Status.FAILED, decline=Decline.NOT_SENT, code="never_arrived", message=NOTHING_THERE.message)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How an invoice is to be paid, whichever acquirer it will be."""

    invoice_id: uuid.UUID
    return_url: str
    save_card: bool
    method_id: uuid.UUID | None


def start(
    invoice_id: uuid.UUID,
    *,
    actor: str,
    at: datetime,
    acquirer: str = "",
    return_url: str = "",
    save_card: bool = False,
    method_id: uuid.UUID | None = None,
    goods: str = "",
) -> Payment:
    """Begins to collect an open invoice: on the acquirer's page, or by the saved card `method_id`.

    Without `acquirer` the routes choose one by `goods`, the code of what is bought; where that one certainly never saw
    the order, the next of them is asked. A second call finds the first payment while that one is live. `return_url`
    may hold "{payment}". Raises NotFound; Conflict `invoice_paid`, `invoice_closed`, `nothing_to_pay`, `no_acquirer`;
    Invalid `unknown_acquirer`, `currency_not_supported`.
    """
    names = [""]  # the card's own
    if method_id is None:
        invoice = invoices.get(invoice_id)
        live = invoice.payments.filter(status__in=Payment.LIVE).first()
        asked = live.acquirer if live else acquirer
        names = [asked] if live else routes.order(invoice.currency, invoice.user_id, goods=goods, asked=asked, at=at)
    wanted = Wanted(invoice_id, return_url, save_card, method_id)
    for name in names[:-1]:
        payment = _attempt(wanted, name, actor=actor, at=at)
        if payment.decline != Decline.NOT_SENT:
            return payment
    return _attempt(wanted, names[-1], actor=actor, at=at)


def _attempt(wanted: Wanted, acquirer: str, *, actor: str, at: datetime) -> Payment:
    """One payment of an invoice at one acquirer; the live one while there is one."""
    with transaction.atomic(durable=True):
        invoice = invoices.lock(wanted.invoice_id)
        if invoice.status == Invoice.Status.PAID:
            raise Conflict("The invoice is paid already.", "invoice_paid")
        if invoice.status != Invoice.Status.OPEN:
            raise Conflict("The invoice is closed; begin anew.", "invoice_closed")
        if not invoice.total:
            raise Conflict("There is nothing to pay for this invoice.", "nothing_to_pay")
        live = invoice.payments.filter(status__in=Payment.LIVE).first()
        if live:
            return live
        if invoice.expires_at is not None and invoice.expires_at <= at:
            raise Conflict("The time to pay this invoice is over; begin anew.", "invoice_closed")
        payment = _create(invoice, acquirer, wanted, at)
        events.emit(
            "payment.created",
            payment,
            actor=actor,
            at=at,
            to_state=payment.status,
            data=settlement.told(payment),
        )
    return submit(payment.pk, at=at, first=True)


def submit(payment_id: uuid.UUID, *, at: datetime, first: bool = False) -> Payment:
    """Sends a live payment to its acquirer (again: its id makes it one) and applies the answer.

    Only on the very first try does "not sent" mean that no money can move; later an earlier try may have arrived.
    """
    payment = Payment.objects.select_related("invoice", "user", "method").get(pk=payment_id)
    if not payment.is_live:
        return payment
    removed = payment.method is not None and payment.method.removed_at is not None
    if removed or payment.invoice.status != Invoice.Status.OPEN:  # nothing may be charged any more
        return _close_page(payment, at=at)
    if not first and not sending.claim(payment, at=at):
        return settlement.apply(payment_id, sending.UNDER_WAY, actor="system", at=at)
    charge, backend = order(payment), calls.acquirer(payment.acquirer)
    outcome = backend.charge(charge) if payment.method else backend.checkout(charge)
    return answered(payment, outcome, at=at, first=first)


def answered(payment: Payment, answer: Outcome, *, at: datetime, first: bool = False) -> Payment:
    """Applies what the acquirer answered when the payment was sent; `first` as in `submit`."""
    payment_id, outcome = payment.pk, answer
    if not first or Payment.objects.filter(pk=payment_id).exclude(status=Payment.Status.CREATED, checks=0).exists():
        outcome = outcomes.of_the_payment(outcome)  # not the only try
    payment = settlement.apply(payment_id, outcome, actor=f"acquirer:{payment.acquirer}", at=at)
    health.note(payment.acquirer, answer, at=at)
    return payment


def check(payment_id: uuid.UUID, *, at: datetime) -> Payment:
    """Asks the acquirer what became of a payment, and applies the answer. Raises NotFound."""
    payment = get(payment_id)
    if payment.status == Payment.Status.SUCCEEDED:
        return payment
    backend = calls.acquirer(payment.acquirer)
    given_up = payment.is_live and payment.invoice.status in (Invoice.Status.VOID, Invoice.Status.UNCOLLECTIBLE)
    if given_up or (not payment.is_live and payment.next_check_at is not None):
        return _close_page(payment, at=at)
    outcome = backend.fetch(Subject.PAYMENT, str(payment.pk), payment.acquirer_payment_id, calls.clue(payment))
    health.looked_up(payment.acquirer, outcome, at=at)
    if (outcome.absent or outcome.again) and payment.is_live and not payment.acquirer_payment_id:
        return _never_arrived(payment, outcome, at=at)
    return settlement.apply(payment_id, outcome, actor=f"acquirer:{payment.acquirer}", at=at)


def check_as(payment_id: uuid.UUID, reference: str, *, at: datetime) -> Payment:
    """Asks about `reference`, another id under which the acquirer may have captured the order of this payment.

    Returns the payment that it turned out to be; this one where the acquirer knows of no such capture. Raises
    NotFound; Unanswered where it cannot say.
    """
    payment = get(payment_id)
    if not payment.acquirer_payment_id or reference in ("", payment.acquirer_payment_id):
        return payment
    outcome = calls.acquirer(payment.acquirer).fetch(Subject.PAYMENT, "", reference)
    if outcome.status == Status.UNKNOWN and not outcome.absent:
        raise Unanswered(outcome.message)
    if outcome.reference != reference or outcome.our_id != str(payment.pk) or outcome.status != Status.SUCCEEDED:
        return payment
    return settlement.apply(payment_id, outcome, actor=f"acquirer:{payment.acquirer}", at=at, sure=True)


def cancel(payment_id: uuid.UUID, *, at: datetime, patient: bool = False) -> Payment:
    """Asks the acquirer to close the page or release the hold of a live payment, and applies what it then says.

    The payment may turn out paid after all. A page that its acquirer cannot close is `patient`ly left to its customer;
    else it is given up here, followed until its time is over, and what is paid on it goes back. Raises NotFound.
    """
    payment = get(payment_id)
    if not payment.is_live:
        return payment
    outcome = _voided(payment, at)
    payment = settlement.apply(payment_id, outcome, actor=f"acquirer:{payment.acquirer}", at=at)
    closes = calls.acquirer(payment.acquirer).capabilities.closes_pages
    if patient or closes or payment.method_id or outcome.status != Status.PENDING:
        return payment
    with transaction.atomic():
        payment = settlement.apply(payment_id, LEFT_OPEN, actor="system", at=at)
        given_up = Payment.objects.filter(pk=payment_id, status=Payment.Status.CANCELLED)
        given_up.update(next_check_at=at + LEASE, checks=0)
    return payment


def capture(payment_id: uuid.UUID, *, at: datetime) -> Payment:
    """Takes the whole sum of an authorized payment. One that succeeded stays as it is.

    Raises NotFound; Conflict `not_authorized`.
    """
    payment = get(payment_id)
    if payment.status == Payment.Status.SUCCEEDED:
        return payment
    if payment.status != Payment.Status.AUTHORIZED:
        raise Conflict("Only an authorized payment can be captured.", "not_authorized")
    backend = calls.acquirer(payment.acquirer)
    outcome = backend.capture(str(payment.pk), payment.acquirer_payment_id, order(payment))
    return settlement.apply(payment_id, outcomes.of_the_payment(outcome), actor=f"acquirer:{payment.acquirer}", at=at)


def poll_due(*, at: datetime, limit: int = 20) -> int:
    """Asks the acquirers about the payments that are due at `at`. Returns how many were taken up."""
    due = health.askable(outgoing.payments_to_take_up(at), "acquirer", at=at)
    return sweeps.poll(due, lambda pk: check(pk, at=at), at=at, lease=LEASE, limit=limit, steps=settlement.BACK_OFF)


def hurry(payment_id: uuid.UUID, *, at: datetime) -> None:
    """Somebody waits for this payment: has it asked about now, unless it was a moment ago."""
    asked = set(Payment.LIVE) - {Payment.Status.CREATED}  # its first call is under way, or the lease brings it back
    waiting = Payment.objects.filter(
        pk=payment_id, status__in=asked, next_check_at__gt=at, updated_at__lte=at - HURRY_EVERY
    )
    # This check is on top of the sweep's own, which are what "not said for days" and the back-off count.
    if waiting.update(next_check_at=at, updated_at=at, checks=Greatest(F("checks") - 1, 0)):
        wake.now("billing.tasks.poll_payments")


def _create(invoice: Invoice, acquirer: str, wanted: Wanted, at: datetime) -> Payment:
    method = None
    if wanted.method_id:
        method = PaymentMethod.objects.filter(pk=wanted.method_id, user_id=invoice.user_id, removed_at=None).first()
        if method is None:
            raise NotFound("There is no such card.", "card_not_found")
        acquirer = method.acquirer
        routes.check(acquirer, invoice.currency)
    payment = Payment(
        invoice=invoice,
        user_id=invoice.user_id,
        amount=invoice.total,
        currency=invoice.currency,
        acquirer=acquirer,
        method=method,
        save_card=wanted.save_card and registry.get(acquirer).capabilities.saved_cards,
        next_check_at=at + LEASE,  # the process that goes on to call may die
        created_at=at,
    )
    payment.return_url = wanted.return_url.replace("{payment}", str(payment.pk))
    if len(payment.return_url) > 500:
        raise Invalid("The address to return to is longer than 500 characters.", "bad_return_url")
    payment.save(force_insert=True)
    return payment


def _close_page(payment: Payment, *, at: datetime) -> Payment:
    return settlement.apply(payment.pk, _voided(payment, at), actor=f"acquirer:{payment.acquirer}", at=at)


def _voided(payment: Payment, at: datetime) -> Outcome:
    backend = calls.acquirer(payment.acquirer)
    outcome = backend.void(str(payment.pk), payment.acquirer_payment_id, calls.clue(payment))
    health.looked_up(payment.acquirer, outcome, at=at)
    if not outcome.absent or payment.acquirer_payment_id or payment.redirect_url:
        return outcomes.of_the_payment(outcome)
    return sending.UNDER_WAY if sending.on_its_way(payment, at=at) else NOTHING_THERE


def order(payment: Payment, what: str = "") -> Charge:
    """What the acquirer is asked for; `what` the invoice is for, where that is known."""
    return Charge(
        our_id=str(payment.pk),
        amount=payment.money,
        description=f"{what or settlement.what(payment.invoice)} (invoice {payment.invoice.number})",
        customer_id=str(payment.user_id),
        customer_email=payment.user.email,
        return_url=payment.return_url,
        token=payment.method.token if payment.method else "",
        save_card=payment.save_card,
        capture=not registry.two_stage(payment.acquirer),
        expires_at=payment.invoice.expires_at,
        receipt=receipts.of(payment),
    )


def _never_arrived(payment: Payment, said: Outcome, *, at: datetime) -> Payment:
    """The acquirer has never seen a payment of ours (or all of it): send it while its key is known, else give it up."""
    expired = payment.invoice.expires_at is not None and payment.invoice.expires_at <= at
    if at < sending.give_up_at(payment) and expired and payment.method is None:
        return cancel(payment.pk, at=at)  # nobody waits for this page any more
    if at < sending.last_try_at(payment):
        return submit(payment.pk, at=at)
    waits = at < sending.give_up_at(payment)
    return settlement.apply(payment.pk, said if waits else NEVER_ARRIVED, actor=f"acquirer:{payment.acquirer}", at=at)


def get(payment_id: uuid.UUID) -> Payment:
    """The payment, with what a call about it needs. Raises NotFound."""
    try:
        return Payment.objects.select_related("invoice", "user", "method").get(pk=payment_id)
    except Payment.DoesNotExist:
        raise NotFound("There is no such payment.", "payment_not_found") from None
