"""Subscriptions, as staff see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from billing import money
from billing.admin import telling
from billing.admin.deeds import Deed, Done, ReasonForm, WithDeeds
from billing.admin.lists import ReadOnlyInline, as_id, as_number, people
from billing.models import Invoice, Refund
from subscriptions import agreements, cancellation, explain, terms
from subscriptions.admin.changes import DEEDS
from subscriptions.models import Period, Subscription

CANCELLABLE = (
    Subscription.Status.PENDING,
    Subscription.Status.ACTIVE,
    Subscription.Status.PAST_DUE,
    Subscription.Status.SUSPENDED,
)


def renews(row: Subscription) -> bool:
    """Whether it renews by itself: what is over keeps the consent that it had, and renews no more."""
    return row.auto_renew and row.status in Subscription.LIVE


class CancelForm(ReasonForm):
    expected_refund = forms.CharField(max_length=24, required=False, widget=forms.HiddenInput)

    def clean_expected_refund(self) -> Any:
        """The figure that was shown; None where the checkout had nothing to show."""
        text = self.cleaned_data["expected_refund"]
        if not text:
            if self.row.status == Subscription.Status.PENDING:
                return None
            raise forms.ValidationError("The page that you saw is out of date; look again.")
        try:
            return money.parse(text, self.row.price.currency)
        except money.BadAmount:
            raise forms.ValidationError("This is not the page that you were shown; look again.") from None


class Cancel(Deed):
    slug, label, permission = "cancel", "Cancel…", "subscriptions.cancel_subscription"
    form, danger, confirm = CancelForm, True, "Cancel the subscription"

    def applies(self, row: Subscription) -> bool:
        return row.status in CANCELLABLE

    def shown(self, row: Subscription, at: datetime) -> dict[str, Any]:
        if row.status not in CANCELLABLE or row.status == Subscription.Status.PENDING:
            return {}
        return {"expected_refund": money.plain(cancellation.preview(row, at=at).refund)}

    def tells(self, row: Subscription, at: datetime) -> list[tuple[str, str]]:
        about = [("Customer", row.user.email), ("Subscription", str(row))]
        if row.status == Subscription.Status.PENDING:
            what = (
                "Nothing was paid yet. The bank is asked to close its page, then the invoice is void and the "
                "subscription given up. If it turns out paid after all, nothing is cancelled."
            )
            return [*about, ("What happens", what)]
        seen = cancellation.preview(row, at=at)
        return [
            *about,
            ("Goes back to the customer", money.spoken(seen.refund)),
            ("Access ends", "at once" if seen.access_until <= at else telling.moment(seen.access_until)),
            ("Why so much", seen.explanation),
            ("What happens", "The refund is sent to the acquirer at once, the customer gets a mail when it is made, "
             "and the subscription is not renewed. It cannot be taken back; the customer may subscribe again."),
        ]  # fmt: skip

    def do(self, row: Subscription, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        done = cancellation.cancel(
            row.pk,
            actor=f"user:{staff.pk}",
            at=at,
            reason=data["reason"],
            expected_refund=data["expected_refund"],
            requested_by=staff.pk,
        )
        until = done.subscription.access_until
        access = f" Access goes on to {telling.moment(until)}." if until and until > at else " Access has ended."
        if not done.refunds:
            return Done(f"Cancelled, and nothing comes back.{access}")
        told = f"Cancelled.{access}"
        for refund in done.refunds:
            if refund.status == Refund.Status.FAILED:
                told += f" The refund of {money.spoken(refund.money)} failed: {refund.parked}"
            else:
                told += f" Refund of {money.spoken(refund.money)}: {refund.get_status_display().lower()}."
        failed = any(refund.status == Refund.Status.FAILED for refund in done.refunds)
        return Done(told, messages.ERROR) if failed else Done(told)


class SwitchOff(Deed):
    slug, label, permission = "renewal-off", "Switch renewal off…", "subscriptions.cancel_subscription"
    form, confirm = ReasonForm, "Switch renewal off"

    def applies(self, row: Subscription) -> bool:
        return row.auto_renew and row.status in terms.RUNNING

    def tells(self, row: Subscription, at: datetime) -> list[tuple[str, str]]:
        seen = agreements.next_charge(row, at=at)
        charge = f"{money.spoken(seen.amount)} by {seen.card}, {telling.moment(seen.at)}" if seen else "none"
        what = (
            "Nothing is charged any more. A charge under way is closed at the bank, and money that it takes all the "
            "same goes back. What is paid goes on to its end; the customer can agree again in the account."
        )
        return [
            ("Customer", row.user.email),
            ("Subscription", str(row)),
            ("Next charge", charge),
            ("What happens", what),
        ]

    def do(self, row: Subscription, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        agreements.switch_off(row.pk, actor=f"user:{staff.pk}", at=at, reason=data["reason"])
        return Done("Renewal is off; nothing more will be charged.")


class PeriodsInline(ReadOnlyInline):
    model = Period
    ordering = ("-number",)
    fields = (
        "number", "for_plan", "months", telling.moment_column("starts_at", "From"),
        telling.moment_column("ends_at", "Till"), "money_paid", "billed_by",
    )  # fmt: skip
    verbose_name_plural = "Periods"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Period]:
        return super().get_queryset(request).select_related("plan", "subscription__plan", "invoice", "transfer")

    @admin.display(description="Plan")
    def for_plan(self, row: Period) -> str:
        return row.sold.name

    @admin.display(description="Billed")
    def money_paid(self, row: Period) -> str:
        if row.transfer:
            return money.spoken(row.transfer.money)
        return money.spoken(row.paid) if row.paid is not None else telling.NOTHING

    @admin.display(description="By")
    def billed_by(self, row: Period) -> SafeString | str:
        if row.invoice is None:
            return telling.link(row.transfer)
        return telling.link(row.invoice, f"{row.invoice}, {row.invoice.get_status_display().lower()}")


@admin.register(Subscription)
class SubscriptionAdmin(WithDeeds):
    deeds = (Cancel(), SwitchOff(), *DEEDS)
    list_display = (
        telling.moment_column("created_at", "Begun"),
        telling.link_column("user", "Customer"),
        telling.link_column("plan", "Plan"),
        telling.state_column(),
        telling.moment_column("valid_till", "Paid till"),
        telling.moment_column("access_until", "Access until"),
        "renews",
        telling.money_column("price.money", "Price"),
    )
    list_filter = ("status", "plan", "auto_renew", "created_at")
    ordering = ("-created_at", "id")
    search_help_text = "E-mail or name, a whole id (subscription, person, invoice), an invoice's number"
    inlines = (PeriodsInline,)
    fieldsets = (
        (None, {"fields": (
            telling.state_column(), telling.link_column("user", "Customer"), telling.link_column("plan", "Plan"),
            telling.money_column("price.money", "Price"), "access", "explained", "id",
        )}),
        ("Times", {"fields": (
            telling.moment_column("anchor_at", "Term began"), telling.moment_column("valid_till", "Paid till"),
            telling.moment_column("access_until", "Access until"),
            telling.moment_column("created_at", "Ordered"), telling.moment_column("next_action_at", "Looked at again"),
        )}),
        ("Renewal", {"fields": (
            "renews", telling.moment_column("renewal_consent_at", "Consent given"),
            "method", telling.moment_column("next_charge_at", "Next charge or try"),
            telling.moment_column("remind_at", "Reminder"), "next_plan",
            telling.moment_column("switches_at", "It is paid, and begins"), telling.yes("trial", "Began as a trial"),
            telling.moment_column("paused_at", "Paused"),
        )}),
        ("Cancelled", {"fields": (telling.moment_column("cancelled_at", "When"), "cancel_reason")}),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscription]:
        return super().get_queryset(request).select_related("user", "plan", "price")

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if request.user.has_perm("subscriptions.view_period") else ()

    def sought(self, request: HttpRequest, term: str) -> Q:
        found, number = as_id(term), as_number(term)
        if found:
            billed = list(Period.objects.filter(invoice_id=found).values_list("subscription_id", flat=True))
            return Q(pk=found) | Q(user_id=found) | Q(pk__in=billed)
        if number is not None:
            invoices = list(Invoice.objects.filter(number=number).values_list("pk", flat=True))
            periods = Period.objects.filter(invoice_id__in=invoices)
            return Q(pk__in=list(periods.values_list("subscription_id", flat=True)))
        return Q(user_id__in=people(request, term))

    @admin.display(description="Renews by itself", ordering="auto_renew")
    def renews(self, row: Subscription) -> str:
        return "yes" if renews(row) else "no"

    @admin.display(description="Explanation")
    def explained(self, row: Subscription) -> SafeString:
        return telling.sentences(explain.explain(row, at=timezone.now()))

    @admin.display(description="Access now", boolean=True)
    def access(self, row: Subscription) -> bool:
        return row.has_access(timezone.now())
