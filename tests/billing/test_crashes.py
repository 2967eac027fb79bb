"""The process is killed at every single statement to the database, in turn; afterwards the sweeps finish the work."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from django.db import connection

from acquiring.types import Status
from billing import callbacks, checkouts, payments, refunds, settlement
from billing.models import Payment, Refund
from tests.billing.desk import (
    AT,
    DAY,
    HOUR,
    MINUTE,
    PRICE,
    Died,
    audit,
    bill,
    finished,
    give_back,
    paid,
    pass_time,
    start,
)
from tests.fake_acquirer import FakeAcquirer

pytestmark = pytest.mark.django_db(transaction=True)


class Killer:
    """Kills the process at the statement number `at`, before or after PostgreSQL has done it."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.left, self.after = at, after

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.left -= 1
        if self.left == 0 and not self.after:
            raise Died
        result = execute(sql, params, many, context)
        if self.left == 0:
            raise Died
        return result


def killed_everywhere(deed: Callable[[], object], *, after: bool) -> int:
    """Does the deed again and again, killed one statement later each time, until it comes to its end."""
    for step in count(1):
        killer = Killer(step, after=after)
        try:
            with connection.execute_wrapper(killer):
                deed()
        except Died:
            continue
        return step
    raise AssertionError


@pytest.mark.parametrize("after", [False, True])
def test_M4_killed_anywhere_in_a_payment(acquirer: FakeAcquirer, after: bool) -> None:
    def trip() -> None:
        payment = start(bill())
        post = acquirer.callback(payment.pk, status=acquirer.pay(payment.pk).status)
        callbacks.receive("fake", "pay", post["headers"], post["data"], at=AT)
        callbacks.process_due(at=AT)

    assert killed_everywhere(trip, after=after) > 30
    for payment in Payment.objects.filter(status="pending"):
        acquirer.pay(payment.pk)
    pass_time(5 * MINUTE, HOUR, HOUR)
    assert Payment.objects.filter(status="succeeded").count() > 15
    audit(acquirer)
    finished()


@pytest.mark.parametrize("after", [False, True])
def test_M4_killed_anywhere_in_the_sweep_that_finds_the_payment_made(acquirer: FakeAcquirer, after: bool) -> None:
    payment = start()
    acquirer.pay(payment.pk)
    at = iter(AT + n * HOUR for n in range(1, 1000))
    assert killed_everywhere(lambda: payments.poll_due(at=next(at)), after=after) > 15
    pass_time(1000 * HOUR)
    audit(acquirer)
    finished()


@pytest.mark.parametrize("after", [False, True])
def test_M4_killed_anywhere_in_a_refund(acquirer: FakeAcquirer, after: bool) -> None:
    payment = paid(acquirer)

    def trip() -> None:
        give_back(payment, "1.00", request_key=f"k{Refund.objects.count()}")

    assert killed_everywhere(trip, after=after) > 15
    pass_time(5 * MINUTE, HOUR)
    audit(acquirer)
    finished()


@pytest.mark.parametrize("after", [False, True])
def test_M3_killed_anywhere_in_giving_surplus_money_back(acquirer: FakeAcquirer, after: bool) -> None:
    invoice = bill()
    late = start(invoice)
    settlement.apply(late.pk, acquirer.settle(late.pk, Status.FAILED), actor="acquirer:fake", at=AT)
    paid(acquirer, invoice)
    truth = acquirer.pay(late.pk)

    def trip() -> None:
        settlement.apply(late.pk, truth, actor="acquirer:fake", at=AT)
        refunds.poll_due(at=AT)

    assert killed_everywhere(trip, after=after) > 15
    pass_time(5 * MINUTE, DAY)
    assert acquirer.returned(late.pk) == [PRICE]
    audit(acquirer)
    finished()


@pytest.mark.parametrize("after", [False, True])
def test_M4_killed_anywhere_in_closing_a_checkout(acquirer: FakeAcquirer, after: bool) -> None:
    def trip() -> None:
        payment = start(bill())
        checkouts.close(payment.invoice_id, actor="system", at=AT, reason="over")

    assert killed_everywhere(trip, after=after) > 30
    pass_time(5 * MINUTE, HOUR, HOUR)
    assert not Payment.objects.exclude(status="cancelled").exists()
    audit(acquirer)
    finished()
