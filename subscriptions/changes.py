"""A dearer plan at once: shown, asked for, and begun when the difference is paid."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from moneyed import Money

from billing import checkouts, events, invoices, ledger, money, payments, routes
from billing.errors import Conflict, NotFound
from billing.models import Invoice, Payment
from subscriptions import lifecycle, offers, pricing, switching, terms, worth
from subscriptions.calendar import continued
from subscriptions.models import Change, Period, Subscription

OFFERED, OFFERED_ONCE = "subscription.change_offered", timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Switch:
    """What changing to another plan at once means now. `to_pay`: the price less `credit`, what is left of the term."""

    offer: offers.Offer
    period: Period
    price: Money
    credit: Money
    to_pay: Money
    returnable: Money
    counts_from: datetime
    ends_at: datetime
    explanation: str


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A change that waits for its payment, and that payment."""

    change: Change
    payment: Payment


def preview(subscription: Subscription, plan: str | int, *, at: datetime) -> Switch:
    """What changing to `plan` at once would cost at `at`, and until when the new term would run.

    Raises NotFound `plan_not_found`; Conflict `not_running`, `same_plan`, `later_term_paid`, `not_an_upgrade`.
    """
    period = switching.running(subscription, at)
    offer = switching.other(subscription, plan, at=at)
    if subscription.periods.filter(starts_at__gte=period.ends_at).exists():
        raise Conflict("The next term is paid already; the plan can be changed when that one runs.", "later_term_paid")
    term, price = worth.term(subscription, period), offer.quote.total
    left, returnable = pricing.Credit(price * 0, at, 0), price * 0
    if term is not None and (found := pricing.credit(term, at)).amount.amount:
        left, returnable = found, pricing.unused(term, at).refund
    to_pay = price - left.amount
    if to_pay.amount <= 0:
        raise Conflict(
            f"{offer.plan.name} costs no more than what is left of your term. Choose it for the end of the term.",
            "not_an_upgrade",
        )
    anchor = subscription.anchor_at if left.amount.amount and subscription.anchor_at else at
    ends_at = continued(anchor, left.counts_from, offer.plan.months, offer.plan.zone)
    return Switch(
        offer,
        period,
        price,
        left.amount,
        to_pay,
        min(returnable, left.amount),
        left.counts_from,
        ends_at,
        _explained(offer, left, to_pay, period.sold.name),
    )


def upgrade(
    subscription_id: uuid.UUID,
    order: lifecycle.Order,
    *,
    actor: str,
    at: datetime,
    by_saved_card: bool = False,
    by_staff: bool = False,
    reason: str = "",
) -> Upgrade:
    """Asks for the difference to a dearer plan. The plan changes when that is paid; until then nothing does.

    `by_saved_card` charges it to the card that renewals are charged to, instead of opening the acquirer's page;
    `by_staff`, the customer is not there, and the card is charged only if they agreed to be charged without being so.
    `order.expected_total` is the difference that was shown. A second call for the same finds the first while that
    waits; for another plan or figure it closes the first. Raises what `preview` raises; Conflict `stale_total`,
    `change_in_progress`, `renewal_in_progress`, `no_card`, `no_consent`, and those of `checkouts.close`; Invalid
    `unknown_acquirer`.
    """
    subscription = Subscription.objects.filter(pk=subscription_id).select_related("plan", "price").first()
    if subscription is None:
        raise NotFound("There is no such subscription.", "subscription_not_found")
    routes.check(order.acquirer, subscription.price.currency)  # refused before anything is written
    card = _card(subscription, by_staff) if by_saved_card else None
    _make_room(subscription, preview(subscription, order.plan, at=at), actor=actor, at=at)
    with transaction.atomic(durable=True):
        subscription = lifecycle.lock(subscription_id)
        terms.begin_plan(subscription, at=at)
        if card is not None and card != _card(subscription, by_staff):
            raise Conflict("The card was changed a moment ago; look again.", "change_in_progress")
        seen = preview(subscription, order.plan, at=at)
        _check_total(order.expected_total, seen)
        switching.wait_for_the_next_term(subscription)
        change = switching.waiting(subscription)
        if change is None:
            change = _ask(subscription, seen, actor=actor, at=at, reason=reason)
        elif not _is_for(change, seen):
            raise Conflict("Another change of plan waits for its payment.", "change_in_progress")
    payment = payments.start(
        change.invoice_id,
        actor=actor,
        at=at,
        acquirer=order.acquirer,
        return_url=order.return_url,
        save_card=order.save_card and card is None,
        method_id=card,
        goods=seen.offer.plan.code,
    )
    return Upgrade(change, payment)


