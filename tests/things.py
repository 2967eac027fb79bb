"""People, plans and time for tests."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from accounts.models import User
from billing import callbacks, cards, checkouts, events, payments, receipts, refunds
from billing.models import Event, PaymentMethod
from notifications import mailings
from subscriptions import endings, hours, next_plans, price_moves, reminders, renewals
from subscriptions.models import Plan, Price

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

_numbers = count(1)

SWEEPS: tuple[Callable[..., int], ...] = (
    callbacks.process_due,
    payments.poll_due,
    refunds.poll_due,
    receipts.poll_due,
    events.deliver_due,
    checkouts.close_due,
    price_moves.tell_due,
    price_moves.move_due,
    renewals.renew_due,
    reminders.remind_due,
    next_plans.begin_due,
    endings.end_due,
    hours.charge_due,
    mailings.send_due,
)


def now() -> datetime:
    """The real time: the bank is another process and knows no other."""
    return timezone.now()


def viewer(email: str = "", *, confirmed: bool = True, **more: Any) -> User:
    """A customer."""
    return User.objects.create_user(
        email or f"viewer{next(_numbers)}@example.com",
        "secret-enough",
        email_confirmed_at=now() if confirmed else None,
        **more,
    )


def plan(code: str = "month", months: int = 1, kopecks: int = 29_900, currency: str = "RUB", **more: Any) -> Plan:
    """A plan with one price (minor units)."""
    made = Plan.objects.create(code=code, name=more.pop("name", code.capitalize()), months=months, **more)
    Price.objects.create(plan=made, amount=kopecks, currency=currency, starts_at=datetime(2020, 1, 1, tzinfo=UTC))
    return made


def last_event(kind: str) -> Event:
    """The newest event of a kind."""
    return Event.objects.filter(kind=kind).latest("id")


def removed(card: PaymentMethod, at: datetime) -> None:
    """Its owner removes a saved card."""
    cards.remove(card.pk, card.user_id, at=at)


def voided(invoice_id: uuid.UUID, at: datetime) -> None:
    """Staff void an invoice."""
    checkouts.close(invoice_id, actor="staff", at=at, reason="a test")


def run_until_idle(at: datetime) -> None:
    """What worker and beat do: every sweep, until none finds anything due at `at`."""
    for _ in range(50):
        if not sum(sweep(at=at) for sweep in SWEEPS):
            return
    raise AssertionError("the sweeps find work for ever")
