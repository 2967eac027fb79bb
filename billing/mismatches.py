"""Answers that cannot be about the payment or refund they seem to be about."""

from __future__ import annotations

from collections.abc import Callable, Collection

from acquiring.types import Outcome, Status
from billing import money
from billing.models import Case, Payment, Refund


def odd(payment: Payment, outcome: Outcome, sure: bool, known: Collection[str] | None = None) -> str:
    """Why this cannot be the answer to our order, in words; empty when it can.

    `sure`: the acquirer was asked about this very capture, so it may bear another id. `known`: the acquirer's ids of
    this answer and others that payments of ours bear already, where somebody has looked.
    """
    if outcome.our_id and outcome.our_id != str(payment.pk):
        return f"The acquirer answers for another order, {outcome.our_id}."
    other = outcome.reference not in ("", payment.acquirer_payment_id)
    believed = sure and outcome.status == Status.SUCCEEDED and outcome.our_id == str(payment.pk)
    if other and payment.acquirer_payment_id and not believed:
        return f"The acquirer speaks of payment {outcome.reference}, ours is {payment.acquirer_payment_id}."
    if other and (_is_another_s(payment, outcome.reference) if known is None else outcome.reference in known):
        return f"The acquirer speaks of payment {outcome.reference}, which is another one of ours."
    if outcome.absent and payment.acquirer_payment_id:
        return f"The acquirer gave this payment the id {payment.acquirer_payment_id}, and now does not know it."
    moved = outcome.status in (Status.SUCCEEDED, Status.AUTHORIZED)
    if moved and outcome.amount is not None and outcome.amount != payment.money:
        return f"The acquirer took {money.spoken(outcome.amount)}, we asked for {money.spoken(payment.money)}."
    return ""


def is_dealt_with(payment: Payment, outcome: Outcome) -> bool:
    """Whether a human has resolved the case of just this capture: news of it come again, and are no news."""
    if outcome.amount is None or outcome.amount.currency.code != payment.currency:
        return False
    told = payment.cases.filter(kind=Case.Kind.AMOUNT_DIFFERS, refund=None, status=Case.Status.RESOLVED)
    told = told.filter(reference=outcome.reference) if outcome.reference else told
    return told.filter(theirs=money.to_minor(outcome.amount)).exclude(resolution="vanished").exists()


def odd_refund(refund: Refund, outcome: Outcome, spent: Callable[[], bool]) -> str:
    """The same of a refund. `spent`: whether the customer has meanwhile used what a refused refund left him."""
    if outcome.our_id and outcome.our_id != str(refund.pk):
        return f"The acquirer answers for another order, {outcome.our_id}."
    if outcome.amount is not None and outcome.amount != refund.money:
        return f"The acquirer speaks of {money.spoken(outcome.amount)}, we asked for {money.spoken(refund.money)}."
    if outcome.reference and refund.acquirer_refund_id not in ("", outcome.reference):
        return f"The acquirer answers with another refund, {outcome.reference}."
    brothers = refund.payment.refunds.exclude(pk=refund.pk)
    if outcome.reference and brothers.filter(acquirer_refund_id=outcome.reference).exists():
        return f"The acquirer answers with refund {outcome.reference}, which is another one of this payment."
    if outcome.status == Status.SUCCEEDED and refund.status == Refund.Status.FAILED:
        if refund.money > refund.payment.refundable:
            return "The acquirer made a refund that it had refused, and the sum was promised again since."
        if spent():
            return "The acquirer made a refund that it had refused, and the customer has spent the sum since."
    return ""


def _is_another_s(payment: Payment, reference: str) -> bool:
    others = Payment.objects.filter(acquirer=payment.acquirer, acquirer_payment_id=reference)
    return others.exclude(pk=payment.pk).exists()
