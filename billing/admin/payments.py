"""Payments and saved cards, as staff see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

from acquiring import registry
from billing import explanations, money, payments, refunds
from billing.admin import parked, telling
from billing.admin.deeds import Deed, Done, ReasonForm, WithDeeds, note, request_key
from billing.admin.lists import AcquirerFilter, ParkedFilter, ReadOnly, ReadOnlyInline, as_id, as_number, people
from billing.admin.unparking import DealtWith
from billing.models import Invoice, Payment, PaymentMethod, Refund


class RefundForm(ReasonForm):
    amount = forms.CharField(max_length=24, help_text="Such as 299.00. All that is left, unless you change it.")
    key = forms.UUIDField(widget=forms.HiddenInput)
    field_order = ("amount", "reason")

    def clean_amount(self) -> Any:
        try:
            return money.parse(self.cleaned_data["amount"].strip(), self.row.currency)
        except money.BadAmount as error:
            raise forms.ValidationError(f"{str(error).capitalize()}.") from None


class GiveBack(Deed):
    slug, label, permission = "refund", "Refund…", "billing.refund_payment"
    form, danger, confirm = RefundForm, True, "Give the money back"

    def applies(self, row: Payment) -> bool:
        return row.status == Payment.Status.SUCCEEDED and row.refundable.amount > 0

    def shown(self, row: Payment, at: datetime) -> dict[str, Any]:
        return {"amount": money.plain(row.refundable), "key": request_key()}

    def tells(self, row: Payment, at: datetime) -> list[tuple[str, str]]:
        return [
            ("Customer", row.user.email),
            ("Was paid", f"{money.spoken(row.captured_money)} on {telling.moment(row.settled_at)}, {_card(row)}"),
            ("Went back before", money.spoken(row.refunded_money)),
            ("Can be given back", money.spoken(row.refundable)),
            ("What happens", f"{row.acquirer} is asked at once and returns the money to the card that paid. "
             "It cannot be taken back. The customer gets a mail when it is made."),
            ("What does not", "A subscription goes on as it is. To end it as well, use Cancel on its page: that gives "
             "back by the plan's own rules."),
        ]  # fmt: skip

    def do(self, row: Payment, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        refund = refunds.request(
            row.pk,
            amount=data["amount"],
            reason=data["reason"],
            requested_by=staff.pk,
            actor=f"user:{staff.pk}",
            request_key=f"admin:{data['key']}",
            at=at,
        )
        return refund_done(refund)


class AskAboutPayment(Deed):
    slug, label, permission = "check", "Ask the bank now", "billing.check_payment"
    bulk = True

    def applies(self, row: Payment) -> bool:
        return str(row.status) != Payment.Status.SUCCEEDED

    def tells(self, row: Payment, at: datetime) -> list[tuple[str, str]]:
        return [
            ("State now", row.get_status_display()),
            ("Asked so far", f"{row.checks} times; by itself again at {telling.moment(row.next_check_at)}"),
            ("What happens", f"{row.acquirer} is asked what became of this payment, and its answer is written down as "
             "if it had come by itself: where it was paid, the customer gets what they paid for. Nobody is charged."),
        ]  # fmt: skip

    def do(self, row: Payment, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        if row.status == Payment.Status.SUCCEEDED:
            return Done("It has succeeded; there is nothing to ask.", messages.INFO)
        note("payment.asked_about", row, staff=staff, at=at, reason=data["reason"])
        return before_and_after(row, payments.check(row.pk, at=at))


class Capture(Deed):
    slug, label, permission = "capture", "Capture…", "billing.capture_payment"
    danger, confirm = True, "Take the money"

    def applies(self, row: Payment) -> bool:
        return str(row.status) == Payment.Status.AUTHORIZED

    def tells(self, row: Payment, at: datetime) -> list[tuple[str, str]]:
        return [
            ("Customer", row.user.email),
            ("Held", f"{money.spoken(row.money)} on {_card(row)}"),
            ("What happens", f"{row.acquirer} takes the whole sum that it holds, and the invoice is paid."),
        ]

    def do(self, row: Payment, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        note("payment.capture_asked", row, staff=staff, at=at, reason=data["reason"])
        return before_and_after(row, payments.capture(row.pk, at=at))


def before_and_after(before: Any, after: Any) -> Done:
    """What asking the bank came to."""
    text = f"Before: {before.get_status_display()}. The bank was asked. Now: {after.get_status_display()}."
    if after.parked:
        return Done(f"{text} {after.parked}", messages.WARNING)
    same = before.status == after.status
    return Done(f"{text} Nothing new." if same else text, messages.INFO if same else messages.SUCCESS)


def refund_done(refund: Refund) -> Done:
    """What a request to give money back came to."""
    if refund.status == Refund.Status.FAILED:
        return Done(refund.parked or "The acquirer refused this refund.", messages.ERROR)
    if refund.status == Refund.Status.SUCCEEDED:
        return Done(f"{money.spoken(refund.money)} went back.")
    sum_ = money.spoken(refund.money)
    return Done(f"{sum_} is on its way: {refund.get_status_display().lower()}. It goes on by itself.", messages.INFO)


def _card(payment: Payment) -> str:
    return payment.card or "card not known yet"


class RefundsInline(ReadOnlyInline):
    model = Refund
    fields = ("refund", telling.money_column("money", "Amount"), telling.state_column(), "reason", "acquirer_refund_id")
    verbose_name_plural = "Refunds of this payment"

    @admin.display(description="Made")
    def refund(self, row: Refund) -> SafeString | str:
        return telling.link(row, telling.moment(row.created_at))


@admin.register(Payment)
class PaymentAdmin(WithDeeds):
    deeds = (GiveBack(), AskAboutPayment(), Capture(), DealtWith())
    list_display = (
        telling.moment_column("created_at", "Time"),
        telling.link_column("user", "Customer"),
        telling.money_column("money", "Amount", "amount"),
        telling.money_column("refunded_money", "Went back", "refunded", zero=telling.NOTHING),
        telling.state_or_trouble(),
        "bought",
        "acquirer",
        "acquirer_payment_id",
    )
    list_filter: ClassVar[list[Any]] = ["status", AcquirerFilter, ParkedFilter, "surplus", "created_at"]
    list_select_related = ("user", "invoice")
    ordering = ("-created_at", "id")
    search_help_text = "E-mail or name, a whole id (payment, invoice, person), an acquirer's id, an invoice's number"
    inlines = (RefundsInline,)
    fieldsets = (
        (None, {"fields": (
            telling.state_column(), "why_parked", telling.money_column("money", "Amount"),
            telling.money_column("captured_money", "Taken"), telling.money_column("refunded_money", "Went back"),
            telling.money_column("charged_back_money", "Charged back", zero=telling.NOTHING),
            telling.money_column("refundable", "Can be given back"), "bought", telling.link_column("user", "Customer"),
            telling.link_column("invoice", "Invoice"), telling.link_column("again_of", "Second capture of"),
            "card", telling.link_column("method", "Saved card"), "on_top", "explained",
        )}),
        ("At the acquirer", {"fields": (
            "acquirer", "acquirer_payment_id", "id", "refused", telling.moment_column("retry_after", "Takes it again"),
            "checks", telling.moment_column("next_check_at", "Asked again"),
        )}),
        ("Times", {"fields": (
            telling.moment_column("created_at", "Begun"), telling.moment_column("settled_at", "Paid"),
            telling.moment_column("updated_at", "Last change"),
        )}),
        ("The acquirer's last answer", {"classes": ("collapse",), "fields": ("answer",)}),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Payment]:
        return super().get_queryset(request).select_related("user", "invoice").prefetch_related("invoice__lines")

    def get_urls(self) -> list[URLPattern]:
        """Also the page of all that needs a human: it belongs to no one model, and most of it is payments."""
        view = self.admin_site.admin_view(parked.page)
        return [path("needs-a-human/", view, name="needs_a_human"), *super().get_urls()]

    def sought(self, request: HttpRequest, term: str) -> Q:
        theirs = Q(acquirer__in=registry.names(), acquirer_payment_id=term)  # both columns of the index
        found = as_id(term)
        if found:
            return theirs | Q(pk=found) | Q(user_id=found) | Q(invoice_id=found)
        number = as_number(term)
        if number is not None:
            return theirs | Q(invoice_id__in=list(Invoice.objects.filter(number=number).values_list("pk", flat=True)))
        return theirs | Q(user_id__in=people(request, term))

    @admin.display(description="For")
    def bought(self, row: Payment) -> str:
        return "; ".join(line.description for line in row.invoice.lines.all()) or row.invoice.purpose

    @admin.display(description="Explanation")
    def explained(self, row: Payment) -> SafeString:
        return telling.sentences(explanations.sentences(row))

    @admin.display(description="Needs a human")
    def why_parked(self, row: Payment) -> SafeString | str:
        return telling.warning(row.parked)

    @admin.display(description="Surplus")
    def on_top(self, row: Payment) -> str:
        return "Yes: money that nobody owed; it goes back by itself" if row.surplus else telling.NOTHING

    @admin.display(description="Refused")
    def refused(self, row: Payment) -> str:
        return telling.refusal(row.decline_message, row.decline_code, row.decline)

    @admin.display(description="Answer, without secrets")
    def answer(self, row: Payment) -> SafeString:
        return telling.block(row.raw)

    def parked_rows(self, request: HttpRequest) -> tuple[QuerySet[Payment], str]:
        return self.get_queryset(request).exclude(parked=""), "parked"


@admin.register(PaymentMethod)
class PaymentMethodAdmin(ReadOnly):
    """Saved cards: what a customer recognises. The token is nobody's business."""

    list_display = ("__str__", telling.link_column("user", "Customer"), "acquirer", "saved", "removed")
    list_filter = (AcquirerFilter, ("removed_at", admin.EmptyFieldListFilter))
    list_select_related = ("user",)
    ordering = ("-created_at", "id")
    search_help_text = "E-mail or name, or a whole id (card, person)"
    fields = (
        telling.link_column("user", "Customer"), "brand", "mask", "expires", "acquirer", "saved", "removed", "id",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[PaymentMethod]:
        return super().get_queryset(request).defer("token", "token_digest")

    def sought(self, request: HttpRequest, term: str) -> Q:
        found = as_id(term)
        return Q(pk=found) | Q(user_id=found) if found else Q(user_id__in=people(request, term))

    @admin.display(description="Expires")
    def expires(self, row: PaymentMethod) -> str:
        return f"{row.exp_month:02}/{row.exp_year}"

    @admin.display(description="Saved", ordering="created_at")
    def saved(self, row: PaymentMethod) -> str:
        return telling.moment(row.created_at)

    @admin.display(description="Removed", ordering="removed_at")
    def removed(self, row: PaymentMethod) -> str:
        return telling.moment(row.removed_at)
