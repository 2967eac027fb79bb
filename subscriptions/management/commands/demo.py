"""`manage.py demo`: plans and people to try the product with. Running it again changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from billing.models import Product
from subscriptions.models import Plan, Price, PromoCode

PLANS = (  # code, name, months, kopecks, description
    ("month", "Monthly", 1, 29_900, "Every film, for a month at a time."),
    ("quarter", "Quarterly", 3, 79_900, "A season of films."),
    ("half-year", "Half-yearly", 6, 149_900, "From the first snow to the last."),
    ("year", "Yearly", 12, 269_900, "All year, at the best price."),
)
TRIAL = 7  # days of the monthly plan, for nothing
HOURLY = ("hour", "By the hour", 700, "Pay from your wallet for what you watch, to the minute.")
PEOPLE = (("admin@example.com", "admin", "Ada Admin"), ("viewer@example.com", "viewer", "Vera Viewer"))


class Command(BaseCommand):
    help = "Loads plans for months and hours (RUB), a promo code and demo people. Running it again changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("demo people have well-known passwords: only with DEBUG on")
        for position, (code, name, months, kopecks, description) in enumerate(PLANS):
            plan, _ = Plan.objects.get_or_create(
                code=code,
                defaults={
                    "name": name,
                    "months": months,
                    "description": description,
                    "position": position,
                    "trial_days": TRIAL if code == "month" else 0,
                    "customers_may_pause": True,
                },
            )
            if not plan.prices.exists():
                Price.objects.create(plan=plan, amount=kopecks, starts_at=datetime(2026, 1, 1, tzinfo=UTC))
        self._extras()
        for email, password, name in PEOPLE:
            if not User.objects.filter(email=email).exists():
                create = User.objects.create_superuser if email.startswith("admin") else User.objects.create_user
                create(email, password, name=name, email_confirmed_at=datetime.now(UTC))
        self.stdout.write("Demo plans and people are there.")

    def _extras(self) -> None:
        """A tariff by the hour, a promo code and something to order."""
        begun = datetime(2026, 1, 1, tzinfo=UTC)
        code, name, kopecks, description = HOURLY
        tariff, new = Plan.objects.get_or_create(
            code=code,
            defaults={"name": name, "months": 0, "hourly": True, "description": description, "position": 9},
        )
        if new:
            Price.objects.create(plan=tariff, amount=kopecks, starts_at=begun)
        if not PromoCode.objects.filter(code__iexact="spring").exists():
            PromoCode.objects.create(code="SPRING", percent=15, valid_from=begun)
        Product.objects.get_or_create(code="poster", defaults={"name": "Poster", "price": 49_900})
