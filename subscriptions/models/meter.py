from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from billing.models import Account
from subscriptions.models.subscription import Subscription
from subscriptions.tariffs import HOUR, Clock


class Meter(models.Model):
    """The clock of a subscription by the hour. It runs while the subscription is active, and stops when dry."""

    subscription = models.OneToOneField(Subscription, on_delete=models.PROTECT, related_name="meter")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+", help_text="The wallet that pays.")
    rate = models.BigIntegerField(help_text="Minor units an hour.")
    since = models.DateTimeField(help_text="When this rate, or this run of the clock, began.")
    carry = models.BigIntegerField(default=0, help_text="Used before that, less than a minor unit; in 1/3 600 000 000.")
    charged = models.BigIntegerField(default=0, help_text="Taken since then, minor units.")
    billed_to = models.DateTimeField(help_text="End of the time that was charged.")
    periods = models.PositiveIntegerField(default=0, help_text="Number of the last one.")
    next_tick_at = models.DateTimeField(null=True, blank=True, help_text="When the sweep looks; empty while stopped.")
    warned_at = models.DateTimeField(null=True, blank=True, help_text="When the customer was told that it runs low.")

    class Meta:
        constraints = (
            # Below the first the numbers of a charge fit; a rate of more than HOUR would outrun the clock's ticks.
            models.CheckConstraint(condition=Q(rate__gt=0, rate__lte=10**9), name="meter_rate_sane"),
            models.CheckConstraint(condition=Q(carry__gte=0, carry__lt=HOUR), name="meter_carry_below_a_unit"),
            models.CheckConstraint(condition=Q(charged__gte=0), name="meter_charged_not_negative"),
            models.CheckConstraint(condition=Q(billed_to__gte=F("since")), name="meter_billed_from_its_start"),
        )
        indexes = (
            models.Index(fields=["next_tick_at", "id"], condition=Q(next_tick_at__isnull=False), name="meter_due"),
        )

    def __str__(self) -> str:
        return f"Meter of {self.subscription_id}"

    @property
    def clock(self) -> Clock:
        return Clock(self.rate, self.since, self.carry, self.charged)

    @clock.setter
    def clock(self, clock: Clock) -> None:
        self.rate, self.since, self.carry, self.charged = clock.rate, clock.since, clock.carry, clock.charged
