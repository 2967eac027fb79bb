"""M3: a sum that is held although nobody will take it is released by itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from acquiring.types import Outcome, StatementLine, Status, Subject
from billing import payments, reconciliation, refunds
from billing.models import Event, Payment
from tests.billing.desk import AT, MINUTE, audit, fresh, paid, start, told
from tests.billing.test_callbacks import doorbell, ring, work
from tests.fake_acquirer import FakeAcquirer

__all__ = ["doorbell"]
pytestmark = pytest.mark.django_db
Before = Callable[[FakeAcquirer], Payment]


def held(acquirer: FakeAcquirer) -> Payment:
    """A payment whose sum is held."""
    payment = start()
    acquirer.settle(payment.pk, Status.AUTHORIZED)
    return payments.check(payment.pk, at=AT)


def given_up(acquirer: FakeAcquirer) -> Payment:
    """A payment whose sum was held and released."""
    payment = payments.cancel(held(acquirer).pk, at=AT)
    assert payment.status == "cancelled"
    return payment


def state_of(acquirer: FakeAcquirer, hold: Outcome) -> str:
    found = [each.status for each in acquirer.operations.values() if each.reference == hold.reference]
    return str(found[0])


@pytest.mark.parametrize("before", [given_up, held, paid])
def test_M3_a_second_hold_of_an_order_is_released_and_its_payment_stays(acquirer: FakeAcquirer, before: Before) -> None:
    payment = before(acquirer)
    again = acquirer.pay_again(payment.pk, Status.AUTHORIZED)
    for _ in range(2):
        callback = ring(acquirer.callback(payment.pk, reference=again.reference, status="authorized"))
        work()
    assert state_of(acquirer, again) == "cancelled"
    assert (fresh(callback).status, fresh(payment).status, fresh(payment).parked) == ("processed", payment.status, "")
    event = Event.objects.get(kind="payment.hold_released")
    assert event.data["released"] == again.reference and again.reference in event.reason
    assert fresh(payment).acquirer_payment_id == payment.acquirer_payment_id


def test_M3_a_doorbell_rung_for_a_second_hold_has_it_released(doorbell: FakeAcquirer) -> None:
    payment = given_up(doorbell)
    again = doorbell.pay_again(payment.pk, Status.AUTHORIZED)
    ring(doorbell.callback(payment.pk, reference=again.reference, status="authorized"))
    work()
    assert state_of(doorbell, again) == "cancelled" and told("payment.hold_released") == 1


def test_M3_a_second_hold_that_was_taken_meanwhile_is_booked_and_goes_back(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    again = acquirer.pay_again(payment.pk)
    callback = ring(acquirer.callback(payment.pk, reference=again.reference, status="authorized"))
    work()
    refunds.poll_due(at=AT)
    second = Payment.objects.get(again_of=payment)
    assert (fresh(callback).subject_id, second.acquirer_payment_id) == (second.pk, again.reference)
    assert second.refunds.get().status == "succeeded" and not acquirer.called("void")
    audit(acquirer)


@pytest.mark.parametrize("silent", ["fetch", "void"])
def test_M3_an_acquirer_that_does_not_say_whether_it_released_is_asked_again(
    acquirer: FakeAcquirer, silent: str
) -> None:
    payment = given_up(acquirer)
    again = acquirer.pay_again(payment.pk, Status.AUTHORIZED)
    acquirer.program(silent, Outcome.unknown("no answer in time"))
    callback = ring(acquirer.callback(payment.pk, reference=again.reference, status="authorized"))
    work()
    assert (fresh(callback).status, told("payment.hold_released")) == ("received", 0)
    assert "no answer in time" in fresh(callback).note
    work(AT + MINUTE)
    assert (fresh(callback).status, told("payment.hold_released")) == ("processed", 1)
    assert state_of(acquirer, again) == "cancelled"


def test_M3_a_live_payment_whose_own_hold_is_gone_keeps_the_other_for_a_human(acquirer: FakeAcquirer) -> None:
    payment = held(acquirer)
    again = acquirer.pay_again(payment.pk, Status.AUTHORIZED)
    acquirer.settle(payment.pk, Status.CANCELLED)  # released in the cabinet, and nobody has told us yet
    ring(acquirer.callback(payment.pk, reference=again.reference, status="authorized"))
    work()
    assert state_of(acquirer, again) == "authorized" and again.reference in fresh(payment).parked


def test_M3_a_second_hold_that_ended_by_itself_is_nobody_s_trouble(acquirer: FakeAcquirer) -> None:
    payment = given_up(acquirer)
    again = acquirer.pay_again(payment.pk, Status.FAILED)
    callback = ring(acquirer.callback(payment.pk, reference=again.reference, status="authorized"))
    work()
    assert (fresh(callback).status, fresh(payment).parked) == ("processed", "")
    assert [call.method for call in acquirer.calls].count("void") == 1  # of its own, when it was given up


@pytest.mark.parametrize("stubborn", [False, True])
def test_B7_a_second_hold_in_the_statement_is_no_case_and_stops_no_other_line(
    acquirer: FakeAcquirer, monkeypatch: pytest.MonkeyPatch, stubborn: bool
) -> None:
    payment = paid(acquirer)
    again = acquirer.pay_again(payment.pk, Status.AUTHORIZED)
    other = start()
    taken = acquirer.pay(other.pk)  # nobody has told of it
    lines = [StatementLine(Subject.PAYMENT, each) for each in (again, taken)]
    monkeypatch.setattr(acquirer, "statement", lambda day: iter(lines if day == AT.date() else []))
    if stubborn:
        acquirer.program("void", Outcome.unknown("no answer in time"))
    assert not reconciliation.run("fake", AT.date(), at=AT).opened
    assert fresh(other).status == "succeeded"
    assert state_of(acquirer, again) == ("authorized" if stubborn else "cancelled")
    assert not reconciliation.run("fake", AT.date(), at=AT).opened
    assert state_of(acquirer, again) == "cancelled"


def test_M3_a_hold_that_is_not_of_this_order_is_left_to_a_human(acquirer: FakeAcquirer) -> None:
    payment, other = held(acquirer), held(acquirer)
    for reference in ("pay_of_nobody", other.acquirer_payment_id):
        ring(acquirer.callback(payment.pk, reference=reference, status="authorized"))
        work()
        assert reference in fresh(payment).parked
    assert not acquirer.called("void")
    assert {fresh(each).status for each in (payment, other)} == {"authorized"}
