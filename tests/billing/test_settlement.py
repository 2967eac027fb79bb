"""Settlement: whatever the acquirer says, in whatever order and however often, money is booked once and rightly."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from moneyed import Money

from acquiring.types import Card, Outcome, Status
from billing import invoices, ledger, payments, settlement
from billing.models import Event, Invoice, Payment, PaymentMethod, Refund, Transfer
from tests.billing.desk import AT, DAY, HOUR, MINUTE, PRICE, audit, bill, fresh, give_back, paid, pass_time, start, told
from tests.fake_acquirer import CARD, FakeAcquirer, Fault

pytestmark = pytest.mark.django_db


def say(payment: Payment, outcome: Outcome | Status, **more: Any) -> Payment:
    """The acquirer says this of the payment."""
    if isinstance(outcome, Status):
        outcome = Outcome(outcome, reference=f"ref_{payment.pk}", our_id=str(payment.pk), amount=PRICE)
    return settlement.apply(payment.pk, replace(outcome, **more), actor="acquirer:fake", at=AT)


def unsent(acquirer: FakeAcquirer, invoice: Invoice | None = None) -> Payment:
    """A live payment of which the acquirer knows nothing yet."""
    acquirer.program("checkout", Fault.LOSE_REQUEST)
    return start(invoice)


def test_M3_success_told_three_times_is_one_transfer_and_one_event(acquirer: FakeAcquirer) -> None:
    payment = start()
    outcome = acquirer.pay(payment.pk)
    for _ in range(3):
        assert say(payment, outcome).status == "succeeded"
    assert (told("payment.succeeded"), told("invoice.paid"), Transfer.objects.count()) == (1, 1, 1)
    transfer = Transfer.objects.get()
    assert (transfer.debit.code, transfer.credit.code) == ("cash:fake:RUB", "revenue:RUB")
    assert transfer.at == outcome.occurred_at  # when the money moved, not when we heard of it
    audit(acquirer)


SAYINGS = [Status.PENDING, Status.AUTHORIZED, Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.UNKNOWN]


@pytest.mark.parametrize("order", list(itertools.permutations(SAYINGS, 2)))
def test_M3_success_counts_wherever_it_stands_among_other_news(
    acquirer: FakeAcquirer, order: tuple[Status, ...]
) -> None:
    payment = unsent(acquirer)
    for status in order:
        say(payment, status)
    payment = fresh(payment)
    made = Status.SUCCEEDED in order
    assert (payment.status == "succeeded") is made
    assert Transfer.objects.count() == told("payment.succeeded") == told("invoice.paid") == int(made)
    assert not (made and payment.next_check_at)


def test_M3_a_late_failure_undoes_nothing(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    assert say(payment, Status.FAILED, message="no").status == "succeeded"
    assert fresh(payment).decline_message == ""
    audit(acquirer)


def test_M3_the_first_of_two_payments_turns_out_paid_and_the_second_gives_way(acquirer: FakeAcquirer) -> None:
    invoice = bill()
    first = start(invoice)
    say(first, acquirer.settle(first.pk, Status.FAILED))
    second = start(invoice)
    say(first, acquirer.pay(first.pk))
    assert fresh(invoice).status == "paid"
    assert (fresh(second).status, fresh(second).surplus) == ("cancelled", False)
    pass_time(MINUTE)
    assert [call.our_id for call in acquirer.called("void")] == [str(second.pk)]
    assert fresh(second).next_check_at is None
    audit(acquirer)


@pytest.mark.parametrize("slow", [Fault.LOSE_REQUEST, Fault.LOSE_ANSWER, Outcome.not_sent("refused")])
def test_M3_the_page_that_gave_way_is_closed_however_often_it_takes(acquirer: FakeAcquirer, slow: Any) -> None:
    invoice = bill()
    first = start(invoice)
    say(first, acquirer.settle(first.pk, Status.FAILED))
    second = start(invoice)
    say(first, acquirer.pay(first.pk))
    acquirer.program("void", slow, slow)
    pass_time(MINUTE, MINUTE, MINUTE)
    assert len(acquirer.called("void")) == 3
    assert fresh(second).next_check_at is None


def test_M3_two_late_truths_one_counts_and_the_other_is_given_back(acquirer: FakeAcquirer) -> None:
    invoice = bill()
    both = []
    for _ in range(2):
        both.append(start(invoice))
        say(both[-1], acquirer.settle(both[-1].pk, Status.FAILED))
    for payment in both:
        say(payment, acquirer.pay(payment.pk))
    assert [fresh(payment).surplus for payment in both] == [False, True]
    assert told("payment.surplus") == 1
    pass_time(MINUTE)
    assert acquirer.returned(both[1].pk) == [PRICE]
    assert acquirer.returned(both[0].pk) == []
    audit(acquirer)


def test_M3_money_for_a_void_invoice_is_given_back_with_the_reason(acquirer: FakeAcquirer) -> None:
    payment = start()
    payments.cancel(payment.pk, at=AT)
    invoices.void(payment.invoice_id, actor="system", at=AT, reason="over")
    say(payment, acquirer.pay(payment.pk))
    assert Transfer.objects.get().credit.code == "suspense:RUB"
    refund = Refund.objects.get()
    assert "already void" in refund.reason
    pass_time(MINUTE)
    assert fresh(refund).status == "succeeded"
    assert fresh(payment.invoice).status == "void"
    audit(acquirer)


def test_a_hold_on_a_dead_payment_is_released(acquirer: FakeAcquirer) -> None:
    """Otherwise the customer's money stays blocked for weeks for nothing."""
    payment = start()
    say(payment, Status.FAILED, reference="")
    say(payment, acquirer.settle(payment.pk, Status.AUTHORIZED))
    pass_time(MINUTE)
    assert acquirer.operations["payment", str(payment.pk)].status == Status.CANCELLED
    assert (fresh(payment).status, fresh(payment).next_check_at) == ("failed", None)


