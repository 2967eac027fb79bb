from __future__ import annotations

from django.db import models

from billing.models.fields import EncryptedTextField


class Callback(models.Model):
    """A verified message from an acquirer, stored before it is acted on and kept for ever."""

    class Status(models.TextChoices):
        RECEIVED = "received", "Received"
        PROCESSED = "processed", "Processed"
        PARKED = "parked", "Parked"

    id = models.BigAutoField(primary_key=True)
    acquirer = models.CharField(max_length=32)
    kind = models.CharField(max_length=60)
    dedupe_key = models.CharField(max_length=120)
    headers = models.JSONField(default=dict)
    body = EncryptedTextField(help_text="As it came; it may hold a card token.")
    status = models.CharField(max_length=10, choices=Status, default=Status.RECEIVED)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    note = models.TextField(blank=True, help_text="What was done, or why it was parked.")
    subject_type = models.CharField(max_length=20, blank=True)
    subject_id = models.UUIDField(null=True, blank=True)
    received_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["acquirer", "dedupe_key"], name="callback_once"),)
        indexes = (
            models.Index(fields=["next_attempt_at"], condition=models.Q(status="received"), name="callback_due"),
            models.Index(fields=["id"], condition=models.Q(status="parked"), name="callback_parked"),
            models.Index(fields=["subject_type", "subject_id"], name="callback_subject"),
        )

    def __str__(self) -> str:
        return f"{self.acquirer} {self.kind} #{self.pk}"
