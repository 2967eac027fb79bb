from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Func, Q, Value
from django_fsm import FSMField, transition
from moneyed import Money

from billing import money
from billing.models.ledger import Account
from billing.models.state import StatefulModel


class NextNumber(Func):
    """The next human number of an invoice; a PostgreSQL sequence, so gaps are possible and collisions are not."""

    function = "nextval"
    template = "%(function)s(%(expressions)s::regclass)"

    def __init__(self) -> None:
        super().__init__(Value("billing_invoice_number"), output_field=models.BigIntegerField())

    def deconstruct(self) -> tuple[str, tuple[()], dict[str, object]]:
        return "billing.models.invoice.NextNumber", (), {}


class Invoice(StatefulModel):
    """A demand for money, with its lines copied as they were when it was issued."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        OPEN = "open", "Open"
        PAID = "paid", "Paid"
        VOID = "void", "Void"
        UNCOLLECTIBLE = "uncollectible", "Uncollectible"

    noun = "invoice"
    told_as: ClassVar[dict[str, str]] = {"open": "issued", "void": "voided", "uncollectible": "written_off"}

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.BigIntegerField(unique=True, editable=False, db_default=NextNumber())
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="invoices", db_index=False
    )
    status = FSMField(max_length=16, choices=Status, default=Status.DRAFT, protected=True)
    purpose = models.CharField(max_length=32, help_text="What it is for: subscription, top_up, product.")
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="+", help_text="What its payment is booked to."
    )
    total = models.BigIntegerField(help_text="Minor units.")
    currency = models.CharField(max_length=3)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Unpaid by then, it is voided.")
    next_sweep_at = models.DateTimeField(null=True, blank=True, editable=False)
    paid_at = models.DateTimeField(null=True, blank=True)
    request_key = models.CharField(max_length=120, null=True, blank=True)  # noqa: DJ001  unique, where there is one

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["id", "currency"], name="invoice_currency"),  # what payments point to
            models.UniqueConstraint(fields=["user", "request_key"], name="invoice_request_key"),
            models.CheckConstraint(condition=Q(total__gte=0), name="invoice_total_not_negative"),
            models.CheckConstraint(
                condition=Q(status="paid", paid_at__isnull=False) | (~Q(status="paid") & Q(paid_at__isnull=True)),
                name="invoice_paid_when_paid",
            ),
        )
        indexes = (
            models.Index(fields=["user", "-created_at"], name="invoice_user"),
            models.Index(fields=["next_sweep_at"], condition=Q(status="open"), name="invoice_expiring"),
        )

    def __str__(self) -> str:
        return f"Invoice {self.number}"

    @property
    def customer_id(self) -> uuid.UUID:
        return self.user_id

    @property
    def money(self) -> Money:
        return money.from_minor(self.total, self.currency)

    @transition(status, source=Status.DRAFT, target=Status.OPEN)
    def issue(self) -> None: ...

    @transition(status, source=Status.OPEN, target=Status.PAID)
    def pay(self) -> None: ...

    @transition(status, source=[Status.DRAFT, Status.OPEN], target=Status.VOID)
    def void(self) -> None: ...

    @transition(status, source=Status.OPEN, target=Status.UNCOLLECTIBLE)
    def write_off(self) -> None: ...


class InvoiceLine(models.Model):
    """One line: quantity x unit price - discount = amount, in minor units of the invoice's currency."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="lines", db_index=False)
    position = models.PositiveSmallIntegerField(default=1)
    product = models.CharField(max_length=80, help_text='Code of what was sold, such as "plan:year".')
    description = models.CharField(max_length=200)
    quantity = models.PositiveIntegerField(default=1)
    unit_price = models.BigIntegerField()
    discount = models.BigIntegerField(default=0)
    amount = models.BigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["invoice", "position"], name="invoice_line_position"),
            models.CheckConstraint(
                condition=Q(
                    amount=F("quantity") * F("unit_price") - F("discount"),
                    amount__gte=0,
                    discount__gte=0,
                    quantity__gt=0,
                ),
                name="invoice_line_adds_up",
            ),
        )

    def __str__(self) -> str:
        return self.description
