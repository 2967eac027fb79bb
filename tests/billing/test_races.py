"""Real threads with real connections do the same thing at one moment: it is done once, and nobody gets an error."""

from __future__ import annotations

from typing import Any

import pytest
from moneyed import Money

from acquiring.types import Outcome, Status, Subject
from billing import callbacks, checkouts, events, payments, refunds, settlement
from billing.errors import Conflict
from billing.models import Callback, Event, Invoice, Payment, Refund, Transfer
from tests.billing.desk import (
    AT,
    DAY,
    MINUTE,
    audit,
    bill,
    fresh,
    give_back,
    handlers_of,
    paid,
    pass_time,
    start,
    together,
    told,
)
from tests.fake_acquirer import FakeAcquirer, Fault

pytestmark = pytest.mark.django_db(transaction=True)
CROWD = 20


def errors(results: list[Any]) -> list[Exception]:
    return [result for result in results if isinstance(result, Exception)]


def declined(acquirer: FakeAcquirer, invoice: Invoice) -> Payment:
    """A payment of which the acquirer said no, perhaps too early."""
    payment = start(invoice)
    outcome = acquirer.settle(payment.pk, Status.FAILED)
    return settlement.apply(payment.pk, outcome, actor="acquirer:fake", at=AT)


def test_M3_twenty_starts_of_one_invoice_are_one_payment(acquirer: FakeAcquirer) -> None:
    invoice = bill()
    results = together(CROWD, lambda _: start(invoice))
    assert errors(results) == []
    assert {result.pk for result in results} == {Payment.objects.get().pk}
    assert told("payment.created") == 1
    assert len(acquirer.called("checkout")) == 1


def test_M3_twenty_applies_of_one_success_are_one_transfer(acquirer: FakeAcquirer) -> None:
    payment = start()
    truth = acquirer.pay(payment.pk)
    results = together(CROWD, lambda _: settlement.apply(payment.pk, truth, actor="acquirer:fake", at=AT))
    assert errors(results) == []
    assert {result.status for result in results} == {"succeeded"}
    assert (Transfer.objects.count(), told("payment.succeeded"), told("invoice.paid")) == (1, 1, 1)
    audit(acquirer)


@pytest.mark.parametrize("lie", [Status.FAILED, Status.CANCELLED, Status.PENDING, Status.UNKNOWN])
def test_M3_success_among_twenty_other_sayings_counts(acquirer: FakeAcquirer, lie: Status) -> None:
    payment = start()
    truth = acquirer.pay(payment.pk)
    said = [Outcome(lie)] * (CROWD - 1) + [truth]
    results = together(CROWD, lambda n: settlement.apply(payment.pk, said[n], actor="acquirer:fake", at=AT))
    assert errors(results) == []
    assert fresh(payment).status == "succeeded"
    assert fresh(payment).next_check_at is None
    audit(acquirer)


def test_M3_callback_poll_answer_and_a_click_at_once_are_one_payment(acquirer: FakeAcquirer) -> None:
    payment = start()
    acquirer.pay(payment.pk)
    posts = [acquirer.callback(payment.pk, event=f"evt_{n % 3}") for n in range(CROWD)]

    def one(n: int) -> object:
        match n % 5:
            case 0:
                callbacks.receive("fake", "pay", posts[n]["headers"], posts[n]["data"], at=AT)
                return callbacks.process_due(at=AT)
            case 1:
                return payments.check(payment.pk, at=AT)
            case 2:
                return payments.submit(payment.pk, at=AT)
            case 3:
                return payments.poll_due(at=AT + DAY)
            case _:
                return payments.cancel(payment.pk, at=AT)

    assert errors(together(CROWD, one)) == []
    callbacks.process_due(at=AT + DAY)
    assert Callback.objects.filter(status="processed").count() == Callback.objects.count() == 3
    assert (told("payment.succeeded"), told("invoice.paid")) == (1, 1)
    audit(acquirer)


def test_M4_twenty_deliveries_of_one_callback_are_stored_once(acquirer: FakeAcquirer) -> None:
    post = acquirer.callback(start().pk)
    results = together(CROWD, lambda _: callbacks.receive("fake", "pay", post["headers"], post["data"], at=AT))
    assert errors(results) == []
    assert Callback.objects.count() == 1


