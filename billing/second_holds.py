"""A hold that nobody will take: of an order that is paid, held or given up already. It is released, so that the
customer has his money at once and nobody takes it later by mistake.
"""

from __future__ import annotations

import logging
import uuid
from datetime import datetime

from django.db import transaction

from acquiring.base import Acquirer
from acquiring.http import Unanswered
from acquiring.types import Outcome, Status, Subject
from billing import calls, events, payments, refunds, settlement
from billing.models import Payment

log = logging.getLogger(__name__)


def heard_of(payment: Payment, said: Outcome, *, at: datetime) -> Payment | None:
    """`release` of what a callback says, if that is a hold under another id than this payment's own."""
    if said.status != Status.AUTHORIZED or not said.reference:
        return None
    own = payment.acquirer_payment_id in ("", said.reference)
    return None if own else release(payment.pk, said.reference, at=at)


def listed(payment: Payment, said: Outcome, *, at: datetime) -> bool:
    """`release` of what a statement lists as held. One that is not released now is left to the next run.

    Returns whether the line is of another hold than this payment's own, of which the payment itself tells nothing.
    """
    if said.status == Status.AUTHORIZED:
        try:
            release(payment.pk, said.reference, at=at)
        except Unanswered as error:  # the other lines are not to wait for it
            log.warning("hold %s of payment %s is not released: %s", said.reference, payment.pk, error)
    other = payment.acquirer_payment_id not in ("", said.reference) and said.reference != ""
    return other and said.status in (Status.AUTHORIZED, Status.CANCELLED)


def release(payment_id: uuid.UUID, reference: str, *, at: datetime) -> Payment | None:
    """Asks about `reference`, the acquirer's id of a hold of this payment's order, and has it released if it is another
    than this payment's own. One that was taken meanwhile is booked, and goes back. The own one of a payment that was
    given up is left to the sweep that closes it.

    Returns the payment that it turned out to be; None where it is no hold of this order. Raises NotFound; Unanswered
    where the acquirer does not say that it is released.
    """
    payment = payments.get(payment_id)
    if not payment.acquirer_payment_id or reference in ("", payment.acquirer_payment_id):
        return payment if payment.is_live else payments.check(payment_id, at=at)
    backend = calls.acquirer(payment.acquirer)
    held = backend.fetch(Subject.PAYMENT, "", reference)
    if held.status == Status.UNKNOWN and not held.absent:
        raise Unanswered(held.message)
    if not _is_another(payment, held, reference) or not _is_spare(payment, backend):
        return None
    if held.status in (Status.FAILED, Status.CANCELLED):
        return payment
    said = backend.void("", reference) if held.status == Status.AUTHORIZED else held
    if not _is_another(payment, said, reference) or said.status not in (Status.CANCELLED, Status.SUCCEEDED):
        raise Unanswered(f"the acquirer does not release its hold {reference}: {said.message or said.status}")
    if said.status == Status.SUCCEEDED:
        return settlement.apply(payment_id, said, actor=f"acquirer:{payment.acquirer}", at=at, sure=True)
    if held.status == Status.AUTHORIZED:
        _tell(payment_id, reference, at)
    return payment


def _is_another(payment: Payment, said: Outcome, reference: str) -> bool:
    """Whether it is this very hold, of this order, and no payment of ours."""
    if said.reference != reference or said.our_id != str(payment.pk):
        return False
    known = Payment.objects.filter(acquirer=payment.acquirer, acquirer_payment_id=reference)
    return not known.exists()


def _is_spare(payment: Payment, backend: Acquirer) -> bool:
    """Whether nobody would take another hold: a live payment needs it where its own is gone."""
    if not payment.is_live:
        return True
    own = backend.fetch(Subject.PAYMENT, "", payment.acquirer_payment_id)
    return own.status in (Status.AUTHORIZED, Status.SUCCEEDED)


def _tell(payment_id: uuid.UUID, reference: str, at: datetime) -> None:
    with transaction.atomic():
        payment = refunds.lock_payment(payment_id)
        reason = f"The acquirer held money again as {reference}, which nobody would take"
        data = settlement.told(payment) | {"released": reference}
        events.emit("payment.hold_released", payment, actor="system", at=at, reason=reason, data=data)
