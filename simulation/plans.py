"""What is on sale in a simulation: the demo's plans, or a copy of the product's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from billing.models import Product
from simulation.errors import Unfit
from subscriptions.management.commands.demo import PLANS
from subscriptions.models import Plan, Price, PromoCode, TermDiscount

Row = dict[str, Any]
TARIFFS = (("hour", "By the hour", 700), ("hour-plus", "By the hour, plus", 1_999))
REAL, DEMO = "real", "demo"
LEAD = 10 * 24  # hours; of the shortest term: what was chosen for the next one is paid before it begins


def read(kind: str) -> list[tuple[Row, list[Row]]]:
    """The plans and their prices. The real ones come from the product's database. Raises Unfit when it has none."""
    if kind == DEMO:
        begun = datetime(2026, 1, 1, tzinfo=UTC)
        hourly = [
            (
                {"code": code, "name": name, "months": 0, "hourly": True, "position": 9},
                [{"amount": kopecks, "currency": "RUB", "starts_at": begun}],
            )
            for code, name, kopecks in TARIFFS
        ]
        return hourly + [
            (
                {"code": code, "name": name, "months": months, "description": text, "position": position}
                | {"trial_days": 7, "customers_may_pause": True, "renewal_lead_hours": LEAD if months == 1 else 0},
                [{"amount": kopecks, "currency": "RUB", "starts_at": begun}],
            )
            for position, (code, name, months, kopecks, text) in enumerate(PLANS)
        ]
    found = []
    for plan in Plan.objects.filter(on_sale=True):
        fields = {
            field.name: getattr(plan, field.name) for field in Plan._meta.concrete_fields if not field.primary_key
        }
        prices = plan.prices.filter(currency="RUB").order_by("starts_at")
        found.append((fields, [dict(price) for price in prices.values("amount", "currency", "starts_at")]))
    if not any(prices for _, prices in found):
        raise Unfit("No plan with a price in RUB is on sale in this database. Add one, or use --plans demo.")
    return found


def write(plans: list[tuple[Row, list[Row]]]) -> list[str]:
    """Puts plans, discounts and something to order into the database. Returns the codes of the terms on sale."""
    for fields, prices in plans:
        plan = Plan.objects.create(**fields)
        Price.objects.bulk_create(Price(plan=plan, **price) for price in prices)
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    TermDiscount.objects.create(months=6, percent=7)
    PromoCode.objects.bulk_create(
        PromoCode(valid_from=begun, **fields)
        for fields in (
            {"code": "SPRING", "percent": 15, "total_limit": 3},
            {"code": "ALWAYS", "percent": 33, "every_term": True, "per_user_limit": 1},
            {"code": "FREE", "percent": 100, "total_limit": 2},
            {"code": "LESS", "amount": 10_001, "currency": "RUB", "per_user_limit": 2},
        )
    )
    Product.objects.create(code="poster", name="Poster", price=49_900)
    return [fields["code"] for fields, prices in plans if prices and not fields.get("hourly")]
