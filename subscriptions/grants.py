"""Terms for nothing, given by staff: to one person or to many at once, each with its reason."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from accounts.models import User
from billing import events, invoices, ledger
from billing.errors import Conflict, Invalid, NotFound, Refused
from billing.models import Invoice
from subscriptions import lifecycle, terms, wanted
from subscriptions.calendar import continued, days_after
from subscriptions.models import Period, Plan, Price, Subscription

MOST_MONTHS, MOST_DAYS, MOST_PEOPLE = 24, 366, 500
GIVEN = "gift"  # the purpose of such an invoice
TOLD = ("subscription.given", "subscription.extended")


@dataclass(frozen=True, slots=True)
class Gift:
    """So many months or days (one of the two) of a plan, by its code or id; it need not be on sale."""

    plan: str | int
    months: int = 0
    days: int = 0

    @property
    def length(self) -> str:
        count, unit = (self.months, "month") if self.months else (self.days, "day")
        return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one of many people: the subscription given or longer now, or why not."""

    who: str
    subscription: Subscription | None
    text: str


def extended_till(subscription: Subscription, gift: Gift, *, at: datetime) -> datetime:
    """When a running subscription would end after this gift.

    Raises Conflict `not_running`, `hourly`, `too_short`; Invalid `bad_term`.
    """
    _check(gift)
    terms.check_has_terms(subscription)
    running = (Subscription.Status.ACTIVE, Subscription.Status.PAST_DUE)
    begin = subscription.valid_till
    if subscription.status not in running or begin is None:
        raise Conflict("This subscription is not running, so it cannot be extended.", "not_running")
    zone, anchor = subscription.plan_ahead.zone, subscription.anchor_at or begin
    end = days_after(begin, gift.days, zone) if gift.days else continued(anchor, begin, gift.months, zone)
    if end <= at:
        raise Conflict("So short a term would be over already; give a longer one.", "too_short")
    return end


def give(
    user_id: uuid.UUID, gift: Gift, *, actor: str, at: datetime, reason: str, request_key: str | None = None
) -> Subscription:
    """Gives somebody a term for nothing: a new subscription, or a longer one where they have the same plan.

    The same `request_key` finds what it gave before. Raises NotFound `user_not_found`, `plan_not_found`; Invalid
    `bad_term`, `hourly`; Conflict `already_subscribed` for another plan or one that waits or is paused, `too_short`.
    """
    _check(gift)
    plan, price = _plan(gift.plan, at)
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).filter(pk=user_id).first()
        if user is None:
            raise NotFound("There is no such person.", "user_not_found")
        if given := wanted.done(request_key, user.pk, *TOLD):
            return given
        live = Subscription.objects.filter(user=user, status__in=Subscription.LIVE).first()
        if live is None:
            return _begin(user, plan, price, gift, actor=actor, at=at, reason=reason, key=request_key or "")
        have = live.plan_ahead  # a gift follows what is paid
        if have.pk != plan.pk:
            raise Conflict(f"They have {have.name} already.", "already_subscribed", subscription=str(live.pk))
        if live.status not in (Subscription.Status.ACTIVE, Subscription.Status.PAST_DUE):
            state = live.get_status_display().lower()
            raise Conflict(f"They have one already: {state}.", "already_subscribed", subscription=str(live.pk))
        return extend(live.pk, gift, actor=actor, at=at, reason=reason, request_key=request_key)


def extend(
    subscription_id: uuid.UUID,
    gift: Gift,
    *,
    actor: str,
    at: datetime,
    reason: str,
    expected_till: datetime | None = None,
    request_key: str | None = None,
) -> Subscription:
    """Adds a term for nothing to a running subscription, where the paid one ends. One past due is active again.

    The same `request_key` finds what it did. Raises NotFound; Invalid `bad_term`; Conflict `not_running`, `hourly`,
    `too_short`, `stale_till`.
    """
    with transaction.atomic():
        subscription = lifecycle.lock(subscription_id)
        if wanted.done(request_key, subscription.user_id, *TOLD):
            return subscription
        begin, end = subscription.valid_till, extended_till(subscription, gift, at=at)
        if expected_till is not None and expected_till != end:
            raise Conflict("It would end at another time now; look again.", "stale_till", till=end.isoformat())
        terms.close_waiting(subscription, actor=actor, at=at, reason="A term was given for nothing")
        if subscription.valid_till != begin:  # it was paid this very moment: the gift follows after
            begin, end = subscription.valid_till, extended_till(subscription, gift, at=at)
        last = subscription.periods.order_by("-number").values_list("number", flat=True)[0]
        plan, price = subscription.plan_ahead, subscription.price_ahead
        invoice = _invoice(subscription.user_id, plan, price, gift, actor=actor, at=at)
        _period(subscription, last + 1, gift, invoice, at=at, starts_at=begin, ends_at=end)
        if gift.months and begin and subscription.anchor_at:
            subscription.anchor_at = terms.anchor_for(subscription, begin, at)
        subscription.valid_till, subscription.access_until = end, end + plan.grace
        terms.look_ahead(subscription)
        changed = ["anchor_at", "valid_till", "access_until", *terms.AHEAD]
        data = terms.told(subscription) | {"given": gift.length, "key": request_key or ""}
        if subscription.status == Subscription.Status.PAST_DUE:
            events.change(
                subscription, subscription.recover, actor=actor, at=at, reason=reason, save=changed, data=data
            )
        else:
            subscription.save(update_fields=[*changed, "updated_at"])
        events.emit("subscription.extended", subscription, actor=actor, at=at, reason=reason, data=data)
        invoices.waive(invoice.pk, actor=actor, at=at, reason=reason)
    return subscription


