"""Cases: differences between an acquirer's registry and ours."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django_fsm import FSMField, transition
from moneyed import Money

from billing import money
from billing.models.payment import Payment
from billing.models.refund import Refund
from billing.models.state import StatefulModel


class Case(StatefulModel):
    """A difference that reconciliation (or a callback) found, until it is explained."""

    class Kind(models.TextChoices):
        MISSING_HERE = "missing_here", "A payment that we do not know"
        MISSING_THERE = "missing_there", "Not in the acquirer's registry"
        AMOUNT_DIFFERS = "amount_differs", "Another amount"
        STATE_DIFFERS = "state_differs", "Another state"
        UNKNOWN_REFUND = "unknown_refund", "A refund that we did not make"
        CHARGEBACK = "chargeback", "Chargeback"

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        RESOLVED = "resolved", "Resolved"

    LIVE = (Status.OPEN,)
    noun = "case"
    told_as: ClassVar[dict[str, str]] = {"open": "opened"}

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    acquirer = models.CharField(max_length=32)
    kind = models.CharField(max_length=16, choices=Kind)
    status = FSMField(max_length=10, choices=Status, default=Status.OPEN, protected=True)
    payment = models.ForeignKey(Payment, null=True, blank=True, on_delete=models.PROTECT, related_name="cases")
    refund = models.ForeignKey(Refund, null=True, blank=True, on_delete=models.PROTECT, related_name="cases")
    reference = models.CharField(max_length=255, blank=True, help_text="The acquirer's id of the operation.")
    payment_reference = models.CharField(max_length=255, blank=True, help_text="The acquirer's id of its payment.")
    ours = models.BigIntegerField(default=0, help_text="What we have booked, minor units.")
    theirs = models.BigIntegerField(default=0, help_text="What the acquirer says, minor units.")
    currency = models.CharField(max_length=3)
    sentence = models.TextField(help_text="What differs, in words.")
    day = models.DateField(null=True, blank=True, help_text="Of the statement that showed it.")
    dedupe_key = models.CharField(max_length=400, unique=True, help_text="Equal for one difference seen twice.")
    sent_at = models.DateTimeField(null=True, blank=True, help_text="When the acquirer was last asked to give it back.")
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    resolution = models.CharField(max_length=16, blank=True)
    reason = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(status="open", resolved_at__isnull=True)
                | (Q(status="resolved", resolved_at__isnull=False) & ~Q(resolution="")),
                name="case_resolved_has_a_resolution",
            ),
        )
        indexes = (
            models.Index(fields=["acquirer", "day"], condition=Q(status="open"), name="case_open"),
            models.Index(fields=["-created_at", "id"], name="case_recent"),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {money.spoken(self.their_money)}"

    @property
    def customer_id(self) -> uuid.UUID | None:
        return self.payment.user_id if self.payment else None

    @property
    def our_money(self) -> Money:
        return money.from_minor(self.ours, self.currency)

    @property
    def their_money(self) -> Money:
        return money.from_minor(self.theirs, self.currency)

    @transition(status, source=Status.OPEN, target=Status.RESOLVED)
    def resolve(self) -> None: ...
