"""Moving those who have an old price of a plan to another one: proposed, announced to each of them, then done."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django_fsm import FSMField, transition

from billing.models.state import StatefulModel
from subscriptions.models.plan import Plan, Price
from subscriptions.models.subscription import Subscription


class PriceMove(StatefulModel):
    """A decision of staff that subscribers of a plan are to pay another price from a date on."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Preview"
        ANNOUNCED = "announced", "Announced"
        DONE = "done", "Done"
        WITHDRAWN = "withdrawn", "Withdrawn"

    noun = "price_move"
    told_as: ClassVar[dict[str, str]] = {"draft": "proposed"}

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="price_moves")
    from_price = models.ForeignKey(
        Price, null=True, blank=True, on_delete=models.PROTECT, related_name="+",
        help_text="Only those who have this price; empty: everyone whose price is another one in the same currency.",
    )  # fmt: skip
    to_price = models.ForeignKey(Price, on_delete=models.PROTECT, related_name="+")
    effective_from = models.DateTimeField(help_text="Terms that are billed from then on cost the new price.")
    status = FSMField(max_length=12, choices=Status, default=Status.DRAFT, protected=True)
    actor = models.CharField(max_length=80, help_text="Who proposed it.")
    reason = models.CharField(max_length=300, help_text="For colleagues; never shown to the customers.")

    class Meta:
        permissions = (("announce_pricemove", "Can announce and withdraw price moves"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(from_price__isnull=True) | ~Q(from_price=models.F("to_price")),
                name="price_move_goes_somewhere",
            ),
        )
        indexes = (models.Index(fields=["-created_at", "id"], name="price_move_recent"),)

    def __str__(self) -> str:
        return f"{self.plan}: to {self.to_price}"

    @property
    def customer_id(self) -> None:
        """It concerns many."""
        return None

    @transition(status, source=Status.DRAFT, target=Status.ANNOUNCED)
    def announce(self) -> None: ...

    @transition(status, source=Status.ANNOUNCED, target=Status.DONE)
    def finish(self) -> None: ...

    @transition(status, source=[Status.DRAFT, Status.ANNOUNCED], target=Status.WITHDRAWN)
    def withdraw(self) -> None: ...


class Moving(models.Model):
    """One subscription of an announced move: told first, then moved at `due_at`, or left as it is."""

    class Outcome(models.TextChoices):
        OPEN = "", "To come"
        MOVED = "moved", "Moved"
        KEPT = "kept", "Keeps its price"

    move = models.ForeignKey(PriceMove, on_delete=models.PROTECT, related_name="movings", db_index=False)
    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="movings")
    from_price = models.ForeignKey(Price, on_delete=models.PROTECT, related_name="+")
    told_at = models.DateTimeField(null=True, blank=True, help_text="When the customer was sent the notice.")
    due_at = models.DateTimeField(null=True, blank=True, help_text="At the date, or when the notice is over.")
    settled_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=5, choices=Outcome, default=Outcome.OPEN, blank=True)
    why = models.CharField(max_length=200, blank=True, help_text="Why it keeps its price.")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["move", "subscription"], name="moving_once"),
            models.UniqueConstraint(
                fields=["subscription"], condition=Q(settled_at__isnull=True), name="moving_one_open"
            ),
            models.CheckConstraint(
                condition=Q(settled_at__isnull=True, outcome="")
                | Q(settled_at__isnull=False, due_at__isnull=True, outcome__in=["moved", "kept"]),
                name="moving_settled_has_an_outcome",
            ),
            models.CheckConstraint(condition=~Q(outcome="moved") | Q(told_at__isnull=False), name="moving_told_first"),
            models.CheckConstraint(
                condition=Q(due_at__isnull=True) | Q(told_at__isnull=False, due_at__gte=models.F("told_at")),
                name="moving_due_after_the_notice",
            ),
        )
        indexes = (
            models.Index(
                fields=["id"], condition=Q(told_at__isnull=True, settled_at__isnull=True), name="moving_to_tell"
            ),
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="moving_due"),
        )

    def __str__(self) -> str:
        return f"{self.subscription_id}: {self.get_outcome_display()}"
