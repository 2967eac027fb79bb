from __future__ import annotations

from django.db import models
from django.db.models import Q
from moneyed import Money

from billing import money
from billing.models import Invoice
from subscriptions.models.plan import Plan, Price
from subscriptions.models.subscription import Period, Subscription


class Change(models.Model):
    """A change to a dearer plan that begins when its invoice is paid: what was counted for the running term, and how.

    Until then the subscription stays as it is. It ends done (the plan changed) or closed (nothing changed).
    """

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="changes")
    period = models.ForeignKey(
        Period, on_delete=models.PROTECT, related_name="+", help_text="The term that it replaces."
    )
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="+")
    price = models.ForeignKey(Price, on_delete=models.PROTECT, related_name="+")
    invoice = models.OneToOneField(Invoice, on_delete=models.PROTECT, related_name="change")
    credit = models.BigIntegerField(help_text="Minor units: what is left of the running term, off the new price.")
    returnable = models.BigIntegerField(help_text="Minor units: what cancelling would have given back at that moment.")
    counts_from = models.DateTimeField(help_text="The months of the new term are counted from here.")
    created_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["subscription"], condition=Q(done_at=None, closed_at=None), name="change_one_waits"
            ),
            models.CheckConstraint(condition=Q(done_at=None) | Q(closed_at=None), name="change_done_or_closed"),
            models.CheckConstraint(
                condition=Q(credit__gte=0, returnable__gte=0, returnable__lte=models.F("credit")),
                name="change_credit_sane",
            ),
        )

    def __str__(self) -> str:
        return f"Change to {self.plan.name}"

    @property
    def credit_money(self) -> Money:
        return money.from_minor(self.credit, self.price.currency)

    @property
    def returnable_money(self) -> Money:
        return money.from_minor(self.returnable, self.price.currency)
