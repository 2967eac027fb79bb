"""Halts: sweeps that would have charged or paid out far more than was forecast, and wait for a human."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django_fsm import FSMField, transition

from billing.models.state import StatefulModel


class Halt(StatefulModel):
    """A sweep that stopped itself. While it is active the sweep moves no money above the forecast."""

    class Status(models.TextChoices):
        STOPPED = "stopped", "Stopped"
        KEPT = "kept", "Kept stopped"
        LET = "let", "Let run"
        OVER = "over", "Over"

    ACTIVE = (Status.STOPPED, Status.KEPT, Status.LET)
    STANDING = (Status.STOPPED, Status.KEPT)
    noun = "halt"
    told_as: ClassVar[dict[str, str]] = {"let": "let_run"}

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    sweep = models.CharField(max_length=40)
    status = FSMField(max_length=8, choices=Status, default=Status.STOPPED, protected=True)
    people = models.PositiveIntegerField(help_text="How many customers it is about.")
    sums = models.JSONField(help_text="What is due, minor units by currency.")
    expected_people = models.PositiveIntegerField()
    expected_sums = models.JSONField()
    sentence = models.TextField()
    let_until = models.DateTimeField(null=True, blank=True, help_text="Until when it may run up to these figures.")
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    reason = models.TextField(blank=True)

    class Meta:
        permissions = (("release_halt", "Can let a stopped sweep run"),)
        constraints = (
            models.UniqueConstraint(
                fields=["sweep"], condition=Q(status__in=["stopped", "kept", "let"]), name="halt_one_of_a_sweep"
            ),
            models.CheckConstraint(
                condition=~Q(status="let") | Q(let_until__isnull=False), name="halt_let_run_has_an_end"
            ),
        )
        indexes = (models.Index(fields=["-created_at", "id"], name="halt_recent"),)

    def __str__(self) -> str:
        return f"{self.sweep}, {self.get_status_display()}"

    @property
    def customer_id(self) -> None:
        return None

    @transition(status, source=[Status.STOPPED, Status.KEPT], target=Status.LET)
    def let_run(self) -> None:
        """A human has looked: this run may go on, up to the figures shown."""

    @transition(status, source=Status.STOPPED, target=Status.KEPT)
    def keep(self) -> None:
        """A human has looked: it must not run."""

    @transition(status, source=[Status.KEPT, Status.LET], target=Status.STOPPED)
    def stop(self) -> None:
        """It has grown beyond what the human saw, or the permission has run out."""

    @transition(status, source=ACTIVE, target=Status.OVER)
    def end(self) -> None:
        """What is due is within the forecast again."""
