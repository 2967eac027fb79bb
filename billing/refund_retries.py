"""A refund that the acquirer refused is asked for again: a new refund takes the failed one's place."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import transaction

from billing import events, refunds
from billing.errors import Conflict
from billing.models import Payment, Refund


def successor_key(refund_id: uuid.UUID) -> str:
    """The request key of the refund that takes a failed one's place: it can have one successor only."""
    return f"again:{refund_id}"


def again(
    refund_id: uuid.UUID, *, reason: str, actor: str, at: datetime, requested_by: uuid.UUID | None = None
) -> Refund:
    """Gives the sum of a failed refund back by a new one, and asks the acquirer at once.

    The failed one stays failed and needs nobody any more. A second call finds the first one's refund. Raises NotFound;
    Conflict `not_failed`, `over_refund`.
    """
    with transaction.atomic(durable=True):
        payment = refunds.lock_payment(Refund.objects.values_list("payment_id", flat=True).get(pk=refund_id))
        failed = Refund.objects.select_for_update().get(pk=refund_id)
        refund = Refund.objects.filter(request_key=successor_key(refund_id)).first()
        if refund is None:
            refund = _instead_of(failed, reason=reason, actor=actor, at=at, requested_by=requested_by, payment=payment)
    return refunds.submit(refund.pk, at=at)


def _instead_of(
    failed: Refund, *, payment: Payment, reason: str, actor: str, at: datetime, requested_by: uuid.UUID | None
) -> Refund:
    if failed.status != Refund.Status.FAILED:
        raise Conflict("Only a failed refund can be tried again.", "not_failed")
    refund = refunds.promise(
        payment,
        amount=failed.money,
        reason=reason,
        actor=actor,
        at=at,
        explanation=failed.explanation,
        requested_by=requested_by,
        request_key=successor_key(failed.pk),
    )
    failed.parked = ""
    failed.save(update_fields=["parked", "updated_at"])
    failed.payment = payment
    events.emit("refund.retried", failed, actor=actor, at=at, reason=reason, data={"by": str(refund.pk)})
    return refund
