"""Subscriptions bought at an acquirer in memory, at moments that a test names."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from moneyed import Money

from accounts.models import User
from billing import audit, events, payments
from billing.models import Event
from subscriptions import lifecycle
from subscriptions.models import Subscription
from tests import fake_acquirer
from tests.fake_acquirer import FakeAcquirer
from tests.things import viewer

MOSCOW = ZoneInfo("Europe/Moscow")


def fake_bank(settings: Any) -> FakeAcquirer:
    """An acquirer in memory with empty books, as the only one."""
    settings.ACQUIRERS = fake_acquirer.SETTING
    return fake_acquirer.installed()


def at(text: str) -> datetime:
    """A moment by the clocks of Moscow."""
    return datetime.fromisoformat(text).replace(tzinfo=MOSCOW)


def rub(amount: str | int) -> Money:
    return Money(amount, "RUB")


def chosen(code: str, moment: datetime, user: User | None = None, **order: Any) -> lifecycle.Subscribed:
    """A subscription that waits for its payment."""
    user = user or viewer()
    return lifecycle.subscribe(user.pk, lifecycle.Order(plan=code, **order), actor=f"user:{user.pk}", at=moment)


def bought(bank: FakeAcquirer, code: str, moment: datetime, user: User | None = None, **order: Any) -> Subscription:
    """A subscription paid at `moment`, and active."""
    begun = chosen(code, moment, user, **order)
    paid(bank, begun, moment)
    return Subscription.objects.get(pk=begun.subscription.pk)


def paid(bank: FakeAcquirer, begun: lifecycle.Subscribed, moment: datetime) -> None:
    """The customer pays, the bank says so, and the news is handed on."""
    bank.pay(begun.payment.pk)
    payments.check(begun.payment.pk, at=moment)
    news(moment)


def news(moment: datetime) -> None:
    """Hands on the events that are due."""
    for _ in range(20):
        if not events.deliver_due(at=moment):
            return
    raise AssertionError("the news goes on for ever")


def told(row: Any) -> list[str]:
    """The kinds of the events of a row, oldest first."""
    return list(Event.objects.filter(subject_id=row.pk).order_by("id").values_list("kind", flat=True))


def right(moment: datetime) -> bool:
    """Whether the books are right at `moment`, where the sweeps of mails and ends were not run."""
    late = {"subscription.moves_on", "message.sent", "delivery.delivered"}
    return not audit.run(at=moment, only=frozenset(audit.names()) - late).breaches
