"""How well an acquirer is: a circuit breaker, moved by what its calls really came to, and by staff."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django_fsm import FSMField, transition

from billing.models.state import StatefulModel


class AcquirerHealth(StatefulModel):
    """One acquirer. One that has no row is well."""

    class Status(models.TextChoices):
        CLOSED = "closed", "Well"
        OPEN = "open", "Down"
        HALF_OPEN = "half_open", "Being tried"
        OFF = "off", "Switched off"

    DOWN = (Status.OPEN, Status.HALF_OPEN)
    noun = "acquirer"
    told_as: ClassVar[dict[str, str]] = {
        "closed": "well",
        "open": "down",
        "half_open": "tried",
        "off": "switched_off",
    }

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=32, unique=True)
    status = FSMField(max_length=9, choices=Status, default=Status.CLOSED, protected=True)
    failures = models.PositiveIntegerField(default=0, help_text="Calls without an answer, one after another.")
    trips = models.PositiveIntegerField(default=0, help_text="How often it was found down since it was last well.")
    retry_at = models.DateTimeField(null=True, blank=True, help_text="When one customer's checkout tries it again.")
    sentence = models.TextField(blank=True, help_text="What the last failure was.")

    class Meta:
        verbose_name = "acquirer"
        permissions = (("switch_acquirer", "Can switch an acquirer off and on"),)
        constraints = (
            models.CheckConstraint(
                condition=~Q(status__in=["open", "half_open"]) | Q(retry_at__isnull=False),
                name="acquirer_down_is_tried_again",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name}, {self.get_status_display()}"

    @property
    def customer_id(self) -> None:
        return None

    @transition(status, source=[Status.CLOSED, Status.HALF_OPEN], target=Status.OPEN)
    def trip(self) -> None:
        """Too many of its calls came to nothing."""

    @transition(status, source=[Status.OPEN, Status.HALF_OPEN], target=Status.HALF_OPEN)
    def probe(self) -> None:
        """One checkout tries it."""

    @transition(status, source=DOWN, target=Status.CLOSED)
    def recover(self) -> None:
        """It answers again."""

    @transition(status, source=[Status.CLOSED, *DOWN], target=Status.OFF)
    def switch_off(self) -> None:
        """Staff want no new page opened there."""

    @transition(status, source=Status.OFF, target=Status.CLOSED)
    def switch_on(self) -> None:
        """Staff let it take part again."""
