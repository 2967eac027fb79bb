"""What time does to a subscription: the term ends, the grace ends, what was paid and cancelled ends."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.db import transaction

from billing import events, sweeps
from billing.models import Invoice
from subscriptions import lifecycle, terms
from subscriptions.models import Subscription

LEASE = timedelta(minutes=2)


def end_due(*, at: datetime, limit: int = 200) -> int:
    """Moves on the subscriptions whose term, grace or paid rest is over at `at`. Returns how many were taken up."""
    rows = sweeps.claim(
        Subscription.objects.filter(next_action_at__isnull=False),
        "next_action_at",
        at=at,
        lease=LEASE,
        limit=limit,
    )
    sweeps.each(rows, lambda pk: end(pk, at=at))
    return len(rows)


def end(subscription_id: uuid.UUID, *, at: datetime) -> Subscription:
    """Moves a subscription on as far as its times say at `at`: active, past due (grace), expired; cancelled, ended.

    One whose next term is paid already begins that instead. With the grace ends every demand for the next term.
    """
    with transaction.atomic():
        subscription = lifecycle.lock(subscription_id)
        state = Subscription.Status
        while subscription.next_action_at is not None:
            till, until = terms.falls_due_at(subscription), subscription.access_until
            if subscription.status == state.ACTIVE and till and till <= at:
                if _begins_what_is_paid(subscription, at):
                    continue
                transition, following = subscription.fall_due, until
            elif subscription.status == state.PAST_DUE and until and until <= at:
                terms.close_waiting(subscription, actor="system", at=at, reason="Not paid by the end of grace")
                if subscription.status != state.PAST_DUE:
                    continue
                subscription.next_charge_at = None
                transition, following = subscription.expire, None
            elif subscription.status == state.CANCELLED and until and until <= at:
                transition, following = subscription.end, None
            else:
                ahead = {state.ACTIVE: till, state.PAST_DUE: until, state.CANCELLED: until}
                subscription.next_action_at = ahead.get(
                    state(subscription.status)
                )  # the others have no end of their own
                subscription.save(update_fields=["next_action_at"])
                break
            subscription.next_action_at, subscription.remind_at = following, None
            events.change(
                subscription, transition, actor="system", at=at, save=list(terms.AHEAD), data=_told(subscription)
            )
    return subscription


def _told(subscription: Subscription) -> dict[str, object]:
    """`at_once`: access ended with the cancellation, so its end is no news."""
    at_once = subscription.cancelled_at is not None and subscription.access_until == subscription.cancelled_at
    return terms.told(subscription) | {"at_once": at_once}


def _begins_what_is_paid(subscription: Subscription, at: datetime) -> bool:
    """Whether the next term was paid, and has begun now: its news may be slower than the clock."""
    period = terms.waiting(subscription)
    if period is None or period.invoice is None or period.invoice.status != Invoice.Status.PAID:
        return False
    terms.extend(subscription, period, actor="system", at=at)
    return True
