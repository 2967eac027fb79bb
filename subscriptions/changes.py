"""Another plan: a dearer one at once, when the difference is paid; any other from the next term on."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from moneyed import Money

from billing import checkouts, events, invoices, ledger, money, payments, refunds
from billing.errors import Conflict, NotFound
from billing.models import Invoice, Payment
from subscriptions import lifecycle, offers, pricing, terms, worth
from subscriptions.calendar import continued
from subscriptions.models import Change, Period, Subscription


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
    period = _running(subscription, at)
    offer = _other(subscription, plan, at=at)
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
        _explained(offer, left, to_pay, subscription),
    )


def upgrade(
    subscription_id: uuid.UUID, order: lifecycle.Order, *, actor: str, at: datetime, by_saved_card: bool = False
) -> Upgrade:
    """Asks for the difference to a dearer plan. The plan changes when that is paid; until then nothing does.

    `by_saved_card` charges it to the card that renewals are charged to, instead of opening the acquirer's page.
    `order.expected_total` is the difference that was shown. A second call for the same finds the first while that
    waits; for another plan or figure it closes the first. Raises what `preview` raises; Conflict `stale_total`,
    `change_in_progress`, `renewal_in_progress`, `no_card`, and those of `checkouts.close`; Invalid `unknown_acquirer`.
    """
    subscription = Subscription.objects.filter(pk=subscription_id).select_related("plan", "price").first()
    if subscription is None:
        raise NotFound("There is no such subscription.", "subscription_not_found")
    payments.choose(order.acquirer, subscription.price.currency)  # refused before anything is written
    card = _card(subscription) if by_saved_card else None
    _make_room(subscription, preview(subscription, order.plan, at=at), actor=actor, at=at)
    with transaction.atomic(durable=True):
        subscription = lifecycle.lock(subscription_id)
        seen = preview(subscription, order.plan, at=at)
        if order.expected_total is not None and order.expected_total != seen.to_pay:
            raise Conflict(
                f"The difference is {money.spoken(seen.to_pay)} now.", "stale_total", total=money.plain(seen.to_pay)
            )
        _wait_for_the_next_term(subscription)
        change = waiting(subscription)
        if change is None:
            change = _ask(subscription, seen, actor=actor, at=at)
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
    )
    return Upgrade(change, payment)


def apply(invoice_id: uuid.UUID, *, actor: str, at: datetime) -> None:
    """Makes the change that a paid invoice was for. The second time changes nothing.

    Where the subscription is not as it was when the sum was found (cancelled, paused, renewed), nothing changes and
    all of the money goes back.
    """
    with transaction.atomic():
        change = _locked(invoice_id)
        if change is None or change.done_at is not None or _given_back(change):
            return
        subscription = change.subscription
        if change.closed_at is None and _fits(change, at):  # a next term that was paid this moment begins, and wins
            terms.close_waiting(subscription, actor=actor, at=at, reason="Another plan was begun")
        if change.closed_at is not None or not _fits(change, at):
            _refuse(change, at=at)
            return
        _switch(change, at=at)
        change.done_at = at
        change.save(update_fields=["done_at"])
        events.emit(
            "subscription.changed",
            subscription,
            actor=actor,
            at=at,
            data=terms.told(subscription) | {"credit": money.plain(change.credit_money)},
        )


def close(invoice_id: uuid.UUID, *, at: datetime, reason: str) -> None:
    """Gives up a change whose invoice was voided. The second time changes nothing."""
    with transaction.atomic():
        change = _locked(invoice_id)
        if change is None or change.done_at is not None or change.closed_at is not None:
            return
        _close(change, at=at, reason=reason)


def waiting(subscription: Subscription) -> Change | None:
    """The change of a subscription that waits for its payment."""
    found = subscription.changes.filter(done_at=None, closed_at=None)
    return found.select_related("plan", "price", "invoice").first()


def plan_next(
    subscription_id: uuid.UUID,
    plan: str | int,
    *,
    actor: str,
    at: datetime,
    reason: str = "",
    expected_price: Money | None = None,
) -> Subscription:
    """Sets the plan and price of the next term; the running one stays as it is. The second time changes nothing.

    Raises NotFound `subscription_not_found`, `plan_not_found`; Conflict `not_running`, `same_plan`, `stale_total`,
    `renewal_in_progress`.
    """
    with transaction.atomic():
        subscription = lifecycle.lock(subscription_id)
        _running(subscription, at)
        offer = _other(subscription, plan, at=at)
        price = offer.quote.total
        if expected_price is not None and expected_price != price:
            raise Conflict(
                f"The price has changed: it is {money.spoken(price)} now.", "stale_total", total=money.plain(price)
            )
        if (subscription.next_plan_id, subscription.next_price_id) == (offer.plan.pk, offer.price.pk):
            return subscription
        _bill_anew(subscription, actor=actor, at=at)
        subscription.next_plan, subscription.next_price = offer.plan, offer.price
        subscription.save(update_fields=["next_plan", "next_price", "updated_at"])
        events.emit(
            "subscription.change_planned",
            subscription,
            actor=actor,
            at=at,
            reason=reason,
            data={"plan": subscription.plan.name, "next_plan": offer.plan.name, "price": money.plain(price)},
        )
    return subscription


def keep_plan(subscription_id: uuid.UUID, *, actor: str, at: datetime, reason: str = "") -> Subscription:
    """Withdraws the plan of the next term: the one of now goes on. Raises NotFound; Conflict `no_change_planned`.

    While the next term is charged, Conflict `renewal_in_progress`.
    """
    with transaction.atomic():
        subscription = lifecycle.lock(subscription_id)
        if subscription.next_plan is None:
            raise Conflict("No other plan was chosen for the next term.", "no_change_planned")
        _bill_anew(subscription, actor=actor, at=at)
        withdrawn = subscription.next_plan.name
        subscription.next_plan = subscription.next_price = None
        subscription.save(update_fields=["next_plan", "next_price", "updated_at"])
        events.emit(
            "subscription.change_withdrawn",
            subscription,
            actor=actor,
            at=at,
            reason=reason,
            data={"plan": subscription.plan.name, "next_plan": withdrawn},
        )
    return subscription


def _wait_for_the_next_term(subscription: Subscription) -> None:
    """Nobody pays for another plan while the next term is being charged. Raises Conflict `renewal_in_progress`."""
    period = terms.waiting(subscription)
    if period is None or period.invoice is None:
        return
    live = period.invoice.payments.filter(status__in=Payment.LIVE).exists()
    if live or period.invoice.status == Invoice.Status.PAID:
        raise Conflict("Your next term is being charged at this moment; try again later.", "renewal_in_progress")


def _bill_anew(subscription: Subscription, *, actor: str, at: datetime) -> None:
    """A next term that is billed and not being charged is given up: the sweep bills it for the plan chosen."""
    _wait_for_the_next_term(subscription)
    terms.close_waiting(subscription, actor=actor, at=at, reason="Another plan was chosen for the next term")
    terms.look_ahead(subscription)
    subscription.save(update_fields=[*terms.AHEAD, "updated_at"])


def _card(subscription: Subscription) -> uuid.UUID:
    if subscription.method is None or subscription.method.removed_at is not None:
        raise Conflict("You have no saved card for this subscription; pay on the bank's page.", "no_card")
    return subscription.method.pk


def _running(subscription: Subscription, at: datetime) -> Period:
    """The term that runs at `at`. Raises Conflict `not_running`."""
    period = (
        subscription.periods.filter(starts_at__lte=at, ends_at__gt=at)
        .select_related("invoice", "invoice__account")
        .first()
    )
    if subscription.status != Subscription.Status.ACTIVE or period is None:
        raise Conflict("This subscription is not running, so its plan cannot be changed.", "not_running")
    return period


def _other(subscription: Subscription, plan: str | int, *, at: datetime) -> offers.Offer:
    offer = offers.find(plan, at=at, currency=subscription.price.currency)
    if offer.plan.pk == subscription.plan_id:
        raise Conflict(f"You have {offer.plan.name} already.", "same_plan")
    return offer


def _explained(offer: offers.Offer, left: pricing.Credit, to_pay: Money, subscription: Subscription) -> str:
    if not left.amount.amount:
        return f"{offer.quote.explanation} Nothing is left of your term to count, so that is to be paid."
    months = "month" if left.months == 1 else "months"
    local = left.counts_from.astimezone(offer.plan.zone)
    return (
        f"{offer.quote.explanation} Of {subscription.plan.name} {left.months} {months} are left, the one in progress "
        f"among them: {money.spoken(left.amount)} less. The new term is counted from {local.day} {local:%B %Y}, when "
        f"that month began. To pay: {money.spoken(to_pay)}."
    )


def _make_room(subscription: Subscription, seen: Switch, *, actor: str, at: datetime) -> None:
    """Closes the waiting change to another plan or at another figure: it must never be paid beside the new one."""
    change = waiting(subscription)
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
    close(change.invoice_id, at=at, reason=reason)


def _is_for(change: Change, seen: Switch) -> bool:
    same_term = change.period_id == seen.period.pk and change.counts_from == seen.counts_from
    return same_term and change.price_id == seen.offer.price.pk and change.invoice.money == seen.to_pay


def _ask(subscription: Subscription, seen: Switch, *, actor: str, at: datetime) -> Change:
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
    data = {"plan": subscription.plan.name, "next_plan": change.plan.name, "total": money.plain(seen.to_pay)}
    events.emit("subscription.change_asked", subscription, actor=actor, at=at, reason=seen.explanation, data=data)
    return change


def _locked(invoice_id: uuid.UUID) -> Change | None:
    """The change that an invoice is for, its subscription locked; None where the invoice is for something else."""
    found = Change.objects.filter(invoice_id=invoice_id).first()
    if found is None:
        return None
    subscription = lifecycle.lock(found.subscription_id)
    change = Change.objects.select_related("plan", "price", "invoice", "period").get(pk=found.pk)
    change.subscription = subscription
    return change


def _fits(change: Change, at: datetime) -> bool:
    """Whether the subscription is still what it was when the sum was found."""
    subscription, period = change.subscription, change.period
    newest = subscription.periods.filter(starts_at__isnull=False).order_by("-starts_at").first()
    running = period.starts_at is not None and period.ends_at is not None and period.starts_at < at < period.ends_at
    return subscription.status == Subscription.Status.ACTIVE and running and newest is not None and newest == period


def _switch(change: Change, *, at: datetime) -> None:
    """The old term ends here and the new one begins; its months are counted as was shown."""
    subscription, old, plan = change.subscription, change.period, change.plan
    anchor = subscription.anchor_at if change.credit and subscription.anchor_at else change.counts_from
    ends_at = continued(anchor, change.counts_from, plan.months, plan.zone)
    old.ends_at = at
    old.save(update_fields=["ends_at"])
    last = subscription.periods.order_by("-number").values_list("number", flat=True)[0]
    begun = Period.objects.create(
        subscription=subscription,
        number=last + 1,
        months=plan.months,
        refund_policy=plan.refund_policy,
        plan=plan,
        price=change.price,
        counts_from=change.counts_from,
        starts_at=at,
        ends_at=ends_at,
        invoice=change.invoice,
        created_at=at,
    )
    subscription.plan, subscription.price, subscription.anchor_at = plan, change.price, anchor
    subscription.next_plan = subscription.next_price = None
    subscription.valid_till, subscription.access_until = ends_at, ends_at + plan.grace
    subscription.reminded_till = None
    terms.take_card(subscription, begun)
    terms.look_ahead(subscription)
    subscription.save(
        update_fields=["plan", "price", "anchor_at", "next_plan", "next_price", "valid_till", "access_until",
                       "reminded_till", "method", *terms.AHEAD, "updated_at"]
    )  # fmt: skip


def _given_back(change: Change) -> bool:
    return bool(change.invoice.payments.filter(refunds__request_key=f"change:{change.pk}").exists())


def _refuse(change: Change, *, at: datetime) -> None:
    """The money came when the change was no longer possible: it goes back, all of it."""
    reason = "The subscription was changed meanwhile, so the new plan was not begun"
    paid = change.invoice.payments.filter(status=Payment.Status.SUCCEEDED, surplus=False).first()
    if paid is not None:
        payment = refunds.lock_payment(paid.pk)
        if payment.refundable.amount > 0:
            refund = refunds.promise(
                payment,
                amount=payment.refundable,
                reason=reason,
                actor="system",
                at=at,
                explanation=f"{reason}; all of the difference goes back.",
                request_key=f"change:{change.pk}",
            )
            refund.next_check_at = at
            refund.save(update_fields=["next_check_at"])
            refunds.hurry()
    _close(change, at=at, reason=reason)


def _close(change: Change, *, at: datetime, reason: str) -> None:
    if change.closed_at is None:
        change.closed_at = at
        change.save(update_fields=["closed_at"])
    data = {"plan": change.subscription.plan.name, "next_plan": change.plan.name}
    events.emit("subscription.change_closed", change.subscription, actor="system", at=at, reason=reason, data=data)
