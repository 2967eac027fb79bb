"""What every change of plan stands on: which term runs, which change waits, and how one that was paid is made."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import transaction

from billing import events, money, refunds
from billing.errors import Conflict
from billing.models import Invoice, Payment
from subscriptions import lifecycle, offers, terms
from subscriptions.calendar import continued
from subscriptions.models import Change, Period, Subscription


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
        terms.begin_plan(subscription, at=at)
        if change.closed_at is None and _fits(change, at):  # a next term that was paid this moment begins, and wins
            terms.close_waiting(subscription, actor=actor, at=at, reason="Another plan was begun")
        if change.closed_at is not None or not _fits(change, at):
            _refuse(change, at=at)
            return
        old_plan = subscription.plan.name
        _switch(change, at=at)
        change.done_at = at
        change.save(update_fields=["done_at"])
        events.emit(
            "subscription.changed",
            subscription,
            actor=actor,
            at=at,
            data=terms.told(subscription)
            | {
                "credit": money.plain(change.credit_money),
                "credited": money.spoken(change.credit_money) if change.credit else "",
                "old_plan": old_plan,
            },
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


def running(subscription: Subscription, at: datetime) -> Period:
    """The term that runs at `at`. Raises Conflict `not_running`, `hourly`."""
    terms.check_has_terms(subscription)
    period = (
        subscription.periods.filter(starts_at__lte=at, ends_at__gt=at)
        .select_related("invoice", "invoice__account", "plan")
        .first()
    )
    if subscription.status != Subscription.Status.ACTIVE or period is None:
        raise Conflict("This subscription is not running, so its plan cannot be changed.", "not_running")
    return period


def other(subscription: Subscription, plan: str | int, *, at: datetime) -> offers.Offer:
    offer = offers.find(plan, at=at, currency=subscription.price.currency, user_id=subscription.user_id)
    if offer.plan.pk == terms.plan_at(subscription, at).pk:
        raise Conflict(f"You have {offer.plan.name} already.", "same_plan")
    return offer


def wait_for_the_next_term(subscription: Subscription) -> None:
    """Nobody pays for another plan while the next term is being charged. Raises Conflict `renewal_in_progress`."""
    period = terms.waiting(subscription)
    if period is None or period.invoice is None:
        return
    live = period.invoice.payments.filter(status__in=Payment.LIVE).exists()
    if live or period.invoice.status == Invoice.Status.PAID:
        raise Conflict("Your next term is being charged at this moment; try again later.", "renewal_in_progress")


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
    running = period.starts_at is not None and period.ends_at is not None and period.starts_at <= at < period.ends_at
    return subscription.status == Subscription.Status.ACTIVE and running and newest is not None and newest == period


def _switch(change: Change, *, at: datetime) -> None:
    """The old term ends here and the new one begins; its months are counted as was shown."""
    subscription, old, plan = change.subscription, change.period, change.plan
    if old.starts_at is not None:
        at = max(at, old.starts_at + datetime.resolution)  # paid as it began: it has lasted the least time there is
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
