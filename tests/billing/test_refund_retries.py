"""A refund that failed is asked for again, once, and nobody is left waiting in two lists."""

from __future__ import annotations

import pytest

from billing import refund_retries, refunds
from billing.errors import Conflict
from billing.models import Event, Refund
from tests.billing.desk import AT, paid
from tests.fake_acquirer import FakeAcquirer, Fault

pytestmark = pytest.mark.django_db


@pytest.fixture
def failed(acquirer: FakeAcquirer) -> Refund:
    acquirer.program("refund", Fault.DECLINE)
    refund = refunds.request(paid(acquirer).pk, amount=None, reason="asked", actor="user:1", at=AT)
    assert refund.status == "failed"
    assert refund.parked
    return refund


def test_the_new_refund_takes_the_failed_one_s_place(acquirer: FakeAcquirer, failed: Refund) -> None:
    again = refund_retries.again(failed.pk, reason="the bank is back", actor="user:2", at=AT)
    failed.refresh_from_db()
    assert (again.status, again.amount, again.explanation) == ("succeeded", failed.amount, failed.explanation)
    assert (failed.status, failed.parked) == ("failed", "")
    assert Event.objects.get(kind="refund.retried").subject_id == failed.pk
    assert len(acquirer.returned(failed.payment_id)) == 1


def test_a_second_click_finds_the_first_one_s_refund(acquirer: FakeAcquirer, failed: Refund) -> None:
    first = refund_retries.again(failed.pk, reason="x", actor="user:2", at=AT)
    assert refund_retries.again(failed.pk, reason="x", actor="user:3", at=AT).pk == first.pk
    assert len(acquirer.returned(failed.payment_id)) == 1


def test_a_refund_that_did_not_fail_is_not_made_again(acquirer: FakeAcquirer) -> None:
    made = refunds.request(paid(acquirer).pk, amount=None, reason="asked", actor="user:1", at=AT)
    with pytest.raises(Conflict, match="Only a failed refund"):
        refund_retries.again(made.pk, reason="x", actor="user:2", at=AT)