def give_many(
    people: Iterable[str], gift: Gift, *, actor: str, at: datetime, reason: str, request_key: str | None = None
) -> list[Outcome]:
    """Gives the same to many, by e-mail or id, each for itself: who cannot get it keeps nobody else from it.

    Somebody named twice gets it once; so does who is named again with the same `request_key`. Raises NotFound
    `plan_not_found`; Invalid `bad_term`, `too_many`.
    """
    _check(gift)
    _plan(gift.plan, at)
    names = list(dict.fromkeys(name.strip() for name in people if name.strip()))
    if len(names) > MOST_PEOPLE:
        raise Invalid(f"Name {MOST_PEOPLE} people at most.", "too_many")
    seen: set[uuid.UUID] = set()
    return [_one_of_many(name, gift, seen, actor=actor, at=at, reason=reason, key=request_key) for name in names]


def _one_of_many(
    name: str, gift: Gift, seen: set[uuid.UUID], *, actor: str, at: datetime, reason: str, key: str | None
) -> Outcome:
    user = _person(name)
    if user is None:
        return Outcome(name, None, "There is no such person.")
    if user.pk in seen:
        return Outcome(name, None, "Named before under another name; given once.")
    seen.add(user.pk)
    try:
        given = give(user.pk, gift, actor=actor, at=at, reason=reason, request_key=key)
    except Refused as refusal:
        return Outcome(name, None, refusal.detail)
    return Outcome(name, given, "Given.")


def _person(name: str) -> User | None:
    try:
        return User.objects.filter(pk=uuid.UUID(name)).first()
    except ValueError:
        return User.objects.filter(email__iexact=name).first() if name.isprintable() else None


def _check(gift: Gift) -> None:
    one = bool(gift.months) != bool(gift.days)
    if not one or not 0 <= gift.months <= MOST_MONTHS or not 0 <= gift.days <= MOST_DAYS:
        raise Invalid(f"Give 1 to {MOST_MONTHS} months, or 1 to {MOST_DAYS} days.", "bad_term")


def _plan(plan: str | int, at: datetime) -> tuple[Plan, Price]:
    """The plan, on sale or not, and its newest price: what the subscription would renew at."""
    found = Plan.objects.filter(code=str(plan)).first()
    if found is None and str(plan).isascii() and str(plan).isdigit() and len(str(plan)) < 19:
        found = Plan.objects.filter(pk=int(plan)).first()
    price = found.prices.filter(starts_at__lte=at).order_by("-starts_at").first() if found else None
    if found is None or price is None:
        raise NotFound("There is no such plan.", "plan_not_found")
    if found.hourly:
        raise Invalid("A plan by the hour has no terms that could be given: put money into the wallet.", "hourly")
    return found, price


def _begin(
    user: User, plan: Plan, price: Price, gift: Gift, *, actor: str, at: datetime, reason: str, key: str
) -> Subscription:
    """A new subscription whose invoice is waived: its event begins the term, as money would."""
    subscription = Subscription.objects.create(user=user, plan=plan, price=price, created_at=at)
    invoice = _invoice(user.pk, plan, price, gift, actor=actor, at=at)
    period = _period(subscription, 1, gift, invoice, at=at)
    begin = lifecycle.begins_at(lifecycle.running_out(user.pk, at=at), at=at)
    ends = period.end_from(begin, plan.zone)
    data = {"plan": plan.name, "total": "0", "invoice": str(invoice.pk), "given": gift.length}
    state = subscription.status
    events.emit("subscription.created", subscription, actor=actor, at=at, reason=reason, to_state=state, data=data)
    news = data | {
        "begins": terms.spoken_date(begin, plan.zone),
        "ends": terms.spoken(ends, plan.zone),
        "later": begin > at,
        "key": key,
    }
    events.emit("subscription.given", subscription, actor=actor, at=at, reason=reason, data=news)
    invoices.waive(invoice.pk, actor=actor, at=at, reason=reason)
    return subscription


def _invoice(user_id: uuid.UUID, plan: Plan, price: Price, gift: Gift, *, actor: str, at: datetime) -> Invoice:
    return invoices.issue(
        user_id=user_id,
        lines=[invoices.Line(f"plan:{plan.code}", f"{plan.name}, {gift.length} for nothing", price.money * 0)],
        account=ledger.revenue(price.currency),
        purpose=GIVEN,
        actor=actor,
        at=at,
    )


def _period(
    subscription: Subscription,
    number: int,
    gift: Gift,
    invoice: Invoice,
    *,
    at: datetime,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> Period:
    return Period.objects.create(
        subscription=subscription,
        number=number,
        months=gift.months,
        days=gift.days,
        refund_policy=subscription.plan_ahead.refund_policy,
        starts_at=starts_at,
        ends_at=ends_at,
        invoice=invoice,
        created_at=at,
    )
