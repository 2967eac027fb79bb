"""Plans and prices: what marketing edits. A price that stands is never changed; a new one begins at a date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from billing import money
from billing.admin import telling
from billing.admin.lists import ReadOnlyInline, StockInline
from subscriptions import offers
from subscriptions.admin.prices import PriceForm
from subscriptions.models import Plan, Price

if TYPE_CHECKING:
    StockAdmin = admin.ModelAdmin[Plan]
else:
    StockAdmin = admin.ModelAdmin

SALE = "For new customers only: whoever has the plan keeps it, and goes on renewing it."
SOLD = ("code", "hourly", "months", "time_zone")  # what people have bought already is not changed under them


class NewPrices(StockInline):
    """The form of a new price; those that stand are not in it."""

    model = Price
    form = PriceForm
    extra = 0
    can_delete = False
    fields = ("sum", "currency", "starts_at")
    verbose_name_plural = "New price"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Price]:
        return super().get_queryset(request).none()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class StandingPrices(ReadOnlyInline):
    """The prices of a plan as they were set."""

    model = Price
    ordering = ("currency", "-starts_at")
    fields = ("told", telling.moment_column("starts_at", "From"))
    verbose_name_plural = "Prices so far"

    @admin.display(description="Price of the whole term")
    def told(self, row: Price) -> SafeString | str:
        return telling.link(row, money.spoken(row.money))


@admin.register(Plan)
class PlanAdmin(StockAdmin):
    list_display = (
        "name",
        "code",
        "months",
        "price_now",
        "refund_policy",
        "grace_days",
        "on_sale",
        "hidden",
        "archived",
        "position",
        "sold",
    )
    list_filter = ("archived", "on_sale", "hidden", "refund_policy")
    search_fields = ("name", "code")
    ordering = ("position", "months", "code")
    inlines = (StandingPrices, NewPrices)
    fieldsets = (
        (None, {"fields": ("name", "code", "description", "hourly", "months", "position")}),
        ("Sale", {"fields": ("on_sale", "hidden", "archived", "sale_from", "sale_until"), "description": SALE}),
        ("Rules", {
            "fields": (
                "refund_policy", "grace_days", "renewal_lead_hours", "reminder_days",
                "trial_days", "customers_may_pause", "roles", "time_zone",
            ),
            "description": "They count at once for everybody who has this plan, also for those who bought it before.",
        }),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Plan]:
        return super().get_queryset(request).annotate(subscriptions_sold=Count("subscriptions"))

    def has_delete_permission(self, request: HttpRequest, obj: Plan | None = None) -> bool:
        return False  # taken off sale instead: those who have it keep it

    def get_readonly_fields(self, request: HttpRequest, obj: Plan | None = None) -> tuple[str, ...]:
        return SOLD if obj and obj.subscriptions.exists() else ()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        self._now = {offer.plan.pk: offer.price.money for offer in offers.on_sale(at=timezone.now())}
        return super().changelist_view(request, extra_context)

    @admin.display(description="Price now")
    def price_now(self, row: Plan) -> str:
        return money.spoken(self._now[row.pk]) if row.pk in self._now else telling.NOTHING

    @admin.display(description="Sold", ordering="subscriptions_sold")
    def sold(self, row: Any) -> int:
        return int(row.subscriptions_sold)
