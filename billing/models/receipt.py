"""Fiscal receipts (54-FZ): what the tax office was told of a payment or refund, by the acquirer's cash register."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django_fsm import FSMField, transition
from moneyed import Money

from billing import money
from billing.models.payment import Payment
from billing.models.refund import Refund
from billing.models.state import StatefulModel


class Receipt(StatefulModel):
    """One receipt. Its lines are copied as they were sent; they add up to its amount (the audit looks)."""

    class Status(models.TextChoices):
        PENDING = "pending", "Being registered"
        REGISTERED = "registered", "Registered"
        FAILED = "failed", "Refused"

    noun = "receipt"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    payment = models.OneToOneField(
        Payment, null=True, blank=True, on_delete=models.PROTECT, related_name="fiscal_receipt"
    )
    refund = models.OneToOneField(
        Refund, null=True, blank=True, on_delete=models.PROTECT, related_name="fiscal_receipt"
    )
    status = FSMField(max_length=10, choices=Status, default=Status.PENDING, protected=True)
    amount = models.BigIntegerField(help_text="Minor units.")
    currency = models.CharField(max_length=3)
    items = models.JSONField(help_text="The lines: name, quantity, minor units, VAT, subject and mode.")
    next_check_at = models.DateTimeField(null=True, blank=True)
    checks = models.PositiveSmallIntegerField(default=0)
    parked = models.TextField(blank=True, help_text="Why a human must look, in a plain sentence.")
    registered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "fiscal receipt"
        constraints = (
            models.CheckConstraint(
                condition=Q(payment__isnull=False, refund__isnull=True) | Q(payment__isnull=True, refund__isnull=False),
                name="receipt_of_one_operation",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="receipt_amount_positive"),
            models.CheckConstraint(
                condition=~Q(status="registered") | Q(registered_at__isnull=False), name="receipt_registered_has_a_time"
            ),
        )
        indexes = (
            models.Index(fields=["next_check_at"], condition=Q(next_check_at__isnull=False), name="receipt_check_due"),
            models.Index(fields=["-created_at", "id"], name="receipt_recent"),
            models.Index(fields=["id"], condition=~Q(parked=""), name="receipt_parked"),
        )

    def __str__(self) -> str:
        return f"{money.spoken(self.money)}, {self.get_status_display()}"

    @property
    def operation(self) -> Payment | Refund:
        """What it is the receipt of."""
        found = self.refund or self.payment
        assert found is not None  # a constraint
        return found

    @property
    def paid(self) -> Payment:
        """The payment, or that of the refund."""
        return self.operation.payment if isinstance(self.operation, Refund) else self.operation

    @property
    def customer_id(self) -> uuid.UUID:
        return self.paid.user_id

    @property
    def money(self) -> Money:
        return money.from_minor(self.amount, self.currency)

    @transition(status, source=[Status.PENDING, Status.FAILED], target=Status.REGISTERED)
    def register(self) -> None:
        """The tax office has it. Late truth wins over a refusal."""

    @transition(status, source=Status.PENDING, target=Status.FAILED)
    def fail(self) -> None:
        """The cash register refused it."""
