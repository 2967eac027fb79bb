"""What to do about a renewal that is billed: derived each time from what its payments came to, so never counted twice.

Three ways that never mix. Declined: the ladder of `terms.charge_times`, or an end where this card will not do.
The acquirer's fault, or ours: again soon, with back-off, no step of the ladder. Unknown: nothing, until it is known.
Where the acquirer says when another try is welcome (`Payment.retry_after`), none is made before.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count

from acquiring.types import Decline
from billing import sweeps
from billing.models import Payment
from subscriptions import terms
from subscriptions.models import Subscription

FAULTS = (Decline.NOT_SENT, Decline.OUR_FAULT)
HARD = (Decline.ANOTHER_CARD, Decline.STOP, Decline.CUSTOMER_ACTION)  # the same card, nobody present: the same answer
FAULT_BACK_OFF = tuple(timedelta(minutes=m) for m in (5, 10, 20, 40, 80, 160, 360))
LOOK_AGAIN = timedelta(hours=1)  # while an attempt is under way: its news come by themselves


@dataclass(frozen=True, slots=True)
class Step:
    """What comes next: charge `now`, or look again `at` (never, where None). `stop`: why this card is not charged.

    `close`: a page of the bank that the customer has left, to be closed first.
    """

    now: bool = False
    at: datetime | None = None
    stop: str = ""
    close: uuid.UUID | None = None


def step(subscription: Subscription, invoice_id: uuid.UUID, *, at: datetime) -> Step:
    """The next step of collecting the open invoice of a next term by the subscription's card."""
    tried = list(Payment.objects.filter(invoice_id=invoice_id).order_by("created_at"))
    live = next((payment for payment in tried if payment.is_live), None)
    if live:
        left = live.method_id is None and live.created_at <= at - settings.CHECKOUT_TTL
        return Step(at=at + LOOK_AGAIN, close=live.pk if left else None)
    by_card = [p for p in tried if p.method_id == subscription.method_id and p.status == Payment.Status.FAILED]
    declined = [p for p in by_card if p.decline not in FAULTS]
    refused = next((p for p in declined if p.decline in HARD), None)
    if refused:
        return Step(stop=refused.decline_message or "The bank refused this card.")
    if _attempts(subscription, at) >= settings.CARD_ATTEMPTS:
        return Step(stop="This card was tried as often as the card networks allow.")
    last = declined[-1].created_at if declined else None
    faults = [p for p in by_card if p.decline in FAULTS and (last is None or p.created_at > last)]
    return _when(subscription, declined, faults, at)


def worn_out(rows: Iterable[Subscription], *, at: datetime) -> set[uuid.UUID]:
    """Those of them, with their cards at hand, whose card was tried as often as the card networks allow."""
    cards = {(row.user_id, row.method.token_digest): row.pk for row in rows if row.method is not None}
    found = Payment.objects.filter(
        method__user_id__in=[user_id for user_id, _ in cards],
        method__token_digest__in=[digest for _, digest in cards],
        created_at__gt=at - settings.CARD_ATTEMPTS_WITHIN,
    )
    counted = found.exclude(decline=Decline.NOT_SENT).order_by().values_list("method__user_id", "method__token_digest")
    tried = counted.annotate(times=Count("pk")).filter(times__gte=settings.CARD_ATTEMPTS)
    return {cards[user_id, digest] for user_id, digest, _ in tried if (user_id, digest) in cards}


def _when(subscription: Subscription, declined: list[Payment], faults: list[Payment], at: datetime) -> Step:
    times = terms.charge_times(subscription)
    if faults:
        due: datetime | None = faults[-1].created_at + sweeps.back_off(len(faults) - 1, *FAULT_BACK_OFF)
    elif declined:
        due = next((moment for moment in times if moment > declined[-1].created_at), None)
    else:  # a card that was never tried is tried at once
        due = times[0] if times else None
    over = subscription.access_until
    if due is None or (over is not None and max(due, at) >= over):
        return Step()
    welcome = max((p.retry_after for p in [*declined, *faults] if p.retry_after is not None), default=due)
    if over is not None and welcome >= over:
        return Step(
            stop=f"The bank takes this card again only from {terms.spoken(welcome, subscription.plan_ahead.zone)} on."
        )
    due = max(due, welcome)
    return Step(now=True) if due <= at else Step(at=due)


def _attempts(subscription: Subscription, at: datetime) -> int:
    """How often the subscription's card was charged lately, saved once or twice."""
    if subscription.method is None:
        return 0
    same = Payment.objects.filter(
        method__user_id=subscription.user_id,
        method__token_digest=subscription.method.token_digest,
        created_at__gt=at - settings.CARD_ATTEMPTS_WITHIN,
    )
    return same.exclude(decline=Decline.NOT_SENT).count()
