"""The times of a running subscription: when it ends, is reminded of and charged; and how its next term follows."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from django.conf import settings

from billing import events, invoices, money
from billing.errors import Conflict
from billing.models import Invoice, Payment, PaymentMethod
from subscriptions.calendar import anchor_at, anchor_before, continued
from subscriptions.models import Period, Plan, Subscription

AHEAD = ("next_action_at", "remind_at", "next_charge_at")  # what `look_ahead` sets
PLANS = ("plan", "price", "next_plan", "next_price", "switches_at")  # what the coming of another plan sets
BEGUN = ("anchor_at", "valid_till", "access_until")  # what `begin` sets
RUNNING = (Subscription.Status.ACTIVE, Subscription.Status.PAST_DUE)
MONTHS = (  # strftime takes several times as long, and a sweep speaks of thousands of terms
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
PATIENCE = timedelta(minutes=15)  # so long after the end a charge may be under way before the term counts as unpaid


def look_ahead(subscription: Subscription) -> None:
    """Sets when the sweeps look at an active subscription: at its end, its reminder and its next charge.

    Call it whenever the end, the card or the consent changes, under the subscription's lock, and save `AHEAD`.
    """
    till = subscription.valid_till
    subscription.next_charge_at = min(charge_times(subscription), default=None) if will_renew(subscription) else None
    subscription.next_action_at = falls_due_at(subscription)
    reminded = subscription.reminded_till is not None and subscription.reminded_till == till
    days = subscription.plan_ahead.reminder
    subscription.remind_at = till - days if till and days and not reminded else None


def check_has_terms(subscription: Subscription) -> None:
    """Raises Conflict `hourly` for one that is paid by the hour: nothing of it is renewed, extended or kept."""
    if subscription.plan.hourly:
        raise Conflict("A subscription by the hour has no terms: it is paid from the wallet.", "hourly")


def will_renew(subscription: Subscription) -> bool:
    """Whether the next term is charged to a saved card, with the customer's consent."""
    method = subscription.method
    agreed = subscription.auto_renew and subscription.renewal_consent_at is not None
    return agreed and method is not None and method.removed_at is None and subscription.valid_till is not None


def renewable(subscription: Subscription) -> bool:
    """Whether a next term may be billed and charged."""
    return subscription.status in RUNNING and will_renew(subscription) and not subscription.plan.hourly


def charge_times(subscription: Subscription) -> list[datetime]:
    """When the next term is charged, and tried again while it is declined: oldest first, the last before grace ends."""
    till, until = subscription.valid_till, subscription.access_until
    if till is None or until is None:
        return []
    last = until - settings.DUNNING_LAST_CALL
    wished = [till - subscription.plan_ahead.renewal_lead, *(till + step for step in settings.DUNNING_STEPS)]
    return sorted({min(moment, last) for moment in wished})


def falls_due_at(subscription: Subscription) -> datetime | None:
    """When an active subscription's term counts as unpaid: its end, or a little later while a charge is under way."""
    till, until = subscription.valid_till, subscription.access_until
    if till is None or until is None or subscription.next_charge_at is None:
        return till
    return min(till + PATIENCE, until)


def good_to(method: PaymentMethod, at: datetime) -> bool:
    """Whether a card is not expired at `at`: it is good to the end of the month that is printed on it."""
    return (at.year, at.month) <= (method.exp_year, method.exp_month)


def begin(subscription: Subscription, period: Period, at: datetime) -> None:
    """Sets the times of a first term that begins at `at`, on the locked subscription as well. Nothing is saved."""
    period.starts_at, period.ends_at = at, period.end_from(at, subscription.plan.zone)
    subscription.anchor_at, subscription.valid_till = at, period.ends_at
    subscription.access_until = period.ends_at + subscription.plan.grace


def told_begun(subscription: Subscription) -> dict[str, object]:
    """What events tell of a first term."""
    return {
        "plan": subscription.plan.name,
        "valid_till": subscription.valid_till,
        "grace_days": subscription.plan.grace_days,  # as promised, whatever the plan says later
    }


def waiting(subscription: Subscription) -> Period | None:
    """The next term that is billed and not paid."""
    periods = subscription.periods.filter(starts_at=None, closed_at=None, number__gt=1)
    return periods.select_related("invoice", "plan", "price").first()


def extend(subscription: Subscription, period: Period, *, actor: str, at: datetime) -> None:
    """Begins a paid term where the one before ends; another plan, too, only there. The subscription is locked and
    running.
    """
    begin_plan(subscription, at=at)
    begin = subscription.valid_till or at
    _take_plan(subscription, period, begin, at)
    zone = subscription.plan_ahead.zone
    subscription.anchor_at = anchor_for(subscription, begin, at)
    period.starts_at, period.ends_at = begin, continued(subscription.anchor_at, begin, period.months, zone)
    period.save(update_fields=["starts_at", "ends_at"])
    subscription.valid_till, subscription.access_until = period.ends_at, period.ends_at + subscription.plan_ahead.grace
    take_card(subscription, period)
    look_ahead(subscription)
    changed = [*PLANS, "method", "anchor_at", "valid_till", "access_until", *AHEAD]
    data = told(subscription) | {"from": begin}
    if subscription.status == Subscription.Status.PAST_DUE:
        events.change(subscription, subscription.recover, actor=actor, at=at, save=changed, data=data)
    else:
        subscription.save(update_fields=[*changed, "updated_at"])
    events.emit("subscription.renewed", subscription, actor=actor, at=at, data=data)


