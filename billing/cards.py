"""Saved cards, as their customers rule over them."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import transaction

from billing.errors import NotFound
from billing.models import PaymentMethod


def remove(method_id: uuid.UUID, user_id: uuid.UUID, *, at: datetime) -> PaymentMethod:
    """Removes a customer's saved card; it is never charged again. Raises NotFound."""
    with transaction.atomic():
        method = PaymentMethod.objects.select_for_update().filter(pk=method_id, user_id=user_id).first()
        if method is None:
            raise NotFound("There is no such card.", "card_not_found")
        if method.removed_at is None:
            method.removed_at = at
            method.save(update_fields=["removed_at"])
    return method