ODD = {
    "more money": {"amount": Money("299.01", "RUB")},
    "less money": {"amount": Money("0.01", "RUB")},
    "another currency": {"amount": Money("299.00", "USD")},
    "another order": {"our_id": "4c9b2a52-0000-4000-8000-000000000000"},
    "another payment": {"reference": "pay_of_somebody"},
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.AUTHORIZED])
def test_M3_an_answer_that_cannot_be_ours_is_parked_and_moves_nothing(
    acquirer: FakeAcquirer, odd: dict[str, Any], status: Status
) -> None:
    payment = start()
    truth = acquirer.settle(payment.pk, status)
    for _ in range(2):
        parked = say(payment, truth, **odd)
    assert parked.parked
    assert (fresh(payment).status, fresh(payment).captured) == ("pending", 0)
    assert (Transfer.objects.count(), told("payment.parked")) == (0, 1)
    assert say(payment, truth).parked == ""
    assert fresh(payment).status == status


def test_M3_an_answer_with_the_id_of_another_payment_of_ours_is_parked(acquirer: FakeAcquirer) -> None:
    """Not an IntegrityError, which would be met again at every check and never shown to anybody."""
    other = paid(acquirer)
    payment = unsent(acquirer)
    said = say(payment, Status.SUCCEEDED, reference=other.acquirer_payment_id)
    assert other.acquirer_payment_id in said.parked
    assert fresh(payment).status == "unknown"


