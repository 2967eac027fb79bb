"""Cancelling: one pure figure shown before, the same figure given back after."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction
from moneyed import Money

from billing import checkouts, events, money, refunds
from billing.errors import Conflict
from billing.models import Refund
from subscriptions import lifecycle, metering, pricing, terms, worth
from subscriptions.models import Period, Plan, Subscription

NOTED = ("cancelled_at", "cancel_reason", "cancel_key", "auto_renew", "valid_till", "access_until")


@dataclass(frozen=True, slots=True)
class Preview:
    """What cancelling now means."""

    refund: Money
    access_until: datetime
    explanation: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A cancelled subscription and the refunds that it brought: one of each term of which something comes back."""

    subscription: Subscription
    refunds: tuple[Refund, ...] = ()

    @property
    def refund(self) -> Refund | None:
        """The first refund: the only one, unless a later term was paid already."""
        return self.refunds[0] if self.refunds else None

    @property
    def total(self) -> Money | None:
        """What comes back in all; None where nothing does."""
        return sum((refund.money for refund in self.refunds[1:]), start=self.refunds[0].money) if self.refunds else None


@dataclass(frozen=True, slots=True)
class Share:
    """What one paid term gives back, and of which payments: a term that took another's place has more than one."""

    period: Period
    sources: tuple[worth.Source, ...]
    found: pricing.Unused


@dataclass(frozen=True, slots=True)
class Part:
    """What comes back of one payment."""

    source: worth.Source
    amount: Money
    explanation: str


def preview(subscription: Subscription, *, at: datetime) -> Preview:
    """What cancelling at `at` gives back, and until when access goes on. Raises Conflict `not_cancellable`."""
    if subscription.plan.hourly:
        return _preview_of_hours(subscription, at)
    return _preview(subscription, _shares(subscription, at))


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
        terms.begin_plan(subscription, at=at)
        if request_key and (done := _done_before(subscription, request_key)):
            return done
        why = "The subscription was cancelled"
        if subscription.status in terms.RUNNING:
            terms.close_waiting(subscription, actor=actor, at=at, reason=why)
        shares = _shares(subscription, at)
        seen = _preview(subscription, shares)
        _check_refund(expected_refund, seen)
        terms.drop_next_plan(subscription, actor=actor, at=at, reason=why, cancelled_to=seen.access_until)
        subscription.cancelled_at, subscription.cancel_key = at, request_key or ""
        subscription.cancel_reason = reason[:300]  # the event keeps all of it
        _end_at(subscription, seen.access_until, shares)
        events.change(
            subscription,
            subscription.cancel,
            actor=actor,
            at=at,
            reason=reason,
            save=[*NOTED, *terms.AHEAD],
            data=_told(subscription, seen, at),
        )
        promised = [
            _promise(subscription, part, number, actor=actor, at=at, reason=reason, requested_by=requested_by)
            for number, part in enumerate((part for share in shares for part in _parts(share)), 1)
        ]
    made = tuple(refunds.submit(refund.pk, at=at) for refund in promised)
    return Cancelled(subscription, made)


def _check_refund(expected: Money | None, seen: Preview) -> None:
    if expected is not None and expected != seen.refund:
        raise Conflict(
            f"The refund is {money.spoken(seen.refund)} now.", "stale_refund", refund=money.plain(seen.refund)
        )


def _told(subscription: Subscription, seen: Preview, at: datetime) -> dict[str, str]:
    until = seen.access_until
    return {
        "refund": money.plain(seen.refund),
        "explanation": seen.explanation,
        "plan": subscription.plan.name,
        "goes_on_to": terms.spoken(until, subscription.plan.zone) if until > at else "",
    }


def _end_at(subscription: Subscription, access_until: datetime, shares: list[Share]) -> None:
    """Nothing renews or reminds any more; the paid rest ends at `access_until`."""
    subscription.auto_renew = False
    subscription.access_until = access_until
    paid_till = max(share.period.ends_at or access_until for share in shares)
    subscription.valid_till = min(access_until, paid_till)  # grace is not paid
    subscription.next_action_at = access_until
    subscription.next_charge_at = subscription.remind_at = None


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
        return Cancelled(ended)
    return _close(subscription_id, actor=actor, at=at, reason=reason, request_key=request_key)


