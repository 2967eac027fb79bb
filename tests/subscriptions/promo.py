"""Discounts and promo codes for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from accounts.models import User
from billing.errors import Refused
from subscriptions import lifecycle
from subscriptions.models import PersonalDiscount, PromoCode, Redemption, TermDiscount
from tests.subscriptions.terms import chosen
from tests.things import viewer

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def promo(code: str = "SPRING", percent: int | None = 10, **more: Any) -> PromoCode:
    """A code that is valid since long ago; `plans` are those that it is for."""
    plans = more.pop("plans", ())
    made = PromoCode.objects.create(code=code, percent=percent, valid_from=more.pop("valid_from", LONG_AGO), **more)
    made.plans.set(plans)
    return made


def off(code: str, kopecks: int, **more: Any) -> PromoCode:
    """A code for an amount."""
    return promo(code, None, amount=kopecks, currency=more.pop("currency", "RUB"), **more)


def personal(user: User, percent: int, **more: Any) -> PersonalDiscount:
    valid_from = more.pop("valid_from", LONG_AGO)
    return PersonalDiscount.objects.create(user=user, percent=percent, valid_from=valid_from, **more)


def for_months(months: int, percent: int) -> TermDiscount:
    return TermDiscount.objects.create(months=months, percent=percent)


def refusal(code: str, moment: datetime, user: User | None = None, plan: str = "month") -> str:
    """The code of the refusal that somebody gets who subscribes with a promo code; empty where they do not."""
    try:
        chosen(plan, moment, user or viewer(), promo_code=code)
    except Refused as refused:
        return refused.code
    return ""


def states(code: str = "SPRING") -> list[str]:
    """What became of the redemptions of a code, oldest first."""
    rows = Redemption.objects.filter(promo_code__code=code).order_by("pk")
    assert PromoCode.objects.get(code=code).taken == sum(not row.renews and row.state != "released" for row in rows)
    return [row.state for row in rows]


def total_of(begun: lifecycle.Subscribed) -> str:
    return str(begun.invoice.money.amount)
