"""Invoices, payments and refunds for the tests of billing's verbs, and the audit that every story ends with."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

from django.db import connection
from moneyed import Money

from acquiring.types import Card
from billing import events, invoices, ledger, money, payments, refunds, settlement
from billing.models import Account, Delivery, Event, Invoice, Payment, PaymentMethod, Refund, Transfer
from tests.fake_acquirer import CARD, FakeAcquirer
from tests.things import now, run_until_idle, viewer

AT = now()
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
PRICE = Money("299.00", "RUB")


class Died(BaseException):
    """The process is killed here: nothing after this line runs, and no `except Exception` sees it."""


def bill(total: Money = PRICE, *, account: Account | None = None, user_id: uuid.UUID | None = None) -> Invoice:
    """An open invoice that closes after an hour."""
    return invoices.issue(
        user_id=user_id or viewer().pk,
        lines=[invoices.Line("plan:month", "A month of cinema", total)],
        account=account or ledger.revenue(total.currency.code),
        purpose="subscription",
        actor="system",
        at=AT,
        expires_at=AT + HOUR,
    )


def start(invoice: Invoice | None = None, **more: Any) -> Payment:
    """A payment begun on the acquirer's page (or by the saved card `method_id`)."""
    return payments.start((invoice or bill()).pk, **{"actor": "user:1", "at": AT} | more)


def paid(acquirer: FakeAcquirer, invoice: Invoice | None = None) -> Payment:
    """A payment that the customer made on the page."""
    payment = start(invoice)
    return settlement.apply(payment.pk, acquirer.pay(payment.pk), actor="acquirer:fake", at=AT)


def give_back(payment: Payment, rubles: str | None = None, **more: Any) -> Refund:
    """A refund asked for by staff."""
    amount = Money(rubles, payment.currency) if rubles else None
    return refunds.request(payment.pk, amount=amount, **{"reason": "asked", "actor": "user:2", "at": AT} | more)


def saved_card(user_id: uuid.UUID, card: Card = CARD) -> PaymentMethod:
    return settlement.save_card(user_id, "fake", card, at=AT)


def fresh(row: Any) -> Any:
    """The row as PostgreSQL has it now."""
    return type(row).objects.get(pk=row.pk)


def told(kind: str) -> int:
    """How often this was told."""
    return Event.objects.filter(kind=kind).count()


def audit(acquirer: FakeAcquirer) -> None:
    """Bank, payments and books agree; no invoice was paid twice; what was surplus has gone back."""
    taken = sum(payment.captured for payment in Payment.objects.all())
    back = sum(refund.amount for refund in Refund.objects.filter(status="succeeded"))
    at_the_bank = {"payment": 0, "refund": 0}
    for operation in acquirer.operations.values():
        if operation.status == "succeeded" and operation.amount:
            at_the_bank[operation.subject] += money.to_minor(operation.amount)
    assert at_the_bank == {"payment": taken, "refund": back}
    assert money.to_minor(ledger.balance(ledger.cash("fake", "RUB"))) == taken - back
    assert money.to_minor(ledger.balance(ledger.suspense("RUB"))) == 0
    for invoice in Invoice.objects.all():
        counted = invoice.payments.filter(status="succeeded", surplus=False).count()
        assert counted == (1 if invoice.status == "paid" else 0)
        assert Event.objects.filter(kind="invoice.paid", subject_id=invoice.pk).count() == counted
    held = Transfer.objects.filter(reference__startswith="hold:") | Transfer.objects.filter(reference__startswith="rel")
    booked = Transfer.objects.count() - held.count()
    assert booked == Payment.objects.filter(captured__gt=0).count() + len(Refund.objects.filter(status="succeeded"))


def finished() -> None:
    """Nothing is left half done."""
    assert not Payment.objects.filter(status__in=Payment.LIVE).exists()
    assert not Refund.objects.filter(status__in=Refund.LIVE).exists()
    assert not Payment.objects.filter(next_check_at__isnull=False).exists()
    assert not Invoice.objects.filter(status="open").exists()
    assert not Delivery.objects.exclude(status="done").exists()


def pass_time(*steps: timedelta) -> None:
    """After each of the steps (from AT on), every sweep runs until idle."""
    at = AT
    for step in steps:
        at += step
        run_until_idle(at)


def together(count: int, deed: Callable[[int], Any]) -> list[Any]:
    """What `count` threads, each with a connection of its own, get from `deed(n)` at one moment; errors as they are."""
    barrier = Barrier(count)

    def one(n: int) -> Any:
        barrier.wait()
        try:
            return deed(n)
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def handlers_of(kind: str, monkeypatch: Any, *handlers: events.Handler) -> None:
    """Only these handle events of this kind."""
    monkeypatch.setitem(events._handlers, kind, {f"{h.__module__}.{h.__qualname__}": h for h in handlers})
