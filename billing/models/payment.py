from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, transition
from moneyed import Money

from billing import money
from billing.models.invoice import Invoice
from billing.models.payment_method import PaymentMethod
from billing.models.state import StatefulModel


class Payment(StatefulModel):
    """One attempt to collect an invoice. Its id is the acquirer's idempotency key on every try."""

    class Status(models.TextChoices):
        CREATED = "created", "Created"
        PENDING = "pending", "Waiting for the customer"
        AUTHORIZED = "authorized", "Authorized"
        UNKNOWN = "unknown", "Checking with the bank"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    LIVE = (Status.CREATED, Status.PENDING, Status.AUTHORIZED, Status.UNKNOWN)
    noun = "payment"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="payments")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="payments", db_index=False
    )
    status = FSMField(max_length=12, choices=Status, default=Status.CREATED, protected=True)
    amount = models.BigIntegerField(help_text="Minor units.")
    currency = models.CharField(max_length=3)
    captured = models.BigIntegerField(default=0, help_text="What the acquirer really took, minor units.")
    refunded = models.BigIntegerField(
        default=0, editable=False, help_text="Refunds not failed, minor units; kept by a trigger."
    )
    charged_back = models.BigIntegerField(
        default=0, editable=False, help_text="What the customer's bank took back and has not returned, minor units."
    )
    surplus = models.BooleanField(
        default=False, help_text="Money that came on top of what was owed; it is refunded by itself."
    )
    again_of = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="captured_again",
        help_text="The payment whose order the acquirer captured once more as this one.",
    )
    acquirer = models.CharField(max_length=32)
    acquirer_payment_id = models.CharField(max_length=255, blank=True)
    method = models.ForeignKey(
        PaymentMethod,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        help_text="The saved card that is charged, or was saved by it.",
    )
    save_card = models.BooleanField(default=False)
    card = models.CharField(max_length=60, blank=True, help_text="Brand and mask, for people.")
    return_url = models.CharField(max_length=500, blank=True)
    redirect_url = models.CharField(max_length=4000, blank=True)
    widget = models.JSONField(default=dict, blank=True, help_text="What the acquirer's card form is started with.")
    decline = models.CharField(max_length=20, blank=True, help_text="What to do next.")
    decline_code = models.CharField(max_length=60, blank=True)
    decline_message = models.CharField(max_length=300, blank=True)
    retry_after = models.DateTimeField(
        null=True, blank=True, help_text="When the acquirer welcomes another try with this card, where it said so."
    )
    raw = models.JSONField(default=dict, blank=True, help_text="The acquirer's last answer, secrets removed.")
    next_check_at = models.DateTimeField(null=True, blank=True, help_text="When the acquirer is asked again.")
    sent_at = models.DateTimeField(null=True, blank=True, help_text="When it was given to the acquirer again.")
    checks = models.PositiveSmallIntegerField(default=0)
    parked = models.TextField(blank=True, help_text="Why a human must look, in a plain sentence.")
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = (  # what staff may do with billing's verbs, beside looking
            ("refund_payment", "Can give money back"),
            ("check_payment", "Can ask the bank about payments and refunds"),
            ("capture_payment", "Can take money that is held"),
            ("void_invoice", "Can void invoices"),
            ("close_wallet", "Can give what a wallet holds back to its cards"),
            ("resolve_case", "Can settle differences with acquirers, and what was parked"),
            ("retry_parked", "Can take up again what was parked"),
        )
        constraints = (
            models.UniqueConstraint(fields=["id", "currency"], name="payment_currency"),  # what refunds point to
            models.UniqueConstraint(
                fields=["invoice"],
                condition=Q(status__in=["created", "pending", "authorized", "unknown", "succeeded"], surplus=False),
                name="payment_one_live_or_successful",
            ),
            models.UniqueConstraint(
                fields=["acquirer", "acquirer_payment_id"],
                condition=~Q(acquirer_payment_id=""),
                name="payment_acquirer_id",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive"),
            models.CheckConstraint(
                condition=Q(captured__gte=0, captured__lte=F("amount")), name="payment_captured_within_amount"
            ),
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded__lte=F("captured")), name="payment_refunded_within_captured"
            ),
            models.CheckConstraint(
                condition=Q(charged_back__gte=0, charged_back__lte=F("captured")),
                name="payment_charged_back_within_captured",
            ),
            models.CheckConstraint(
                condition=Q(again_of__isnull=True) | Q(surplus=True), name="payment_captured_again_is_surplus"
            ),
            models.CheckConstraint(
                condition=Q(status="succeeded", captured__gt=0, settled_at__isnull=False)
                | (~Q(status="succeeded") & Q(captured=0)),
                name="payment_succeeded_has_money",
            ),
        )
        indexes = (
            models.Index(fields=["next_check_at"], condition=Q(next_check_at__isnull=False), name="payment_check_due"),
            models.Index(fields=["user", "-created_at"], name="payment_user"),
            models.Index(fields=["-created_at", "id"], name="payment_recent"),
            models.Index(fields=["id"], condition=~Q(parked=""), name="payment_parked"),
        )

    def __str__(self) -> str:
        return f"{money.spoken(self.money)}, {self.get_status_display()}"

    @property
    def customer_id(self) -> uuid.UUID:
        return self.user_id

    @property
    def money(self) -> Money:
        return money.from_minor(self.amount, self.currency)

    @property
    def captured_money(self) -> Money:
        return money.from_minor(self.captured, self.currency)

    @property
    def refunded_money(self) -> Money:
        return money.from_minor(self.refunded, self.currency)

    @property
    def charged_back_money(self) -> Money:
        return money.from_minor(self.charged_back, self.currency)

    @property
    def refundable(self) -> Money:
        """What was taken, and was neither promised back nor taken back by the customer's bank."""
        return money.from_minor(max(self.captured - self.refunded - self.charged_back, 0), self.currency)

    @property
    def order_id(self) -> uuid.UUID:
        """Our id under which the acquirer has it: that of the payment whose order it captured again, else its own."""
        return self.again_of_id or self.pk

    @property
    def is_live(self) -> bool:
        """Money may still move without anybody starting anew."""
        return self.status in self.LIVE

    @transition(status, source=[Status.CREATED, Status.UNKNOWN], target=Status.PENDING)
    def wait(self) -> None:
        """The acquirer has it; the customer (or the bank) is not done."""

    @transition(status, source=[Status.CREATED, Status.PENDING, Status.AUTHORIZED], target=Status.UNKNOWN)
    def doubt(self) -> None:
        """Nobody can say whether money moved."""

    @transition(status, source=[Status.CREATED, Status.PENDING, Status.UNKNOWN], target=Status.AUTHORIZED)
    def authorize(self) -> None:
        """The sum is held, not taken."""

    @transition(
        status,
        source=[
            Status.CREATED,
            Status.PENDING,
            Status.AUTHORIZED,
            Status.UNKNOWN,
            Status.FAILED,
            Status.CANCELLED,
        ],
        target=Status.SUCCEEDED,
    )
    def succeed(self) -> None:
        """Money moved. Late truth wins: reachable from every state but itself."""

    @transition(status, source=LIVE, target=Status.FAILED)
    def fail(self) -> None:
        """The acquirer said no."""

    @transition(status, source=LIVE, target=Status.CANCELLED)
    def cancel(self) -> None:
        """The page was closed or the hold released before money moved."""
