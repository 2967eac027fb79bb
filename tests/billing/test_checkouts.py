"""Closing what nobody pays: first the acquirer closes its page, only then is the invoice void."""

from __future__ import annotations

import pytest

from acquiring.types import Outcome
from billing import checkouts, invoices, payments
from billing.errors import Conflict, NotFound
from billing.models import Event, Payment
from tests.billing.desk import AT, DAY, HOUR, MINUTE, SECOND, audit, bill, fresh, paid, pass_time, start, told
from tests.fake_acquirer import FakeAcquirer, Fault

pytestmark = pytest.mark.django_db


def test_an_unpaid_checkout_is_closed_at_the_acquirer_and_then_here(acquirer: FakeAcquirer) -> None:
    payment = start()
    assert checkouts.close_due(at=AT + HOUR - SECOND) == 0
    assert checkouts.close_due(at=AT + HOUR) == 1
    assert (fresh(payment).status, fresh(payment.invoice).status) == ("cancelled", "void")
    assert acquirer.operations["payment", str(payment.pk)].status == "cancelled"
    voided = Event.objects.get(kind="invoice.voided")
    assert (voided.actor, voided.reason, voided.at) == ("system", "Not paid in time", AT + HOUR)
    assert checkouts.close_due(at=AT + 2 * HOUR) == 0


def test_an_invoice_that_nobody_began_to_pay_is_void_without_a_word_to_anybody(acquirer: FakeAcquirer) -> None:
    invoice = bill()
    checkouts.close_due(at=AT + HOUR)
    assert fresh(invoice).status == "void"
    assert acquirer.calls == []


def test_M3_paid_in_the_last_moment_counts(acquirer: FakeAcquirer) -> None:
    payment = start()
    acquirer.pay(payment.pk)
    checkouts.close_due(at=AT + HOUR)
    assert (fresh(payment).status, fresh(payment.invoice).status) == ("succeeded", "paid")
    audit(acquirer)


@pytest.mark.parametrize("lost", [Fault.LOSE_REQUEST, Fault.LOSE_ANSWER, Fault.NOT_SENT])
def test_M3_while_the_acquirer_cannot_say_the_invoice_stays_open(acquirer: FakeAcquirer, lost: Fault) -> None:
    payment = start()
    acquirer.program("void", lost)
    with pytest.raises(Conflict) as refused:
        checkouts.close(payment.invoice_id, actor="system", at=AT, reason="over")
    assert refused.value.code == "payment_in_progress"
    assert fresh(payment.invoice).status == "open"
    pass_time(HOUR, MINUTE)
    assert fresh(payment.invoice).status == "void"


def test_an_invoice_that_cannot_be_closed_for_days_is_tried_less_and_less_often(acquirer: FakeAcquirer) -> None:
    payment = start()
    acquirer.program("void", *[Fault.LOSE_REQUEST] * 9)
    waits = []
    for days in (0, 1, 3):
        when = AT + HOUR + days * DAY
        assert checkouts.close_due(at=when) == 1
        waits.append(fresh(payment.invoice).next_sweep_at - when)
    assert waits == [checkouts.LEASE, checkouts.LONGEST, checkouts.LONGEST]


def test_M3_a_payment_that_begins_between_the_closing_and_the_voiding_keeps_the_invoice_open(
    acquirer: FakeAcquirer, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice = bill()
    first = start(invoice)
    real = payments.cancel

    def cancel_and_begin(payment_id: object, **more: object) -> Payment:
        closed = real(payment_id, **more)
        start(invoice)
        return closed

    monkeypatch.setattr(payments, "cancel", cancel_and_begin)
    with pytest.raises(Conflict) as refused:
        checkouts.close(invoice.pk, actor="system", at=AT, reason="over")
    assert refused.value.code == "payment_in_progress"
    assert (fresh(first).status, fresh(invoice).status) == ("cancelled", "open")


def test_closing_twice_is_closing_once_and_a_paid_one_is_not_closed(acquirer: FakeAcquirer) -> None:
    payment = start()
    for _ in range(2):
        assert checkouts.close(payment.invoice_id, actor="system", at=AT, reason="over").status == "void"
    assert told("invoice.voided") == 1
    with pytest.raises(Conflict) as refused:
        checkouts.close(paid(acquirer).invoice_id, actor="system", at=AT, reason="over")
    assert refused.value.code == "invoice_paid"
    with pytest.raises(NotFound):
        checkouts.close(payment.pk, actor="system", at=AT, reason="over")


def test_one_checkout_that_cannot_be_closed_does_not_stop_the_others(acquirer: FakeAcquirer) -> None:
    bills = [start().invoice for _ in range(3)]
    acquirer.program("void", ValueError("bug"))
    assert checkouts.close_due(at=AT + HOUR) == 3
    assert sorted(fresh(invoice).status for invoice in bills) == ["open", "void", "void"]
    assert checkouts.close_due(at=AT + HOUR) == 0
    checkouts.close_due(at=AT + HOUR + checkouts.LEASE)
    assert {fresh(invoice).status for invoice in bills} == {"void"}


def test_M3_a_page_of_a_void_invoice_that_was_paid_all_the_same_is_given_back(acquirer: FakeAcquirer) -> None:
    payment = start()
    checkouts.close_due(at=AT + HOUR)
    acquirer.pay(payment.pk)
    payments.check(payment.pk, at=AT + HOUR)
    pass_time(HOUR)
    assert acquirer.returned(payment.pk) == [payment.money]
    audit(acquirer)


def test_a_failed_payment_leaves_the_invoice_open_for_another(acquirer: FakeAcquirer) -> None:
    invoice = bill()
    acquirer.program("checkout", Fault.DECLINE)
    assert start(invoice).status == "failed"
    assert invoices.lock(invoice.pk).status == "open"
    paid(acquirer, invoice)
    audit(acquirer)


def test_an_answer_for_another_order_closes_nothing(acquirer: FakeAcquirer) -> None:
    payment = start()
    acquirer.program("void", Outcome(acquirer.operations["payment", str(payment.pk)].status, our_id="another"))
    assert payments.cancel(payment.pk, at=AT).status == "pending"
    assert "another" in fresh(payment).parked
