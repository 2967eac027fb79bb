"""Invoices, as staff see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from billing import checkouts, money
from billing.admin import telling
from billing.admin.deeds import Deed, Done, WithDeeds
from billing.admin.lists import ReadOnlyInline, as_id, as_number, people
from billing.models import Invoice, InvoiceLine, Payment


class Void(Deed):
    slug, label, permission = "void", "Void…", "billing.void_invoice"
    danger, confirm = True, "Void the invoice"

    def applies(self, row: Invoice) -> bool:
        return row.status in (Invoice.Status.DRAFT, Invoice.Status.OPEN)

    def tells(self, row: Invoice, at: datetime) -> list[tuple[str, str]]:
        live = row.payments.filter(status__in=Payment.LIVE).first()
        closing = (
            f"First {live.acquirer} is asked to close the payment in progress ({live.get_status_display().lower()}). "
            "If it turns out paid after all, the invoice stays paid and nothing is voided. "
            if live
            else ""
        )
        return [
            ("Customer", row.user.email),
            ("Invoice", f"{row.number} over {money.spoken(row.money)}"),
            ("What happens", f"{closing}The invoice can never be paid any more. A subscription that waits for it is "
             "given up; the customer may begin anew."),
        ]  # fmt: skip

    def do(self, row: Invoice, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        checkouts.close(row.pk, actor=f"user:{staff.pk}", at=at, reason=data["reason"])
        return Done(f"Invoice {row.number} is void.")


class LinesInline(ReadOnlyInline):
    model = InvoiceLine
    ordering = ("position",)
    fields = ("description", "product", "quantity", "money_unit_price", "money_discount", "money_amount")
    verbose_name_plural = "Lines"

    @admin.display(description="Price")
    def money_unit_price(self, row: InvoiceLine) -> str:
        return money.spoken(money.from_minor(row.unit_price, row.invoice.currency))

    @admin.display(description="Discount")
    def money_discount(self, row: InvoiceLine) -> str:
        return money.spoken(money.from_minor(row.discount, row.invoice.currency)) if row.discount else telling.NOTHING

    @admin.display(description="Amount")
    def money_amount(self, row: InvoiceLine) -> str:
        return money.spoken(money.from_minor(row.amount, row.invoice.currency))


class PaymentsInline(ReadOnlyInline):
    model = Payment
    ordering = ("-created_at",)
    fields = (
        "payment",
        telling.money_column("money", "Amount"),
        telling.state_column(),
        "acquirer",
        "acquirer_payment_id",
    )
    verbose_name_plural = "Attempts to pay"

    @admin.display(description="Begun")
    def payment(self, row: Payment) -> SafeString | str:
        return telling.link(row, telling.moment(row.created_at))


@admin.register(Invoice)
class InvoiceAdmin(WithDeeds):
    deeds = (Void(),)
    list_display = (
        "number",
        telling.moment_column("created_at", "Issued"),
        telling.link_column("user", "Customer"),
        telling.money_column("money", "Total", "total"),
        telling.state_column(),
        "bought",
        telling.moment_column("paid_at", "Paid"),
    )
    list_filter: ClassVar[list[Any]] = ["status", "created_at"]
    list_select_related = ("user",)
    ordering = ("-number",)
    search_help_text = "E-mail or name, a whole id (invoice, person), an invoice's number"
    inlines = (LinesInline, PaymentsInline)
    fieldsets = (
        (None, {"fields": (
            "number", telling.state_column(), telling.money_column("money", "Total"),
            telling.link_column("user", "Customer"), "purpose", telling.link_column("account", "Booked to"), "id",
        )}),
        ("Times", {"fields": (
            telling.moment_column("created_at", "Issued"), telling.moment_column("expires_at", "To be paid by"),
            telling.moment_column("paid_at", "Paid"), telling.moment_column("updated_at", "Last change"),
        )}),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Invoice]:
        return super().get_queryset(request).select_related("user", "account").prefetch_related("lines")

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if request.user.has_perm("billing.view_payment") else (LinesInline,)

    def sought(self, request: HttpRequest, term: str) -> Q:
        found = as_id(term)
        if found:
            return Q(pk=found) | Q(user_id=found)
        number = as_number(term)
        return Q(number=number) if number is not None else Q(user_id__in=people(request, term))

    @admin.display(description="For")
    def bought(self, row: Invoice) -> str:
        return "; ".join(line.description for line in row.lines.all()) or row.purpose
