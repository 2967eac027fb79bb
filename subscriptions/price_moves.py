"""Price moves: who would move is shown, each is told in time, then the price changes; a billed term keeps its own."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, When

from billing import events, money, wake
from billing.errors import Conflict, Invalid, NotFound
from subscriptions import metering, terms
from subscriptions.calendar import continued
from subscriptions.models import Moving, Period, Plan, Price, PriceMove, Subscription

log = logging.getLogger(__name__)

State = Subscription.Status
MOVES = (State.ACTIVE, State.PAST_DUE, State.PAUSED, State.SUSPENDED)
LOOK_AGAIN = timedelta(hours=1)  # at one whose next term is billed and neither begun nor given up
FARTHEST = timedelta(days=3 * 365)
CHUNK = 2_000
SHOWN = tuple(f"subscription__{name}" for name in ("plan", "price", "next_plan", "next_price", "method"))  # in a notice
HELD = Case(When(switches_at=None, then="price_id"), default="next_price_id")  # of the last term that is paid


@dataclass(frozen=True, slots=True)
class Proposal:
    """What staff want: `from_price` None is everyone of the plan who has another price in the same currency."""

    plan: Plan
    to_price: Price
    effective_from: datetime
    reason: str
    from_price: Price | None = None


def check(wanted: Proposal, *, at: datetime) -> None:
    """Raises Invalid where the prices are not this plan's (`other_plan`), not in one currency (`wrong_currency`), the
    same (`same_price`), or the date is wrong (`too_soon`, `too_late`, `price_begins_later`, `reason_missing`).
    """
    old, new = wanted.from_price, wanted.to_price
    if new.plan_id != wanted.plan.pk or (old and old.plan_id != wanted.plan.pk):
        raise Invalid("That is a price of another plan.", "other_plan")
    if old and old.pk == new.pk:
        raise Invalid("They have that price already.", "same_price")
    if old and old.currency != new.currency:
        raise Invalid("Nobody is moved from one currency to another.", "wrong_currency")
    if not wanted.reason.strip():
        raise Invalid("Say why.", "reason_missing")
    if wanted.effective_from > at + FARTHEST:
        raise Invalid("That is too far away: three years at most.", "too_late")
    _check_notice(wanted.effective_from, at)
    if new.starts_at > wanted.effective_from:
        raise Invalid("The new price itself begins later than that.", "price_begins_later")


def propose(wanted: Proposal, *, actor: str, at: datetime) -> PriceMove:
    """Writes down a move to look at. Nobody is told, nothing changes. Raises what `check` does."""
    check(wanted, at=at)
    with transaction.atomic():
        move = PriceMove.objects.create(
            plan=wanted.plan,
            from_price=wanted.from_price,
            to_price=wanted.to_price,
            effective_from=wanted.effective_from,
            actor=actor,
            reason=wanted.reason.strip()[:300],
            created_at=at,
        )
        data = {"to": money.plain(wanted.to_price.money), "effective_from": wanted.effective_from}
        events.emit(
            "price_move.proposed", move, actor=actor, at=at, reason=wanted.reason, to_state=move.status, data=data
        )
    return move


def candidates(move: PriceMove) -> QuerySet[Subscription]:
    """Whom announcing `move` now would tell: those whose plan, or the one that is paid ahead, they have at another
    price (`held`), in no move that is under way.
    """
    theirs = Q(switches_at=None, plan=move.plan_id) | Q(switches_at__isnull=False, next_plan=move.plan_id)
    rows = Subscription.objects.filter(theirs, status__in=MOVES, price__currency=move.to_price.currency)
    rows = rows.annotate(held=HELD).exclude(held=move.to_price_id)
    if move.from_price_id:
        rows = rows.filter(held=move.from_price_id)
    under_way = Moving.objects.filter(subscription=OuterRef("pk"), settled_at=None)
    return rows.exclude(Exists(under_way)).select_related("user", "plan", "price", "next_price").order_by("pk")


def first_at(subscription: Subscription, effective_from: datetime) -> datetime:
    """When the first term at the new price is billed, if it is renewed; by the hour, the date itself."""
    plan, till = subscription.plan_ahead, subscription.valid_till
    if plan.hourly or till is None:
        return effective_from
    anchor = subscription.anchor_at or till
    while till - plan.renewal_lead < effective_from:
        till = continued(anchor, till, plan.months, plan.zone)
    return till - plan.renewal_lead


def announce(
    move_id: uuid.UUID, *, actor: str, at: datetime, reason: str = "", expected_people: int | None = None
) -> PriceMove:
    """Fixes who moves; a sweep sends each the notice. Who subscribes later is not in it.

    The second time changes nothing. Raises NotFound; Conflict `not_a_draft`, `stale_preview`, `nobody_moves`; Invalid
    `too_soon`.
    """
    with transaction.atomic():
        move = lock(move_id)
        if move.status == PriceMove.Status.ANNOUNCED:
            return move
        if move.status != PriceMove.Status.DRAFT:
            raise Conflict("This move is over.", "not_a_draft")
        _check_notice(move.effective_from, at)
        rows = list(candidates(move).values_list("pk", HELD))
        if not rows:
            raise Conflict("Nobody would move.", "nobody_moves")
        if expected_people is not None and expected_people != len(rows):
            raise Conflict(f"It would move {len(rows)} now; look again.", "stale_preview", people=len(rows))
        Moving.objects.bulk_create(
            (Moving(move=move, subscription_id=pk, from_price_id=price) for pk, price in rows), batch_size=CHUNK
        )
        events.change(move, move.announce, actor=actor, at=at, reason=reason, data={"people": len(rows)})
        wake.after_commit("subscriptions.tasks.move_prices")
    return move


def withdraw(move_id: uuid.UUID, *, actor: str, at: datetime, reason: str = "") -> PriceMove:
    """Calls off a move: whoever was not moved yet keeps the old price, and is told so if they had the notice.

    The second time changes nothing. Raises NotFound; Conflict `not_a_draft` where it is done.
    """
    with transaction.atomic():
        move = lock(move_id)
        if move.status == PriceMove.Status.WITHDRAWN:
            return move
        if move.status == PriceMove.Status.DONE:
            raise Conflict("This move is done. To undo it, move them back by another one.", "not_a_draft")
        events.change(move, move.withdraw, actor=actor, at=at, reason=reason)
        waiting = move.movings.filter(settled_at=None).select_related("from_price", *SHOWN)
        rows = list(waiting.order_by("pk").select_for_update(of=("self",)))
        told = [row for row in rows if row.told_at is not None]
        facts = [(row.subscription, _told(row, move)) for row in told if row.subscription.status in MOVES]
        for number in range(0, len(facts), CHUNK):
            events.emit_many("subscription.price_kept", facts[number : number + CHUNK], actor=actor, at=at)
        _settle(rows, Moving.Outcome.KEPT, "The move was withdrawn", at)
    return move


def lock(move_id: uuid.UUID) -> PriceMove:
    """The move, locked until the end of the transaction. Raises NotFound."""
    try:
        return PriceMove.objects.select_for_update().get(pk=move_id)
    except PriceMove.DoesNotExist:
        raise NotFound("There is no such price move.", "price_move_not_found") from None


def tell_due(*, at: datetime, limit: int = 500) -> int:
    """Tells those who will move, each once: a notice by mail. Returns how many were taken up.

    Whoever is told late moves late: there are always so many days between the notice and the price.
    """
    with transaction.atomic(durable=True):
        rows = list(
            Moving.objects.filter(told_at=None, settled_at=None)
            .order_by("pk")
            .select_for_update(skip_locked=True, of=("self",))
            .select_related("move__to_price", "from_price", *SHOWN)[:limit]
        )
        staying, going = _sorted(rows)
        for why, kept in staying.items():
            _settle(kept, Moving.Outcome.KEPT, why, at)
        for row in going:
            row.told_at, row.due_at = at, max(row.move.effective_from, at + settings.PRICE_NOTICE)
        Moving.objects.bulk_update(going, ["told_at", "due_at"])
        facts = [(row.subscription, _told(row, row.move)) for row in going]
        events.emit_many("subscription.price_announced", facts, actor="system", at=at)
    _finish({row.move_id for kept in staying.values() for row in kept}, at=at)
    return len(rows)


def move_due(*, at: datetime, limit: int = 500) -> int:
    """Gives those whose notice is over at `at` their new price. Returns how many were taken up.

    One transaction for all of them; the second time finds them moved. One whose next term is billed already keeps
    the price of that term, and is looked at again when it has begun.
    """
    with transaction.atomic(durable=True):
        rows = list(
            Moving.objects.filter(due_at__lte=at)
            .order_by("due_at", "pk")
            .select_for_update(skip_locked=True, of=("subscription", "self"))
            .select_related("move__to_price", "from_price", *SHOWN)[:limit]
        )
        staying, going = _sorted(rows)
        for why, kept in staying.items():
            _settle(kept, Moving.Outcome.KEPT, why, at)
        billed = _billed(going)
        free = [row for row in going if row.subscription_id not in billed]
        ready = [row for row in free if not row.subscription.plan.hourly or _reprice(row, at)]
        later = {row.pk for row in going} - {row.pk for row in ready}
        Moving.objects.filter(pk__in=later).update(due_at=at + LOOK_AGAIN)
        _move(ready, at)
    _finish({row.move_id for row in rows}, at=at)
    return len(rows)


def _move(rows: Sequence[Moving], at: datetime) -> None:
    """The new price for locked subscriptions, in a few statements for each price however many they are."""
    for price in {row.move.to_price for row in rows}:
        own = [row for row in rows if row.move.to_price_id == price.pk]
        terms_ = [row.subscription_id for row in own if not row.subscription.plan.hourly]
        moved = Subscription.objects.filter(pk__in=terms_)
        moved.filter(switches_at=None).update(price=price, updated_at=at)
        moved.filter(switches_at__isnull=False).update(next_price=price, updated_at=at)
        for row in own:
            setattr(row.subscription, "price" if row.subscription.switches_at is None else "next_price", price)
        facts = [(row.subscription, _told(row, row.move)) for row in own]
        events.emit_many("subscription.price_changed", facts, actor="system", at=at)
    _settle(rows, Moving.Outcome.MOVED, "", at)


def _reprice(row: Moving, at: datetime) -> bool:
    """By the hour, what was used so far is charged at the old rate first. One that fails does not keep the others."""
    try:
        with transaction.atomic():
            metering.reprice(row.subscription_id, row.move.to_price, actor="system", at=at)
    except Exception:
        log.exception("the rate of %s cannot be changed", row.subscription_id)
        return False
    return True


def _sorted(rows: Sequence[Moving]) -> tuple[dict[str, list[Moving]], list[Moving]]:
    """Those who keep their price, by the reason why; and those who go on."""
    staying: dict[str, list[Moving]] = {}
    going = []
    for row in rows:
        if row.subscription.status not in MOVES:
            staying.setdefault("The subscription is over or cancelled", []).append(row)
        elif row.subscription.price_ahead.pk != row.from_price_id:
            staying.setdefault("It has another price since", []).append(row)
        else:
            going.append(row)
    return staying, going


def _billed(rows: Sequence[Moving]) -> set[uuid.UUID]:
    """The subscriptions whose next term is billed and neither begun nor given up."""
    waiting = Period.objects.filter(
        subscription__in=[row.subscription_id for row in rows], starts_at=None, closed_at=None
    )
    return set(waiting.values_list("subscription_id", flat=True))


def _settle(rows: Sequence[Moving], outcome: Moving.Outcome, why: str, at: datetime) -> None:
    Moving.objects.filter(pk__in=[row.pk for row in rows]).update(outcome=outcome, why=why, settled_at=at, due_at=None)


def _finish(moves: set[uuid.UUID], *, at: datetime) -> None:
    """Ends the moves of which nothing is to come."""
    for move_id in moves:
        with transaction.atomic():
            move = lock(move_id)
            if move.status == PriceMove.Status.ANNOUNCED and not move.movings.filter(settled_at=None).exists():
                moved = move.movings.filter(outcome=Moving.Outcome.MOVED).count()
                events.change(move, move.finish, actor="system", at=at, data={"moved": moved})


def _check_notice(effective_from: datetime, at: datetime) -> None:
    if effective_from < at + settings.PRICE_NOTICE:
        days = settings.PRICE_NOTICE.days
        raise Invalid(f"They are told at least {days} days before, so it must be {days} days away or more.", "too_soon")


def _told(row: Moving, move: PriceMove) -> dict[str, object]:
    """What a notice says: from what, to what, from when; and the first time that it is charged."""
    subscription, zone = row.subscription, row.subscription.plan_ahead.zone
    since = max(row.due_at or move.effective_from, move.effective_from)
    first = first_at(subscription, since)
    return terms.told(subscription) | {
        "move": str(row.move_id),
        "old_price": money.spoken(row.from_price.money),
        "new_price": money.spoken(move.to_price.money),
        "hourly": subscription.plan.hourly,
        "since": terms.spoken_day(since, zone),
        "first_at": first,
        "first": terms.spoken_day(first, zone),
        "months": subscription.plan_ahead.months,
    }
