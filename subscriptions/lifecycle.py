"""The life of a subscription: subscribe, activate, abandon. It ends in endings or by a cancellation."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction

from accounts.models import User
from billing import checkouts, events, invoices, ledger, money, payments, routes
from billing.errors import Conflict, Forbidden, NotFound
from billing.models import Invoice, Payment
from subscriptions import offers, redemptions, terms, wanted
from subscriptions.models import Period, Subscription
from subscriptions.wanted import Order as Order


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A subscription and the payment that it waits for; None where there is nothing to pay."""

    subscription: Subscription
    invoice: Invoice
    payment: Payment | None


def subscribe(user_id: uuid.UUID, order: Order, *, actor: str, at: datetime) -> Subscribed:
    """Begins a subscription that becomes active when its invoice is paid, and opens the acquirer's page.

    Where nothing is to be paid, it begins at once. A second call for the same plan finds the first while that one
    waits; for another plan, figure or code it closes the first. Raises Forbidden `email_not_confirmed`; NotFound
    `plan_not_found`; Conflict `already_subscribed`, `stale_total`, `payment_in_progress`, `request_key_reused`; Invalid
    `unknown_acquirer`; and for a promo code as `discounts.usable` does.
    """
    keyed = Subscription.objects.filter(user_id=user_id, request_key=order.request_key)
    known = bool(order.promo_code and order.request_key) and keyed.exists()  # sent again: it holds the code already
    offer = offers.find(order.plan, at=at, user_id=user_id, promo_code="" if known else order.promo_code)
    total = offer.quote.total
    if not known and order.expected_total not in (None, total):
        raise Conflict(
            f"The price has changed: it is {money.spoken(total)} now.", "stale_total", total=money.plain(total)
        )
    if total:
        routes.check(order.acquirer, offer.price.currency)  # refused before anything is written
    _make_room(user_id, offer, order.request_key, at=at)
    with transaction.atomic(durable=True):
        subscription = _begin(user_id, offer, order, actor=actor, at=at)
        invoice = first_invoice(subscription)
        if invoice.status == Invoice.Status.OPEN and not invoice.total:
            invoice = invoices.waive(invoice.pk, actor=actor, at=at)
    payment: Payment | None
    if invoice.status == Invoice.Status.PAID:
        payment = invoice.payments.filter(status=Payment.Status.SUCCEEDED, surplus=False).first()
    else:
        payment = payments.start(
            invoice.pk,
            actor=actor,
            at=at,
            acquirer=order.acquirer,
            return_url=order.return_url,
            save_card=order.save_card or order.auto_renew,
            goods=offer.plan.code,
        )
    subscription.refresh_from_db()
    return Subscribed(subscription, invoice, payment)


def pay_again(subscription_id: uuid.UUID, order: Order, *, actor: str, at: datetime) -> Payment:
    """A new attempt for a subscription whose payment failed; the live one while there is one.

    Raises NotFound; Conflict `not_pending`, `invoice_paid`, `invoice_closed`.
    """
    subscription = Subscription.objects.filter(pk=subscription_id).select_related("plan").first()
    if subscription is None:
        raise NotFound("There is no such subscription.", "subscription_not_found")
    if subscription.status != Subscription.Status.PENDING:
        raise Conflict("This subscription does not wait for a payment.", "not_pending")
    return payments.start(
        first_invoice(subscription).pk,
        actor=actor,
        at=at,
        acquirer=order.acquirer,
        return_url=order.return_url,
        save_card=order.save_card,
        goods=subscription.plan.code,
    )


def running_out(user_id: uuid.UUID, *, at: datetime) -> Subscription | None:
    """A customer's cancelled subscription that is paid beyond `at`: the next one begins where it ends."""
    return (
        Subscription.objects.filter(user_id=user_id, status=Subscription.Status.CANCELLED, valid_till__gt=at)
        .select_related("plan", "price")
        .order_by("-valid_till")
        .first()
    )


def begins_at(running: Subscription | None, *, at: datetime) -> datetime:
    """When a term paid at `at` begins: then, or at the end of what is `running_out`. Nobody pays a day twice."""
    return running.valid_till if running and running.valid_till else at


def activate(invoice_id: uuid.UUID, *, actor: str, at: datetime) -> None:
    """Begins the term that a paid invoice was for. The second time changes nothing.

    The term begins where `begins_at` says.
    """
    with transaction.atomic():
        period = _period_of(invoice_id)
        if period is None or period.starts_at is not None or period.number > 1:
            return
        subscription = period.subscription
        begin = begins_at(running_out(subscription.user_id, at=at), at=at)
        terms.begin(subscription, period, begin)
        period.save(update_fields=["starts_at", "ends_at"])
        terms.take_card(subscription, period)
        terms.look_ahead(subscription)
        events.change(
            subscription,
            subscription.activate,
            actor=actor,
            at=at,
            save=[*terms.BEGUN, "method", *terms.AHEAD],
            data=terms.told_begun(subscription),
        )


def abandon(invoice_id: uuid.UUID, *, actor: str, at: datetime, reason: str) -> None:
    """Gives up the pending subscription whose first invoice was voided. The second time changes nothing."""
    with transaction.atomic():
        period = _period_of(invoice_id)
        redemptions.release(invoice_id, at=at)
        if period is None or period.subscription.status != Subscription.Status.PENDING:
            return
        subscription = period.subscription
        events.change(subscription, subscription.abandon, actor=actor, at=at, reason=reason)


