"""The books: accounts and transfers. Nobody edits them, PostgreSQL would refuse it anyway."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from moneyed import Money

from billing import ledger, money, wallets
from billing.admin import telling, timeline
from billing.admin.deeds import Deed, Done, ReasonForm, WithDeeds
from billing.admin.lists import ReadOnly, as_id, people
from billing.models import Account, Transfer

BOOKED = ("payment", "refund")  # what transfers' references begin with


class CloseForm(ReasonForm):
    expected_balance = forms.CharField(max_length=24, widget=forms.HiddenInput)

    def clean_expected_balance(self) -> Money:
        try:
            return money.parse(self.cleaned_data["expected_balance"], self.row.currency)
        except money.BadAmount:
            raise forms.ValidationError("This is not the page that you were shown; look again.") from None


class CloseWallet(Deed):
    slug, label, permission = "close", "Give all of it back…", "billing.close_wallet"
    form, danger, confirm = CloseForm, True, "Give it back to the cards"

    def applies(self, row: Account) -> bool:
        return row.kind == Account.Kind.WALLET and row.balance > 0

    def shown(self, row: Account, at: datetime) -> dict[str, Any]:
        return {"expected_balance": money.plain(ledger.held(row))}

    def tells(self, row: Account, at: datetime) -> list[tuple[str, str]]:
        return [
            ("Customer", str(row.user)),
            ("The wallet holds", money.spoken(ledger.held(row))),
            ("What happens", "All of it goes back to the cards that filled the wallet, the newest top-up first. It "
             "leaves the wallet at once; what a bank refuses comes back into it."),
        ]  # fmt: skip

    def do(self, row: Account, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        assert row.user_id is not None
        made = wallets.close(
            row.user_id,
            row.currency,
            actor=f"user:{staff.pk}",
            at=at,
            reason=data["reason"],
            expected_balance=data["expected_balance"],
            requested_by=staff.pk,
        )
        return Done(f"{money.spoken(data['expected_balance'])} goes back by {len(made)} refunds.")


@admin.register(Account)
class AccountAdmin(WithDeeds):
    deeds = (CloseWallet(),)
    list_display = ("code", "kind", "currency", telling.link_column("user", "Customer"), "money_wallet")
    list_filter = ("kind",)
    list_select_related = ("user",)
    ordering = ("code",)
    search_help_text = "A whole code (cash:sandbox:RUB), e-mail or name, a person's whole id"
    fields = (
        "code", "kind", "currency", telling.link_column("user", "Customer"), "money_balance", "transfers",
        telling.moment_column("created_at", "Opened"),
    )  # fmt: skip

    def sought(self, request: HttpRequest, term: str) -> Q:
        found = as_id(term)
        return Q(user_id=found) if found else Q(code=term) | Q(user_id__in=people(request, term))

    @admin.display(description="Wallet")
    def money_wallet(self, row: Account) -> str:
        """Customers' accounts keep their balance; the house's would each be a sum over all their transfers."""
        if row.kind != Account.Kind.WALLET:
            return telling.NOTHING
        return money.spoken(money.from_minor(row.balance, row.currency))

    @admin.display(description="Balance")
    def money_balance(self, row: Account) -> str:
        return f"{money.spoken(ledger.balance(row))}, the sum of its transfers"

    @admin.display(description="Transfers")
    def transfers(self, row: Account) -> SafeString:
        return format_html('<a href="{}">The latest transfers →</a>', telling.listed(Transfer, row.code))


@admin.register(Transfer)
class TransferAdmin(ReadOnly):
    list_display = (
        telling.moment_column("at", "When"),
        telling.link_column("debit", "To (debit)"),
        telling.link_column("credit", "From (credit)"),
        telling.money_column("money", "Amount", "amount"),
        "description",
        "for_what",
    )
    list_filter = ("at",)
    list_select_related = ("debit", "credit")
    ordering = ("-id",)
    search_help_text = "A whole reference (payment:…), the whole id of a payment or refund, an account's whole code"
    fields = (
        "id", telling.link_column("debit", "To (debit)"), telling.link_column("credit", "From (credit)"),
        telling.money_column("money", "Amount"), "description", "for_what", "reference",
        telling.moment_column("at", "Moved"), telling.moment_column("booked_at", "Booked"),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transfer]:
        return super().get_queryset(request).select_related("debit", "credit")

    def sought(self, request: HttpRequest, term: str) -> Q:
        found = as_id(term)
        if found:
            return Q(reference__in=[f"{noun}:{found}" for noun in BOOKED])
        accounts = list(Account.objects.filter(code=term).values_list("pk", flat=True))
        return Q(reference=term) | Q(debit_id__in=accounts) | Q(credit_id__in=accounts)

    @admin.display(description="For")
    def for_what(self, row: Transfer) -> SafeString | str:
        noun, _, rest = row.reference.partition(":")
        found: Any = as_id(rest) if noun in BOOKED else None
        if found is None:
            return row.reference
        return format_html('<a href="{}">{}</a>', timeline.subject_address(noun, found), noun)
