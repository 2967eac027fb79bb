"""What a term is worth: the money behind it, and how much of which payment may come back for it."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from moneyed import Money

from billing.models import Payment
from subscriptions import pricing
from subscriptions.models import Change, Period, Subscription


@dataclass(frozen=True, slots=True)
class Source:
    """A payment behind a term, and the most that may come back of it for that term."""

    payment: Payment
    limit: Money


def payment_of(period: Period) -> Payment | None:
    """The payment that a period's own invoice was paid by; None for a term for nothing."""
    if period.invoice is None:
        return None
    return period.invoice.payments.filter(status=Payment.Status.SUCCEEDED, surplus=False).first()


def sources(period: Period) -> list[Source]:
    """The payments behind a term, its own first.

    A term that took the place of another is worth what was left of that one, too. Of those older payments no more
    comes back than cancelling would have given at the moment of the change: changing first never returns more.
    """
    payment = payment_of(period)
    if payment is None:
        return []
    found = [Source(payment, payment.refundable)]
    change = _change(period)
    if change is not None:
        left = change.returnable_money
        for older in sources(change.period):
            limit = min(left, older.limit)
            if limit.amount > 0:
                found.append(Source(older.payment, limit))
                left -= limit
    return found


def term(subscription: Subscription, period: Period) -> pricing.Term | None:
    """A paid term as the pure functions know it; None for one that has not begun, or for which nothing was paid."""
    behind = sources(period)
    if not behind or period.starts_at is None or period.ends_at is None or behind[0].payment.settled_at is None:
        return None
    change = _change(period)
    paid = behind[0].payment.captured_money
    if change is not None:
        paid += change.credit_money
    return pricing.Term(
        policy=period.refund_policy,
        paid=paid,
        refunded=paid - sum((each.limit for each in behind[1:]), start=behind[0].limit),  # or charged back
        months=period.months,
        starts_at=period.counts_from or period.starts_at,
        ends_at=period.ends_at,
        paid_at=behind[0].payment.settled_at,
        zone=period.sold.zone,
        cooling_off=settings.COOLING_OFF,
        anchor_at=subscription.anchor_at,
    )


def _change(period: Period) -> Change | None:
    if period.invoice_id is None:
        return None
    found = Change.objects.filter(invoice_id=period.invoice_id).select_related("period__invoice", "price")
    return found.first()
