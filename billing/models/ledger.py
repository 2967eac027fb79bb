"""Accounts and transfers: each movement of money exactly once, immutable, between two accounts of one currency."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from moneyed import Money

from billing import money


class Account(models.Model):
    """One account of the books.

    Customers' accounts (wallets) keep their balance, which a trigger moves with each transfer. The house's own keep
    none, or every payment would queue for the same row: theirs is the sum of their transfers.
    """

    class Kind(models.TextChoices):
        CASH = "cash", "Cash at an acquirer"
        REVENUE = "revenue", "Revenue"
        REFUNDS = "refunds", "Refunds"
        FEES = "fees", "Fees"
        SUSPENSE = "suspense", "Suspense"
        WALLET = "wallet", "Wallet"

    kind = models.CharField(max_length=16, choices=Kind)
    code = models.CharField(max_length=80, help_text='Such as "cash:sandbox:RUB".')
    currency = models.CharField(max_length=3)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="wallets"
    )
    balance = models.BigIntegerField(
        default=0, editable=False, help_text="Wallets only, minor units: what we owe the customer."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            # Not `unique=True`, which in Django comes with a second index, for LIKE.
            models.UniqueConstraint(fields=["code"], name="account_code"),
            # Also the target of the transfers' composite foreign keys: a transfer cannot cross currencies.
            models.UniqueConstraint(fields=["id", "currency"], name="account_currency"),
            models.CheckConstraint(condition=Q(balance__gte=0), name="account_never_below_zero"),
            models.CheckConstraint(
                condition=Q(kind="wallet", user__isnull=False) | (~Q(kind="wallet") & Q(user__isnull=True, balance=0)),
                name="account_wallets_are_customers",
            ),
        )

    def __str__(self) -> str:
        return self.code


class Transfer(models.Model):
    """`amount` minor units from the credit to the debit account ("debit ← credit"). Never changed, never deleted.

    A mistake is undone by a second transfer. `reference` names the one thing that it books ("payment:<id>").
    """

    reference = models.CharField(max_length=80)
    debit = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="debits")
    credit = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="credits")
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    description = models.CharField(max_length=200)
    at = models.DateTimeField(help_text="When the money moved.")
    booked_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["reference"], name="transfer_reference"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="transfer_amount_positive"),
            models.CheckConstraint(condition=~Q(debit=F("credit")), name="transfer_two_accounts"),
        )

    def __str__(self) -> str:
        return f"{self.reference}: {money.spoken(self.money)}"

    @property
    def money(self) -> Money:
        return money.from_minor(self.amount, self.currency)
