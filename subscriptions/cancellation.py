"""Cancelling: one pure figure shown before, the same figure given back after."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from moneyed import Money

from billing import checkouts, events, money, refunds
from billing.errors import Conflict
from billing.models import Payment, Refund
from subscriptions import lifecycle, metering, pricing
from subscriptions.models import Period, Subscription

NOTED = ("cancelled_at", "cancel_reason", "cancel_key", "auto_renew", "valid_till", "access_until", "next_action_at")


@dataclass(frozen=True, slots=True)
class Preview:
    """What cancelling now means."""

    refund: Money
    access_until: datetime
    explanation: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A cancelled subscription and the refund that it brought, if any."""

    subscription: Subscription
    refund: Refund | None


def preview(subscription: Subscription, *, at: datetime) -> Preview:
    """What cancelling at `at` gives back, and until when access goes on. Raises Conflict `not_cancellable`."""
    if subscription.plan.hourly:
        return _preview_of_hours(subscription, at)
    return _preview(subscription, _paid_period(subscription, at), at)


def cancel(
    subscription_id: uuid.UUID,
    *,
    actor: str,
    at: datetime,
    reason: str = "",
    expected_refund: Money | None = None,
    requested_by: uuid.UUID | None = None,
    request_key: str | None = None,
) -> Cancelled:
    """Cancels a subscription, and gives back what the plan's rules say.

    The subscription, the refund and their events are one commit; then the acquirer is asked. A pending subscription
    is closed instead. The same `request_key` finds what it did the first time. Raises NotFound; Conflict
    `not_cancellable`, `stale_refund`, and those of `checkouts.close`.
    """
    if metering.is_hourly(subscription_id) or _is_pending(subscription_id):
        return _nothing_back(
            subscription_id, expected_refund, actor=actor, at=at, reason=reason, request_key=request_key
        )
    with transaction.atomic(durable=True):
        subscription = lifecycle.lock(subscription_id)
        if request_key and (done := _done_before(subscription, request_key)):
            return done
        period = _paid_period(subscription, at)
        seen = _preview(subscription, period, at)
        if expected_refund is not None and expected_refund != seen.refund:
            raise Conflict(
                f"The refund is {money.spoken(seen.refund)} now.", "stale_refund", refund=money.plain(seen.refund)
            )
        subscription.cancelled_at, subscription.cancel_reason = at, reason[:300]  # the event keeps all of it
        subscription.cancel_key = request_key or ""
        subscription.auto_renew = False
        subscription.access_until = seen.access_until
        subscription.valid_till = min(seen.access_until, period.ends_at or seen.access_until)  # grace is not paid
        subscription.next_action_at = seen.access_until
        events.change(
            subscription,
            subscription.cancel,
            actor=actor,
            at=at,
            reason=reason,
            save=NOTED,
            data={"refund": money.plain(seen.refund), "explanation": seen.explanation, "plan": subscription.plan.name},
        )
        refund = _promise(subscription, period, seen, actor=actor, at=at, reason=reason, requested_by=requested_by)
    if refund:
        refund = refunds.submit(refund.pk, at=at)
    return Cancelled(subscription, refund)


def _preview_of_hours(subscription: Subscription, at: datetime) -> Preview:
    """By the hour nothing was paid in advance."""
    if subscription.status not in metering.RUNS:
        raise Conflict("There is nothing to cancel: this subscription is not running.", "not_cancellable")
    due, left = metering.account(subscription, at=at)
    until = min(at, subscription.access_until or at)
    return Preview(left * 0, until, f"{money.spoken(due)} is taken for the time so far. {metering.left_over(left)}")


def _nothing_back(
    subscription_id: uuid.UUID,
    expected_refund: Money | None,
    *,
    actor: str,
    at: datetime,
    reason: str,
    request_key: str | None,
) -> Cancelled:
    """Ends what was not paid in advance: by the hour, or a checkout that waits."""
    if expected_refund is not None and expected_refund.amount != 0:
        raise Conflict("Nothing was paid in advance, so nothing comes back.", "stale_refund", refund="0")
    if metering.is_hourly(subscription_id):
        ended = metering.cancel(subscription_id, actor=actor, at=at, reason=reason, request_key=request_key)
        return Cancelled(ended, None)
    return _close(subscription_id, actor=actor, at=at, reason=reason, request_key=request_key)