def _is_pending(subscription_id: uuid.UUID) -> bool:
    return Subscription.objects.filter(pk=subscription_id, status=Subscription.Status.PENDING).exists()


def _done_before(subscription: Subscription, request_key: str) -> Cancelled | None:
    """What a request with this key has done already: the process that did it may have died before it answered."""
    over = (Subscription.Status.CANCELLED, Subscription.Status.ENDED, Subscription.Status.ABANDONED)
    if subscription.cancel_key != request_key or subscription.status not in over:
        return None
    return Cancelled(subscription, tuple(refunds_of(subscription)))


def refunds_of(subscription: Subscription) -> list[Refund]:
    """The refunds that cancelling a subscription brought, the first one first."""
    key = f"cancel:{subscription.pk}"
    found = Refund.objects.filter(payment__user_id=subscription.user_id, request_key__startswith=key)
    return list(found.order_by("created_at", "request_key"))


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


def _shares(subscription: Subscription, at: datetime) -> list[Share]:
    """What each paid term that is not over gives back: the running one by its rules, later ones whole.

    Where all are over, the last one tells why nothing comes back. Raises Conflict where there is nothing to cancel.
    """
    begun = subscription.periods.filter(starts_at__isnull=False).select_related("invoice", "invoice__account", "plan")
    periods = list(begun.order_by("number"))
    if subscription.status not in terms.RUNNING or not periods:
        raise Conflict("There is nothing to cancel: this subscription is not running.", "not_cancellable")
    ahead = [period for period in periods if period.ends_at and period.ends_at > at] or periods[-1:]
    return [_share(subscription, ahead[0], at), *(_later(_share(subscription, period, at)) for period in ahead[1:])]


def _later(share: Share) -> Share:
    """A term after the running one comes back whole: nobody has had anything of it. A plan without refunds keeps it."""
    period = share.period
    if not share.sources or period.starts_at is None or period.refund_policy == Plan.RefundPolicy.NONE:
        return share
    back = sum((source.limit for source in share.sources[1:]), start=share.sources[0].limit)
    why = f"The term after it has not begun, so {money.spoken(back)} for it comes back."
    return replace(share, found=pricing.Unused(back, period.starts_at, why))


def _preview(subscription: Subscription, shares: list[Share]) -> Preview:
    """All of it in one: the sum, the last moment of access that any term leaves, and why.

    A term for nothing that follows is kept where the running one is: it does not outlive money that went back.
    """
    found = [share.found for share in shares[:1] + [later for later in shares[1:] if later.sources]]
    kept = [
        found[0],
        *(
            share.found
            for share in shares[1:]
            if share.found.refund.amount == 0 and (share.sources or found[0].refund.amount == 0)
        ),
    ]
    until = max(each.access_until for each in kept)  # access may have ended before: the sweep of the grace may be late
    return Preview(
        sum((each.refund for each in found[1:]), start=found[0].refund),
        min(until, subscription.access_until or until),
        " ".join(dict.fromkeys(each.explanation for each in found)),
    )


def _share(subscription: Subscription, period: Period, at: datetime) -> Share:
    term = worth.term(subscription, period)
    if term is None:
        why = "Nothing was paid for this term, so nothing comes back."
        return Share(period, (), pricing.Unused(subscription.price.money * 0, max(period.ends_at or at, at), why))
    return Share(period, tuple(worth.sources(period)), pricing.unused(term, at))


def _parts(share: Share) -> list[Part]:
    """Of the newest payment first, then of the older ones, until the sum is given back."""
    parts, left = [], share.found.refund
    for source in share.sources:
        amount = min(left, source.limit)
        if amount.amount > 0:
            parts.append(Part(source, amount, share.found.explanation))
            left -= amount
    return parts


def _promise(
    subscription: Subscription,
    part: Part,
    number: int,
    *,
    actor: str,
    at: datetime,
    reason: str,
    requested_by: uuid.UUID | None,
) -> Refund:
    by_staff = requested_by not in (None, subscription.user_id)
    return refunds.promise(
        refunds.lock_payment(part.source.payment.pk),
        amount=part.amount,
        reason=f"Subscription cancelled: {reason}"[:300] if by_staff and reason else "Subscription cancelled",
        actor=actor,
        at=at,
        explanation=part.explanation,
        requested_by=requested_by,
        request_key=f"cancel:{subscription.pk}" + (f":{number}" if number > 1 else ""),
    )
