"""Rule 11: a verb locks the invoice before its payment; two that went opposite ways would lock each other out."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction

from billing import payments, settlement
from billing.models import Invoice, Payment
from tests.billing.desk import AT, give_back, paid, start
from tests.fake_acquirer import FakeAcquirer

pytestmark = pytest.mark.django_db(transaction=True)
WAITS = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
Deed = Callable[[FakeAcquirer, Payment], Any]


def settle(acquirer: FakeAcquirer, payment: Payment) -> Any:
    return settlement.apply(payment.pk, acquirer.pay(payment.pk), actor="acquirer:fake", at=AT)


DEEDS: dict[str, tuple[Callable[[FakeAcquirer], Payment], Deed]] = {
    "settle": (lambda acquirer: start(), settle),
    "cancel": (lambda acquirer: start(), lambda acquirer, payment: payments.cancel(payment.pk, at=AT)),
    "refund": (paid, lambda acquirer, payment: give_back(payment)),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_who_waits_for_an_invoice_holds_none_of_its_payments(acquirer: FakeAcquirer, deed: str) -> None:
    prepare, verb = DEEDS[deed]
    payment = prepare(acquirer)

    def in_a_thread() -> Any:
        try:
            return verb(acquirer, payment)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Invoice.objects.select_for_update().get(pk=payment.invoice_id)
            working = pool.submit(in_a_thread)
            with connection.cursor() as cursor:
                while not working.done():
                    cursor.execute(WAITS)
                    if cursor.fetchone():
                        break
            assert not working.done()
            Payment.objects.select_for_update(nowait=True).get(pk=payment.pk)
        working.result()
