"""B6: a fiscal receipt goes with each payment and refund, and somebody looks where it is not registered."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from moneyed import Money

from acquiring.types import Outcome, ReceiptStatus, Subject
from billing import audit, callbacks, health, invoices, ledger, receipts, refunds, settlement
from billing.errors import Conflict, NotFound
from billing.models import Event, Payment, Receipt
from tests import fake_acquirer
from tests.billing.desk import AT, DAY, HOUR, MINUTE, bill, fresh, give_back, paid, start
from tests.fake_acquirer import FakeAcquirer
from tests.things import viewer

pytestmark = pytest.mark.django_db

RULES = {"tax_system": "usn_income", "vat": "none", "subject": "service", "mode": "full_payment"}


@pytest.fixture
def register(settings: Any) -> FakeAcquirer:
    """An acquirer with a cash register."""
    settings.ACQUIRERS = {"fake": {**fake_acquirer.SETTING["fake"], "receipts": RULES}}
    return fake_acquirer.installed()


def says(bank: FakeAcquirer, status: ReceiptStatus, subject: str = "fetch") -> None:
    """What the bank will say of the receipt at the next question."""
    truth = next(each for each in bank.operations.values() if each.status == "succeeded")
    bank.program(subject, replace(fake_acquirer.told(truth), receipt=status))


def sent(bank: FakeAcquirer, method: str) -> Any:
    """The receipt that went with the last call of this method."""
    return [call.order for call in bank.calls if call.method == method][-1].receipt


def test_B6_the_receipt_goes_with_the_order_and_is_kept_when_the_money_has_moved(
    register: FakeAcquirer,
) -> None:
    payment = start()
    receipt = sent(register, "checkout")
    assert (receipt.email, receipt.tax_system) == (payment.user.email, "usn_income")
    [item] = receipt.items
    assert (item.name, item.quantity, item.amount) == ("A month of cinema", Decimal(1), Money("299.00", "RUB"))
    assert (item.vat, item.subject, item.mode) == ("none", "service", "full_payment")
    assert not Receipt.objects.exists()

    settlement.apply(payment.pk, register.pay(payment.pk), actor="acquirer:fake", at=AT)
    kept = Receipt.objects.get()
    assert (kept.payment, kept.amount, kept.status) == (payment, 29_900, "pending")
    assert kept.items[0]["amount"] == 29_900
    assert not audit.run(at=AT).breaches


def test_B6_an_acquirer_without_a_cash_register_gets_none(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    give_back(payment)
    assert sent(acquirer, "checkout") is None
    assert not Receipt.objects.exists()


def test_B6_lines_with_a_discount_and_a_partial_refund_add_up(register: FakeAcquirer) -> None:
    lines = [
        invoices.Line("a", "Three tickets", Money("100.00", "RUB"), quantity=3),
        invoices.Line("b", "Popcorn", Money("50.01", "RUB"), discount=Money("0.01", "RUB")),
    ]
    invoice = invoices.issue(
        user_id=viewer().pk, lines=lines, account=ledger.revenue("RUB"), purpose="product", actor="t", at=AT
    )
    payment = paid(register, invoice)
    quantities = [(item.quantity, item.amount.amount) for item in sent(register, "checkout").items]
    assert quantities == [(Decimal(3), Decimal("300.00")), (Decimal(1), Decimal("50.00"))]

    refund = give_back(payment, "100.00")
    back = sent(register, "refund").items
    assert [(item.quantity, item.amount.amount) for item in back] == [
        (Decimal(1), Decimal("85.71")),
        (Decimal(1), Decimal("14.29")),
    ]
    assert Receipt.objects.get(refund=refund).amount == 10_000
    assert not audit.run(at=AT).breaches


def test_B6_money_put_into_a_wallet_is_an_advance(register: FakeAcquirer) -> None:
    user = viewer()
    invoice = bill(user_id=user.pk, account=ledger.wallet(user.pk, "RUB"))
    invoice.purpose = "top_up"
    invoice.save(update_fields=["purpose"])
    start(invoice)
    [item] = sent(register, "checkout").items
    assert (item.subject, item.mode) == ("payment", "advance")


def test_B6_a_receipt_is_asked_about_until_it_is_registered(register: FakeAcquirer) -> None:
    paid(register)
    assert receipts.poll_due(at=AT) == 0
    says(register, ReceiptStatus.PENDING)
    assert receipts.poll_due(at=AT + MINUTE) == 1
    says(register, ReceiptStatus.REGISTERED)
    assert receipts.poll_due(at=AT + HOUR) == 1
    receipt = Receipt.objects.get()
    assert (receipt.status, receipt.registered_at, receipt.next_check_at) == ("registered", AT + HOUR, None)
    assert receipts.poll_due(at=AT + DAY) == 0


def test_B6_of_an_acquirer_that_is_down_one_receipt_is_asked_about_in_a_pause(
    register: FakeAcquirer, settings: Any
) -> None:
    settings.ACQUIRER_HEALTH = {"trip_after": 1, "pause": MINUTE}
    give_back(paid(register))
    paid(register)
    assert Receipt.objects.filter(next_check_at__isnull=False).count() == 3
    health.note("fake", Outcome.unknown("no answer"), at=AT + HOUR)
    register.program("fetch", Outcome.unknown("no answer"))
    assert [receipts.poll_due(at=AT + HOUR + seconds * MINUTE / 60) for seconds in (59, 60, 61)] == [0, 1, 0]
    assert receipts.poll_due(at=AT + HOUR + 2 * MINUTE) == 1  # it answers,
    assert receipts.poll_due(at=AT + HOUR + 2 * MINUTE) == 1  # so the others are asked about


def test_B6_one_that_the_acquirer_registers_at_once_waits_for_nothing(register: FakeAcquirer) -> None:
    payment = start()
    outcome = replace(register.pay(payment.pk), receipt=ReceiptStatus.REGISTERED)
    settlement.apply(payment.pk, outcome, actor="acquirer:fake", at=AT)
    settlement.apply(payment.pk, outcome, actor="acquirer:fake", at=AT)  # told twice
    assert Receipt.objects.get().status == "registered"
    kinds = Event.objects.filter(subject_type="receipt").order_by("id").values_list("kind", flat=True)
    assert list(kinds) == ["receipt.pending", "receipt.registered"]


def test_B6_pending_for_too_long_needs_a_human_and_late_truth_ends_it(register: FakeAcquirer, settings: Any) -> None:
    settings.RECEIPT_PENDING_LIMIT = timedelta(hours=24)
    paid(register)
    receipts.poll_due(at=AT + DAY - MINUTE)
    assert not Receipt.objects.get().parked
    receipts.poll_due(at=AT + 2 * DAY)
    assert "has not registered this receipt in time" in Receipt.objects.get().parked
    says(register, ReceiptStatus.REGISTERED)
    receipts.poll_due(at=AT + 3 * DAY)
    assert (Receipt.objects.get().status, Receipt.objects.get().parked) == ("registered", "")


def test_B6_a_refused_receipt_is_made_by_hand(register: FakeAcquirer) -> None:
    paid(register)
    says(register, ReceiptStatus.FAILED)
    receipts.poll_due(at=AT + MINUTE)
    refused = Receipt.objects.get()
    assert refused.status == "failed" and "refused" in refused.parked
    made = receipts.registered_by_hand(refused.pk, actor="user:1", reason="Made in the cabinet", at=AT + HOUR)
    assert (made.status, made.parked) == ("registered", "")
    with pytest.raises(Conflict):
        receipts.registered_by_hand(refused.pk, actor="user:1", reason="again", at=AT + HOUR)
    assert receipts.check(refused.pk, at=AT + DAY).status == "registered"  # nobody is asked any more


def test_B6_a_callback_about_the_receipt_moves_nothing_else(
    register: FakeAcquirer, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = paid(register)
    parse = register.parse

    def of_the_receipt(kind: str, headers: Any, body: bytes) -> Any:
        notice = parse(kind, headers, body)
        said = Outcome(notice.outcome.status, our_id=notice.outcome.our_id, receipt=ReceiptStatus.REGISTERED)
        return replace(notice, only_receipt=True, outcome=said)

    monkeypatch.setattr(register, "parse", of_the_receipt)
    for _ in range(3):
        post = register.callback(payment.pk)
        callbacks.receive("fake", "receipt", post["headers"], post["data"], at=AT)
    before = Event.objects.filter(subject_type="payment").count()
    assert callbacks.process_due(at=AT) == 3
    assert Receipt.objects.get().status == "registered"
    assert Event.objects.filter(subject_type="payment").count() == before


def test_B6_a_batch_of_callbacks_leaves_payments_with_receipts_to_the_long_way(register: FakeAcquirer) -> None:
    payments = [start() for _ in range(3)]
    for payment in payments:
        register.pay(payment.pk)
        post = register.callback(payment.pk)
        callbacks.receive("fake", "pay", post["headers"], post["data"], at=AT)
    callbacks.process_due(at=AT)
    assert {fresh(payment).status for payment in payments} == {"succeeded"}
    assert Receipt.objects.count() == 3


def test_B6_surplus_and_its_refund_have_receipts_too(register: FakeAcquirer) -> None:
    payment = start()
    register.pay(payment.pk)
    Payment.objects.filter(pk=payment.pk).update(status="cancelled")
    type(payment.invoice).objects.filter(pk=payment.invoice_id).update(status="void")
    truth = register.fetch(Subject.PAYMENT, str(payment.pk))
    settlement.apply(payment.pk, truth, actor="acquirer:fake", at=AT)
    refunds.poll_due(at=AT)
    assert Receipt.objects.filter(payment=payment).count() == 1
    assert Receipt.objects.filter(refund__payment=payment).count() == 1


def test_B6_there_is_one_receipt_of_an_operation_and_it_is_of_one(register: FakeAcquirer) -> None:
    payment = paid(register)
    row = Receipt.objects.get()
    for changes in ({"payment": payment}, {}, {"payment": payment, "refund": give_back(payment)}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Receipt.objects.create(amount=1, currency="RUB", items=row.items, created_at=AT, **changes)
    with pytest.raises(NotFound):
        receipts.check(payment.pk, at=AT)