def anchor_for(subscription: Subscription, begin: datetime, at: datetime) -> datetime:
    """What the months of a further term that begins at `begin` are counted from: one that is paid ahead, after days for
    nothing, leaves no anchor after `at`, since access is owed from the anchor on.
    """
    anchor, zone = subscription.anchor_at or begin, subscription.plan_ahead.zone
    found = anchor_at(anchor, begin, zone)
    if found <= at:
        return found
    return anchor_before(begin, at, zone) if anchor <= at else anchor


def _take_plan(subscription: Subscription, period: Period, begin: datetime, at: datetime) -> None:
    """The plan and price that a paid term was billed at: those of now, or to come where another's term runs on."""
    if period.plan is None or period.price is None:
        return
    if period.plan_id != subscription.plan_id and begin > at:
        subscription.next_plan, subscription.next_price = period.plan, period.price
        subscription.switches_at = subscription.switches_at or begin
        return
    subscription.plan, subscription.price = period.plan, period.price
    if subscription.next_plan_id == period.plan_id:
        subscription.next_plan = subscription.next_price = None


def plan_at(subscription: Subscription, at: datetime) -> Plan:
    """The plan of the term that runs at `at`, also where no sweep has begun it yet. In a rest nothing begins."""
    return subscription.plan_ahead if _switches(subscription, at) else subscription.plan


def _switches(subscription: Subscription, at: datetime) -> bool:
    switches_at, rests = subscription.switches_at, subscription.status == Subscription.Status.PAUSED
    return switches_at is not None and switches_at <= at and not rests


def begin_plan(subscription: Subscription, *, at: datetime) -> None:
    """The plan of a term that was paid ahead is that of now, once the term begins; a rest puts both off.

    The subscription is locked. Before its term, or where none is to come, nothing changes. All that was told and
    planned when the term was paid went by this plan already.
    """
    switches_at, old = subscription.switches_at, subscription.plan
    if not _switches(subscription, at):
        return
    subscription.plan, subscription.price = subscription.plan_ahead, subscription.price_ahead
    subscription.next_plan = subscription.next_price = subscription.switches_at = None
    subscription.save(update_fields=[*PLANS, "updated_at"])
    data = told(subscription) | {"old_plan": old.name, "from": switches_at}
    events.emit("subscription.plan_begun", subscription, actor="system", at=at, data=data)


def take_card(subscription: Subscription, period: Period) -> None:
    """The card that paid a term pays the ones after it, where the customer agreed to that."""
    if not subscription.auto_renew or period.invoice_id is None:
        return
    paid = Payment.objects.filter(invoice_id=period.invoice_id, status=Payment.Status.SUCCEEDED, surplus=False)
    payment = paid.select_related("method").first()
    if payment and payment.method and payment.method.removed_at is None:
        subscription.method = payment.method


def close_waiting(subscription: Subscription, *, actor: str, at: datetime, reason: str) -> None:
    """Sees to the next term of a locked subscription that is billed: one that is paid begins, any other is given up.

    What is charged for one given up, by a call that is under way, is surplus and goes back by itself.
    """
    period = waiting(subscription)
    if period is None or period.invoice_id is None:
        return
    invoice = invoices.lock(period.invoice_id)
    if invoice.status == Invoice.Status.PAID:
        extend(subscription, period, actor=actor, at=at)
        return
    invoices.write_off(invoice, actor=actor, at=at, reason=reason)
    period.closed_at = at
    period.save(update_fields=["closed_at"])


def drop_next_plan(
    subscription: Subscription, *, actor: str, at: datetime, reason: str, cancelled_to: datetime | None = None
) -> None:
    """The plan chosen for the next term of a locked subscription is off. Nothing where none was chosen, nor where a
    term of it is paid and kept: the access of one that is cancelled goes on to `cancelled_to`, beyond its beginning.
    """
    switches_at, cancelled = subscription.switches_at, cancelled_to is not None
    kept = switches_at is not None and cancelled_to is not None and switches_at < cancelled_to
    if subscription.next_plan is None or kept:
        return
    data = told(subscription) | {"next_plan": subscription.next_plan.name, "cancelled": cancelled}
    subscription.next_plan = subscription.next_price = subscription.switches_at = None
    subscription.save(update_fields=[*PLANS, "updated_at"])
    events.emit("subscription.change_withdrawn", subscription, actor=actor, at=at, reason=reason, data=data)


def spoken(at: datetime | None, zone: tzinfo) -> str:
    """28 February 2026, 12:00 MSK"""
    if at is None:
        return ""
    local = at.astimezone(zone)
    return f"{local.day} {MONTHS[local.month - 1]} {local.year}, {local.hour:02}:{local.minute:02} {local.tzname()}"


def spoken_day(at: datetime | None, zone: tzinfo) -> str:
    """28 February"""
    if at is None:
        return ""
    local = at.astimezone(zone)
    return f"{local.day} {MONTHS[local.month - 1]}"


def spoken_date(at: datetime | None, zone: tzinfo) -> str:
    """28 February 2026"""
    return f"{spoken_day(at, zone)} {at.astimezone(zone).year}" if at else ""


def told(subscription: Subscription) -> dict[str, object]:
    """What events tell of a subscription's term: the last one that is paid."""
    method, plan = subscription.method, subscription.plan_ahead
    zone = plan.zone
    return {
        "plan": plan.name,
        "valid_till": subscription.valid_till,
        "access_until": subscription.access_until,
        "ends": spoken(subscription.valid_till, zone),
        "ends_on": spoken_day(subscription.valid_till, zone),
        "access_ends": spoken(subscription.access_until, zone),
        "access_ends_on": spoken_day(subscription.access_until, zone),
        "grace_days": plan.grace_days,
        "auto_renew": subscription.auto_renew,
        "price": money.spoken(subscription.price_ahead.money),
        "card": f"{method.brand} {method.mask}" if method else "",
    }
