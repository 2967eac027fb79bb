"""A doorbell says only that there is news: where the acquirer does not answer the question, somebody asks again."""

from __future__ import annotations

from typing import Any

import pytest

from acquiring.types import Outcome, Status, Subject
from billing import callbacks, settlement
from billing.models import Callback, Payment
from tests.billing.desk import AT, DAY, HOUR, MINUTE, SECOND, audit, fresh, give_back, paid, pass_time, start
from tests.billing.test_callbacks import doorbell, ring, work
from tests.fake_acquirer import FakeAcquirer, Fault

__all__ = ["doorbell"]
pytestmark = pytest.mark.django_db


def given_up(acquirer: FakeAcquirer) -> Payment:
    """A payment that ended here without money; its page was closed, and opens again."""
    payment = start()
    said = acquirer.settle(payment.pk, Status.CANCELLED)
    return settlement.apply(payment.pk, said, actor="acquirer:fake", at=AT)


def test_a_hold_on_a_dead_payment_is_released_though_the_acquirer_was_away_when_it_rang(doorbell: FakeAcquirer) -> None:
    payment = given_up(doorbell)
    doorbell.settle(payment.pk, Status.AUTHORIZED)
    doorbell.program("fetch", Fault.LOSE_REQUEST)
    ring(doorbell.callback(payment.pk))
    work()
    pass_time(MINUTE)
    assert doorbell.operations["payment", str(payment.pk)].status == Status.CANCELLED
    assert (fresh(payment).status, fresh(payment).next_check_at) == ("cancelled", None)
    audit(doorbell)


def test_money_on_a_dead_payment_is_found_though_the_acquirer_was_away_when_it_rang(doorbell: FakeAcquirer) -> None:
    payment = given_up(doorbell)
    doorbell.pay(payment.pk)
    doorbell.program("fetch", Fault.LOSE_REQUEST)
    doorbell.program("void", Fault.LOSE_REQUEST)
    ring(doorbell.callback(payment.pk))
    work()
    pass_time(MINUTE, HOUR)
    assert fresh(payment).status == "succeeded"
    audit(doorbell)


def test_nobody_asks_for_ever_about_a_dead_payment_of_which_the_acquirer_knows_nothing(doorbell: FakeAcquirer) -> None:
    payment = given_up(doorbell)
    post = doorbell.callback(payment.pk)
    doorbell.forget(payment.pk)
    doorbell.program("fetch", Fault.LOSE_REQUEST)
    ring(post)
    work()
    pass_time(MINUTE)
    asked = len(doorbell.calls)
    assert fresh(payment).next_check_at is None
    pass_time(HOUR)
    assert len(doorbell.calls) == asked


def test_a_dead_payment_that_was_asked_about_for_days_before_is_not_shown_to_staff_for_one_question_in_vain(
    doorbell: FakeAcquirer,
) -> None:
    payment = given_up(doorbell)
    Payment.objects.filter(pk=payment.pk).update(checks=settlement.PARK_AFTER)
    doorbell.program("fetch", Fault.LOSE_REQUEST)
    doorbell.program("void", Fault.LOSE_REQUEST)
    ring(doorbell.callback(payment.pk))
    work()
    pass_time(SECOND)
    assert fresh(payment).parked == ""
    pass_time(HOUR)
    assert (fresh(payment).parked, fresh(payment).next_check_at) == ("", None)


def test_a_dead_payment_about_which_the_acquirer_was_silent_for_days_leaves_the_list_with_its_answer(
    doorbell: FakeAcquirer,
) -> None:
    payment = given_up(doorbell)
    Payment.objects.filter(pk=payment.pk).update(checks=settlement.PARK_AFTER, next_check_at=AT)
    doorbell.program("void", Fault.LOSE_REQUEST)
    pass_time(SECOND)
    assert fresh(payment).parked == settlement.SILENT
    pass_time(DAY)
    assert (fresh(payment).parked, fresh(payment).next_check_at) == ("", None)


def test_a_page_that_stays_open_there_is_asked_about_less_and_less(doorbell: FakeAcquirer) -> None:
    payment = given_up(doorbell)
    open_there = Outcome(Status.PENDING, reference=payment.acquirer_payment_id, our_id=str(payment.pk))
    doorbell.program("fetch", open_there)
    doorbell.program("void", *[open_there] * 100)
    ring(doorbell.callback(payment.pk))
    work()
    pass_time(*[MINUTE] * 60)
    assert 5 <= len(doorbell.called("void")) <= 12


def test_a_ring_for_a_refund_that_is_made_needs_no_answer(doorbell: FakeAcquirer) -> None:
    refund = give_back(paid(doorbell))
    doorbell.program("fetch", Fault.LOSE_REQUEST)
    callback = ring(doorbell.callback(refund.pk, Subject.REFUND))
    work()
    assert (fresh(callback).status, fresh(refund).status) == ("processed", "succeeded")


def test_a_refused_refund_that_was_made_after_all_is_found_though_the_acquirer_was_away(doorbell: FakeAcquirer) -> None:
    doorbell.program("refund", Fault.DECLINE)
    refund = give_back(paid(doorbell))
    doorbell.settle(refund.pk, Status.SUCCEEDED, Subject.REFUND)
    doorbell.program("fetch", Fault.LOSE_REQUEST)
    callback = ring(doorbell.callback(refund.pk, Subject.REFUND))
    work()
    assert (fresh(callback).status, fresh(refund).status) == ("received", "failed")
    assert "Unanswered" in fresh(callback).note
    assert callbacks.process_due(at=AT + HOUR) == 1
    assert (fresh(callback).status, fresh(refund).status) == ("processed", "succeeded")
    audit(doorbell)


def test_a_ring_for_a_payment_that_waits_is_left_to_the_sweep_that_asks_anyway(doorbell: FakeAcquirer) -> None:
    payment: Any = start()
    doorbell.pay(payment.pk)
    doorbell.program("fetch", Fault.LOSE_REQUEST)
    ring(doorbell.callback(payment.pk))
    work()
    assert Callback.objects.get().status == "processed"
    pass_time(MINUTE)
    assert fresh(payment).status == "succeeded"
    audit(doorbell)
