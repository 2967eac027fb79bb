"""Why a sum is what it is, and why films play or not: plain sentences that a customer and support read alike.

`explain` takes a payment, a refund, an offer with its quote, or a subscription or person whose access it tells. What
staff wrote for themselves is never in it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db.models import QuerySet

from accounts.models import User
from billing import explanations, ledger, money
from billing.models import Payment, Refund
from subscriptions import agreements, favours, offers, terms, trials
from subscriptions.models import Change, Meter, Moving, Period, Plan, Price, Subscription

State = Subscription.Status
Explained = Payment | Refund | offers.Offer | Subscription | User


def explain(thing: Explained, *, at: datetime) -> list[str]:
    """The sentences about a payment, a refund or an offer; about the access of a subscription or person at `at`."""
    match thing:
        case Payment():
            return explanations.sentences(thing)
        case Refund():
            return explanations.refund(thing)
        case offers.Offer():
            return quote(thing)
        case Subscription():
            return subscription(thing, at=at)
        case _:
            return access(thing.pk, at=at)


def quote(offer: offers.Offer) -> list[str]:
    """What a term costs, with every discount that was looked at, in the quote's words; which price it is."""
    return [offer.quote.explanation, _version(offer.plan, offer.price)]


def access(user_id: uuid.UUID, *, at: datetime) -> list[str]:
    """Why somebody may watch at `at` and until when, or why not."""
    own = (
        Subscription.objects.filter(user_id=user_id)
        .select_related("plan", "price", "method")
        .exclude(status=State.ABANDONED)
    )
    rows = list(own.order_by("-created_at")[:5])
    running = [row for row in rows if row.status in Subscription.LIVE or (row.access_until and row.access_until > at)]
    found = running or rows[:1]
    if not found:
        return ["There is no subscription, so there is no access."]
    return [sentence for row in reversed(found) for sentence in subscription(row, at=at)]


def subscription(row: Subscription, *, at: datetime) -> list[str]:
    """Why this subscription gives access at `at` and until when, or why not; and what it costs next."""
    name, zone = row.plan.name, row.plan.zone
    if row.status == State.PENDING:
        first = row.periods.filter(number=1).select_related("invoice").first()
        sum_ = money.spoken((first and first.paid) or row.price.money)
        return [f"{name} begins when {sum_} is paid; until then it gives no access."]
    if row.plan.hourly:
        return _by_the_hour(row, at)
    told = [each for each in (_standing(row, at), last_try(row)) if each]
    if row.has_access(at):
        told.append(f"{_roles(row)} goes on to {terms.spoken(row.access_until, zone)}{_grace(row)}.")
    elif row.anchor_at and row.anchor_at > at:
        told.append(f"Access begins on {terms.spoken(row.anchor_at, zone)}.")
    else:
        told.append("So it gives no access now.")
    return [*told, *_next(row, at)]


@explanations.tells
def terms_of(payments: Sequence[Payment]) -> Mapping[uuid.UUID, list[str]]:
    """The term that each payment pays for, at which price and from when that counts, and by which consent."""
    invoices = {payment.invoice_id for payment in payments}
    shown = ("subscription__plan", "subscription__price", "plan", "price")
    periods = {row.invoice_id: row for row in Period.objects.filter(invoice_id__in=invoices).select_related(*shown)}
    changed = Change.objects.filter(invoice_id__in=invoices).select_related("plan", "period__plan")
    changes = {row.invoice_id: _credit(row) for row in changed}
    moved = _moves(periods.values())
    return {
        payment.pk: changes.get(payment.invoice_id, [])
        + (_term(periods[payment.invoice_id], payment, moved) if payment.invoice_id in periods else [])
        for payment in payments
        if not payment.surplus
    }


def _credit(change: Change) -> list[str]:
    """Why a dearer plan costs less than its price: what was left of the term whose place it takes."""
    if not change.credit or change.period.plan is None:
        return []
    since = terms.spoken_date(change.counts_from, change.plan.zone)
    left, before = money.spoken(change.credit_money), change.period.plan.name
    return [f"What is taken off is the {left} that {before} was still worth from {since} on."]


