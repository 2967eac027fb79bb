"""Pausing and going on: what is paid and not used is kept, by whole days."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from billing import events
from billing.errors import Conflict, Forbidden
from subscriptions import lifecycle, terms
from subscriptions.calendar import anchor_before, days_after, whole_days
from subscriptions.models import Subscription


@dataclass(frozen=True, slots=True)
class Rest:
    """What pausing now keeps: so many whole days, and the term to its end where less than a day is rested."""

    days_left: int
    valid_till: datetime
    explanation: str


@dataclass(frozen=True, slots=True)
class Return:
    """What going on now means: the whole days rested, by which the end moves, and that end."""

    days: int
    valid_till: datetime
    explanation: str


def preview(subscription: Subscription, *, at: datetime) -> Rest:
    """What pausing at `at` keeps. Raises Conflict `not_running`, `not_begun`, `hourly`."""
    terms.check_has_terms(subscription)
    till, zone = subscription.valid_till, subscription.plan.zone
    if subscription.status != Subscription.Status.ACTIVE or till is None or till <= at:
        raise Conflict("This subscription is not running, so it cannot be paused.", "not_running")
    if subscription.anchor_at is None or subscription.anchor_at > at:
        raise Conflict("This subscription has not begun, so it cannot be paused.", "not_begun")
    left = whole_days(at, till, zone)
    return Rest(
        left,
        till,
        f"Access stops now. {left} whole days are kept: when you go on, the end moves by each whole day rested. "
        "A rest shorter than a day moves nothing.",
    )


def return_preview(subscription: Subscription, *, at: datetime) -> Return:
    """What going on at `at` means. Raises Conflict `not_paused`."""
    since, till, zone = subscription.paused_at, subscription.valid_till, subscription.plan.zone
    if subscription.status != Subscription.Status.PAUSED or since is None or till is None:
        raise Conflict("This subscription is not paused.", "not_paused")
    days = whole_days(since, at, zone)
    end = days_after(till, days, zone)
    told = f"It has rested {days} whole day{'' if days == 1 else 's'}"
    moved = f"by which its end moves, from {terms.spoken(till, zone)}" if days else "so its end stays as it is"
    return Return(days, end, f"{told}, {moved}.")


def pause(
    subscription_id: uuid.UUID, *, actor: str, at: datetime, reason: str = "", by_customer: bool = False
) -> Subscription:
    """Pauses a running subscription: no access and no charge until it goes on. The second time changes nothing.

    Raises NotFound; Forbidden `not_pausable` for a customer whose plan leaves it to staff; Conflict `not_running`,
    `not_begun`.
    """
    with transaction.atomic():
        subscription = lifecycle.lock(subscription_id)
        terms.begin_plan(subscription, at=at)
        if by_customer and not subscription.plan.customers_may_pause:
            raise Forbidden("This plan cannot be paused; write to us if you need to.", "not_pausable")
        if subscription.status == Subscription.Status.PAUSED:
            return subscription
        preview(subscription, at=at)
        terms.close_waiting(subscription, actor=actor, at=at, reason="The subscription was paused")
        seen = preview(subscription, at=at)
        subscription.paused_at = subscription.access_until = at
        subscription.next_action_at = subscription.next_charge_at = subscription.remind_at = None
        events.change(
            subscription,
            subscription.pause,
            actor=actor,
            at=at,
            reason=reason,
            save=["paused_at", "access_until", *terms.AHEAD],
            data={"plan": subscription.plan.name, "days_left": seen.days_left, "valid_till": seen.valid_till},
        )
    return subscription


def resume(
    subscription_id: uuid.UUID, *, actor: str, at: datetime, reason: str = "", by_customer: bool = False
) -> Subscription:
    """Goes on with a paused subscription, whose end moves by the whole days rested.

    One that runs already stays as it is. A customer may always go on. Raises NotFound; Conflict `not_paused`.
    """
    with transaction.atomic():
        subscription = lifecycle.lock(subscription_id)
        if subscription.status == Subscription.Status.ACTIVE:
            return subscription
        seen = return_preview(subscription, at=at)
        if seen.days:
            _move(subscription, seen.days)
        subscription.valid_till = seen.valid_till
        subscription.access_until = seen.valid_till + subscription.plan_ahead.grace
        subscription.paused_at = None
        terms.look_ahead(subscription)
        data = terms.told(subscription) | {"plan": terms.plan_at(subscription, at).name, "days": seen.days}
        events.change(
            subscription,
            subscription.resume,
            actor=actor,
            at=at,
            reason=reason,
            save=["paused_at", "valid_till", "access_until", "anchor_at", "switches_at", *terms.AHEAD],
            data=data,
        )
        events.emit("subscription.resumed", subscription, actor=actor, at=at, reason=reason, data=data)
        terms.begin_plan(subscription, at=at)  # the rest was shorter than a day, and its term has begun meanwhile
    return subscription


def _move(subscription: Subscription, days: int) -> None:
    """Moves the end of the running term, and later ones whole, by `days`: the last first, so that none overlap.

    The months of the running term are counted from that much later, too: the rest used none of them.
    """
    zone, since = subscription.plan.zone, subscription.paused_at
    for period in subscription.periods.filter(ends_at__gt=since).order_by("-starts_at"):
        if period.starts_at is None or period.ends_at is None or since is None:
            continue
        period.ends_at = days_after(period.ends_at, days, zone)
        if period.starts_at >= since:
            switches = period.starts_at == subscription.switches_at
            period.starts_at = days_after(period.starts_at, days, zone)
            if switches:
                subscription.switches_at = period.starts_at
            period.counts_from = None
        else:
            period.counts_from = days_after(period.counts_from or period.starts_at, days, zone)
        period.save(update_fields=["starts_at", "ends_at", "counts_from"])
        if period.starts_at < since:
            subscription.anchor_at = anchor_before(period.ends_at, since, zone)