def test_M2_twenty_refunds_at_once_never_exceed_the_payment(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    results = together(CROWD, lambda _: give_back(payment, "70.00"))
    refused = errors(results)
    assert {getattr(error, "code", repr(error)) for error in refused} == {"over_refund"}
    assert acquirer.returned(payment.pk) == [Money("70", "RUB")] * 4
    assert fresh(payment).refunded == 28_000
    audit(acquirer)


def test_M2_twenty_clicks_with_one_key_are_one_refund(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    results = together(CROWD, lambda _: give_back(payment, request_key="k"))
    assert errors(results) == []
    assert {result.pk for result in results} == {Refund.objects.get().pk}
    audit(acquirer)


def test_M3_twenty_applies_of_one_refund_are_one_transfer(acquirer: FakeAcquirer) -> None:
    acquirer.program("refund", Fault.PENDING)
    refund = give_back(paid(acquirer))
    truth = acquirer.settle(refund.pk, Status.SUCCEEDED, Subject.REFUND)
    results = together(CROWD, lambda _: refunds.apply(refund.pk, truth, actor="acquirer:fake", at=AT))
    assert errors(results) == []
    assert told("refund.succeeded") == 1
    audit(acquirer)


def test_M3_two_late_truths_at_once_one_counts_and_the_other_goes_back(acquirer: FakeAcquirer) -> None:
    invoice = bill()
    rivals = [declined(acquirer, invoice) for _ in range(4)]
    truths = [acquirer.pay(payment.pk) for payment in rivals]
    results = together(CROWD, lambda n: settlement.apply(rivals[n % 4].pk, truths[n % 4], actor="acquirer:fake", at=AT))
    assert errors(results) == []
    assert sorted(fresh(payment).surplus for payment in rivals) == [False, True, True, True]
    pass_time(MINUTE)
    assert sum(len(acquirer.returned(payment.pk)) for payment in rivals) == 3
    audit(acquirer)


def test_M3_closing_and_paying_at_once_end_paid_or_void_and_never_both(acquirer: FakeAcquirer) -> None:
    for _ in range(6):
        invoice = bill()
        payment = start(invoice)
        truth = acquirer.pay(payment.pk)

        def one(n: int, invoice: Invoice = invoice, payment: Payment = payment, truth: Outcome = truth) -> object:
            if n % 2:
                return settlement.apply(payment.pk, truth, actor="acquirer:fake", at=AT)
            return checkouts.close(invoice.pk, actor="system", at=AT, reason="over")

        failed = errors(together(6, one))
        assert all(isinstance(error, Conflict) and error.code == "invoice_paid" for error in failed)
        assert fresh(invoice).status == "paid"
    audit(acquirer)


def test_M3_closing_and_starting_at_once_never_leave_a_payment_on_a_void_invoice(acquirer: FakeAcquirer) -> None:
    for _ in range(6):
        invoice = bill()

        def one(n: int, invoice: Invoice = invoice) -> object:
            if n % 2:
                return start(invoice)
            return checkouts.close(invoice.pk, actor="system", at=AT, reason="over")

        codes = {getattr(error, "code", repr(error)) for error in errors(together(6, one))}
        assert codes <= {"invoice_closed", "payment_in_progress"}
        live = invoice.payments.filter(status__in=Payment.LIVE).count()
        assert (fresh(invoice).status, live) in (("void", 0), ("open", 1))


def test_a_payment_and_its_refunds_at_once_do_not_lock_each_other_out(acquirer: FakeAcquirer) -> None:
    """The order of locks: invoice, payment, refund."""
    payment = paid(acquirer)
    refund = give_back(payment, "1.00")
    truth = acquirer.settle(payment.pk, Status.SUCCEEDED)
    verbs = (
        lambda: settlement.apply(payment.pk, truth, actor="acquirer:fake", at=AT),
        lambda: refunds.check(refund.pk, at=AT),
        lambda: give_back(payment, "1.00"),
        lambda: refunds.poll_due(at=AT + DAY),
        lambda: start(payment.invoice),
    )
    results = together(CROWD, lambda n: verbs[n % 5]())
    assert {getattr(error, "code", repr(error)) for error in errors(results)} == {"invoice_paid"}
    audit(acquirer)


def test_an_event_is_handed_over_once_however_many_workers_there_are(
    acquirer: FakeAcquirer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def handler(event: Event) -> None:
        seen.append(event.pk)

    handlers_of("invoice.paid", monkeypatch, handler)
    payment = paid(acquirer)
    delivery = Event.objects.get(kind="invoice.paid", subject_id=payment.invoice_id).deliveries.get()
    assert errors(together(CROWD, lambda _: events.deliver(delivery.pk, at=AT))) == []
    assert len(seen) == 1
