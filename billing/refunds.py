"""Refunds: promised under the payment's lock, then sent to the acquirer with the refund's own key until it is final."""

from __future__ import annotations

import logging
import uuid
from datetime import datetime, timedelta

from django.db import transaction
from moneyed import Money

from acquiring.http import Unanswered
from acquiring.types import Outcome, RefundOrder, Status, Subject
from billing import (
    calls,
    events,
    health,
    holds,
    invoices,
    ledger,
    mismatches,
    money,
    outcomes,
    outgoing,
    parking,
    receipts,
    sending,
    sweeps,
    wake,
)
from billing.errors import Conflict, Invalid
from billing.models import Payment, Refund

log = logging.getLogger(__name__)

LEASE = sending.LEASE
BACK_OFF = tuple(timedelta(seconds=s) for s in (5, 15, 60, 300, 900, 3600, 6 * 3600))
PARK_AFTER = 30  # checks: some days; it goes on being asked, but a human should know


def request(
    payment_id: uuid.UUID,
    *,
    amount: Money | None,
    reason: str,
    actor: str,
    at: datetime,
    requested_by: uuid.UUID | None = None,
    request_key: str | None = None,
) -> Refund:
    """Gives `amount` (all that is left when None) of a payment back, and asks the acquirer at once.

    The same `request_key` gives the first refund again. Raises NotFound; Invalid `bad_amount`, `wrong_currency`;
    Conflict `not_refundable`, `over_refund`, `over_balance`, `request_key_reused`.
    """
    with transaction.atomic(durable=True):
        payment = lock_payment(payment_id)
        earlier = Refund.objects.filter(request_key=request_key).first() if request_key else None
        if earlier:
            return _same(earlier, payment, amount)
        refund = promise(
            payment,
            amount=holds.returnable(payment) if amount is None else amount,
            reason=reason,
            actor=actor,
            at=at,
            requested_by=requested_by,
            request_key=request_key,
        )
    return submit(refund.pk, at=at)


def promise(
    payment: Payment,
    *,
    amount: Money,
    reason: str,
    actor: str,
    at: datetime,
    explanation: str = "",
    requested_by: uuid.UUID | None = None,
    request_key: str | None = None,
) -> Refund:
    """Writes a refund of a locked payment; from now on the sum is not refundable twice. A sweep or `submit` sends it.

    One of a top-up leaves the wallet now. Raises Invalid `bad_amount`, `wrong_currency`; Conflict `not_refundable`,
    `over_refund`, `over_balance`.
    """
    if payment.status != Payment.Status.SUCCEEDED:
        raise Conflict("Only a successful payment can be refunded.", "not_refundable")
    if amount.currency.code != payment.currency:
        raise Invalid(f"The payment was made in {payment.currency}.", "wrong_currency")
    if amount > payment.refundable:
        raise Conflict(
            f"No more than {money.spoken(payment.refundable)} of this payment can be given back.",
            "over_refund",
            refundable=money.plain(payment.refundable),
        )
    if amount.amount <= 0:
        raise Invalid("The amount to give back must be above zero.", "bad_amount")
    refund = Refund.objects.create(
        payment=payment,
        amount=money.to_minor(amount),
        currency=payment.currency,
        reason=reason,
        explanation=explanation,
        requested_by_id=requested_by,
        request_key=request_key,
        next_check_at=at + LEASE,  # whoever promised sends it; if that process dies, the sweep does
        created_at=at,
    )
    holds.place(refund, at=at)
    events.emit(
        "refund.requested", refund, actor=actor, at=at, reason=reason, to_state=refund.status, data=told(refund)
    )
    return refund


def record_external(
    payment_id: uuid.UUID, *, amount: Money, reference: str, reason: str, actor: str, at: datetime
) -> Refund:
    """Writes down, once, a refund made in the acquirer's cabinet: nobody is called. Raises what `promise` raises."""
    with transaction.atomic():
        payment = lock_payment(payment_id)
        refund = payment.refunds.filter(acquirer_refund_id=reference).first()
        if refund is None:
            refund = promise(payment, amount=amount, reason=reason, actor=actor, at=at)
        return apply(refund.pk, Outcome(Status.SUCCEEDED, reference, amount=amount), actor=actor, at=at)


