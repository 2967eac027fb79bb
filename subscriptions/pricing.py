"""What a term saves and what comes back: pure functions. The preview and the deed call the same one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from moneyed import Money

from billing import money
from subscriptions.calendar import anniversary, days_used, months_begun
from subscriptions.models import Plan


@dataclass(frozen=True, slots=True)
class Saving:
    """How much less a term costs than its months bought one by one."""

    amount: Money
    percent: int


@dataclass(frozen=True, slots=True)
class Term:
    """A term that was paid: what `unused` needs to know of it. Times are aware; `zone` is the plan's.

    `anchor_at` is what the subscription's months are counted from, where that is not this term's own start: the term
    after 31 January begins on 28 February, and its next month on 31 March.
    """

    policy: str
    paid: Money
    refunded: Money
    months: int
    starts_at: datetime
    ends_at: datetime
    paid_at: datetime
    zone: ZoneInfo
    cooling_off: timedelta
    anchor_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unused:
    """What comes back when a term is cancelled now, until when access goes on, and why, in words."""

    refund: Money
    access_until: datetime
    explanation: str


def saving(price: Money, months: int, monthly: Money | None) -> Saving | None:
    """What `months` months at `price` save against `monthly` each; None where they save nothing."""
    if monthly is None or monthly.currency != price.currency or monthly * months <= price:
        return None
    whole = monthly * months
    return Saving(whole - price, int((whole - price).amount * 100 / whole.amount))


def unused(term: Term, at: datetime) -> Unused:
    """What comes back of a paid term cancelled at `at`. Never more than is left of the payment, never below zero.

    The rules are PRODUCT's "Refund rules": the cooling-off window first, then the plan's policy.
    """
    policies = {
        Plan.RefundPolicy.UNUSED_MONTHS: _unused_months,
        Plan.RefundPolicy.PRO_RATA_DAYS: _pro_rata_days,
        Plan.RefundPolicy.WINDOW_ONLY: _nothing,
        Plan.RefundPolicy.NONE: _nothing,
    }
    if at < term.paid_at + term.cooling_off and term.policy != Plan.RefundPolicy.NONE:
        result = _everything(term, at)
    else:
        result = policies[Plan.RefundPolicy(term.policy)](term, at)
    left = term.paid - term.refunded
    if result.refund > left:
        note = f" {money.spoken(term.refunded)} came back before, so {money.spoken(left)} is left."
        return Unused(left, result.access_until, result.explanation + note)
    return result


@dataclass(frozen=True, slots=True)
class Credit:
    """What is left of a term for another plan, and the month from whose beginning that plan takes over."""

    amount: Money
    counts_from: datetime
    months: int


def credit(term: Term, at: datetime) -> Credit:
    """What a running term counts for when a dearer plan takes its place at `at`.

    By months, as refunds are: the price is split over the months by largest remainder. The month in progress counts
    whole, because the new term is counted from its beginning and so pays for that month again. Never more than is left
    of what was paid, never below zero. Raises ValueError for a term that does not run at `at`.
    """
    if not term.starts_at <= at < term.ends_at:
        raise ValueError("this term does not run now")
    anchor, before = _counted_from(term)
    begun = min(max(months_begun(anchor, at, term.zone) - before, 1), term.months)
    shares = money.split(term.paid, term.months)
    left = min(sum(shares[begun - 1 :], start=term.paid - term.paid), term.paid - term.refunded)
    return Credit(left, anniversary(anchor, before + begun - 1, term.zone), term.months - begun + 1)


def _everything(term: Term, at: datetime) -> Unused:
    minutes = int(term.cooling_off.total_seconds() // 60)
    return Unused(
        term.paid,
        at,
        f"Cancelled within {minutes} minutes of payment: all of {money.spoken(term.paid)} comes back, access ends now.",
    )


def _unused_months(term: Term, at: datetime) -> Unused:
    anchor, before = _counted_from(term)
    begun = min(max(months_begun(anchor, at, term.zone) - before, 0), term.months)
    shares = money.split(term.paid, term.months)
    back = sum(shares[begun:], start=term.paid - term.paid)
    until = min(anniversary(anchor, before + begun, term.zone), term.ends_at)
    left = term.months - begun
    if at >= term.ends_at:
        why = "The term is over, so nothing comes back; access ends now."
    elif left == 0:
        why = "The last month of the term has begun, so nothing comes back; access goes on to the end of the term."
    else:
        have = "has" if left == 1 else "have"
        why = (
            f"{left} of {term.months} months {have} not begun. {money.spoken(term.paid)} split over the months gives "
            f"{money.spoken(back)} for {'it' if left == 1 else 'them'}; access goes on to the end of the month in "
            "progress."
        )
    return Unused(back, max(until, at), why)


def _counted_from(term: Term) -> tuple[datetime, int]:
    """The anchor of the term's months, and how many months from it lie before the term."""
    if term.anchor_at is not None and term.anchor_at < term.starts_at:
        before = months_begun(term.anchor_at, term.starts_at, term.zone) - 1
        if anniversary(term.anchor_at, before, term.zone) == term.starts_at:
            return term.anchor_at, before
    return term.starts_at, 0


def _pro_rata_days(term: Term, at: datetime) -> Unused:
    days = (term.ends_at.astimezone(term.zone).date() - term.starts_at.astimezone(term.zone).date()).days
    left = max(days - days_used(term.starts_at, at, term.zone), 0)
    back = money.fraction(term.paid, left, days)
    return Unused(
        back,
        at,
        f"{left} whole days of {days} are unused: {money.spoken(back)} of {money.spoken(term.paid)} comes back and "
        "access ends now.",
    )


def _nothing(term: Term, at: datetime) -> Unused:
    return Unused(
        term.paid - term.paid,
        max(term.ends_at, at),
        "The term is over, so nothing comes back; access ends now."
        if at >= term.ends_at
        else "Nothing comes back under this plan's rules; access goes on to the end of the term.",
    )