def lock(subscription_id: uuid.UUID) -> Subscription:
    """The subscription, locked until the end of the transaction. Raises NotFound.

    Without its plan: PostgreSQL finds no row where the plan of a joined one is changed while the lock is waited for.
    """
    try:
        return Subscription.objects.select_for_update().get(pk=subscription_id)
    except Subscription.DoesNotExist:
        raise NotFound("There is no such subscription.", "subscription_not_found") from None


def first_invoice(subscription: Subscription) -> Invoice:
    """The invoice that a subscription begins with."""
    return Invoice.objects.get(period__subscription=subscription, period__number=1)


def _make_room(user_id: uuid.UUID, offer: offers.Offer, request_key: str | None, *, at: datetime) -> None:
    """Closes the customer's waiting checkout of another plan or price: it must never be paid beside the new one."""
    waiting = (
        Subscription.objects.filter(user_id=user_id, status=Subscription.Status.PENDING).select_related("price").first()
    )
    if waiting is None or (request_key and waiting.request_key == request_key):
        return
    invoice = first_invoice(waiting)
    in_time = invoice.expires_at is None or at < invoice.expires_at
    if in_time and invoice.status != Invoice.Status.VOID and wanted.is_for(waiting, offer):
        return
    reason = "Another plan was chosen" if in_time else "Not paid in time"
    try:
        checkouts.close(invoice.pk, actor="system", at=at, reason=reason)
    except Conflict as error:
        if error.code == "invoice_paid":
            raise Conflict("You have a subscription already.", "already_subscribed") from None
        raise
    abandon(invoice.pk, actor="system", at=at, reason=reason)


def _begin(user_id: uuid.UUID, offer: offers.Offer, order: Order, *, actor: str, at: datetime) -> Subscription:
    """The customer's waiting subscription to this offer, or a new one with its invoice and first period."""
    user = User.objects.select_for_update(no_key=True).get(pk=user_id)  # two subscribes of one person take turns
    if not user.is_confirmed:
        raise Forbidden("Confirm your e-mail address first; we sent you a link.", "email_not_confirmed")
    same = order.request_key and Subscription.objects.filter(user=user, request_key=order.request_key).first()
    if same:
        return wanted.same(same, offer, order, at)
    live = Subscription.objects.filter(user=user, status__in=Subscription.LIVE).first()
    if live and live.status == Subscription.Status.PENDING and wanted.is_for(live, offer):
        return wanted.agreed(live, order, at)
    if live and live.status == Subscription.Status.PAST_DUE:
        _make_way(live.pk, actor=actor, at=at)
    elif live:
        raise Conflict("You have a subscription already.", "already_subscribed", subscription=str(live.pk))
    subscription = Subscription.objects.create(
        user=user,
        plan=offer.plan,
        price=offer.price,
        auto_renew=order.auto_renew,
        renewal_consent_at=at if order.auto_renew else None,
        request_key=order.request_key or None,
        created_at=at,
    )
    account = ledger.revenue(offer.price.currency)
    invoice = invoices.issue(
        user_id=user.pk, lines=[offer.line()], account=account, purpose="subscription",
        actor=actor, at=at, expires_at=at + settings.CHECKOUT_TTL,
    )  # fmt: skip
    redemptions.reserve(invoice.pk, user.pk, offer.quote, offer.plan, offer.price, at=at)
    _first_period(subscription, offer, invoice, at)
    events.emit(
        "subscription.created",
        subscription,
        actor=actor,
        at=at,
        to_state=subscription.status,
        data={"plan": offer.plan.name, "total": money.plain(offer.quote.total), "invoice": str(invoice.pk)},
    )
    return subscription


def _first_period(subscription: Subscription, offer: offers.Offer, invoice: Invoice, at: datetime) -> None:
    Period.objects.create(
        subscription=subscription,
        number=1,
        months=offer.plan.months,
        refund_policy=offer.plan.refund_policy,
        plan=offer.plan,
        price=offer.price,
        invoice=invoice,
        created_at=at,
    )


def _make_way(past_due_id: uuid.UUID, *, actor: str, at: datetime) -> None:
    """In the days of grace the next term can be bought: the old subscription ends, its grace goes on as promised."""
    subscription = lock(past_due_id)
    terms.begin_plan(subscription, at=at)
    reason = "A new term was chosen in the days of grace"
    terms.close_waiting(subscription, actor=actor, at=at, reason=reason)
    if subscription.status != Subscription.Status.PAST_DUE:  # its next term was paid in this very moment
        raise Conflict("You have a subscription already.", "already_subscribed", subscription=str(past_due_id))
    subscription.auto_renew, subscription.next_action_at, subscription.next_charge_at = False, None, None
    subscription.next_plan = subscription.next_price = None
    changed = ["auto_renew", "next_action_at", "next_charge_at", *terms.PLANS]
    data = terms.told(subscription) | {"replaced": True}
    events.change(subscription, subscription.expire, actor=actor, at=at, reason=reason, save=changed, data=data)


def _period_of(invoice_id: uuid.UUID) -> Period | None:
    """The period that an invoice billed, its subscription locked; None where it billed none."""
    billed = Subscription.objects.filter(periods__invoice=invoice_id).select_related("plan", "price")
    subscription = billed.select_for_update(of=("self",)).first()
    if subscription is None:
        return None
    period = Period.objects.get(invoice_id=invoice_id)
    period.subscription = subscription
    return period
