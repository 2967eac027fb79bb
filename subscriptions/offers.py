"""What is on sale, at what price."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing.errors import NotFound
from subscriptions import pricing
from subscriptions.models import Plan, Price, Subscription


@dataclass(frozen=True, slots=True)
class Offer:
    """A plan on sale with the price of now."""

    plan: Plan
    price: Price
    saving: pricing.Saving | None

    @property
    def quote(self) -> pricing.Quote:
        return pricing.quote(self.plan.name, self.plan.months, self.price.money)


def on_sale(*, at: datetime, currency: str = "RUB") -> list[Offer]:
    """Every plan on sale at `at`, in the page's order."""
    prices = _prices(at, currency)
    monthly = min((prices[plan.pk].money for plan in _plans() if plan.months == 1 and plan.pk in prices), default=None)
    return [
        Offer(plan, prices[plan.pk], pricing.saving(prices[plan.pk].money, plan.months, monthly))
        for plan in _plans()
        if plan.pk in prices
    ]


def find(plan: str | int, *, at: datetime, currency: str = "RUB") -> Offer:
    """The offer of a plan, by its code or else its id. Raises NotFound `plan_not_found`, also for one off sale."""
    offered = on_sale(at=at, currency=currency)
    for offer in offered:
        if offer.plan.code == plan:
            return offer
    for offer in offered:
        if str(offer.plan.pk) == str(plan):
            return offer
    raise NotFound("There is no such plan on sale.", "plan_not_found")


def tariffs(*, at: datetime, currency: str = "RUB") -> list[Offer]:
    """Every tariff by the hour on sale at `at`; the price is for an hour. One without a price is not offered."""
    prices = _prices(at, currency)
    plans = Plan.objects.filter(on_sale=True, hourly=True)
    return [Offer(plan, prices[plan.pk], None) for plan in plans if plan.pk in prices]


def tariff(plan: str | int, *, at: datetime, currency: str = "RUB") -> Offer:
    """The tariff by the hour of a plan, by its code or id. Raises NotFound `plan_not_found`."""
    for offer in tariffs(at=at, currency=currency):
        if plan == offer.plan.code or str(plan) == str(offer.plan.pk):
            return offer
    raise NotFound("There is no such tariff on sale.", "plan_not_found")


def renewal(subscription: Subscription, *, at: datetime) -> Offer:
    """The offer of a running subscription's next term: the plan chosen for it, else its own at the price it keeps."""
    if subscription.next_plan is not None and subscription.next_price is not None:
        return Offer(subscription.next_plan, subscription.next_price, None)
    return Offer(subscription.plan, subscription.price, None)


def _plans() -> list[Plan]:
    return list(Plan.objects.filter(on_sale=True, hourly=False))


def _prices(at: datetime, currency: str) -> dict[int, Price]:
    """The newest price that has begun, of each plan."""
    started = Price.objects.filter(starts_at__lte=at, currency=currency)
    return {price.plan_id: price for price in started.order_by("plan_id", "-starts_at").distinct("plan_id")}
