"""Refunds, as staff see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from acquiring import registry
from billing import explanations, money, refund_retries, refunds
from billing.admin import telling
from billing.admin.deeds import Deed, Done, WithDeeds, note
from billing.admin.lists import AcquirerFilter, ParkedFilter, as_id, as_number, people
from billing.admin.payments import before_and_after, refund_done
from billing.admin.unparking import DealtWith
from billing.models import Invoice, Refund


class TryAgain(Deed):
    slug, label, permission = "again", "Try again…", "billing.refund_payment"
    danger, confirm = True, "Give the money back"

    def applies(self, row: Refund) -> bool:
        return row.status == Refund.Status.FAILED and successor(row) is None

    def tells(self, row: Refund, at: datetime) -> list[tuple[str, str]]:
        return [
            ("Customer", row.payment.user.email),
            ("Failed", f"{money.spoken(row.money)}: {row.decline_message or row.decline_code or 'no word why'}"),
            ("Can be given back", f"{money.spoken(row.payment.refundable)} of that payment"),
            ("What happens", f"A new refund over {money.spoken(row.money)} is made and sent to {row.payment.acquirer} "
             "at once. This one stays failed, in the history."),
        ]  # fmt: skip

    def do(self, row: Refund, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        refund = refund_retries.again(
            row.pk, reason=data["reason"], requested_by=staff.pk, actor=f"user:{staff.pk}", at=at
        )
        return refund_done(refund)


class AskAboutRefund(Deed):
    slug, label, permission = "check", "Ask the bank now", "billing.check_payment"
    bulk = True

    def applies(self, row: Refund) -> bool:
        return row.is_live

    def tells(self, row: Refund, at: datetime) -> list[tuple[str, str]]:
        return [
            ("State now", row.get_status_display()),
            ("Asked so far", f"{row.checks} times; by itself again at {telling.moment(row.next_check_at)}"),
            ("What happens", f"{row.payment.acquirer} is asked what became of this refund. Where it has never heard of "
             "it, it is sent again under the same key: the money goes back once."),
        ]  # fmt: skip

    def do(self, row: Refund, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        note("refund.asked_about", row, staff=staff, at=at, reason=data["reason"])
        return before_and_after(row, refunds.check(row.pk, at=at))


def successor(refund: Refund) -> Refund | None:
    """The refund that was made when this one had failed."""
    return Refund.objects.filter(request_key=refund_retries.successor_key(refund.pk)).first()


class RefundAcquirerFilter(AcquirerFilter):
    path = "payment__acquirer"


@admin.register(Refund)
class RefundAdmin(WithDeeds):
    deeds = (TryAgain(), AskAboutRefund(), DealtWith())
    list_display = (
        telling.moment_column("created_at", "Time"),
        telling.link_column("payment.user", "Customer"),
        telling.money_column("money", "Amount", "amount"),
        telling.state_or_trouble(),
        "reason",
        telling.link_column("payment", "Payment", lambda payment: money.spoken(payment.money)),
        "acquirer",
        "acquirer_refund_id",
    )
    list_filter = ("status", RefundAcquirerFilter, ParkedFilter, "created_at")
    ordering = ("-created_at", "id")
    search_help_text = "E-mail or name, a whole id (refund, payment, person), an acquirer's id, an invoice's number"
    fieldsets = (
        (None, {"fields": (
            telling.state_column(), "why_parked", telling.money_column("money", "Amount"), "reason", "explained",
            telling.link_column("payment.user", "Customer"), telling.link_column("payment", "Payment"),
            telling.link_column("payment.invoice", "Invoice"), telling.link_column("requested_by", "Asked for by"),
            "took_its_place",
        )}),
        ("At the acquirer", {"fields": (
            "acquirer", "acquirer_refund_id", "id", "refused", "checks",
            telling.moment_column("next_check_at", "Asked again"),
        )}),
        ("Times", {"fields": (
            telling.moment_column("created_at", "Asked for"), telling.moment_column("settled_at", "Made"),
            telling.moment_column("updated_at", "Last change"),
        )}),
        ("The acquirer's last answer", {"classes": ("collapse",), "fields": ("answer",)}),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Refund]:
        rows = super().get_queryset(request)
        return rows.select_related("payment", "payment__user", "payment__invoice", "requested_by")

    def sought(self, request: HttpRequest, term: str) -> Q:
        theirs = Q(acquirer_refund_id=term)
        found = as_id(term)
        if found:
            return theirs | Q(pk=found) | Q(payment_id=found) | Q(payment__user_id=found)
        number = as_number(term)
        if number is not None:
            return theirs | Q(payment__invoice_id__in=list(Invoice.objects.filter(number=number).values_list("pk")))
        ours = Q(payment__acquirer__in=registry.names(), payment__acquirer_payment_id=term)
        return theirs | ours | Q(payment__user_id__in=people(request, term))

    @admin.display(description="Acquirer")
    def acquirer(self, row: Refund) -> str:
        return row.payment.acquirer

    @admin.display(description="Explanation")
    def explained(self, row: Refund) -> SafeString:
        return telling.sentences(explanations.refund(row))

    @admin.display(description="Needs a human")
    def why_parked(self, row: Refund) -> SafeString | str:
        return telling.warning(row.parked)

    @admin.display(description="Tried again as")
    def took_its_place(self, row: Refund) -> SafeString | str:
        return telling.link(successor(row))

    @admin.display(description="Refused")
    def refused(self, row: Refund) -> str:
        return telling.refusal(row.decline_message, row.decline_code)

    @admin.display(description="Answer, without secrets")
    def answer(self, row: Refund) -> SafeString:
        return telling.block(row.raw)

    def parked_rows(self, request: HttpRequest) -> tuple[QuerySet[Refund], str]:
        return self.get_queryset(request).exclude(parked=""), "parked"