def _term(period: Period, payment: Payment, moved: Mapping[tuple[uuid.UUID, int], Moving]) -> list[str]:
    row = period.subscription
    plan, price = period.plan or row.plan, period.price or row.price
    pays = "It pays" if payment.is_live or payment.status == Payment.Status.SUCCEEDED else "It was to pay"
    told = [f"{pays} for term {period.number} of {plan.name}: {_long(period.months)}{_span(period, plan)}."]
    told.append(_version(plan, price))
    move = moved.get((row.pk, price.pk))
    if move is not None and move.told_at is not None:
        before, told_on = money.spoken(move.from_price.money), terms.spoken_date(move.told_at, plan.zone)
        told.append(f"Before that it was {before}; the change was announced by mail on {told_on}.")
    if period.number > 1 and row.renewal_consent_at and _by_itself(payment):
        agreed = terms.spoken_date(row.renewal_consent_at, plan.zone)
        as_agreed = f"agreed on {agreed}" if row.renewal_consent_at <= payment.created_at else "had agreed before"
        done = "charged by itself, to" if payment.status == Payment.Status.SUCCEEDED else "tried by itself, on"
        told.append(f"It was {done} the saved card, as the customer {as_agreed}.")
    return told


def _by_itself(payment: Payment) -> bool:
    """Whether a renewal's payment was made with nobody present: neither on the bank's page nor for a change asked."""
    on_a_page = payment.save_card or payment.redirect_url
    return payment.method_id is not None and not on_a_page and payment.invoice.purpose == "subscription"


def _moves(periods: Iterable[Period]) -> dict[tuple[uuid.UUID, int], Moving]:
    """The price moves that brought these subscriptions to the prices of these terms."""
    rows = Moving.objects.filter(
        outcome=Moving.Outcome.MOVED, subscription__in={period.subscription_id for period in periods}
    )
    return {(row.subscription_id, row.move.to_price_id): row for row in rows.select_related("move", "from_price")}


def _span(period: Period, plan: Plan) -> str:
    if period.starts_at and period.ends_at:
        since = period.counts_from if period.counts_from and period.counts_from < period.starts_at else None
        counted = f", counted from {terms.spoken_date(since, plan.zone)}" if since else ""
        span = f"from {terms.spoken(period.starts_at, plan.zone)} to {terms.spoken(period.ends_at, plan.zone)}"
        return f"{counted}, {span}"
    if period.closed_at:
        return ", which was given up unpaid"
    return ", which begins when it is paid" if period.number == 1 else ", which follows the one before once it is paid"


def _standing(row: Subscription, at: datetime) -> str:
    """How the subscription stands, in a sentence."""
    name, zone = row.plan.name, row.plan.zone
    till = terms.spoken(row.valid_till, zone)
    if row.status in (State.ACTIVE, State.PAST_DUE, State.EXPIRED) and trials.runs(row):
        grace = "; these are the days of grace" if row.status == State.PAST_DUE else ""
        return (
            f"{name} is tried for nothing, to {till}."
            if row.status == State.ACTIVE
            else (f"{name} was tried for nothing, to {till}{grace}.")
        )
    billed = favours.instead_of(row)  # and another plan takes its place, as a favour
    paid = billed.name if billed else name
    if row.status == State.PAST_DUE:
        return f"{paid} was paid to {till} and the next term is not paid yet: these are the days of grace."
    if row.status == State.PAUSED:
        since = terms.spoken(row.paused_at, zone)
        then = f"; {_coming(row)}" if row.switches_at else ""
        return f"{name} is paused since {since}; its end, {till}, moves by each whole day of rest{then}."
    if row.status == State.SUSPENDED:
        return f"{name} is suspended."
    if row.status == State.CANCELLED or row.cancelled_at is not None:
        on = terms.spoken(row.cancelled_at, zone)
        rest = "what is left of it goes on to its end" if row.has_access(at) else "nothing is left of it"
        then = f"; {_coming(row)}" if row.switches_at else ""
        return f"{name} was cancelled on {on}; {rest}{then}."
    if row.status in (State.EXPIRED, State.ENDED):
        return f"{paid} was paid to {till} and is over."
    instead = f"; until then {name} takes its place, and that costs nothing" if billed else ""
    if row.switches_at is not None:
        return f"{paid} is paid to {terms.spoken(row.switches_at, zone)}{instead}; {_coming(row)} to {till}."
    return f"{paid} is paid to {till}{instead}."


def _coming(row: Subscription) -> str:
    """The term of another plan that is paid ahead."""
    return f"from {terms.spoken(row.switches_at, row.plan.zone)} on it is {row.plan_ahead.name}, which is paid"


def _roles(row: Subscription) -> str:
    """What access there is, and what it is once another plan has begun."""
    now, then = ", ".join(row.plan.roles), ", ".join(row.plan_ahead.roles)
    return f"Access ({now})" if now == then else f"Access ({now}; from {row.plan_ahead.name} on {then})"


