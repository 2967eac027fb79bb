"""Prices: a new one begins at a date; one that is used stays as it is for good (a trigger guards that)."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q
from moneyed import Money

from billing import money
from billing.errors import Conflict, Invalid
from subscriptions.models import Period, Plan, Price, PriceMove, Subscription

FROZEN = (
    "This price is used, so it stays as it is for good. Set a new price with a date from which it counts; to have "
    "those who have this one pay another, move them."
)


def used(price: Price) -> bool:
    """Whether somebody has this price, had it, or was told of it: then it never changes."""
    if (
        Subscription.objects.filter(Q(price=price) | Q(next_price=price)).exists()
        or Period.objects.filter(price=price).exists()
    ):
        return True
    told = PriceMove.objects.exclude(status=PriceMove.Status.DRAFT)
    return told.filter(Q(to_price=price) | Q(from_price=price)).exists()


def check_start(plan: Plan, currency: str, starts_at: datetime, *, at: datetime, besides: int | None = None) -> None:
    """Raises Conflict `price_exists` for a second price from one moment, Invalid `price_never_counts` for one from
    before a price that counts already at `at`. `besides`: the id of the price that is being changed.
    """
    others = Price.objects.filter(plan=plan, currency=currency)
    if besides is not None:
        others = others.exclude(pk=besides)
    if others.filter(starts_at=starts_at).exists():
        raise Conflict("This plan has a price in this currency from that very moment already.", "price_exists")
    later = others.filter(starts_at__gt=starts_at, starts_at__lte=at).order_by("-starts_at").first()
    if later is not None:
        since = f"{later.starts_at.astimezone(plan.zone):%d.%m.%Y %H:%M}"
        raise Invalid(
            f"{money.spoken(later.money)} counts since {since}, so a price from before that would never count. "
            "Let it begin later.",
            "price_never_counts",
        )


def add(plan: Plan, price: Money, *, starts_at: datetime, at: datetime) -> Price:
    """Sets what a plan costs new subscribers from `starts_at` on, which may be in the future. Nobody is moved to it.

    Raises Invalid `bad_amount` and what `check_start` does.
    """
    if price.amount <= 0:
        raise Invalid("A price is above zero.", "bad_amount")
    check_start(plan, price.currency.code, starts_at, at=at)
    try:
        with transaction.atomic():
            return Price.objects.create(
                plan=plan, amount=money.to_minor(price), currency=price.currency.code, starts_at=starts_at
            )
    except IntegrityError:
        raise Conflict("This plan has a price from that very moment already.", "price_exists") from None
