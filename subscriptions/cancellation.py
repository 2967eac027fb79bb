"""Cancelling: one pure figure shown before, the same figure given back after."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from moneyed import Money

from billing import checkouts, events, money, refunds
from billing.errors import Conflict
from billing.models import Refund
from subscriptions import lifecycle, pricing, worth
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
    """A cancelled subscription and the refunds that it brought: one of each payment of which something comes back."""

    subscription: Subscription
    refunds: tuple[Refund, ...] = ()

    @property
    def refund(self) -> Refund | None:
        """The first refund: the only one, unless an older payment stood behind the term, too."""
        return self.refunds[0] if self.refunds else None

    @property
    def total(self) -> Money | None:
        """What comes back in all; None where nothing does."""
        return sum((refund.money for refund in self.refunds[1:]), start=self.refunds[0].money) if self.refunds else None


def preview(subscription: Subscription, *, at: datetime) -> Preview:
    """What cancelling at `at` gives back, and until when access goes on. Raises Conflict `not_cancellable`."""
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
    if _is_pending(subscription_id):
        if expected_refund is not None and expected_refund.amount != 0:
            raise Conflict("Nothing was paid yet, so nothing comes back.", "stale_refund", refund="0")
        return _close(subscription_id, actor=actor, at=at, reason=reason, request_key=request_key)
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
        paid_till = subscription.valid_till or seen.access_until
        subscription.valid_till = min(seen.access_until, paid_till)  # grace is not paid
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
        promised = _promise(subscription, period, seen, actor=actor, at=at, reason=reason, requested_by=requested_by)
    made = tuple(refunds.submit(refund.pk, at=at) for refund in promised)
    return Cancelled(subscription, made)


def _is_pending(subscription_id: uuid.UUID) -> bool:
    return Subscription.objects.filter(pk=subscription_id, status=Subscription.Status.PENDING).exists()


def _done_before(subscription: Subscription, request_key: str) -> Cancelled | None:
    """What a request with this key has done already: the process that did it may have died before it answered."""
    over = (Subscription.Status.CANCELLED, Subscription.Status.ENDED, Subscription.Status.ABANDONED)
    if subscription.cancel_key != request_key or subscription.status not in over:
        return None
    return Cancelled(subscription, tuple(refunds_of(subscription)))


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
    return Cancelled(Subscription.objects.get(pk=subscription_id))


def _paid_period(subscription: Subscription, at: datetime) -> Period:
    """The period that is running, or will begin; the last where all are over. Free terms after it give nothing back.

    Raises Conflict where there is nothing to cancel.
    """
    running = (Subscription.Status.ACTIVE, Subscription.Status.PAST_DUE)
    begun = subscription.periods.filter(starts_at__isnull=False).select_related("invoice", "invoice__account")
    periods = list(begun.order_by("starts_at"))
    if subscription.status not in running or not periods:
        raise Conflict("There is nothing to cancel: this subscription is not running.", "not_cancellable")
    return next((period for period in periods if period.ends_at and period.ends_at > at), periods[-1])


def _preview(subscription: Subscription, period: Period, at: datetime) -> Preview:
    term = worth.term(subscription, period)
    if term is None:
        return Preview(
            subscription.price.money * 0,
            max(subscription.valid_till or at, at),
            "Nothing was paid for this term, so nothing comes back.",
        )
    found = pricing.unused(term, at)
    later = subscription.valid_till
    if not found.refund.amount and found.access_until > at and later and later > found.access_until:
        return Preview(found.refund, later, f"{found.explanation} The term after it stays, too.")
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
) -> list[Refund]:
    """One refund of each payment behind the term, the newest first, until the sum is given back."""
    by_staff = requested_by not in (None, subscription.user_id)
    promised, left = [], seen.refund
    for number, source in enumerate(worth.sources(period), 1):
        amount = min(left, source.limit)
        if amount.amount > 0:
            refund = refunds.promise(
                refunds.lock_payment(source.payment.pk),
                amount=amount,
                reason=f"Subscription cancelled: {reason}"[:300] if by_staff and reason else "Subscription cancelled",
                actor=actor,
                at=at,
                explanation=seen.explanation,
                requested_by=requested_by,
                request_key=f"cancel:{subscription.pk}" + (f":{number}" if number > 1 else ""),
            )
            promised.append(refund)
            left -= amount
    return promised


def refunds_of(subscription: Subscription) -> list[Refund]:
    """The refunds that cancelling a subscription brought, the first one first."""
    key = f"cancel:{subscription.pk}"
    found = Refund.objects.filter(payment__user_id=subscription.user_id, request_key__startswith=key)
    return list(found.order_by("created_at", "request_key"))
