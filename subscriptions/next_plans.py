"""Another plan from the next term on; the running one stays as it is, also when the next is paid before it begins."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import transaction
from moneyed import Money

from billing import events, money, sweeps
from billing.errors import Conflict
from subscriptions import lifecycle, switching, terms
from subscriptions.models import Subscription


def plan_next(
    subscription_id: uuid.UUID,
    plan: str | int,
    *,
    actor: str,
    at: datetime,
    reason: str = "",
    expected_price: Money | None = None,
) -> Subscription:
    """Sets the plan and price of the next term; the running one stays as it is. The second time changes nothing.

    Raises NotFound `subscription_not_found`, `plan_not_found`; Conflict `not_running`, `same_plan`, `stale_total`,
    `renewal_in_progress`, `next_term_paid`.
    """
    with transaction.atomic():
        subscription = lifecycle.lock(subscription_id)
        terms.begin_plan(subscription, at=at)
        switching.running(subscription, at)
        _check_unpaid(subscription)
        offer = switching.other(subscription, plan, at=at)
        price = offer.quote.total
        _check_price(expected_price, price)
        if (subscription.next_plan_id, subscription.next_price_id) == (offer.plan.pk, offer.price.pk):
            return subscription
        _bill_anew(subscription, actor=actor, at=at)
        subscription.next_plan, subscription.next_price = offer.plan, offer.price
        subscription.save(update_fields=["next_plan", "next_price", "updated_at"])
        events.emit(
            "subscription.change_planned",
            subscription,
            actor=actor,
            at=at,
            reason=reason,
            data=terms.told(subscription)
            | {"next_plan": offer.plan.name, "price": money.plain(price), "next_price": money.spoken(price)},
        )
    return subscription


def keep_plan(
    subscription_id: uuid.UUID, *, actor: str, at: datetime, reason: str = "", expected_price: Money | None = None
) -> Subscription:
    """Withdraws the plan of the next term: the one of now goes on at its price, which `expected_price` says was shown.

    Raises NotFound; Conflict `no_change_planned`, `stale_total`; while the next term is charged `renewal_in_progress`,
    and when it is paid `next_term_paid`.
    """
    with transaction.atomic():
        subscription = lifecycle.lock(subscription_id)
        terms.begin_plan(subscription, at=at)
        if subscription.next_plan is None:
            raise Conflict("No other plan was chosen for the next term.", "no_change_planned")
        _check_unpaid(subscription)
        _check_price(expected_price, subscription.price.money)
        _bill_anew(subscription, actor=actor, at=at)
        terms.drop_next_plan(subscription, actor=actor, at=at, reason=reason)
    return subscription


def begin_due(*, at: datetime, limit: int = 500) -> int:
    """Begins the plans of the paid terms that have begun at `at`, each in its own transaction. Returns how many."""
    due = Subscription.objects.filter(switches_at__lte=at).exclude(status=Subscription.Status.PAUSED)
    rows = list(due.order_by("switches_at", "pk").values_list("pk", flat=True)[:limit])
    return sweeps.each(rows, lambda pk: begin(pk, at=at))


def begin(subscription_id: uuid.UUID, *, at: datetime) -> Subscription:
    """The plan of a paid term begins with it. Before that, and the second time, nothing changes."""
    with transaction.atomic():
        subscription = lifecycle.lock(subscription_id)
        terms.begin_plan(subscription, at=at)
    return subscription


def _check_unpaid(subscription: Subscription) -> None:
    if subscription.switches_at is not None and subscription.next_plan is not None:
        raise Conflict(
            f"Your next term is paid for already, with {subscription.next_plan.name}; you can choose another plan "
            "when it has begun.",
            "next_term_paid",
        )


def _check_price(shown: Money | None, price: Money) -> None:
    if shown is not None and shown != price:
        raise Conflict(
            f"The price has changed: it is {money.spoken(price)} now.", "stale_total", total=money.plain(price)
        )


def _bill_anew(subscription: Subscription, *, actor: str, at: datetime) -> None:
    """A next term that is billed and not being charged is given up: the sweep bills it for the plan chosen."""
    switching.wait_for_the_next_term(subscription)
    terms.close_waiting(subscription, actor=actor, at=at, reason="Another plan was chosen for the next term")
    terms.look_ahead(subscription)
    subscription.save(update_fields=[*terms.AHEAD, "updated_at"])
