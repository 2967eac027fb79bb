"""Prices: put right while nobody has them, frozen from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from billing import money
from billing.admin import telling
from billing.errors import Refused
from subscriptions import prices
from subscriptions.models import Plan, Price

if TYPE_CHECKING:
    StockForm = forms.ModelForm[Price]
    StockAdmin = admin.ModelAdmin[Price]
else:
    StockForm, StockAdmin = forms.ModelForm, admin.ModelAdmin


class PriceForm(StockForm):
    """A price, typed as people write sums."""

    sum = forms.CharField(label="Price of the whole term, or of an hour", max_length=24, help_text="Such as 2699.00")

    class Meta:
        model = Price
        fields = ("currency", "starts_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "sum" in self.fields:
            self.initial["sum"] = money.plain(self.instance.money)

    def clean_currency(self) -> str:
        code = str(self.cleaned_data["currency"]).upper()
        try:
            money.currency(code)
        except money.BadAmount as error:
            raise forms.ValidationError(str(error)) from None
        return code

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("sum") and data.get("currency"):
            try:
                self.instance.amount = money.to_minor(money.parse(data["sum"].strip(), data["currency"]))
            except money.BadAmount as error:
                self.add_error("sum", f"{str(error).capitalize()}.")
            else:
                if self.instance.amount <= 0:
                    self.add_error("sum", "A price is above zero.")
        self._stands_well(data)
        return data

    def _stands_well(self, data: dict[str, Any]) -> None:
        """Frozen where it is used; one from each moment; none from before one that counts."""
        if self.instance.pk:
            held = Price.objects.select_for_update().filter(pk=self.instance.pk).first()  # to the end of the request
            if held is None or prices.used(held):
                self.add_error(None, prices.FROZEN)
        plan = Plan.objects.filter(pk=self.instance.plan_id).first()
        if plan and data.get("starts_at") and data.get("currency"):
            try:
                prices.check_start(
                    plan, data["currency"], data["starts_at"], at=timezone.now(), besides=self.instance.pk
                )
            except Refused as refusal:
                self.add_error("starts_at", refusal.detail)


@admin.register(Price)
class PriceAdmin(StockAdmin):
    """A new one is set on its plan's page."""

    form = PriceForm
    list_display = ("told", telling.link_column("plan", "Plan"), "currency", telling.moment_column("starts_at", "From"))
    list_filter = ("plan", "currency")
    list_select_related = ("plan",)
    ordering = ("plan", "currency", "-starts_at")
    show_facets = admin.ShowFacets.NEVER
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Price]:
        return super().get_queryset(request).select_related("plan")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Price | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or not prices.used(obj))

    def has_delete_permission(self, request: HttpRequest, obj: Price | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or not prices.used(obj))

    def get_fields(self, request: HttpRequest, obj: Price | None = None) -> Any:
        if obj and prices.used(obj):
            return ("plan", "told", telling.moment_column("starts_at", "From"), "frozen")
        return ("plan", "sum", "currency", "starts_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Price | None = None) -> Any:
        used = obj is not None and prices.used(obj)
        return self.get_fields(request, obj) if used else ("plan",)

    @admin.display(description="Price", ordering="amount")
    def told(self, row: Price) -> str:
        return money.spoken(row.money)

    @admin.display(description="Frozen")
    def frozen(self, row: Price) -> str:
        return prices.FROZEN
