from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q


class Message(models.Model):
    """One mail to one customer about one event."""

    class Status(models.TextChoices):
        DUE = "due", "Due"
        SENDING = "sending", "Being sent"
        SENT = "sent", "Sent"
        PARKED = "parked", "Parked"
        DISMISSED = "dealt", "Dealt with by hand"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    event = models.ForeignKey("billing.Event", on_delete=models.PROTECT, related_name="+", db_index=False)
    recipient = models.EmailField()
    subject = models.CharField(max_length=200)
    body = models.TextField()
    status = models.CharField(max_length=8, choices=Status, default=Status.DUE)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    error = models.TextField(blank=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["event", "recipient"], name="message_once"),)
        indexes = (
            models.Index(fields=["next_attempt_at"], condition=Q(status__in=["due", "sending"]), name="message_due"),
            models.Index(fields=["id"], condition=Q(status="parked"), name="message_parked"),
            models.Index(fields=["recipient", "-created_at"], name="message_recipient"),
        )

    def __str__(self) -> str:
        return f"{self.subject} → {self.recipient}"
