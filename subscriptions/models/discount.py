from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper
from moneyed import Money

from billing import money
from billing.models import Invoice
from subscriptions.models.plan import Plan

PERCENT = "A percent is a whole number from 1 to 100."
PERCENTS = (MinValueValidator(1, PERCENT), MaxValueValidator(100, PERCENT))
ENDS_LATER = "It ends after it begins."


def sane_percent(name: str) -> models.CheckConstraint:
    """What the database says of a percent; none is fine where the field may be empty."""
    return models.CheckConstraint(
        condition=Q(percent__isnull=True) | Q(percent__gte=1, percent__lte=100),
        name=name,
        violation_error_message=PERCENT,
    )


def ends_later(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(valid_until__isnull=True) | Q(valid_until__gt=F("valid_from")),
        name=name,
        violation_error_message=ENDS_LATER,
    )


def existing_currency(code: str) -> None:
    """Raises ValidationError for what is no ISO 4217 code."""
    try:
        money.currency(code)
    except money.BadAmount as error:
        raise ValidationError(f"{error}.") from None


class PersonalDiscount(models.Model):
    """A percent off every term that somebody pays for while it is valid. Of several the highest counts."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="personal_discounts", db_index=False
    )
    percent = models.SmallIntegerField(validators=PERCENTS)
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True, blank=True, help_text="Empty: without an end.")
    note = models.CharField(max_length=200, blank=True, help_text="Why; the customer does not see it.")

    class Meta:
        ordering = ("-valid_from", "-id")
        constraints = (sane_percent("personal_discount_percent"), ends_later("personal_discount_ends_later"))
        indexes = (models.Index(fields=["user", "valid_from"], name="personal_discount_user"),)

    def __str__(self) -> str:
        return f"{self.percent}%"


class TermDiscount(models.Model):
    """A percent off every plan of so many months or more. The highest number of months that is reached counts."""

    months = models.PositiveSmallIntegerField(unique=True, help_text="From so many months on.")
    percent = models.SmallIntegerField(validators=PERCENTS)

    class Meta:
        ordering = ("months",)
        constraints = (
            sane_percent("term_discount_percent"),
            models.CheckConstraint(
                condition=Q(months__gte=1, months__lte=120),
                name="term_discount_months",
                violation_error_message="A number of months is from 1 to 120.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.percent}% from {self.months} months"


class PromoCode(models.Model):
    """A code that takes something off. What it gave to a customer for every term, it keeps giving to that customer.

    `taken` counts its live redemptions, and is kept by the database (a trigger on `Redemption`).
    """

    code = models.CharField(
        max_length=40,
        validators=[RegexValidator(r"\A[A-Za-z0-9][A-Za-z0-9_-]*\Z", "A code is letters, digits, - and _.")],
        help_text="Letters, digits, - and _. SPRING and spring are one code.",
    )
    percent = models.SmallIntegerField(
        null=True, blank=True, validators=PERCENTS, help_text="Off the price; or else an amount."
    )
    amount = models.BigIntegerField(null=True, blank=True, help_text="Minor units (kopecks) off the price.")
    currency = models.CharField(max_length=3, blank=True, validators=[existing_currency], help_text="Of the amount.")
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True, blank=True, help_text="Empty: without an end.")
    total_limit = models.PositiveIntegerField(
        null=True, blank=True, help_text="So many uses altogether; empty: any number."
    )
    per_user_limit = models.PositiveIntegerField(
        null=True, blank=True, default=1, help_text="So many uses by one customer; empty: any number."
    )
    plans = models.ManyToManyField(Plan, blank=True, related_name="+", help_text="None chosen: every plan.")
    every_term = models.BooleanField(
        default=False,
        help_text="Off: the first term only. On: also each next one, which counts as the same use, for as long as "
        "this stays on.",
    )
    is_on = models.BooleanField(default=True, help_text="Off: nobody new can use it.")
    taken = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = (
            models.UniqueConstraint(
                Upper("code"), name="promo_code_once", violation_error_message="There is such a code already."
            ),
            sane_percent("promo_code_percent"),
            ends_later("promo_code_ends_later"),
            models.CheckConstraint(
                condition=Q(percent__isnull=False, amount__isnull=True, currency="")
                | (Q(percent__isnull=True, amount__gt=0) & ~Q(currency="")),
                name="promo_code_percent_or_amount",
                violation_error_message="A code takes off a percent, or an amount above zero with its currency.",
            ),
            models.CheckConstraint(
                condition=Q(total_limit__isnull=True) | Q(taken__lte=F("total_limit")),
                name="promo_code_within_limit",
                violation_error_message="It has been used more often than that already.",
            ),
        )

    def __str__(self) -> str:
        return self.code

    @property
    def amount_money(self) -> Money | None:
        """What it takes off; None for a percent."""
        return None if self.amount is None else money.from_minor(self.amount, self.currency)

    @property
    def worth(self) -> str:
        """15%, or 100.00 ₽"""
        return f"{self.percent}%" if self.amount_money is None else money.spoken(self.amount_money)

    def is_valid(self, at: datetime) -> bool:
        """Whether it is on and `at` lies in its time."""
        ended = self.valid_until is not None and self.valid_until <= at
        return self.is_on and self.valid_from <= at and not ended


class Redemption(models.Model):
    """One use of a promo code: reserved with its invoice, used when that is paid, released when it never will be.

    `renews`: the code of an earlier term applied again. That is the same use, so it counts for no limit.
    """

    promo_code = models.ForeignKey(PromoCode, on_delete=models.PROTECT, related_name="redemptions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    invoice = models.OneToOneField(Invoice, on_delete=models.PROTECT, related_name="redemption")
    saved = models.BigIntegerField(help_text="Minor units of the invoice's currency that it took off.")
    renews = models.BooleanField(default=False)
    reserved_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-reserved_at", "-id")
        constraints = (
            models.CheckConstraint(
                condition=Q(used_at__isnull=True) | Q(released_at__isnull=True), name="redemption_used_or_released"
            ),
            models.CheckConstraint(condition=Q(saved__gt=0), name="redemption_saves_something"),
        )
        indexes = (
            models.Index(
                fields=["promo_code", "user"],
                condition=Q(released_at__isnull=True, renews=False),
                name="redemption_live",
            ),
        )

    def __str__(self) -> str:
        return f"{self.promo_code} for {self.invoice}"

    @property
    def state(self) -> str:
        if self.released_at is not None:
            return "released"
        return "used" if self.used_at is not None else "reserved"
