"""What is on sale, at what price."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Q

from billing import invoices
from billing.errors import NotFound
from subscriptions import discounts, pricing, quotes
from subscriptions.models import Plan, Price, Subscription


@dataclass(frozen=True, slots=True)
class Offer:
    """A plan on sale with the price of now, and what takes something off it for whoever asks."""

    plan: Plan
    price: Price
    saving: pricing.Saving | None
    discounts: quotes.Discounts = quotes.NO_DISCOUNTS

    @property
    def quote(self) -> quotes.Quote:
        return quotes.quote(self.plan.name, self.plan.months, self.price.money, self.discounts)

    def line(self, note: str = "") -> invoices.Line:
        """The line of the invoice for it, with what the discounts take off."""
        quote = self.quote
        return invoices.Line(
            f"plan:{self.plan.code}", quote.line + note, quote.list_price, discount=quote.saved if quote.saved else None
        )


def on_sale(*, at: datetime, currency: str = "RUB", user_id: uuid.UUID | None = None) -> list[Offer]:
    """Every plan on sale at `at`, in the page's order, with the discounts that this person has without any code; also
    the hidden ones, which `listed` leaves out.
    """
    prices = _prices(at, currency)
    book = discounts.standing([user_id] if user_id else [], at=at)
    plans = [plan for plan in _plans() if plan.pk in prices]
    monthly = min((prices[plan.pk].money for plan in plans if plan.months == 1 and not plan.hidden), default=None)
    return [
        Offer(
            plan,
            prices[plan.pk],
            pricing.saving(prices[plan.pk].money, plan.months, monthly),
            book.standing(user_id, plan.months),
        )
        for plan in plans
    ]


def listed(offered: list[Offer]) -> list[Offer]:
    """Those that are shown to everybody: whoever knows the code of a hidden one can buy that too."""
    return [offer for offer in offered if not offer.plan.hidden]


def find(
    plan: str | int, *, at: datetime, currency: str = "RUB", user_id: uuid.UUID | None = None, promo_code: str = ""
) -> Offer:
    """The offer of a plan, by its code or else its id, with the discounts of this person and of the code.

    Raises NotFound `plan_not_found`, also for one off sale, and as `discounts.usable` does.
    """
    offer = _named(plan, on_sale(at=at, currency=currency, user_id=user_id))
    if not promo_code.strip():
        return offer
    promo = discounts.usable(promo_code, offer.plan, offer.price, user_id=user_id, at=at)
    return replace(offer, discounts=replace(offer.discounts, promo=promo))


def _named(plan: str | int, offered: list[Offer]) -> Offer:
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


def renewal(subscription: Subscription, *, at: datetime, book: discounts.Book | None = None) -> Offer:
    """The offer of a running subscription's next term: the plan chosen for it, else its own at the price it keeps;
    with the discounts of then. For many at once, `book` holds what `discounts.of_renewals` found for all of them.
    """
    plan, price = subscription.plan, subscription.price
    if subscription.next_plan is not None and subscription.next_price is not None:
        plan, price = subscription.next_plan, subscription.next_price
    book = book or discounts.of_renewals([subscription], at=at)
    promo = discounts.kept(book, subscription, plan, price)
    return Offer(plan, price, None, book.standing(subscription.user_id, plan.months, promo))


def _plans() -> list[Plan]:
    return list(Plan.objects.filter(on_sale=True, hourly=False))


def _prices(at: datetime, currency: str) -> dict[int, Price]:
    """The newest price that has begun, of each plan that is sold at `at`: not archived, and in the time of its sale."""
    begun = Q(plan__sale_from__isnull=True) | Q(plan__sale_from__lte=at)
    goes_on = Q(plan__sale_until__isnull=True) | Q(plan__sale_until__gt=at)
    started = Price.objects.filter(begun & goes_on, starts_at__lte=at, currency=currency, plan__archived=False)
    return {price.plan_id: price for price in started.order_by("plan_id", "-starts_at").distinct("plan_id")}
