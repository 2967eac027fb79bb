"""Commit, call out, commit."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from billing import payments, refunds
from tests.billing.desk import paid, start
from tests.fake_acquirer import FakeAcquirer
from tests.things import now

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("verb", [payments.submit, payments.check, payments.cancel])
def test_a_payment_s_acquirer_is_not_called_inside_a_transaction(acquirer: FakeAcquirer, verb: Any) -> None:
    payment = start()
    calls = len(acquirer.calls)
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        verb(payment.pk, at=now())
    assert len(acquirer.calls) == calls


@pytest.mark.parametrize("verb", [refunds.submit, refunds.check])
def test_a_refund_s_acquirer_is_not_called_inside_a_transaction(acquirer: FakeAcquirer, verb: Any) -> None:
    payment = paid(acquirer)
    with transaction.atomic():
        refund = refunds.promise(
            refunds.lock_payment(payment.pk), amount=payment.refundable, reason="asked", actor="system", at=now()
        )
    calls = len(acquirer.calls)
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        verb(refund.pk, at=now())
    assert len(acquirer.calls) == calls
