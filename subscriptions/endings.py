"""What time does to a subscription: the term ends, the grace ends, what was paid and cancelled ends."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.db import connection, transaction

from billing import bulk, events, sweeps
from billing.models import Invoice
from subscriptions import herds, lifecycle, terms
from subscriptions.models import Subscription

BATCH = 2_000
LEASE = timedelta(minutes=2)
State = Subscription.Status
Step = tuple[str, str]  # from this state to that one

READ = (
    "status", "user_id", "plan_id", "price_id", "next_plan_id", "next_price_id", "switches_at", "method_id",
    "valid_till", "access_until", "next_charge_at", "auto_renew", "cancelled_at",
)  # fmt: skip
BILLED = """
    SELECT subscription_id FROM subscriptions_period
     WHERE subscription_id = ANY(%s) AND starts_at IS NULL AND closed_at IS NULL AND number > 1"""
MOVE = """
    UPDATE subscriptions_subscription
       SET status = %(after)s::text, updated_at = %(at)s, remind_at = NULL,
           next_action_at = CASE %(after)s::text WHEN 'past_due' THEN access_until END,
           next_charge_at = CASE %(after)s::text WHEN 'expired' THEN NULL ELSE next_charge_at END,
           next_plan_id = CASE %(after)s::text WHEN 'expired' THEN NULL ELSE next_plan_id END,
           next_price_id = CASE %(after)s::text WHEN 'expired' THEN NULL ELSE next_price_id END
     WHERE id = ANY(%(ids)s) AND status = %(before)s"""


def end_due(*, at: datetime, limit: int = BATCH) -> int:
    """Moves on the subscriptions whose term, grace or paid rest is over at `at`. Returns how many were taken up.

    The ordinary ones in a few statements however many they are; what has a next term billed, or more than one step to
    make, goes the long way through `end`, each in its own transaction.
    """
    with transaction.atomic(durable=True):
        due = Subscription.objects.filter(next_action_at__lte=at).order_by("next_action_at", "pk").only(*READ)
        rows = herds.furnished(list(due.select_for_update(skip_locked=True, no_key=True, of=("self",))[:limit]))
        if not rows:
            return 0
        busy = _billed([row.pk for row in rows])
        steps: dict[Step, list[Subscription]] = {}
        odd = []
        for row in rows:
            step = None if row.pk in busy else _only_step(row, at)
            if step is None:
                odd.append(row.pk)
            else:
                steps.setdefault(step, []).append(row)
        with bulk.sent_ahead():
            for step, ordinary in steps.items():
                _make(step, ordinary, at)
        if odd:
            Subscription.objects.filter(pk__in=odd).update(next_action_at=at + LEASE)
    sweeps.each(odd, lambda pk: end(pk, at=at))
    return len(rows)


def _billed(ids: list[uuid.UUID]) -> set[uuid.UUID]:
    """Those of them, locked, that have a next term billed; asked when the locks are held."""
    with connection.cursor() as cursor:
        cursor.execute(BILLED, [ids])
        return {pk for (pk,) in cursor.fetchall()}


def _only_step(row: Subscription, at: datetime) -> Step | None:
    """The one step that a subscription with no next term billed has to make at `at`; None where it is not as simple."""
    if row.switches_at is not None:
        return None
    till, until = terms.falls_due_at(row), row.access_until
    over = until is not None and until <= at
    if row.status == State.ACTIVE and till is not None and till <= at and not over:
        return State.ACTIVE, State.PAST_DUE
    if row.status == State.PAST_DUE and over:
        return State.PAST_DUE, State.EXPIRED
    if row.status == State.CANCELLED and over:
        return State.CANCELLED, State.ENDED
    return None


def _make(step: Step, rows: list[Subscription], at: datetime) -> None:
    """The same step for many locked rows: what the transitions and `end` write for one."""
    before, after = step
    with connection.cursor() as cursor:
        cursor.execute(MOVE, {"before": before, "after": after, "at": at, "ids": [row.pk for row in rows]})
    facts = [(row, _told(row)) for row in rows]
    events.emit_many(f"subscription.{after}", facts, actor="system", at=at, from_state=before, to_state=after)


def end(subscription_id: uuid.UUID, *, at: datetime) -> Subscription:
    """Moves a subscription on as far as its times say at `at`: active, past due (grace), expired; cancelled, ended.

    One whose next term is paid already begins that instead. With the grace ends every demand for the next term.
    """
    with transaction.atomic():
        subscription = lifecycle.lock(subscription_id)
        while subscription.next_action_at is not None:
            terms.begin_plan(subscription, at=at)
            till, until = terms.falls_due_at(subscription), subscription.access_until
            if subscription.status == State.ACTIVE and till and till <= at:
                if _begins_what_is_paid(subscription, at):
                    continue
                transition, following = subscription.fall_due, until
            elif subscription.status == State.PAST_DUE and until and until <= at:
                terms.close_waiting(subscription, actor="system", at=at, reason="Not paid by the end of grace")
                if subscription.status != State.PAST_DUE:
                    continue
                subscription.next_charge_at = subscription.next_plan = subscription.next_price = None
                transition, following = subscription.expire, None
            elif subscription.status == State.CANCELLED and until and until <= at:
                transition, following = subscription.end, None
            else:
                ahead = {State.ACTIVE: till, State.PAST_DUE: until, State.CANCELLED: until}
                subscription.next_action_at = ahead.get(
                    State(subscription.status)
                )  # the others have no end of their own
                subscription.save(update_fields=["next_action_at"])
                break
            subscription.next_action_at, subscription.remind_at = following, None
            events.change(
                subscription,
                transition,
                actor="system",
                at=at,
                save=[*terms.AHEAD, *terms.PLANS],
                data=_told(subscription),
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
