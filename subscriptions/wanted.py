"""What somebody asks for, and whether a checkout that waits, or waited, is for that."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from moneyed import Money

from billing.errors import Conflict
from billing.models import Event
from subscriptions import offers, redemptions
from subscriptions.models import Subscription


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody asks for. `expected_total` is the figure that was shown; `return_url` may hold "{payment}".

    `auto_renew` is the consent to be charged for each next term, by the card that pays the first and is saved for that.
    """

    plan: str | int
    acquirer: str = ""
    return_url: str = ""
    save_card: bool = False
    auto_renew: bool = False
    expected_total: Money | None = None
    request_key: str | None = None
    promo_code: str = ""


def agreed(waiting: Subscription, order: Order, at: datetime) -> Subscription:
    """A checkout that is sent again renews as its newest form says."""
    if waiting.auto_renew != order.auto_renew:
        waiting.auto_renew, waiting.renewal_consent_at = order.auto_renew, at if order.auto_renew else None
        waiting.save(update_fields=["auto_renew", "renewal_consent_at", "updated_at"])
    return waiting


def is_for(waiting: Subscription, offer: offers.Offer) -> bool:
    """Whether a waiting subscription is for this price, and its term and its invoice those of now."""
    period = waiting.periods.select_related("invoice").get(number=1)
    code = redemptions.code_of(period.invoice_id) if period.invoice_id else ""
    waits_for = (waiting.price_id, period.months, period.paid, code)
    return waits_for == (offer.price.pk, offer.plan.months, offer.quote.total, offer.quote.promo_code)


def same(earlier: Subscription, offer: offers.Offer, order: Order, at: datetime) -> Subscription:
    """The subscription that a request key began; nobody pays a figure that this request did not show."""
    figure = earlier.periods.select_related("invoice").get(number=1).paid
    if earlier.plan_id != offer.plan.pk or order.expected_total not in (None, figure):
        raise Conflict("This request key was used for another order.", "request_key_reused")
    return agreed(earlier, order, at) if earlier.status == Subscription.Status.PENDING else earlier


def done(request_key: str | None, user_id: uuid.UUID, *kinds: str) -> Subscription | None:
    """What a request with this key has made of a customer's subscription, as an event of these kinds tells."""
    told = Event.objects.filter(user_id=user_id, kind__in=kinds, data__key=request_key) if request_key else None
    event = told.first() if told is not None else None
    return Subscription.objects.get(pk=event.subject_id) if event else None
