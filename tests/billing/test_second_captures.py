"""M3: money that was taken twice for one order is booked, and goes back by itself, to the capture that it came from."""

from __future__ import annotations

import pytest
from moneyed import Money

from acquiring.types import Outcome, Status
from billing import payments, refunds
from billing.models import Payment
from tests.billing.desk import AT, MINUTE, audit, fresh, paid, start
from tests.billing.test_callbacks import doorbell, ring, work
from tests.fake_acquirer import FakeAcquirer

__all__ = ["doorbell"]
pytestmark = pytest.mark.django_db


def test_M3_a_doorbell_rung_for_a_second_capture_has_it_given_back(doorbell: FakeAcquirer) -> None:
    payment = paid(doorbell)
    again = doorbell.pay_again(payment.pk)
    for _ in range(2):
        callback = ring(doorbell.callback(payment.pk, reference=again.reference))
        work()
    refunds.poll_due(at=AT)
    second = Payment.objects.get(again_of=payment)
    assert (fresh(callback).status, fresh(callback).subject_id) == ("processed", second.pk)
    assert (second.acquirer_payment_id, second.refunds.get().status) == (again.reference, "succeeded")
    assert "given back by itself" in fresh(payment).parked
    audit(doorbell)


def test_M3_two_captures_of_which_the_other_is_told_first_are_one_payment_and_one_refund(
    acquirer: FakeAcquirer,
) -> None:
    payment = start()
    first = acquirer.pay(payment.pk)
    again = acquirer.pay_again(payment.pk)
    for reference in (again.reference, first.reference):
        ring(acquirer.callback(payment.pk, reference=reference))
        work()
    refunds.poll_due(at=AT)
    assert fresh(payment).acquirer_payment_id == again.reference
    second = Payment.objects.get(again_of=payment)
    assert (second.acquirer_payment_id, second.refunded) == (first.reference, 29_900)
    audit(acquirer)


def test_M3_a_second_capture_in_another_currency_is_left_to_a_human(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    again = acquirer.pay_again(payment.pk)
    acquirer.operations["payment", again.reference].amount = Money("3.00", "USD")
    callback = ring(acquirer.callback(payment.pk, reference=again.reference))
    work()
    assert (fresh(callback).status, Payment.objects.count()) == ("parked", 1)
    assert again.reference in fresh(payment).parked


def test_M3_the_acquirer_s_silence_leaves_the_callback_to_the_next_try(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    again = acquirer.pay_again(payment.pk)
    acquirer.program("fetch", Outcome.unknown("no answer in time"))
    callback = ring(acquirer.callback(payment.pk, reference=again.reference))
    work()
    assert (fresh(callback).status, Payment.objects.count()) == ("received", 1)
    work(AT + MINUTE)
    assert (fresh(callback).status, Payment.objects.count()) == ("processed", 2)


def test_M3_a_second_capture_that_the_acquirer_does_not_confirm_is_left_to_a_human(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    callback = ring(acquirer.callback(payment.pk, reference="pay_of_nobody"))
    work()
    assert (fresh(callback).status, Payment.objects.count()) == ("parked", 1)
    assert payments.check_as(payment.pk, "", at=AT).status == Status.SUCCEEDED
