"""Trials: some days of a plan for nothing, once for each customer, whatever the plan."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import transaction

from accounts.models import User
from billing import events, invoices, ledger, money
from billing.errors import Conflict, Forbidden
from subscriptions import lifecycle, offers, terms
from subscriptions.calendar import days_after
from subscriptions.models import Period, Subscription


def on_offer(user_id: uuid.UUID, offer: offers.Offer) -> bool:
    """Whether somebody may try this plan: it has a trial, and they have had none and have no subscription."""
    return bool(offer.plan.trial_days) and not _used(user_id) and not _has_one(user_id)


def ends_at(offer: offers.Offer, *, at: datetime) -> datetime:
    """When a trial begun at `at` ends."""
    return days_after(at, offer.plan.trial_days, offer.plan.zone)


def runs(subscription: Subscription) -> bool:
    """Whether what runs, or ran last, is the trial itself: no term has followed it."""
    return subscription.trial and not subscription.periods.filter(number__gt=1, starts_at__isnull=False).exists()


def begin(user_id: uuid.UUID, plan: str | int, *, actor: str, at: datetime) -> Subscription:
    """Begins a trial: an invoice over nothing, access at once, no card needed. It ends by itself.

    A second call for the same plan while it runs changes nothing. Raises Forbidden `email_not_confirmed`; NotFound
    `plan_not_found`; Conflict `no_trial`, `trial_used`, `already_subscribed`.
    """
    offer = offers.find(plan, at=at)
    plan_ = offer.plan
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=user_id)
        if not user.is_confirmed:
            raise Forbidden("Confirm your e-mail address first; we sent you a link.", "email_not_confirmed")
        mine = Subscription.objects.filter(user=user, trial=True, plan=plan_, status__in=Subscription.LIVE).first()
        if mine is not None:
            return mine
        if not plan_.trial_days:
            raise Conflict("This plan has no trial.", "no_trial")
        if _used(user.pk):
            raise Conflict("You have had a trial; each customer has one.", "trial_used")
        if _has_one(user.pk) or lifecycle.running_out(user.pk, at=at):
            raise Conflict("You have a subscription already.", "already_subscribed")
        subscription = Subscription.objects.create(user=user, plan=plan_, price=offer.price, trial=True, created_at=at)
        days = "1 day" if plan_.trial_days == 1 else f"{plan_.trial_days} days"
        invoice = invoices.issue(
            user_id=user.pk,
            lines=[invoices.Line(f"plan:{plan_.code}", f"{plan_.name}, {days} to try", offer.price.money * 0)],
            account=ledger.revenue(offer.price.currency),
            purpose="trial",
            actor=actor,
            at=at,
        )
        period = Period.objects.create(
            subscription=subscription,
            number=1,
            months=0,
            days=plan_.trial_days,
            refund_policy=plan_.refund_policy,
            invoice=invoice,
            created_at=at,
        )
        data = {"plan": plan_.name, "total": "0", "invoice": str(invoice.pk), "trial": days}
        state = subscription.status
        events.emit("subscription.created", subscription, actor=actor, at=at, to_state=state, data=data)
        ends = terms.spoken(period.end_from(at, plan_.zone), plan_.zone)
        price = money.spoken(offer.quote.total)
        news = data | {"ends": ends, "price": price, "length": plan_.months}
        events.emit("subscription.trial_begun", subscription, actor=actor, at=at, data=news)
        invoices.waive(invoice.pk, actor=actor, at=at)
    return subscription


def _used(user_id: uuid.UUID) -> bool:
    return Subscription.objects.filter(user_id=user_id, trial=True).exists()


def _has_one(user_id: uuid.UUID) -> bool:
    return Subscription.objects.filter(user_id=user_id, status__in=Subscription.LIVE).exists()
