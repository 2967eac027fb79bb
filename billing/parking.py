"""The human's list: what comes onto it, and is taken off when a human has dealt with it; the reasons are kept."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from billing import events, sweeps
from billing.errors import Conflict
from billing.models import Callback, Delivery, Payment, Refund

log = logging.getLogger(__name__)


def park(row: Payment | Refund, why: str, *, steps: Sequence[timedelta], actor: str, at: datetime) -> None:
    """Puts a locked payment or refund on the list; where it is asked about, it goes on being, at these `steps`."""
    if row.next_check_at is not None:
        row.next_check_at = at + sweeps.back_off(row.checks, *steps)
        row.save(update_fields=["next_check_at", "updated_at"])
    if row.parked != why:
        row.parked = why
        row.save(update_fields=["parked", "updated_at"])
        events.emit(f"{row.noun}.parked", row, actor=actor, at=at, reason=why)
        log.error("%s %s parked: %s", row.noun, row.pk, why)


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