def last_try(row: Subscription) -> str:
    """Why the next term of a subscription that is running, or has run out, is not paid; "" where nothing was tried."""
    if row.status not in (*terms.RUNNING, State.EXPIRED):
        return ""
    tried = _tries(row).filter(status=Payment.Status.FAILED).order_by("-created_at").first()
    if tried is None:
        return ""
    when, by = terms.spoken(tried.created_at, row.plan.zone), f" by {tried.card}" if tried.card else ""
    return f"{money.spoken(tried.money)}{by} did not go through on {when}: {explanations.refused(tried)}."


def _tries(row: Subscription) -> QuerySet[Payment]:
    """The payments for the next term of one that is running, or for the one that was given up when it ran out."""
    unpaid = Period.objects.filter(subscription=row, number__gt=1, starts_at=None)
    over = row.status == State.EXPIRED
    unpaid = unpaid.filter(number=row.periods.count()) if over else unpaid.filter(closed_at=None)
    return Payment.objects.filter(invoice__in=unpaid.values("invoice"))


def _grace(row: Subscription) -> str:
    if row.status != State.ACTIVE or row.valid_till is None or row.access_until is None:
        return ""
    days = (row.access_until - row.valid_till).days
    return f": {days} day{'' if days == 1 else 's'} of grace follow the term" if days else ""


def _next(row: Subscription, at: datetime) -> list[str]:
    """What is charged next by itself, or that nothing is."""
    kept = row.method is not None and row.method.removed_at is None
    if row.status == State.EXPIRED and row.auto_renew and not _tries(row).exists():
        why = "nothing was charged for the next term in time" if kept else "there was no card that could be charged"
        return [f"It should have renewed by itself, but {why}."]
    if row.status not in terms.RUNNING:
        return []
    charge = agreements.next_charge(row, at=at)
    if charge is not None and row.renewal_consent_at is not None:
        agreed = terms.spoken_date(row.renewal_consent_at, row.plan.zone)
        card = f"{charge.card.brand} {charge.card.mask}"
        when, what = terms.spoken(charge.at, row.plan.zone), f" for {row.next_plan.name}" if row.next_plan else ""
        told = [f"It renews by itself, as agreed on {agreed}: {money.spoken(charge.amount)}{what} by {card} on {when}."]
    elif row.auto_renew:
        why = "nothing more is charged to its card" if kept else "there is no card that can be charged"
        told = [f"It should renew by itself, but {why}."]
    else:
        told = ["It does not renew by itself: nothing is charged unless the customer pays."]
    return [*told, *_price_to_come(row)]


def _price_to_come(row: Subscription) -> list[str]:
    """The price that was announced."""
    moving = row.movings.filter(due_at__isnull=False).select_related("move__to_price").first()
    if moving is None:
        return []
    new, since = money.spoken(moving.move.to_price.money), terms.spoken_date(moving.due_at, row.plan.zone)
    return [f"What is billed from {since} on costs {new}, as was announced by mail."]


def _by_the_hour(row: Subscription, at: datetime) -> list[str]:
    """By the hour nothing is paid before: the wallet pays while it lasts."""
    zone, rate = row.plan.zone, money.spoken(row.price.money)
    meter = Meter.objects.select_related("account").filter(subscription=row).first()
    held = money.spoken(ledger.held(meter.account)) if meter else "nothing"
    told = [f"{row.plan.name} costs {rate} an hour, taken from the wallet for the time that it runs."]
    if row.status == State.SUSPENDED:
        told.append("The wallet is empty: there is no access and nothing is charged until money is put in.")
    elif row.status == State.ACTIVE and row.has_access(at):
        told.append(f"The wallet holds {held}: access goes on to {terms.spoken(row.access_until, zone)}.")
    elif row.status == State.ACTIVE:
        told.append("The wallet has run out: there is no access until money is put in.")
    else:
        told.append(f"It was ended on {terms.spoken(row.cancelled_at or row.access_until, zone)}; it gives no access.")
    return [*told, *_price_to_come(row)]


def _version(plan: Plan, price: Price) -> str:
    """Which of the plan's prices it is."""
    since = terms.spoken_date(price.starts_at, plan.zone)
    return f"The price of {money.spoken(price.money)} for {_long(plan.months)} counts since {since}."


def _long(months: int) -> str:
    if not months:
        return "an hour"
    return "1 month" if months == 1 else f"{months} months"