def _is_pending(subscription_id: uuid.UUID) -> bool:
    return Subscription.objects.filter(pk=subscription_id, status=Subscription.Status.PENDING).exists()


def _done_before(subscription: Subscription, request_key: str) -> Cancelled | None:
    """What a request with this key has done already: the process that did it may have died before it answered."""
    over = (Subscription.Status.CANCELLED, Subscription.Status.ENDED, Subscription.Status.ABANDONED)
    if subscription.cancel_key != request_key or subscription.status not in over:
        return None
    return Cancelled(subscription, Refund.objects.filter(request_key=f"cancel:{subscription.pk}").first())


def _close(subscription_id: uuid.UUID, *, actor: str, at: datetime, reason: str, request_key: str | None) -> Cancelled:
    """Nothing was paid: the acquirer closes its page, the invoice is voided, the subscription abandoned."""
    if request_key:  # first of all: of what follows, the events finish what a process that dies leaves undone
        waiting = Subscription.objects.filter(pk=subscription_id, status=Subscription.Status.PENDING)
        waiting.update(cancel_key=request_key)
    subscription = Subscription.objects.get(pk=subscription_id)
    invoice_id = lifecycle.first_invoice(subscription).pk
    reason = reason or "Cancelled before payment"
    checkouts.close(invoice_id, actor=actor, at=at, reason=reason)
    lifecycle.abandon(invoice_id, actor=actor, at=at, reason=reason)
    return Cancelled(Subscription.objects.get(pk=subscription_id), None)


def _paid_period(subscription: Subscription, at: datetime) -> Period:
    """The period that is running, or will begin. Raises Conflict where there is nothing to cancel."""
    running = (Subscription.Status.ACTIVE, Subscription.Status.PAST_DUE)
    period = (
        subscription.periods.filter(starts_at__isnull=False)
        .select_related("invoice", "invoice__account")
        .order_by("-number")
        .first()
    )
    if subscription.status not in running or period is None:
        raise Conflict("There is nothing to cancel: this subscription is not running.", "not_cancellable")
    return period


def _payment(period: Period) -> Payment | None:
    if period.invoice is None:
        return None
    return period.invoice.payments.filter(status=Payment.Status.SUCCEEDED, surplus=False).first()


def _preview(subscription: Subscription, period: Period, at: datetime) -> Preview:
    payment, plan = _payment(period), subscription.plan
    if payment is None or period.starts_at is None or period.ends_at is None or payment.settled_at is None:
        return Preview(
            subscription.price.money * 0,
            max(period.ends_at or at, at),
            "Nothing was paid for this term, so nothing comes back.",
        )
    term = pricing.Term(
        policy=period.refund_policy,
        paid=payment.captured_money,
        refunded=payment.captured_money - payment.refundable,  # by us, or taken back by the customer's bank
        months=period.months,
        starts_at=period.starts_at,
        ends_at=period.ends_at,
        paid_at=payment.settled_at,
        zone=plan.zone,
        cooling_off=settings.COOLING_OFF,
        anchor_at=subscription.anchor_at,
    )
    found = pricing.unused(term, at)
    return Preview(found.refund, found.access_until, found.explanation)


def _promise(
    subscription: Subscription,
    period: Period,
    seen: Preview,
    *,
    actor: str,
    at: datetime,
    reason: str,
    requested_by: uuid.UUID | None,
) -> Refund | None:
    payment = _payment(period)
    if payment is None or seen.refund.amount == 0:
        return None
    by_staff = requested_by not in (None, subscription.user_id)
    return refunds.promise(
        refunds.lock_payment(payment.pk),
        amount=seen.refund,
        reason=f"Subscription cancelled: {reason}"[:300] if by_staff and reason else "Subscription cancelled",
        actor=actor,
        at=at,
        explanation=seen.explanation,
        requested_by=requested_by,
        request_key=f"cancel:{subscription.pk}",
    )
