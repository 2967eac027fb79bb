"""Taking off the human's list what a human has dealt with; the reason is kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from billing import events
from billing.errors import Conflict
from billing.models import Callback, Delivery, Payment, Refund


def unpark(model: type[Payment] | type[Refund], pk: Any, *, actor: str, reason: str, at: datetime) -> Payment | Refund:
    """A parked payment or refund has been dealt with. What goes on by itself may park it again.

    Raises Conflict `not_parked`.
    """
    with transaction.atomic():
        row: Any = model._default_manager.select_for_update().get(pk=pk)
        if not row.parked:
            raise Conflict("It is not parked any more.", "not_parked")
        why, row.parked = row.parked, ""
        row.save(update_fields=["parked", "updated_at"])
        events.emit(f"{row.noun}.unparked", row, actor=actor, at=at, reason=reason, data={"parked": why})
    return row  # type: ignore[no-any-return]


def dismiss(callback_id: int, *, actor: str, reason: str, at: datetime) -> Callback:
    """A parked callback has been dealt with by hand: it is not acted on again. Raises Conflict `not_parked`."""
    with transaction.atomic():
        callback = Callback.objects.select_for_update().get(pk=callback_id)
        if callback.status != Callback.Status.PARKED:
            raise Conflict("It is not parked any more.", "not_parked")
        callback.note = f"Dealt with by {actor}: {reason}. It was parked because: {callback.note}"
        callback.status, callback.processed_at = Callback.Status.PROCESSED, at
        callback.save(update_fields=["status", "note", "processed_at"])
    return callback


def give_up(delivery_id: int, *, actor: str, reason: str, at: datetime) -> Delivery:
    """A parked hand-over was done by hand, and is not tried again. Raises Conflict `not_parked`."""
    with transaction.atomic():
        delivery = Delivery.objects.select_for_update().get(pk=delivery_id)
        if delivery.status != Delivery.Status.PARKED:
            raise Conflict("It is not parked any more.", "not_parked")
        delivery.error = f"Dealt with by {actor}: {reason}. It was parked because: {delivery.error}"
        delivery.status, delivery.done_at = Delivery.Status.DONE, at
        delivery.save(update_fields=["status", "error", "done_at"])
    return delivery
