"""Events: facts that happened, written in the same transaction as the fact; and their delivery to handlers."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models


class Event(models.Model):
    """One fact, past participle ("invoice.paid"). Never changed, never deleted: the history of every object."""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=60)
    subject_type = models.CharField(max_length=40, help_text='What it happened to, such as "payment".')
    subject_id = models.UUIDField()
    from_state = models.CharField(max_length=20, blank=True)
    to_state = models.CharField(max_length=20, blank=True)
    actor = models.CharField(max_length=80, help_text='Who did it: "user:<id>", "acquirer:<name>" or "system".')
    reason = models.TextField(blank=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="The customer whom it concerns.",
    )
    data = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    request_id = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField()

    class Meta:
        indexes = (
            models.Index(fields=["subject_type", "subject_id", "id"], name="event_timeline"),
            models.Index(fields=["user", "id"], name="event_user"),
        )

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"


class Delivery(models.Model):
    """One event on its way to one handler. Written with the event, so that no hand-over can be lost."""

    class Status(models.TextChoices):
        DUE = "due", "Due"
        DONE = "done", "Done"
        PARKED = "parked", "Parked"

    id = models.BigAutoField(primary_key=True)
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    handler = models.CharField(max_length=120)
    status = models.CharField(max_length=8, choices=Status, default=Status.DUE)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(help_text="Also the lease: whoever takes it moves this on first.")
    error = models.TextField(blank=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = (models.UniqueConstraint(fields=["event", "handler"], name="delivery_once_per_handler"),)
        indexes = (
            models.Index(fields=["next_attempt_at"], condition=models.Q(status="due"), name="delivery_due"),
            models.Index(fields=["id"], condition=models.Q(status="parked"), name="delivery_parked"),
        )

    def __str__(self) -> str:
        return f"{self.event_id} → {self.handler}"


class RequestKey(models.Model):
    """An `Idempotency-Key` and the first answer given to it. A row without an answer is a request in flight."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=100)
    path = models.CharField(max_length=200)
    body_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.JSONField(null=True)
    leased_until = models.DateTimeField(help_text="A request in flight that died is taken over after this.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["user", "key"], name="request_key_once"),)
        indexes = (models.Index(fields=["created_at"], name="request_key_created"),)

    def __str__(self) -> str:
        return self.key
