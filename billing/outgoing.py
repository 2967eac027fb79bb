"""What the polling sweeps would send by themselves: refunds, and charges of saved cards. The guard looks at it first.

The forecast is what was usual: the busiest of the last days, for each day that what waits has been piling up.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Min, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from billing import guard, money
from billing.models import Payment, Refund

DAYS = 14  # of history
DAY = timedelta(days=1)

# What was written here and, for all we know, has never reached the acquirer.
REFUNDS = Q(status=Refund.Status.CREATED)
CHARGES = Q(status__in=[Payment.Status.CREATED, Payment.Status.UNKNOWN], method__isnull=False, acquirer_payment_id="")


def refunds_to_take_up(at: datetime) -> QuerySet[Refund]:
    """The refunds that a sweep may take up: while the guard has stopped them, none that was never sent."""
    rows = Refund.objects.filter(next_check_at__isnull=False)
    return _guarded("refunds", rows, REFUNDS, "payment__user", at)


def payments_to_take_up(at: datetime) -> QuerySet[Payment]:
    """The payments that a sweep may take up: while the guard has stopped them, no card that was perhaps not charged."""
    rows = Payment.objects.filter(next_check_at__isnull=False)
    return _guarded("charges", rows, CHARGES, "user", at)


def _guarded(sweep: str, rows: QuerySet[Any], unsent: Q, person: str, at: datetime) -> QuerySet[Any]:
    due = rows.filter(unsent, next_check_at__lte=at)
    people = due.aggregate(people=Count(person, distinct=True))["people"]
    sums = due.order_by().values("currency").annotate(sum=Sum("amount")).values_list("currency", "sum")
    amounts = [money.from_minor(minor, currency) for currency, minor in sums] if people else []
    try:
        guard.permit(sweep, people=people, amounts=amounts, forecast=lambda: _usual(due, person, at), at=at)
    except guard.Stopped:
        return rows.exclude(unsent)
    return rows


def _usual(due: QuerySet[Any], person: str, at: datetime) -> guard.Forecast:
    """The busiest of the last days but for what waits now, times the days that it has been waiting."""
    oldest = due.aggregate(oldest=Min("created_at"))["oldest"] or at
    days = 1 + max((at - oldest) // DAY, 0)
    history = due.model._default_manager.filter(created_at__gte=at - DAYS * DAY, created_at__lt=at)
    if due.model is Payment:
        history = history.filter(method__isnull=False)
    daily = history.exclude(pk__in=due.values("pk")).order_by().annotate(day=TruncDate("created_at"))
    busiest = daily.values("day").annotate(people=Count(person, distinct=True)).aggregate(most=Max("people"))["most"]
    most: dict[str, int] = {}
    for _, currency, total in (
        daily.values("day", "currency").annotate(sum=Sum("amount")).values_list("day", "currency", "sum")
    ):
        most[currency] = max(most.get(currency, 0), total)
    return guard.Forecast(
        people=days * (busiest or 0),
        amounts=tuple(money.from_minor(days * minor, currency) for currency, minor in most.items()),
    )