def submit(refund_id: uuid.UUID, *, at: datetime, doubtful: bool = False) -> Refund:
    """Sends a refund that is not final to the acquirer (again: the key makes it one), and applies the answer.

    `doubtful`: an earlier try may have been made, so that a refusal of this one says nothing.
    """
    refund = Refund.objects.select_related("payment").get(pk=refund_id)
    if not refund.is_live:
        return refund
    if refund.payment.acquirer == ledger.WALLET:  # nobody to ask
        return apply(refund_id, Outcome(Status.SUCCEEDED, amount=refund.money), actor="system", at=at)
    order = RefundOrder(
        our_id=str(refund.pk),
        payment_our_id=str(refund.payment.order_id),
        payment_reference=refund.payment.acquirer_payment_id,
        amount=refund.money,
        reason=refund.reason,
        receipt=receipts.of(refund),
    )
    if not sending.claim(refund, at=at):
        return apply(refund_id, sending.UNDER_WAY, actor="system", at=at)
    outcome = calls.acquirer(refund.payment.acquirer).refund(order)
    health.looked_up(refund.payment.acquirer, outcome, at=at)
    if refund.sent_at is None and outcome.unheard:
        sending.withdraw(refund, at=at)
    outcome = outcomes.of_the_payment(outcome) if doubtful else outcome
    return apply(refund_id, outcome, actor=f"acquirer:{refund.payment.acquirer}", at=at)


def check(refund_id: uuid.UUID, *, at: datetime, insist: bool = False) -> Refund:
    """Asks the acquirer what became of a refund; sends it where the acquirer has never seen it, or says so.

    Raises Unanswered where somebody `insist`s, the acquirer does not say, and no sweep asks again: of a refused one.
    """
    refund = Refund.objects.select_related("payment").get(pk=refund_id)
    if refund.payment.acquirer == ledger.WALLET:
        return submit(refund_id, at=at)
    never_sent = refund.status == Refund.Status.CREATED and refund.sent_at is None
    if never_sent:  # some acquirers could not tell it from another one of this payment
        return submit(refund_id, at=at)
    backend = calls.acquirer(refund.payment.acquirer)
    outcome = backend.fetch(Subject.REFUND, str(refund.pk), refund.acquirer_refund_id, calls.clue(refund))
    health.looked_up(refund.payment.acquirer, outcome, at=at)
    if (outcome.absent or outcome.again) and refund.is_live and not refund.acquirer_refund_id:
        return submit(refund_id, at=at, doubtful=outcome.again)
    refused = insist and refund.status == Refund.Status.FAILED
    if refused and outcome.status == Status.UNKNOWN and not outcome.absent:
        raise Unanswered(outcome.message)
    return apply(refund_id, outcome, actor=f"acquirer:{refund.payment.acquirer}", at=at)


def apply(refund_id: uuid.UUID, outcome: Outcome, *, actor: str, at: datetime) -> Refund:
    """Writes down what the acquirer said of a refund: the one path for answers, callbacks and polling.

    The second time changes nothing. A figure that is not ours parks the refund and changes nothing else.
    """
    outcome = outcomes.kept(outcome)
    with transaction.atomic():
        payment = lock_payment(Refund.objects.values_list("payment_id", flat=True).get(pk=refund_id))
        refund = Refund.objects.select_for_update().get(pk=refund_id)
        refund.payment = payment
        if refund.status == Refund.Status.SUCCEEDED:
            receipts.note(refund, outcome.receipt, actor=actor, at=at)
            return refund
        odd = mismatches.odd_refund(refund, outcome, spent=lambda: holds.spent(refund))
        if odd:
            parking.park(refund, odd, steps=BACK_OFF, actor=actor, at=at)
            return refund
        _note(refund, outcome, at)
        if outcome.status == Status.SUCCEEDED:
            _succeed(refund, outcome, actor=actor, at=at)
        elif not refund.is_live or outcome.unheard:
            _save(refund)  # a promised refund is never given up because the acquirer did not hear of it
        elif outcome.status in (Status.FAILED, Status.CANCELLED):
            _fail(refund, outcome, actor=actor, at=at)
        elif outcome.status == Status.UNKNOWN and refund.status != Refund.Status.UNKNOWN:
            events.change(refund, refund.doubt, actor=actor, at=at, save=NOTED, reason=outcome.message)
        elif outcome.status == Status.PENDING and refund.status != Refund.Status.PENDING:
            events.change(refund, refund.wait, actor=actor, at=at, save=NOTED, data=told(refund))
        else:
            _save(refund)
    return refund


