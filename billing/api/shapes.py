"""What invoices, payments and refunds look like outside."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing import explanations
from billing.api.fields import Moment, MoneyText, state
from billing.api.paying import pay_at
from billing.models import Invoice, InvoiceLine, Payment, Refund
from billing.money import from_minor

Finder = Callable[[Iterable[uuid.UUID]], Mapping[uuid.UUID, uuid.UUID]]

_finders: list[Finder] = []


def billed_for(finder: Finder) -> Finder:
    """Registers who knows which subscription an invoice billed. Billing itself knows of none."""
    if finder not in _finders:
        _finders.append(finder)
    return finder


def subscriptions_of(invoices: Iterable[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """The subscription that each invoice billed, of those that billed one."""
    invoices = list(invoices)
    return {invoice: found for finder in _finders for invoice, found in finder(invoices).items()}


class RefundSerializer(serializers.Serializer[Refund]):
    id = serializers.UUIDField()
    payment = serializers.UUIDField(source="payment_id")
    status = state(Refund.Status)
    amount = MoneyText(source="money")
    currency = serializers.CharField()
    reason = serializers.SerializerMethodField(help_text="Empty where staff gave it: those are words for colleagues.")
    explanation = serializers.SerializerMethodField(help_text="How the sum was found and how far it is, in words.")
    created_at = Moment()
    settled_at = Moment(allow_null=True)

    def get_reason(self, refund: Refund) -> str:
        by_staff = refund.requested_by_id not in (None, refund.payment.user_id)
        return "" if by_staff and not self.context.get("staff") else refund.reason

    def get_explanation(self, refund: Refund) -> str:
        return " ".join(explanations.refund(refund))


class DeclineSerializer(serializers.Serializer[Payment]):
    kind = serializers.CharField(source="decline", help_text="What to do next: another_card, retry_later, ...")
    code = serializers.CharField(source="decline_code")
    message = serializers.CharField(source="decline_message")
    retry_after = Moment(allow_null=True, help_text="When the bank takes this card again; null where it does not say.")


class PaymentSerializer(serializers.Serializer[Payment]):
    id = serializers.UUIDField()
    status = state(Payment.Status)
    amount = MoneyText(source="money")
    currency = serializers.CharField()
    captured = MoneyText(source="captured_money", help_text="What was really taken.")
    refunded = MoneyText(source="refunded_money", help_text="What came back or is on its way back.")
    acquirer = serializers.CharField()
    acquirer_payment_id = serializers.CharField(allow_blank=True)
    subscription = serializers.SerializerMethodField()
    invoice = serializers.UUIDField(source="invoice_id")
    card = serializers.CharField(allow_blank=True)
    redirect_url = serializers.SerializerMethodField(help_text="Where to pay, while that is possible.")
    widget = serializers.SerializerMethodField(
        help_text="Instead of `redirect_url`, at an acquirer with a card form for our page: its `script`, and what to "
        "`start` it with. What a browser changes in it is refused by our answer to the acquirer's own question."
    )
    decline = serializers.SerializerMethodField(help_text="Why it failed.")
    refunds = RefundSerializer(many=True)
    created_at = Moment()
    settled_at = Moment(allow_null=True)
    explanation = serializers.SerializerMethodField()

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_subscription(self, payment: Payment) -> str | None:
        found = self.context["subscriptions"].get(payment.invoice_id)
        return found and str(found)

    def get_redirect_url(self, payment: Payment) -> str | None:
        return pay_at(payment)

    @extend_schema_field(serializers.DictField(allow_null=True))
    def get_widget(self, payment: Payment) -> Any:
        return (payment.is_live and payment.widget) or None

    @extend_schema_field(DeclineSerializer(allow_null=True))
    def get_decline(self, payment: Payment) -> Any:
        return DeclineSerializer(payment).data if payment.status == Payment.Status.FAILED else None

    def get_explanation(self, payment: Payment) -> str:
        return " ".join(self.context["explanations"][payment.pk])


class LineSerializer(serializers.Serializer[InvoiceLine]):
    product = serializers.CharField()
    description = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price = serializers.SerializerMethodField()
    discount = serializers.SerializerMethodField()
    amount = serializers.SerializerMethodField()

    def _plain(self, line: InvoiceLine, minor: int) -> str:
        return MoneyText().to_representation(from_minor(minor, line.invoice.currency))

    def get_unit_price(self, line: InvoiceLine) -> str:
        return self._plain(line, line.unit_price)

    def get_discount(self, line: InvoiceLine) -> str:
        return self._plain(line, line.discount)

    def get_amount(self, line: InvoiceLine) -> str:
        return self._plain(line, line.amount)


class InvoiceSerializer(serializers.Serializer[Invoice]):
    id = serializers.UUIDField()
    number = serializers.IntegerField()
    status = state(Invoice.Status)
    purpose = serializers.CharField()
    subscription = serializers.SerializerMethodField()
    total = MoneyText(source="money")
    currency = serializers.CharField()
    lines = LineSerializer(many=True)
    created_at = Moment()
    expires_at = Moment(allow_null=True, help_text="Unpaid by then, it is voided.")
    paid_at = Moment(allow_null=True)

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_subscription(self, invoice: Invoice) -> str | None:
        found = self.context["subscriptions"].get(invoice.pk)
        return found and str(found)


def payments() -> QuerySet[Payment]:
    """Payments with all that their shape shows."""
    return Payment.objects.select_related("invoice").prefetch_related("invoice__lines", "invoice__payments", "refunds")


def invoices() -> QuerySet[Invoice]:
    """Invoices with all that their shape shows."""
    return Invoice.objects.prefetch_related("lines")


def payments_json(rows: Iterable[Payment], *, staff: bool = False) -> Any:
    """`staff`: whether the reader may see why colleagues gave money back."""
    rows = list(rows)
    context = {
        "subscriptions": subscriptions_of({row.invoice_id for row in rows}),
        "explanations": explanations.many(rows),
        "staff": staff,
    }
    return PaymentSerializer(rows, many=True, context=context).data  # type: ignore[arg-type]  # many rows


def payment_json(payment_id: uuid.UUID) -> Any:
    """One payment as it is in the database now."""
    return payments_json([payments().get(pk=payment_id)])[0]


def invoices_json(rows: Iterable[Invoice]) -> Any:
    rows = list(rows)
    context = {"subscriptions": subscriptions_of({row.pk for row in rows})}
    return InvoiceSerializer(rows, many=True, context=context).data  # type: ignore[arg-type]  # many rows
