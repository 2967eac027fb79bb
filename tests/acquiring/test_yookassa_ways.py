"""What is YooKassa's own: lookups through lists, forgotten keys, late answers, receipts. Against the local bank."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from moneyed import Money

from acquiring.backends.yookassa import YooKassa
from acquiring.http import Unanswered
from acquiring.types import Clue, Decline, Receipt, ReceiptItem, ReceiptStatus, Status, Subject
from tests.acquiring.at_yookassa import Far, yookassa
from tests.acquiring.far import Trips, charge, clue, refund
from tests.acquiring.shop import Shop
from tests.acquiring.test_http import answering, server
from tests.local_bank import LocalBank, eventually


@pytest.fixture
def acquirer(bank: LocalBank) -> YooKassa:
    return yookassa(bank)


@pytest.fixture
def far(bank: LocalBank, shop: Shop) -> Far:
    return Far(bank, shop)


def token(acquirer: YooKassa, far: Far) -> str:
    return Trips().token(acquirer, far)


def since() -> Clue:
    return Clue(since=datetime.now(UTC) - timedelta(minutes=1))


def test_the_same_key_for_the_same_order_gives_the_first_answer(acquirer, bank):
    order = charge()
    assert acquirer.checkout(order).reference == acquirer.checkout(order).reference


def test_a_key_that_is_forgotten_takes_money_again_and_the_first_capture_is_still_known(acquirer, far):
    order = charge(token=token(acquirer, far))
    first = acquirer.charge(order)
    far.forget()
    second = acquirer.charge(order)
    assert second.status is Status.SUCCEEDED
    assert second.reference != first.reference  # so nobody may send an order again without looking first
    assert acquirer.fetch(Subject.PAYMENT, order.our_id, first.reference).reference == first.reference


def test_of_several_tries_that_bear_our_id_the_one_that_took_money_counts(acquirer, far, bank):
    order = charge()
    far.pay(acquirer.checkout(order), "retry_later")
    far.forget()
    far.pay(paid := acquirer.checkout(order))
    far.forget()
    acquirer.checkout(order)
    found = acquirer.fetch(Subject.PAYMENT, order.our_id, "", since())
    assert (found.status, found.reference) == (Status.SUCCEEDED, paid.reference)


def test_an_order_among_hundreds_is_found_on_a_later_page_and_only_since_it_may_be_there(acquirer, far):
    order = charge()
    opened = acquirer.checkout(order)
    for _ in range(101):
        acquirer.checkout(charge())
    assert acquirer.fetch(Subject.PAYMENT, order.our_id, "", since()).reference == opened.reference
    later = Clue(since=datetime.now(UTC) + timedelta(minutes=6))
    assert acquirer.fetch(Subject.PAYMENT, order.our_id, "", later).absent
    long_ago = Clue(since=datetime.now(UTC) - timedelta(days=3))
    assert acquirer.fetch(Subject.PAYMENT, order.our_id, "", long_ago).absent  # by then nobody sends it any more
    assert acquirer.fetch(Subject.PAYMENT, order.our_id, "").reference == opened.reference


def test_an_answer_that_is_still_being_made_is_asked_for_again(bank, far):
    far.trouble("processing", 2)
    slept: list[float] = []
    assert yookassa(bank, sleep=slept.append).checkout(charge()).status is Status.PENDING
    assert slept == [0.2, 0.2]


def test_an_answer_that_takes_too_long_is_unknown_and_found_later(acquirer, bank, far):
    order = charge(token=token(acquirer, far))
    far.trouble("processing")
    outcome = yookassa(bank, patience=0).charge(order)
    assert (outcome.status, outcome.absent) == (Status.UNKNOWN, False)
    assert acquirer.fetch(Subject.PAYMENT, order.our_id, "", since()).status is Status.SUCCEEDED


def test_a_refusal_at_the_door_after_a_processing_is_unknown(bank, far):
    far.trouble("processing")
    acquirer = yookassa(bank, sleep=lambda seconds: far.trouble("refuse", 30))
    outcome = acquirer.checkout(charge())
    far.trouble("calm")
    assert outcome.status is Status.UNKNOWN


def test_too_many_requests_are_not_sent():
    busy = {"type": "error", "id": "e", "code": "too_many_requests", "description": "wait", "retry_after": 1800}
    with server(answering("429 Too Many Requests", json.dumps(busy).encode())) as (url, _):
        outcome = YooKassa("100500", "key", url, timeout=1).checkout(charge())
    assert outcome.decline is Decline.NOT_SENT


def test_the_wire_is_as_documented():
    with server(answering("500 Oops", b"{}")) as (url, heard):
        outcome = YooKassa("100500", "test_secret", url + "/v3", timeout=1).checkout(order := charge(save_card=True))
    assert outcome.status is Status.UNKNOWN
    head, _, body = heard[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v3/payments HTTP/1.1")
    assert b"Authorization: Basic MTAwNTAwOnRlc3Rfc2VjcmV0" in head
    assert f"Idempotence-Key: {order.our_id}".encode() in head
    assert json.loads(body) == {
        "amount": {"value": "299.00", "currency": "RUB"},
        "capture": True,
        "confirmation": {"type": "redirect", "return_url": "https://shop.example/back"},
        "description": "Films, one month",
        "merchant_customer_id": "customer-1",
        "metadata": {"order_id": order.our_id},
        "payment_method_data": {"type": "bank_card"},
        "save_payment_method": True,
    }


def test_a_saved_card_whose_owner_forbade_it_is_never_charged_again(acquirer, bank, far):
    saved = token(acquirer, far)
    bank.fault("decline:stolen_card")
    outcome = acquirer.charge(charge(token=saved))
    assert (outcome.status, outcome.decline, outcome.code) == (Status.FAILED, Decline.STOP, "permission_revoked")


def test_a_limit_says_when_to_try_again(acquirer, bank, far):
    saved = token(acquirer, far)
    bank.fault("decline:limit_exceeded")
    outcome = acquirer.charge(charge(token=saved))
    assert outcome.decline is Decline.RETRY_LATER
    assert outcome.retry_after > datetime.now(UTC) + timedelta(hours=23)


def test_a_customer_who_leaves_the_page_can_come_back(acquirer, bank, far):
    opened = acquirer.checkout(charge())
    bank.leave(opened.redirect_url)
    assert acquirer.fetch(Subject.PAYMENT, opened.our_id, opened.reference).status is Status.PENDING
    far.pay(opened)
    assert acquirer.fetch(Subject.PAYMENT, opened.our_id, opened.reference).status is Status.SUCCEEDED


def test_3d_secure_is_theirs(acquirer, bank):
    opened = acquirer.checkout(charge())
    bank.pay(opened.redirect_url, "4000000000003220")
    paid = acquirer.fetch(Subject.PAYMENT, opened.our_id, opened.reference)
    assert paid.status is Status.SUCCEEDED
    assert paid.raw["authorization_details"]["three_d_secure"] == {"applied": True}


def test_a_hold_that_somebody_took_meanwhile_cannot_be_released(acquirer, far):
    held = Trips().pay(acquirer, far, capture=False)
    acquirer.capture(held.our_id, held.reference, charge(our_id=held.our_id))
    assert acquirer.void(held.our_id, held.reference).status is Status.SUCCEEDED


def test_a_pending_refund_ends_later(acquirer, bank, far):
    paid = Trips().pay(acquirer, far)
    bank.fault("refund_pending:0.5")
    order = refund(paid)
    assert acquirer.refund(order).status is Status.PENDING
    eventually(lambda: acquirer.fetch(Subject.REFUND, order.our_id, "", clue(order)).status is Status.SUCCEEDED)


def test_a_refund_that_was_refused_has_failed(acquirer, bank, far):
    paid = Trips().pay(acquirer, far)
    bank.fault("refund_declined")
    outcome = acquirer.refund(refund(paid))
    assert (outcome.status, outcome.code) == (Status.FAILED, "general_decline")
    assert outcome.reference
    assert outcome.message


def test_a_refund_is_looked_for_only_among_those_of_its_payment(acquirer, far):
    paid, other = Trips().pay(acquirer, far), Trips().pay(acquirer, far)
    order = refund(paid, Money("1.00", "RUB"))
    done = acquirer.refund(order)
    acquirer.refund(refund(paid, Money("1.00", "RUB")))
    assert acquirer.fetch(Subject.REFUND, order.our_id, "", clue(order)).reference == done.reference
    assert acquirer.fetch(Subject.REFUND, order.our_id, "", Clue(payment_reference=other.reference)).absent
    assert acquirer.fetch(Subject.REFUND, order.our_id, "", since()).reference == done.reference


RECEIPT = Receipt(
    (
        ReceiptItem("Films, one month", Decimal(1), Money("199.00", "RUB"), "22"),
        ReceiptItem("Popcorn", Decimal(2), Money("100.00", "RUB"), "none", "commodity"),
    ),
    email="ann@example.org",
    tax_system="osn",
)


def test_a_receipt_is_registered_a_while_after_the_money(acquirer, far):
    paid = Trips().pay(acquirer, far, receipt=RECEIPT)
    assert paid.receipt is ReceiptStatus.PENDING
    eventually(lambda: acquirer.fetch(Subject.PAYMENT, paid.our_id, paid.reference).receipt is ReceiptStatus.REGISTERED)
    given_back = acquirer.refund(replace(refund(paid), receipt=RECEIPT))
    assert (given_back.status, given_back.receipt) == (Status.SUCCEEDED, ReceiptStatus.PENDING)
    assert Trips().pay(acquirer, far).receipt is None


def test_a_receipt_that_cannot_be_registered_has_failed_and_the_money_has_not(acquirer, far):
    far.trouble("receipt_failed")
    paid = Trips().pay(acquirer, far, receipt=RECEIPT)
    eventually(lambda: acquirer.fetch(Subject.PAYMENT, paid.our_id, paid.reference).receipt is ReceiptStatus.FAILED)
    assert paid.status is Status.SUCCEEDED


def test_a_receipt_that_does_not_add_up_is_refused(acquirer, far):
    outcome = acquirer.checkout(charge(amount=Money("300.00", "RUB"), receipt=RECEIPT))
    assert (outcome.status, outcome.decline) == (Status.FAILED, Decline.OUR_FAULT)


@pytest.mark.parametrize(
    "receipt",
    [
        replace(RECEIPT, email=""),
        replace(RECEIPT, tax_system="x"),
        Receipt((replace(RECEIPT.items[0], vat="21"),), "a@b.c"),
    ],
)
def test_a_receipt_that_cannot_be_written_is_our_fault_and_not_sent(receipt):
    outcome = YooKassa("1", "k", "http://127.0.0.1:1").checkout(charge(receipt=receipt))
    assert (outcome.status, outcome.decline, outcome.code) == (Status.FAILED, Decline.OUR_FAULT, "bad_order")


def test_a_wrong_key_is_our_fault(bank):
    stranger = YooKassa(bank.merchant, "wrong", f"{bank.api_url}/yookassa/v3")
    outcome = stranger.checkout(charge())
    assert (outcome.status, outcome.decline, outcome.code) == (Status.FAILED, Decline.OUR_FAULT, "invalid_credentials")
    assert stranger.fetch(Subject.PAYMENT, "any", "", since()).absent is False
    with pytest.raises(Unanswered):
        list(stranger.statement(datetime.now(UTC).date()))


def test_a_404_that_is_not_their_own_word_is_not_absence():
    with server(answering("404 Not Found", b"{}")) as (url, _):
        lost = YooKassa("m", "s", url, timeout=1).fetch(Subject.PAYMENT, "o-1", "p-1", since())
    assert (lost.status, lost.absent) == (Status.UNKNOWN, False)


@pytest.mark.parametrize("missing", ["shop_id", "secret_key", "url"])
def test_an_acquirer_without_its_secrets_is_not_made(missing):
    options = {"shop_id": "1", "secret_key": "k", "url": "http://x"} | {missing: ""}
    with pytest.raises(ValueError, match=missing):
        YooKassa(**options)


def test_a_statement_has_holds_takings_of_the_day_and_refunds(acquirer, far):
    held = Trips().pay(acquirer, far, capture=False)
    taken = Trips().pay(acquirer, far)
    far.pay(acquirer.checkout(charge()), "retry_later")
    given_back = acquirer.refund(refund(taken, Money("1.00", "RUB")))
    lines = list(acquirer.statement(datetime.now(UTC).date()))
    assert {(line.subject, line.outcome.reference) for line in lines} == {
        (Subject.PAYMENT, taken.reference),
        (Subject.PAYMENT, held.reference),
        (Subject.REFUND, given_back.reference),
    }


def test_a_hold_taken_in_part_needs_a_receipt_of_its_own_and_in_full_none(acquirer, far, monkeypatch):
    sent: list[dict] = []
    request = acquirer._client.request

    def noted(*args, **parts):
        sent.append(parts.get("json") or {})
        return request(*args, **parts)

    monkeypatch.setattr(acquirer._client, "request", noted)
    for amount in ("399.00", "299.00"):
        held = Trips().pay(acquirer, far, capture=False, amount=Money("399.00", "RUB"), receipt=None)
        part = replace(RECEIPT, items=(replace(RECEIPT.items[0], amount=Money(amount, "RUB")),))
        order = charge(our_id=held.our_id, amount=Money(amount, "RUB"), receipt=part)
        assert acquirer.capture(held.our_id, held.reference, order).status is Status.SUCCEEDED
    assert ["receipt" in body for body in sent if "amount" in body and "metadata" not in body] == [False, True]
