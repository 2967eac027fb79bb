"""Giving an order to its acquirer again: not while an earlier try is under way, where it might be taken for another."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q

from acquiring import registry
from acquiring.types import Capabilities, Outcome, Status
from billing.models import Case, Payment, Refund

# Nobody goes on to call later than so long after he began: `sweeps.each` stops, a batch does.
LEASE = timedelta(minutes=2)
WINDOW_MARGIN = timedelta(minutes=5)  # clocks differ: the last minutes of an idempotency window are not relied on
UNDER_WAY = Outcome(Status.UNKNOWN, message="An earlier try may still be under way; it is asked about again.")


def claim(row: Payment | Refund | Case, *, at: datetime) -> bool:
    """Notes that the order of a payment (again), of a refund or of what a case gives back is given now.

    False, and nothing is noted, where an earlier try may still be acted upon and the acquirer might take the repeat
    for another order. A page is opened again at once: nobody has the address of one whose answer was lost.
    """
    can = _capabilities(row)
    rows = type(row)._default_manager.filter(pk=row.pk, status__in=row.LIVE)
    page = isinstance(row, Payment) and row.method_id is None
    if not can.repeats_at_once and not page:
        before = at - _over_after(row)
        first = Q(sent_at=None, created_at__lte=before) if isinstance(row, Payment) else Q(sent_at=None)
        rows = rows.filter(first | Q(sent_at__lte=before))
    return bool(rows.update(sent_at=at))


def withdraw(row: Refund | Case, *, at: datetime) -> None:
    """The first try, claimed at `at`, certainly never came to its acquirer: it was never sent."""
    type(row)._default_manager.filter(pk=row.pk, sent_at=at).update(sent_at=None)


def over(case: Case, *, at: datetime) -> None:
    """The acquirer has refused the try that was claimed at `at`: nothing of it is under way any more."""
    type(case)._default_manager.filter(pk=case.pk, sent_at=at).update(sent_at=at - _over_after(case))


def on_its_way(row: Payment | Case, *, at: datetime) -> bool:
    """Whether the last try of a payment, or of what a case gives back, may still be acted upon."""
    return at < (row.sent_at or row.created_at) + _over_after(row)


def give_up_at(payment: Payment) -> datetime:
    """From when on a repeat of a payment would be another order: it is given up."""
    return payment.created_at + _capabilities(payment).idempotency_window - WINDOW_MARGIN


def last_try_at(payment: Payment) -> datetime:
    """The time after which it is not sent again: what is on its way when it is given up might still arrive."""
    return give_up_at(payment) - _over_after(payment)


def _over_after(row: Payment | Refund | Case) -> timedelta:
    """So long after the time that is noted a try is certainly over: it may have been made a lease later.

    Somebody waits for a page, and of one whose answer was lost nobody has the address: that is not waited for.
    """
    works = _capabilities(row).works_within
    return max(LEASE, works) if isinstance(row, Payment) and row.method_id is None else works + LEASE


def _capabilities(row: Payment | Refund | Case) -> Capabilities:
    name = row.payment.acquirer if isinstance(row, Refund) else row.acquirer
    return registry.get(name).capabilities
