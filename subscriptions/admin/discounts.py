"""Discounts and promo codes: what marketing makes. Nothing of payments is shown, only how often a code is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from accounts.models import User
from billing import money
from billing.admin import telling
from billing.admin.lists import ReadOnly, as_id, people
from subscriptions.models import PersonalDiscount, PromoCode, Redemption, TermDiscount

if TYPE_CHECKING:
    PersonalForm = forms.ModelForm[PersonalDiscount]
    CodeForm = forms.ModelForm[PromoCode]
    PersonalStock = admin.ModelAdmin[PersonalDiscount]
    TermStock = admin.ModelAdmin[TermDiscount]
    CodeStock = admin.ModelAdmin[PromoCode]
else:
    PersonalForm = CodeForm = forms.ModelForm
    PersonalStock = TermStock = CodeStock = admin.ModelAdmin


class PersonalDiscountForm(PersonalForm):
    """Whose it is, is typed: a list of all customers would be long, and is not for everybody's eyes."""

    email = forms.EmailField(label="E-mail of the customer")

    class Meta:
        model = PersonalDiscount
        fields = ("percent", "valid_from", "valid_until", "note")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "email" in self.fields:
            self.initial["email"] = self.instance.user.email

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"])
        user = User.objects.filter(email__iexact=email).first()
        if user is None:
            raise forms.ValidationError("There is no customer with this e-mail address.")
        self.instance.user = user
        return email


@admin.register(PersonalDiscount)
class PersonalDiscountAdmin(PersonalStock):
    form = PersonalDiscountForm
    fields = ("email", "percent", "valid_from", "valid_until", "note")
    list_display = (
        "user",
        "percent",
        telling.moment_column("valid_from", "From"),
        telling.moment_column("valid_until", "Until"),
        "note",
    )
    list_select_related = ("user",)
    search_fields = ("user__email", "user__name", "note")


@admin.register(TermDiscount)
class TermDiscountAdmin(TermStock):
    list_display = ("months", "percent")


class PromoCodeForm(CodeForm):
    """A code, its sum typed as people write sums."""

    sum = forms.CharField(
        required=False, label="Amount off", max_length=24, help_text="Such as 100.00; or else a percent."
    )

    class Meta:
        model = PromoCode
        fields = (
            "code", "percent", "currency", "valid_from", "valid_until", "total_limit", "per_user_limit", "plans",
            "every_term", "is_on",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.amount_money is not None:
            self.initial["sum"] = money.plain(self.instance.amount_money)

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).upper()

    def clean(self) -> dict[str, Any]:
        """What the database says too: of fields that are not in the form, Django asks no constraint."""
        data = super().clean() or self.cleaned_data
        limit = data.get("total_limit")
        if limit is not None and limit < self.instance.taken:
            self.add_error("total_limit", "It has been used more often than that already.")
        if "sum" in self.fields:
            self._worth(data)
        return data

    def _worth(self, data: dict[str, Any]) -> None:
        typed = str(data.get("sum") or "").strip()
        data["currency"] = (data.get("currency") or "RUB") if typed else ""
        self.instance.amount = None
        if typed:
            try:
                self.instance.amount = money.to_minor(money.parse(typed, data["currency"]))
            except money.BadAmount as error:
                self.add_error("sum", f"{str(error).capitalize()}.")
        amount = self.instance.amount
        one_of_two = (amount is None) != (data.get("percent") is None)
        if not self.errors and not (one_of_two and (amount is None or amount > 0)):
            self.add_error(None, "A code takes off a percent, or an amount above zero with its currency.")


@admin.register(PromoCode)
class PromoCodeAdmin(CodeStock):
    form = PromoCodeForm
    filter_horizontal = ("plans",)
    list_display = (
        "code",
        "worth",
        telling.moment_column("valid_from", "From"),
        telling.moment_column("valid_until", "Until"),
        "is_on",
        "every_term",
        "taken",
        "total_limit",
        "per_user_limit",
    )
    list_filter = ("is_on", "every_term")
    search_fields = ("code",)
    fieldsets = (
        (None, {"fields": ("code", "percent", "sum", "currency")}),
        ("Who and when", {
            "fields": ("valid_from", "valid_until", "total_limit", "per_user_limit", "plans", "every_term", "is_on"),
            "description": "A code and a customer's other discounts are not added up: what saves more is applied.",
        }),
    )  # fmt: skip

    def has_delete_permission(self, request: HttpRequest, obj: PromoCode | None = None) -> bool:
        used = obj is not None and obj.redemptions.exists()  # it is switched off instead
        return not used and super().has_delete_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: PromoCode | None = None) -> tuple[str, ...]:
        if obj is None or not obj.redemptions.exists():
            return ()
        return ("code", "percent", "sum", "currency")

    @admin.display(description="Amount off")
    def sum(self, row: PromoCode) -> str:
        return money.spoken(row.amount_money) if row.amount_money is not None else telling.NOTHING


@admin.register(Redemption)
class RedemptionAdmin(ReadOnly):
    """What became of each use of a code, for support."""

    list_display = (
        "promo_code",
        telling.link_column("user", "Customer"),
        telling.link_column("invoice", "Invoice"),
        "state",
        telling.moment_column("reserved_at", "Reserved"),
        telling.moment_column("used_at", "Used"),
        telling.moment_column("released_at", "Released"),
    )
    list_select_related = ("promo_code", "user", "invoice")
    fields = (
        "promo_code",
        telling.link_column("user", "Customer"),
        telling.link_column("invoice", "Invoice"),
        "state",
        "renews",
        telling.moment_column("reserved_at", "Reserved"),
        telling.moment_column("used_at", "Used"),
        telling.moment_column("released_at", "Released"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Redemption]:
        return super().get_queryset(request).order_by("-reserved_at", "-id")

    def sought(self, request: HttpRequest, term: str) -> Q:
        found = as_id(term)
        if found is not None:
            return Q(invoice_id=found) | Q(user_id=found)
        return Q(promo_code__code__iexact=term) | Q(user__in=people(request, term))
