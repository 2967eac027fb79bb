"""Batches on real connections: several workers at once, and verbs that touch the same payments at that moment."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from threading import Event as Signal
from threading import Thread
from typing import Any

import pytest
from django.db import connection, transaction

from billing import batches, callbacks, checkouts, events, payments
from billing.errors import Refused
from billing.models import Callback, Delivery, Event, Payment, Transfer
from notifications.models import Message
from subscriptions.models import Subscription
from tests.billing.desk import together
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.terms import at, chosen, fake_bank
from tests.things import plan

pytestmark = pytest.mark.django_db(transaction=True)
NOON = at("2026-01-31T12:00")
MANY, WORKERS = 24, 4


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    plan("month", 1, 29_900)
    return fake_bank(settings)


def told(bank: FakeAcquirer, how_many: int = MANY) -> list[Payment]:
    """Payments that were made, and of which the callbacks are stored."""
    begun = [chosen("month", NOON).payment for _ in range(how_many)]
    for payment in begun:
        bank.pay(payment.pk)
        ring(bank, payment)
    return begun


def ring(bank: FakeAcquirer, payment: Payment) -> None:
    post = bank.callback(payment.pk)
    callbacks.receive("fake", "pay", post["headers"], post["data"], at=NOON)


def errors(results: list[Any]) -> list[Exception]:
    return [each for each in results if isinstance(each, Exception) and not isinstance(each, Refused)]


def each_once(how_many: int = MANY) -> None:
    """Everything of every payment is there, once."""
    for minutes in range(1, 4):
        callbacks.process_due(at=NOON + timedelta(minutes=minutes))
        events.deliver_due(at=NOON + timedelta(minutes=minutes))
    assert not Callback.objects.exclude(status="processed").exists()
    assert not Delivery.objects.exclude(status="done").exists()
    assert Payment.objects.filter(status="succeeded", surplus=False).count() == how_many
    assert Transfer.objects.count() == Subscription.objects.filter(status="active").count() == how_many
    for kind in ("payment.succeeded", "invoice.paid", "subscription.activated"):
        assert Event.objects.filter(kind=kind).count() == how_many
    assert Message.objects.count() == how_many


def test_workers_at_once_settle_each_payment_once(bank: FakeAcquirer) -> None:
    for payment in told(bank):
        ring(bank, payment)  # the same news, twice

    def work(n: int) -> None:
        while callbacks.process_due(at=NOON, limit=10 + n) + events.deliver_due(at=NOON, limit=7 + n):
            pass

    assert errors(together(WORKERS, work)) == []
    each_once()


def test_two_workers_with_the_same_callbacks_in_hand_write_them_once(bank: FakeAcquirer) -> None:
    told(bank)
    claimed = list(Callback.objects.order_by("pk").values_list("pk", flat=True))  # a lease ran out meanwhile

    def work(n: int) -> None:
        for pk in batches.settle(claimed[:: -1 if n % 2 else 1], at=NOON):
            callbacks.process(pk, at=NOON)

    assert errors(together(WORKERS, work)) == []
    each_once()


def test_batch_poll_click_and_cancel_at_once_are_one_payment_each(bank: FakeAcquirer) -> None:
    begun = told(bank)

    def work(n: int) -> None:
        match n:
            case 0:
                callbacks.process_due(at=NOON)
            case 1:
                for payment in begun:
                    payments.check(payment.pk, at=NOON)
            case 2:
                for payment in reversed(begun):
                    payments.cancel(payment.pk, at=NOON)
            case _:
                events.deliver_due(at=NOON)

    assert errors(together(WORKERS, work)) == []
    each_once()


def test_a_checkout_that_is_closed_in_that_moment_is_settled_or_given_back(bank: FakeAcquirer) -> None:
    begun = told(bank)

    def work(n: int) -> None:
        if n == 0:
            callbacks.process_due(at=NOON)
            return
        for payment in begun[n::WORKERS]:
            with suppress(Refused):  # it is paid already
                checkouts.close(payment.invoice_id, actor="staff", at=NOON, reason="a test")

    assert errors(together(WORKERS, work)) == []
    each_once()  # the bank says that each was paid before its page was closed


def test_who_holds_a_payment_keeps_only_that_one_from_the_batch(bank: FakeAcquirer) -> None:
    begun = told(bank, 5)
    held, done = Signal(), Signal()

    def hold() -> None:
        try:
            with transaction.atomic():
                Payment.objects.select_for_update().get(pk=begun[2].pk)
                held.set()
                done.wait(20)
        finally:
            connection.close()

    holder = Thread(target=hold)
    holder.start()
    assert held.wait(20)
    claimed = list(Callback.objects.order_by("pk").values_list("pk", flat=True))
    left = batches.settle(claimed, at=NOON)
    done.set()
    holder.join()
    assert left == [claimed[2]]
    assert Payment.objects.filter(status="succeeded").count() == 4
    each_once(5)
