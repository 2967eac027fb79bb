"""What customers agree to: that each next term is charged to a card, that it is not any more, or to pay it now."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from moneyed import Money

from billing import events, invoices, payments, wake
from billing.errors import Conflict, NotFound
from billing.models import Payment, PaymentMethod
from subscriptions import lifecycle, offers, renewals, terms
from subscriptions.models import Period, Subscription

PAYABLE = timedelta(days=3)  # so long before the end the next term can be paid, or from an earlier reminder on


@dataclass(frozen=True, slots=True)
class NextCharge:
    """When the next term is charged, what it costs, and which card pays; `good`: it will not have expired by then."""

    at: datetime
    amount: Money
    card: PaymentMethod
    good: bool


def next_charge(subscription: Subscription, *, at: datetime) -> NextCharge | None:
    """What will be charged next, as things stand at `at`; None where nothing will."""
    card = subscription.method
    when = subscription.next_charge_at
    if when is None or card is None or subscription.status not in terms.RUNNING or not terms.will_renew(subscription):
        return None
    period = terms.waiting(subscription)
    amount = period.paid if period else None
    if amount is None:
        amount = offers.renewal(subscription, at=at).quote.total
    return NextCharge(when, amount, card, terms.good_to(card, when.astimezone(subscription.plan_ahead.zone)))


def agree(subscription_id: uuid.UUID, *, method_id: uuid.UUID, actor: str, at: datetime) -> Subscription:
    """The customer agrees that each next term is charged to this saved card. A term that is unpaid is tried at once,
    unless this card was declined for it and its tries are over.

    Raises NotFound `subscription_not_found`, `card_not_found`; Conflict `not_running`, `hourly`.
    """
    with transaction.atomic():
        subscription = lifecycle.lock(subscription_id)
        if subscription.status not in terms.RUNNING:
            raise Conflict("This subscription is not running, so there is nothing to renew.", "not_running")
        terms.check_has_terms(subscription)
        method = PaymentMethod.objects.filter(pk=method_id, user_id=subscription.user_id, removed_at=None).first()
        if method is None:
            raise NotFound("There is no such card.", "card_not_found")
        same = subscription.auto_renew and subscription.method_id == method.pk
        if same and subscription.next_charge_at is not None:
            return subscription
        subscription.auto_renew, subscription.method = True, method
        subscription.renewal_consent_at = at
        if subscription.status == Subscription.Status.ACTIVE:
            terms.look_ahead(subscription)
        else:
            step = renewals.next_step(subscription, at)[1]
            subscription.next_charge_at = at if step.now or step.at else None
        changed = ["auto_renew", "method", "renewal_consent_at", "updated_at", *terms.AHEAD]
        subscription.save(update_fields=changed)
        events.emit("subscription.renewal_on", subscription, actor=actor, at=at, data=terms.told(subscription))
        if subscription.next_charge_at and subscription.next_charge_at <= at:
            wake.after_commit("subscriptions.tasks.renew")
    return subscription


def take_late_card(invoice_id: uuid.UUID, *, at: datetime) -> None:
    """The card that paid the term under way became known only now: it pays the ones after it. Twice is once."""
    with transaction.atomic():
        found = Period.objects.filter(invoice_id=invoice_id, starts_at__isnull=False).order_by("-number").first()
        if found is None:
            return
        subscription = lifecycle.lock(found.subscription_id)
        later = subscription.periods.filter(number__gt=found.number).exists()
        if later or subscription.status != Subscription.Status.ACTIVE:
            return
        terms.take_card(subscription, found)
        terms.look_ahead(subscription)
        subscription.save(update_fields=["method", "updated_at", *terms.AHEAD])


def switch_off(subscription_id: uuid.UUID, *, actor: str, at: datetime, reason: str = "") -> Subscription:
    """Nothing is charged for a next term any more, from this moment on; what is paid goes on to its end.

    A charge under way is closed at the acquirer; money that it takes all the same goes back. The second time changes
    nothing. Raises NotFound; Conflict `not_running`.
    """
    with transaction.atomic():
        subscription = lifecycle.lock(subscription_id)
        if subscription.status not in terms.RUNNING:
            raise Conflict("This subscription is not running, so there is nothing to switch off.", "not_running")
        if not subscription.auto_renew:
            return subscription
        subscription.auto_renew, subscription.next_charge_at = False, None
        subscription.save(update_fields=["auto_renew", "next_charge_at", "updated_at"])
        terms.close_waiting(subscription, actor=actor, at=at, reason="Renewal was switched off")
        if subscription.status == Subscription.Status.ACTIVE:
            terms.look_ahead(subscription)
            subscription.save(update_fields=[*terms.AHEAD, "updated_at"])
        data = terms.told(subscription)
        events.emit("subscription.renewal_off", subscription, actor=actor, at=at, reason=reason, data=data)
    return subscription


def pay(subscription_id: uuid.UUID, order: lifecycle.Order, *, actor: str, at: datetime) -> Payment | None:
    """The customer pays the next term on the acquirer's page, also with a card that is saved there for later ones.

    None where discounts leave nothing to pay: then the term is theirs. Possible from the reminder on, and in the days
    of grace. A second call finds the payment under way. `save_card` is the consent to renew by that card. Raises
    NotFound; Conflict `not_pending`, `invoice_paid`, `invoice_closed`.
    """
    with transaction.atomic(durable=True):
        subscription = lifecycle.lock(subscription_id)
        if not may_pay(subscription, at=at):
            raise Conflict("The next term of this subscription cannot be paid now.", "not_pending")
        period = terms.waiting(subscription)
        if period is None:
            renewals.bill([subscription], actor=actor, at=at)
            period = terms.waiting(subscription)
        if order.save_card and not subscription.auto_renew:
            subscription.auto_renew, subscription.renewal_consent_at = True, at
            subscription.save(update_fields=["auto_renew", "renewal_consent_at", "updated_at"])
        assert period is not None and period.invoice_id is not None
        invoice_id = period.invoice_id
        if period.paid is not None and not period.paid:
            invoices.waive(invoice_id, actor=actor, at=at)
            return None
    return payments.start(
        invoice_id,
        actor=actor,
        at=at,
        acquirer=order.acquirer,
        return_url=order.return_url,
        save_card=order.save_card,
        goods=(subscription.next_plan or subscription.plan).code,
    )


def may_pay(subscription: Subscription, *, at: datetime) -> bool:
    """Whether the customer can pay the next term at `at`: from the reminder (at least three days before) to the end of
    grace.
    """
    till, until = subscription.valid_till, subscription.access_until
    if subscription.plan.hourly or subscription.status not in terms.RUNNING or till is None or until is None:
        return False
    return till - max(subscription.plan_ahead.reminder, PAYABLE) <= at < until