def poll_due(*, at: datetime, limit: int = 20) -> int:
    """Asks the acquirers about the refunds that are due at `at`. Returns how many were taken up."""
    due = health.askable(outgoing.refunds_to_take_up(at), "payment__acquirer", at=at)
    return sweeps.poll(due, lambda pk: check(pk, at=at), at=at, lease=LEASE, limit=limit, steps=BACK_OFF)


def lock_payment(payment_id: uuid.UUID) -> Payment:
    """The payment, locked after its invoice until the end of the transaction. Raises NotFound."""
    invoice = invoices.lock_of(payment_id)
    payment = Payment.objects.select_for_update().get(pk=payment_id)
    payment.invoice = invoice
    return payment


def told(refund: Refund) -> dict[str, str]:
    """What events tell of a refund."""
    return {
        "amount": money.plain(refund.money),
        "currency": refund.currency,
        "spoken": money.spoken(refund.money),
        "payment": str(refund.payment_id),
        "invoice_number": str(refund.payment.invoice.number),
        "card": refund.payment.card,
        "reason": refund.reason,
        "explanation": refund.explanation,
    }


NOTED = ("acquirer_refund_id", "raw", "next_check_at", "parked", "decline_code", "decline_message", "settled_at")


def _same(earlier: Refund, payment: Payment, amount: Money | None) -> Refund:
    if earlier.payment_id != payment.pk or (amount is not None and earlier.money != amount):
        raise Conflict("This request key was used for another refund.", "request_key_reused")
    return earlier


def _note(refund: Refund, outcome: Outcome, at: datetime) -> None:
    refund.acquirer_refund_id = refund.acquirer_refund_id or outcome.reference
    if outcome.raw:
        refund.raw = dict(outcome.raw)
    if refund.is_live or outcome.status == Status.SUCCEEDED:
        refund.parked = ""  # a refusal heard twice must not take the first one off the human's list
    if refund.is_live:
        refund.next_check_at = at + sweeps.back_off(refund.checks, *BACK_OFF, wish=outcome.wait)
        if refund.checks >= PARK_AFTER and outcome.status in (Status.PENDING, Status.UNKNOWN):
            refund.parked = "The acquirer has not said for days whether this refund was made. Ask it by telephone."


def _succeed(refund: Refund, outcome: Outcome, *, actor: str, at: datetime) -> None:
    refund.settled_at, refund.next_check_at = at, None
    payment = refund.payment
    holds.place_again(refund, at=at)
    events.change(refund, refund.succeed, actor=actor, at=at, save=NOTED, data=told(refund))
    ledger.post(
        f"refund:{refund.pk}",
        debit=holds.bears(payment),
        credit=ledger.source(payment),
        amount=refund.money,
        description=f"Refund of invoice {payment.invoice.number}",
        at=outcome.occurred_at or at,
    )
    receipts.begin(refund, outcome, at=at)


def _fail(refund: Refund, outcome: Outcome, *, actor: str, at: datetime) -> None:
    refund.next_check_at = None
    refund.decline_code, refund.decline_message = outcome.code[:60], outcome.message[:300]
    why = (outcome.message or outcome.code or "it does not say why").rstrip(".")
    refund.parked = f"The acquirer refused this refund: {why}. The customer still waits."
    holds.release(refund, at=at)
    events.change(refund, refund.fail, actor=actor, at=at, save=NOTED, reason=outcome.message, data=told(refund))


def _save(refund: Refund) -> None:
    refund.save(update_fields=[*NOTED, "updated_at"])


def hurry() -> None:
    """Wakes the sweep of refunds after the commit."""
    wake.after_commit("billing.tasks.poll_refunds")
