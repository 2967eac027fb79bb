"""A customer who pays by the hour, at moments that a test names."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from moneyed import Money

from accounts.models import User
from billing import audit, ledger
from billing.models import Transfer
from subscriptions import hours, metering
from subscriptions.models import Meter, Period, Plan, Subscription
from tests import things

AT = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def tariff(code: str = "hourly", kopecks: int = 1_000, **more: Any) -> Plan:
    """A tariff of `kopecks` an hour."""
    return things.plan(code, 0, kopecks, hourly=True, **more)


def fill(user: User, kopecks: int, at: datetime = AT) -> None:
    """Money comes into the wallet from nowhere in particular."""
    with transaction.atomic():
        _post(user, kopecks, at)


def _post(user: User, kopecks: int, at: datetime) -> None:
    ledger.post(
        f"test:{uuid.uuid4()}",
        debit=ledger.suspense("RUB"),
        credit=ledger.wallet(user.pk, "RUB"),
        amount=Money(kopecks, "RUB") / 100,
        description="a test",
        at=at,
    )


def begun(kopecks: int, code: str = "hourly", at: datetime = AT) -> Subscription:
    """Somebody with so much in the wallet begins to pay by the hour."""
    user = things.viewer()
    fill(user, kopecks, at)
    return metering.start(user.pk, code, actor="test", at=at)


def sweep(at: datetime) -> None:
    while hours.charge_due(at=at):
        pass


def held(subscription: Subscription) -> int:
    """Kopecks in the wallet."""
    return int(ledger.held(ledger.wallet(subscription.user_id, "RUB")).amount * 100)


def charged(subscription: Subscription) -> int:
    """Kopecks taken by the meter."""
    rows = Transfer.objects.filter(reference__startswith=f"meter:{subscription.pk}:")
    return sum(rows.values_list("amount", flat=True))


def state(subscription: Subscription) -> tuple[str, int]:
    return Subscription.objects.get(pk=subscription.pk).status, held(subscription)


def meter(subscription: Subscription) -> Meter:
    return Meter.objects.get(subscription=subscription)


def spans(subscription: Subscription) -> list[tuple[datetime, datetime]]:
    rows = Period.objects.filter(subscription=subscription).order_by("number")
    return [(row.starts_at, row.ends_at) for row in rows if row.starts_at and row.ends_at]


def right(at: datetime) -> None:
    """The audit finds nothing but the money from nowhere and the sweeps that did not run."""
    found = {finding.check.name for finding in audit.run(at=at).breaches}
    assert found <= {"transfer.explained", "delivery.delivered", "meter.moves_on"}, audit.run(at=at).breaches
