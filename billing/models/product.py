from __future__ import annotations

from django.db import models
from django.db.models import Q
from moneyed import Money

from billing import money


class Product(models.Model):
    """What is sold once, by the piece. What was bought is copied into the invoice, so a new price changes no order."""

    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    description = models.TextField(blank=True)
    price = models.BigIntegerField(help_text="Minor units (kopecks), for one.")
    currency = models.CharField(max_length=3, default="RUB")
    days = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="How long it lasts from the payment on; empty: for good."
    )
    on_sale = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name", "id")
        constraints = (
            models.CheckConstraint(
                condition=Q(price__gt=0, price__lte=money.MAX_MINOR // 1000),
                name="product_price_sane",
                violation_error_message="A price is above zero.",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def money(self) -> Money:
        return money.from_minor(self.price, self.currency)