def offer(
    subscription_id: uuid.UUID,
    plan: str | int,
    *,
    actor: str,
    at: datetime,
    reason: str,
    expected_total: Money | None = None,
) -> Switch:
    """Staff suggest a dearer plan: the customer gets a mail with the difference and where to pay it. Nothing changes.

    Raises what `preview` raises; Conflict `stale_total`, and `offered_already` within an hour of the same offer.
    """
    with transaction.atomic():
        subscription = lifecycle.lock(subscription_id)
        terms.begin_plan(subscription, at=at)
        seen = preview(subscription, plan, at=at)
        _check_total(expected_total, seen)
        code, zone = seen.offer.plan.code, seen.offer.plan.zone
        same = events.Event.objects.filter(subject_type=subscription.noun, subject_id=subscription.pk, kind=OFFERED)
        if same.filter(at__gt=at - OFFERED_ONCE, data__code=code).exists():
            raise Conflict("They were sent this offer a moment ago.", "offered_already")
        data = terms.told(subscription) | {
            "code": code,
            "next_plan": seen.offer.plan.name,
            "to_pay": money.spoken(seen.to_pay),
            "then_ends": terms.spoken(seen.ends_at, zone),
            "explanation": seen.explanation,
        }
        events.emit(OFFERED, subscription, actor=actor, at=at, reason=reason, data=data)
    return seen


def _check_total(expected: Money | None, seen: Switch) -> None:
    if expected is not None and expected != seen.to_pay:
        raise Conflict(
            f"The difference is {money.spoken(seen.to_pay)} now.", "stale_total", total=money.plain(seen.to_pay)
        )


def _card(subscription: Subscription, by_staff: bool) -> uuid.UUID:
    if by_staff and not terms.will_renew(subscription):
        raise Conflict("They have not agreed that we charge a card of theirs; send them an offer.", "no_consent")
    if subscription.method is None or subscription.method.removed_at is not None:
        raise Conflict("You have no saved card for this subscription; pay on the bank's page.", "no_card")
    return subscription.method.pk


def _explained(offer: offers.Offer, left: pricing.Credit, to_pay: Money, before: str) -> str:
    if not left.amount.amount:
        return f"{offer.quote.explanation} Nothing is left of your term to count, so that is to be paid."
    progress = "the one in progress"
    months = (
        f"1 month is left, {progress}" if left.months == 1 else f"{left.months} months are left, {progress} among them"
    )
    local = left.counts_from.astimezone(offer.plan.zone)
    return (
        f"{offer.quote.explanation} Of {before} {months}: "
        f"{money.spoken(left.amount)} less. The new term is counted from {local.day} {local:%B %Y}, when "
        f"that month began. To pay: {money.spoken(to_pay)}."
    )


def _make_room(subscription: Subscription, seen: Switch, *, actor: str, at: datetime) -> None:
    """Closes the waiting change to another plan or at another figure: it must never be paid beside the new one."""
    change = switching.waiting(subscription)
    if change is None:
        return
    in_time = change.invoice.expires_at is None or at < change.invoice.expires_at
    if in_time and change.invoice.status == Invoice.Status.OPEN and _is_for(change, seen):
        return
    reason = "Another change was chosen" if in_time else "Not paid in time"
    try:
        checkouts.close(change.invoice_id, actor=actor, at=at, reason=reason)
    except Conflict as error:
        if error.code == "invoice_paid":
            raise Conflict("A change of plan was paid a moment ago; look again.", "change_in_progress") from None
        raise
    switching.close(change.invoice_id, at=at, reason=reason)


def _is_for(change: Change, seen: Switch) -> bool:
    same_term = change.period_id == seen.period.pk and change.counts_from == seen.counts_from
    return same_term and change.price_id == seen.offer.price.pk and change.invoice.money == seen.to_pay


def _ask(subscription: Subscription, seen: Switch, *, actor: str, at: datetime, reason: str) -> Change:
    """The invoice of the difference, and what it is for."""
    what = f"{seen.offer.plan.name} instead of {subscription.plan.name}"
    line = invoices.Line(f"plan:{seen.offer.plan.code}", what, seen.price, discount=seen.credit)
    invoice = invoices.issue(
        user_id=subscription.user_id,
        lines=[line],
        account=ledger.revenue(subscription.price.currency),
        purpose="change",
        actor=actor,
        at=at,
        expires_at=at + settings.CHECKOUT_TTL,
    )
    change = Change.objects.create(
        subscription=subscription,
        period=seen.period,
        plan=seen.offer.plan,
        price=seen.offer.price,
        invoice=invoice,
        credit=money.to_minor(seen.credit),
        returnable=money.to_minor(seen.returnable),
        counts_from=seen.counts_from,
        created_at=at,
    )
    data = {
        "plan": subscription.plan.name,
        "next_plan": change.plan.name,
        "total": money.plain(seen.to_pay),
        "explanation": seen.explanation,
    }
    why = reason or seen.explanation
    events.emit("subscription.change_asked", subscription, actor=actor, at=at, reason=why, data=data)
    return change
