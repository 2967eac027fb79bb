from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django_fsm import FSMField, transition
from moneyed import Money

from billing import money
from billing.models.payment import Payment
from billing.models.state import StatefulModel


class Refund(StatefulModel):
    """One return of money of one payment. It counts from the moment it is created. Its id is the idempotency key."""

    class Status(models.TextChoices):
        CREATED = "created", "Created"
        PENDING = "pending", "On its way"
        UNKNOWN = "unknown", "Checking with the bank"
        SUCCEEDED = "succeeded", "Made"
        FAILED = "failed", "Failed"

    LIVE = (Status.CREATED, Status.PENDING, Status.UNKNOWN)
    noun = "refund"
    told_as = {"created": "requested"}

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    status = FSMField(max_length=12, choices=Status, default=Status.CREATED, protected=True)
    amount = models.BigIntegerField(help_text="Minor units.")
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=300)
    explanation = models.TextField(blank=True, help_text="How the sum was found, in words.")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    request_key = models.CharField(
        max_length=120, null=True, blank=True, unique=True, help_text="Equal for two requests of one refund."
    )
    acquirer_refund_id = models.CharField(max_length=255, blank=True)
    decline_code = models.CharField(max_length=60, blank=True)
    decline_message = models.CharField(max_length=300, blank=True)
    raw = models.JSONField(default=dict, blank=True)
    next_check_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True, help_text="When it was last given to the acquirer.")
    checks = models.PositiveSmallIntegerField(default=0)
    parked = models.TextField(blank=True, help_text="Why a human must look, in a plain sentence.")
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_positive"),
            models.CheckConstraint(
                condition=~Q(status="succeeded") | Q(settled_at__isnull=False), name="refund_succeeded_has_a_time"
            ),
        )
        indexes = (
            models.Index(fields=["next_check_at"], condition=Q(next_check_at__isnull=False), name="refund_check_due"),
            models.Index(fields=["-created_at", "id"], name="refund_recent"),
            models.Index(fields=["id"], condition=~Q(parked=""), name="refund_parked"),
        )

    def __str__(self) -> str:
        return f"{money.spoken(self.money)}, {self.get_status_display()}"

    @property
    def customer_id(self) -> uuid.UUID:
        return self.payment.user_id

    @property
    def money(self) -> Money:
        return money.from_minor(self.amount, self.currency)

    @property
    def is_live(self) -> bool:
        return self.status in self.LIVE

    @transition(status, source=[Status.CREATED, Status.UNKNOWN], target=Status.PENDING)
    def wait(self) -> None:
        """The acquirer has it and is not done."""

    @transition(status, source=[Status.CREATED, Status.PENDING], target=Status.UNKNOWN)
    def doubt(self) -> None:
        """Nobody can say whether money moved."""

    @transition(status, source=[*LIVE, Status.FAILED], target=Status.SUCCEEDED)
    def succeed(self) -> None:
        """The money went back. Late truth wins over a failure."""

    @transition(status, source=LIVE, target=Status.FAILED)
    def fail(self) -> None:
        """The acquirer said no; the sum may be asked for again."""
