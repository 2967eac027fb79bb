"""The person's page: everything that support asks about somebody, before the form. Each part has its permission."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin import UserAdmin
from accounts.models import User
from billing import money, wallets
from billing.admin import telling, timeline
from billing.models import Event, Invoice, Payment, PaymentMethod, Refund
from subscriptions.admin.subscriptions import Cancel, renews
from subscriptions.models import Period, Subscription

LATEST = 20


def panel(request: HttpRequest, user: User) -> SafeString:
    """Subscriptions, cards, payments, refunds, invoices and events of a person, the latest of each."""
    parts = {
        "subscriptions": ("subscriptions.view_subscription", _subscriptions),
        "wallets": ("billing.view_account", _wallets),
        "cards": ("billing.view_paymentmethod", _cards),
        "payments": ("billing.view_payment", _payments),
        "refunds": ("billing.view_refund", _refunds),
        "invoices": ("billing.view_invoice", _invoices),
        "timeline": ("billing.view_event", _events),
    }
    seen = {name: find(user) for name, (right, find) in parts.items() if request.user.has_perm(right)}
    if not seen:
        return SafeString()
    context = seen | {
        "person": user,
        "now": timezone.now(),
        "zone": timezone.get_current_timezone_name(),
        "latest": LATEST,
        "may_cancel": request.user.has_perm(Cancel.permission),
        "all": {
            model._meta.model_name: telling.listed(model, user.pk)
            for model in (Subscription, PaymentMethod, Payment, Refund, Invoice, Event)
        },
    }
    return render_to_string("admin/boxoffice/person.html", context, request)


def _subscriptions(user: User) -> list[dict[str, Any]]:
    at, cancel = timezone.now(), Cancel()
    rows = user.subscriptions.select_related("plan", "price").order_by("-created_at")[:LATEST]
    return [
        {
            "row": row,
            "url": telling.address(row),
            "cancel": telling.address(row).replace("/change/", f"/{cancel.slug}/") if cancel.applies(row) else "",
            "access": row.has_access(at),
            "in_grace": bool(row.valid_till and row.valid_till <= at and row.has_access(at)),
            "renews": renews(row),
            "price": row.price.money,
        }
        for row in rows
    ]


def _cards(user: User) -> list[PaymentMethod]:
    return list(user.payment_methods.defer("token", "token_digest").order_by("-created_at")[:LATEST])


def _wallets(user: User) -> list[dict[str, Any]]:
    return [
        {"row": row, "url": telling.address(row), "held": money.from_minor(row.balance, row.currency),
         "lines": wallets.statement(row, count=LATEST)}
        for row in user.wallets.order_by("currency")
    ]  # fmt: skip


def _payments(user: User) -> list[dict[str, Any]]:
    rows = list(
        user.payments.select_related("invoice")
        .prefetch_related("invoice__lines")
        .order_by("-created_at", "id")[:LATEST]
    )
    invoices = [row.invoice_id for row in rows]
    periods = Period.objects.filter(invoice_id__in=invoices).select_related("plan", "subscription__plan")
    by_invoice = {period.invoice_id: period for period in periods}
    return [{"row": row, "url": telling.address(row), "period": by_invoice.get(row.invoice_id)} for row in rows]


def _refunds(user: User) -> list[dict[str, Any]]:
    rows = Refund.objects.filter(payment__user=user).select_related("payment").order_by("-created_at", "id")[:LATEST]
    return [{"row": row, "url": telling.address(row), "payment_url": telling.address(row.payment)} for row in rows]


def _invoices(user: User) -> list[dict[str, Any]]:
    rows = user.invoices.prefetch_related("lines").order_by("-created_at")[:LATEST]
    return [{"row": row, "url": telling.address(row)} for row in rows]


def _events(user: User) -> list[timeline.Moment]:
    return timeline.told(Event.objects.filter(user=user).order_by("-id")[:LATEST])


# --- the list of people


@admin.display(description="Subscription")
def subscription_state(user: Any) -> SafeString | str:
    """The newest subscription in a word."""
    if not user.newest_subscriptions:
        return telling.NOTHING
    newest: Subscription = user.newest_subscriptions[0]
    label = f"{newest.get_status_display()}: {newest.plan.name}"
    if newest.access_until is None:
        return telling.badge(newest.status, label)
    return format_html("{} till {}", telling.badge(newest.status, label), telling.day(newest.access_until))


def with_subscriptions(users: QuerySet[User]) -> QuerySet[User]:
    """The list's people with their subscriptions, newest first: one query for the page."""
    newest = Subscription.objects.select_related("plan").order_by("-created_at")
    return users.prefetch_related(Prefetch("subscriptions", newest, to_attr="newest_subscriptions"))


class SubscriptionFilter(admin.SimpleListFilter):
    """People by the state of a subscription that they have."""

    title, parameter_name = "subscription", "subscription"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*Subscription.Status.choices, ("none", "None ever")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        if self.value() == "none":
            return queryset.filter(subscriptions__isnull=True)
        if self.value() in Subscription.Status.values:
            return queryset.filter(pk__in=Subscription.objects.filter(status=self.value()).values("user"))
        return queryset


UserAdmin.extend(
    panel=panel, order=10, columns=[subscription_state], filters=[SubscriptionFilter], queryset=with_subscriptions
)
