from __future__ import annotations

import zoneinfo
from datetime import datetime, timedelta

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from moneyed import Money

from billing import money


def existing_time_zone(name: str) -> None:
    """Raises ValidationError for what is no IANA time zone."""
    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # of the last kind is ZoneInfoNotFoundError
        raise ValidationError(f"{name} is not a time zone, such as Europe/Moscow.") from None


def cinema() -> list[str]:
    """The role that every plan grants unless it says otherwise."""
    return ["cinema"]


class Plan(models.Model):
    """What is sold: a term of months for a price."""

    class RefundPolicy(models.TextChoices):
        UNUSED_MONTHS = "unused_months", "Months not begun come back"
        PRO_RATA_DAYS = "pro_rata_days", "Unused days come back"
        WINDOW_ONLY = "window_only", "Only within the cooling-off window"
        NONE = "none", "Nothing comes back"

    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    description = models.TextField(blank=True)
    hourly = models.BooleanField(
        default=False, help_text="Paid from the wallet for the time that it runs; its price is for an hour."
    )
    months = models.PositiveSmallIntegerField(help_text="Length of the term; 0 by the hour.")
    roles = ArrayField(models.SlugField(max_length=40), default=cinema, help_text="Roles owed while it is paid.")
    refund_policy = models.CharField(max_length=16, choices=RefundPolicy, default=RefundPolicy.UNUSED_MONTHS)
    grace_days = models.PositiveSmallIntegerField(default=2, help_text="Access goes on so long after an unpaid end.")
    trial_days = models.PositiveSmallIntegerField(default=0, help_text="Days to try it for nothing; 0: no trial.")
    customers_may_pause = models.BooleanField(default=False, help_text="Off: only staff pause it.")
    renewal_lead_hours = models.PositiveSmallIntegerField(
        default=0, help_text="So long before the end the next term is charged."
    )
    reminder_days = models.PositiveSmallIntegerField(
        default=3, help_text="So long before the end the customer is reminded; 0: never."
    )
    time_zone = models.CharField(max_length=40, default="Europe/Moscow", validators=[existing_time_zone])
    on_sale = models.BooleanField(default=True, help_text="Off: those who have it keep it, nobody new gets it.")
    hidden = models.BooleanField(default=False, help_text="Sold to whoever knows its code; on no page or list.")
    archived = models.BooleanField(
        default=False, help_text="Over for good: never sold, whatever else is set. Those who have it go on renewing."
    )
    sale_from = models.DateTimeField(null=True, blank=True, help_text="Sold from then on; empty: at once.")
    sale_until = models.DateTimeField(null=True, blank=True, help_text="Sold until then; empty: without an end.")
    position = models.PositiveSmallIntegerField(default=0, help_text="Order on the page.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("position", "months", "code")
        constraints = (
            models.CheckConstraint(
                condition=Q(hourly=False, months__gte=1, months__lte=120) | Q(hourly=True, months=0),
                name="plan_months_sane",
                violation_error_message="A plan has a term of 1 to 120 months, or is by the hour and has 0.",
            ),
            models.CheckConstraint(
                condition=Q(sale_from__isnull=True)
                | Q(sale_until__isnull=True)
                | Q(sale_until__gt=models.F("sale_from")),
                name="plan_sale_ends_after_it_begins",
                violation_error_message="The sale ends after it begins.",
            ),
            models.CheckConstraint(condition=Q(grace_days__lte=60), name="plan_grace_sane"),
            models.CheckConstraint(condition=Q(trial_days__lte=366), name="plan_trial_sane"),
            models.CheckConstraint(condition=Q(renewal_lead_hours__lte=15 * 24), name="plan_renewal_lead_sane"),
            models.CheckConstraint(condition=Q(reminder_days__lte=60), name="plan_reminder_sane"),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.time_zone)

    def is_sold(self, at: datetime) -> bool:
        """Whether new customers may have it at `at`; that it has a price is another question."""
        begun = self.sale_from is None or self.sale_from <= at
        over = self.archived or (self.sale_until is not None and self.sale_until <= at)
        return self.on_sale and begun and not over

    @property
    def grace(self) -> timedelta:
        return timedelta(days=self.grace_days)

    @property
    def renewal_lead(self) -> timedelta:
        return timedelta(hours=self.renewal_lead_hours)

    @property
    def reminder(self) -> timedelta:
        return timedelta(days=self.reminder_days)


class Price(models.Model):
    """What a plan costs from a date on. A subscription keeps the price that it began with, until a price move.

    Once it is used it is frozen: a trigger refuses to change or delete it (migration 0061).
    """

    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="prices", db_index=False)
    amount = models.BigIntegerField(help_text="Minor units (kopecks), for the whole term.")
    currency = models.CharField(max_length=3, default="RUB")
    starts_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["plan", "currency", "starts_at"],
                name="price_one_from_a_date",
                violation_error_message="This plan has a price in this currency from that very moment already.",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="price_above_zero"),
        )
        ordering = ("plan", "currency", "-starts_at")

    def __str__(self) -> str:
        return money.spoken(self.money)

    @property
    def money(self) -> Money:
        return money.from_minor(self.amount, self.currency)
