from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing.models.fields import EncryptedTextField


class PaymentMethod(models.Model):
    """A card saved at an acquirer: its token (encrypted) and what a customer recognises. Never a card number."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="payment_methods")
    acquirer = models.CharField(max_length=32)
    token = EncryptedTextField(editable=False)
    token_digest = models.CharField(max_length=64, editable=False)
    mask = models.CharField(max_length=24)
    brand = models.CharField(max_length=24)
    exp_month = models.PositiveSmallIntegerField()
    exp_year = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True, help_text="A removed card is never charged again.")

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["user", "acquirer", "token_digest"],
                condition=Q(removed_at__isnull=True),
                name="payment_method_once",
            ),
            models.CheckConstraint(
                condition=Q(exp_month__gte=1, exp_month__lte=12), name="payment_method_expiry_is_a_month"
            ),
        )

    def __str__(self) -> str:
        return f"{self.brand} {self.mask}, {self.exp_month:02}/{self.exp_year}"
