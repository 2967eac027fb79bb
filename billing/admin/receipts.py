"""Fiscal receipts, as staff see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from billing import money, receipts
from billing.admin import telling
from billing.admin.deeds import Deed, Done, WithDeeds, note
from billing.admin.lists import ParkedFilter, as_id, people
from billing.models import Receipt


class AskAboutReceipt(Deed):
    slug, label, permission = "check", "Ask the bank now", "billing.check_payment"
    bulk = True

    def applies(self, row: Receipt) -> bool:
        return bool(row.status != Receipt.Status.REGISTERED)

    def tells(self, row: Receipt, at: datetime) -> list[tuple[str, str]]:
        return [
            ("State now", row.get_status_display()),
            ("What happens", f"{row.paid.acquirer} is asked whether the tax office has this receipt. Nothing is sent."),
        ]

    def do(self, row: Receipt, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        note("receipt.asked_about", row, staff=staff, at=at, reason=data["reason"])
        return Done(f"It is {receipts.check(row.pk, at=at).get_status_display().lower()}.")


class RegisteredByHand(Deed):
    slug, label, permission = "by-hand", "Made by hand…", "billing.resolve_case"

    def applies(self, row: Receipt) -> bool:
        return bool(row.status != Receipt.Status.REGISTERED)

    def tells(self, row: Receipt, at: datetime) -> list[tuple[str, str]]:
        return [
            ("The receipt", f"{money.spoken(row.money)} of {row.paid.user.email}"),
            ("What happens", "It counts as registered, and your reason is kept. Say so only when you have made it in "
             "the cash register's own cabinet, or seen it there."),
        ]  # fmt: skip

    def do(self, row: Receipt, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        receipts.registered_by_hand(row.pk, actor=f"user:{staff.pk}", reason=data["reason"], at=at)
        return Done("It is registered; the reason is kept.")


@admin.register(Receipt)
class ReceiptAdmin(WithDeeds):
    deeds = (AskAboutReceipt(), RegisteredByHand())
    list_display = (
        telling.moment_column("created_at", "Time"), telling.money_column("money", "Amount", "amount"),
        telling.state_or_trouble(), telling.link_column("paid.user", "Customer"), "what",
        telling.moment_column("registered_at", "Registered"),
    )  # fmt: skip
    list_filter = ("status", ParkedFilter, "created_at")
    ordering = ("-created_at", "id")
    search_help_text = "E-mail or name, a whole id (receipt, payment, refund, person)"
    fields = (
        telling.state_column(), "why_parked", telling.money_column("money", "Amount"), "lines",
        telling.link_column("paid.user", "Customer"), telling.link_column("payment", "Payment"),
        telling.link_column("refund", "Refund"), "checks", telling.moment_column("next_check_at", "Asked again"),
        telling.moment_column("registered_at", "Registered"), telling.moment_column("created_at", "Sent"), "id",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Receipt]:
        return super().get_queryset(request).select_related("payment__user", "refund__payment__user")

    def sought(self, request: HttpRequest, term: str) -> Q:
        found = as_id(term)
        if found:
            theirs = Q(payment__user_id=found) | Q(refund__payment__user_id=found)
            return theirs | Q(pk=found) | Q(payment_id=found) | Q(refund_id=found)
        whose = people(request, term)
        return Q(payment__user_id__in=whose) | Q(refund__payment__user_id__in=whose)

    @admin.display(description="Of")
    def what(self, row: Receipt) -> str:
        return "A refund" if row.refund_id else "A payment"

    @admin.display(description="Needs a human")
    def why_parked(self, row: Receipt) -> SafeString | str:
        return telling.warning(row.parked)

    @admin.display(description="Lines, as sent")
    def lines(self, row: Receipt) -> SafeString:
        return telling.sentences(
            f"{item['name']}: {item['quantity']} × {money.spoken(money.from_minor(item['amount'], row.currency))}"
            f" in all, VAT {item['vat']}, {item['subject']}, {item['mode']}"
            for item in row.items
        )

    def parked_rows(self, request: HttpRequest) -> tuple[QuerySet[Receipt], str]:
        return self.get_queryset(request).exclude(parked=""), "parked"
