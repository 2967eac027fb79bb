"""A dearer plan at once for nothing, by staff. What was billed stays as it was, so no more comes back than was paid."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import transaction

from billing import events
from billing.errors import Conflict
from subscriptions import lifecycle, offers, switching, terms, wanted
from subscriptions.models import Plan, Subscription

UPGRADED = "subscription.upgraded"


def offer(subscription: Subscription, plan: str | int, *, at: datetime) -> offers.Offer:
    """The dearer plan that a running subscription may be moved to.

    Raises NotFound `plan_not_found`; Conflict `not_running`, `same_plan`, `not_dearer`.
    """
    switching.running(subscription, at)
    found = switching.other(subscription, plan, at=at)
    if found.price.amount * subscription.plan.months <= subscription.price.amount * found.plan.months:
        raise Conflict(f"{found.plan.name} costs no more for a month than {subscription.plan.name}.", "not_dearer")
    return found


def upgrade(
    subscription_id: uuid.UUID,
    plan: str | int,
    *,
    actor: str,
    at: datetime,
    reason: str,
    request_key: str | None = None,
) -> Subscription:
    """Moves a running subscription to a dearer plan for nothing, to the end of what is paid, which stays, or of what
    is paid before a term of another plan that is paid ahead.

    The next term is of the plan and price of before, unless another was chosen for it: nobody is charged more for a
    favour. The same `request_key` finds what it did. Raises what `offer` does; NotFound `subscription_not_found`.
    """
    with transaction.atomic():
        subscription = lifecycle.lock(subscription_id)
        if wanted.done(request_key, subscription.user_id, UPGRADED):
            return subscription
        terms.begin_plan(subscription, at=at)
        found, old = offer(subscription, plan, at=at), subscription.plan
        price = found.price
        if subscription.next_plan_id == found.plan.pk and subscription.next_price is not None:
            price, subscription.next_plan, subscription.next_price = subscription.next_price, None, None
            subscription.switches_at = None
        elif subscription.next_plan is None:
            subscription.next_plan, subscription.next_price = old, subscription.price
        subscription.plan, subscription.price = found.plan, price
        paid_to = subscription.switches_at or subscription.valid_till
        if subscription.switches_at is None and subscription.valid_till and subscription.access_until is not None:
            subscription.access_until = max(subscription.access_until, subscription.valid_till + found.plan.grace)
        terms.look_ahead(subscription)
        saved = (*terms.PLANS, "access_until", *terms.AHEAD, "updated_at")
        subscription.save(update_fields=saved)
        then = subscription.next_plan or found.plan
        data = terms.told(subscription) | {
            "plan": found.plan.name,
            "ends": terms.spoken(paid_to, found.plan.zone),
            "old_plan": old.name,
            "then": then.name,
            "then_is_paid": subscription.switches_at is not None,
            "key": request_key or "",
        }
        events.emit(UPGRADED, subscription, actor=actor, at=at, reason=reason, data=data)
    return subscription


def instead_of(subscription: Subscription) -> Plan | None:
    """The plan that was billed last, of the terms before any of another plan to come, where the subscription has a
    dearer one as a favour.
    """
    billed = subscription.periods.filter(starts_at__isnull=False).exclude(plan=None).select_related("plan")
    if subscription.switches_at is not None:
        billed = billed.filter(starts_at__lt=subscription.switches_at)
    last = billed.order_by("-number").first()
    return last.plan if last is not None and last.plan_id != subscription.plan_id else None