def test_M3_a_second_capture_of_the_same_order_is_shown_to_staff(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    assert say(payment, acquirer.pay(payment.pk)).parked == ""
    say(payment, Status.SUCCEEDED, reference="pay_again")
    assert "pay_again" in fresh(payment).parked
    assert told("payment.parked") == 1
    assert Transfer.objects.count() == 1


def test_a_known_payment_that_the_acquirer_no_longer_knows_is_parked(acquirer: FakeAcquirer) -> None:
    payment = start()
    acquirer.forget(payment.pk)
    pass_time(MINUTE)
    assert "now does not know it" in fresh(payment).parked
    assert fresh(payment).is_live


def test_M4_a_parked_payment_is_asked_about_less_and_less_often(acquirer: FakeAcquirer) -> None:
    payment = start()
    acquirer.program("fetch", *[Outcome(Status.SUCCEEDED, amount=Money("1", "RUB"))] * 500)
    for n in range(144):
        payments.poll_due(at=AT + n * 10 * MINUTE)
    assert fresh(payment).parked
    assert len(acquirer.called("fetch")) < 20


def test_a_silence_of_days_is_shown_to_staff_and_the_answer_ends_it(acquirer: FakeAcquirer) -> None:
    payment = start()
    acquirer.program("fetch", *[Outcome.unknown("no answer")] * 60)
    for days in (7, 13):
        for n in range(days * 4):
            payments.poll_due(at=AT + n * 6 * HOUR)
        assert ("for days" in fresh(payment).parked) is (days == 13)
    say(payment, acquirer.pay(payment.pk))
    assert (fresh(payment).status, fresh(payment).parked) == ("succeeded", "")


@pytest.mark.parametrize(
    "card",
    [replace(CARD, exp_month=0), replace(CARD, mask="•" * 99), replace(CARD, brand="B" * 99), replace(CARD, mask="\0")],
    ids=["no such month", "long mask", "long brand", "NUL"],
)
def test_a_card_that_cannot_be_kept_does_not_keep_the_money_out_of_the_books(
    acquirer: FakeAcquirer, card: Card
) -> None:
    payment = start(save_card=True)
    assert say(payment, acquirer.pay(payment.pk, card)).status == "succeeded"
    audit(acquirer)


@pytest.mark.parametrize(
    "nasty", ["a\0b", "\ud800", float("nan"), [{"\0": "\0"}]], ids=["NUL", "surrogate", "NaN", "deep"]
)
def test_odd_characters_do_not_keep_the_money_out_of_the_books(acquirer: FakeAcquirer, nasty: Any) -> None:
    payment = start()
    truth = acquirer.pay(payment.pk)
    say(payment, Status.FAILED, message=str(nasty), code=str(nasty), raw={"name": nasty})
    assert say(payment, truth, message=str(nasty), raw={"name": nasty}).status == "succeeded"
    refund = give_back(payment)
    assert refund.status == "succeeded"
    audit(acquirer)


def test_a_card_is_kept_when_asked_for_and_has_a_token(acquirer: FakeAcquirer) -> None:
    for save, card in ((False, CARD), (True, replace(CARD, token="")), (True, CARD)):
        payment = start(save_card=save)
        say(payment, acquirer.pay(payment.pk, card))
    method = PaymentMethod.objects.get()
    assert (method.user_id, method.token, method.mask) == (payment.user_id, CARD.token, CARD.mask)


def test_events_of_a_payment_tell_who_what_and_why(acquirer: FakeAcquirer) -> None:
    payment = start()
    acquirer.settle(payment.pk, Status.FAILED)
    payments.check(payment.pk, at=AT + DAY)
    changes = Event.objects.filter(subject_id=payment.pk).order_by("id")
    assert [(e.kind, e.actor, e.from_state, e.to_state) for e in changes] == [
        ("payment.created", "user:1", "", "created"),
        ("payment.pending", "acquirer:fake", "created", "pending"),
        ("payment.failed", "acquirer:fake", "pending", "failed"),
    ]
    failed = changes.last()
    assert failed
    assert (failed.at, failed.reason, failed.user_id) == (AT + DAY, "Not enough money.", payment.user_id)
    assert (failed.data["decline"], failed.data["amount"], failed.data["currency"]) == ("another_card", "299.00", "RUB")


def test_a_top_up_goes_to_its_customer_s_wallet(acquirer: FakeAcquirer) -> None:
    payment = start()
    wallet = ledger.wallet(payment.user_id, "RUB")
    top_up = paid(acquirer, bill(Money("500", "RUB"), account=wallet, user_id=payment.user_id))
    say(top_up, acquirer.pay(top_up.pk))
    assert fresh(wallet).balance == 50_000
