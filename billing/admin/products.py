"""Products: what is sold once. What was bought keeps its price; a product is taken off sale, never deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from billing import money
from billing.admin import telling
from billing.models import InvoiceLine, Product

if TYPE_CHECKING:
    StockForm = forms.ModelForm[Product]
    StockAdmin = admin.ModelAdmin[Product]
else:
    StockForm, StockAdmin = forms.ModelForm, admin.ModelAdmin


class ProductForm(StockForm):
    """A product with its price typed as people write sums."""

    sum = forms.CharField(label="Price of one", max_length=24, help_text="Such as 149.00")

    class Meta:
        model = Product
        fields = ("name", "code", "description", "currency", "days", "on_sale")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["sum"] = money.plain(self.instance.money)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        try:
            self.instance.price = money.to_minor(
                money.parse(str(data.get("sum", "")).strip(), data.get("currency", ""))
            )
        except money.BadAmount as error:
            self.add_error("sum", f"{str(error).capitalize()}.")
        return data


@admin.register(Product)
class ProductAdmin(StockAdmin):
    form = ProductForm
    list_display = ("name", "code", telling.money_column("money", "Price of one", "price"), "days", "on_sale")
    list_filter = ("on_sale",)
    search_fields = ("name", "code")

    def has_delete_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Product | None = None) -> tuple[str, ...]:
        sold = obj is not None and InvoiceLine.objects.filter(product=f"product:{obj.code}").exists()
        return ("code", "days") if sold else ()
