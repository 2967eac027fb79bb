"""What is CloudPayments' own: tries on a page, the widget, receipts, chargebacks, keys."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from moneyed import Money

from acquiring.backends.cloudpayments import CloudPayments, orders
from acquiring.http import Client
from acquiring.types import Decline, Receipt, ReceiptItem, ReceiptStatus, Status, Subject
from tests.acquiring.cloudpayments.conftest import cloudpayments
from tests.acquiring.far import PRICE, charge, refund
from tests.acquiring.test_http import answering, server
from tests.local_bank import eventually


def test_a_declined_token_is_final_and_says_when_to_try_again(acquirer, far, shop):
    far.pay(opened := acquirer.checkout(charge(save_card=True)))
    token = acquirer.fetch(Subject.PAYMENT, opened.our_id).card.token
    far.trouble("decline:insufficient_funds")
    outcome = acquirer.charge(order := charge(token=token))
    assert (outcome.status, outcome.decline, outcome.code) == (Status.FAILED, Decline.RETRY_LATER, "5051")
    assert acquirer.fetch(Subject.PAYMENT, order.our_id).status is Status.FAILED
    notice = acquirer.parse(*far.callback(1))
    assert (notice.kind, notice.outcome.status, notice.outcome.code) == ("fail", Status.FAILED, "5051")
    assert notice.outcome.retry_after - notice.outcome.occurred_at == timedelta(days=1)


def test_a_failed_try_on_the_page_is_told_and_ends_nothing(acquirer, far):
    opened = acquirer.checkout(charge())
    far.pay(opened, "retry_later")
    notice = acquirer.parse(*far.callback(0))
    assert (notice.kind, notice.outcome.status) == ("fail", Status.PENDING)
    assert (notice.outcome.decline, notice.outcome.reference) == (Decline.RETRY_LATER, "")


def test_a_wrong_code_of_3d_secure_leaves_the_page_open(acquirer, far, bank):
    opened = acquirer.checkout(charge())
    bank.pay(opened.redirect_url, "4000000000003220", code="0000")
    assert acquirer.fetch(Subject.PAYMENT, opened.our_id).code == "5206"
    bank.pay(opened.redirect_url, "4000000000003220")
    assert acquirer.fetch(Subject.PAYMENT, opened.our_id).status is Status.SUCCEEDED


def test_the_widget_gets_what_the_server_knows_and_nobody_is_called():
    order = charge(save_card=True, capture=False)
    outcome = CloudPayments("pk", "s", url="http://nobody.invalid", page="widget").checkout(order)
    assert (outcome.status, outcome.our_id, outcome.amount) == (Status.PENDING, order.our_id, PRICE)
    told = outcome.widget
    assert (told["publicTerminalId"], told["amount"], told["currency"]) == ("pk", "299.00", "RUB")
    assert (told["externalId"], told["paymentSchema"], told["tokenize"]) == (order.our_id, "Dual", True)
    assert told["userInfo"]["accountId"] == order.customer_id


def test_a_widget_whose_amount_was_changed_in_the_browser_tells_that_amount(bank, shop, far):
    acquirer = cloudpayments(bank, page="widget")
    values = dict(acquirer.checkout(order := charge()).widget) | {"amount": "1.00"}
    page = bank.http.get(f"{bank.url}/cloudpayments/widget", params={"params": json.dumps(values)}, timeout=5)
    bank.pay(page.url)
    asked = shop.wait_for(1)[0]
    assert acquirer.parse("check", asked.headers, asked.body).outcome.amount == Money("1.00", "RUB")
    told = acquirer.parse(*far.callback(0)).outcome
    assert (told.our_id, told.amount) == (order.our_id, Money("1.00", "RUB"))


def test_a_fiscal_receipt_is_ordered_and_told(acquirer, far):
    item = ReceiptItem("Films, one month", Decimal(1), PRICE, vat="20")
    receipt = Receipt((item,), email="ann@example.org", tax_system="osn")
    far.pay(opened := acquirer.checkout(charge(receipt=receipt)))
    notices = [acquirer.parse(*far.callback(number)) for number in (0, 1)]
    [told] = [each for each in notices if each.kind == "receipt"]
    assert (told.only_receipt, told.outcome.receipt) == (True, ReceiptStatus.REGISTERED)
    assert told.outcome.our_id == opened.our_id
    paid = acquirer.fetch(Subject.PAYMENT, opened.our_id)
    assert "ann@example.org" not in str(paid.raw)


def test_a_chargeback_stands_in_the_statement_of_its_day(acquirer, far, bank):
    far.pay(opened := acquirer.checkout(charge()))
    reference = acquirer.fetch(Subject.PAYMENT, opened.our_id).reference
    payment_id = opened.redirect_url.rpartition("/")[2]
    bank.charge_back(payment_id, 10_000)
    bank.charge_back(payment_id, 5_000)
    lines = list(acquirer.statement(datetime.now(UTC).date()))
    assert [line.outcome.charged_back for line in lines if line.outcome.reference == reference][-1] == Money(150, "RUB")


def test_a_statement_has_many_pages_and_no_declined_tries(acquirer, far, bank, shop):
    far.pay(opened := acquirer.checkout(charge(save_card=True)))
    token = acquirer.fetch(Subject.PAYMENT, opened.our_id).card.token
    for _ in range(104):
        acquirer.charge(charge(token=token, amount=Money("1.00", "RUB")))
    far.pay(acquirer.checkout(charge()), "stop")
    lines = list(acquirer.statement(datetime.now(UTC).date()))
    assert len({line.outcome.reference for line in lines}) == len(lines) == 105


# --- The door --------------------------------------------------------------------------------------------------------


def test_wrong_keys_are_our_fault(stranger):
    outcome = stranger.checkout(charge())
    assert (outcome.status, outcome.decline, outcome.code) == (Status.FAILED, Decline.OUR_FAULT, "unauthorized")
    found = stranger.fetch(Subject.PAYMENT, "any")
    assert (found.status, found.absent) == (Status.UNKNOWN, False)


def test_too_many_at_once_are_not_sent():
    with server(answering("429 Too Many Requests", b"")) as (url, _):
        outcome = CloudPayments("pk", "s", url=url).charge(charge(token="tk"))
    assert (outcome.decline, outcome.shut_out) == (Decline.NOT_SENT, True)


@pytest.mark.parametrize("option", ["public_id", "api_secret", "url"])
def test_a_missing_credential_is_named(option):
    with pytest.raises(ValueError, match=option):
        CloudPayments(**({"public_id": "pk", "api_secret": "s", "url": "http://x"} | {option: ""}))


@pytest.mark.parametrize("options", [{"callback_secrets": "a"}, {"callback_secrets": [""]}, {"page": "other"}])
def test_a_wrong_option_is_refused(options):
    with pytest.raises(ValueError, match="needs"):
        CloudPayments("pk", "s", **options)


def test_a_saved_card_is_charged_as_their_rules_want():
    order = charge(token="tk_1")
    assert orders.token(order, "CustomerReceipt")["TrInitiatorCode"] == 0
    assert orders.token(order, "CustomerReceipt")["PaymentScheduled"] == 1
    assert orders.token(replace(order, scheduled=False), "CustomerReceipt")["PaymentScheduled"] == 0


def test_one_key_pays_once_and_gives_the_first_answer(acquirer, far, bank, shop):
    client = Client(f"{bank.api_url}/cloudpayments", (bank.merchant, bank.secret), idempotency_header="X-Request-ID")
    far.pay(opened := acquirer.checkout(charge()))
    reference = int(acquirer.fetch(Subject.PAYMENT, opened.our_id).reference)
    answers = [
        client.request(
            "POST", "/payments/refund", json={"TransactionId": reference, "Amount": amount}, idempotency_key="k"
        )
        for amount in (1, 2)
    ]
    assert answers[0].body == answers[1].body
    assert [units for kind, _, units in far.moved() if kind == "refund"] == [100]


def test_a_refund_that_is_pending_is_asked_about_until_it_is_done(acquirer, far):
    far.pay(opened := acquirer.checkout(charge()))
    paid = acquirer.fetch(Subject.PAYMENT, opened.our_id)
    far.trouble("refund_pending:0.2")
    order = refund(paid)
    waiting = acquirer.refund(order)
    assert (waiting.status, waiting.our_id) == (Status.PENDING, order.our_id)
    eventually(lambda: acquirer.fetch(Subject.REFUND, "", waiting.reference).status is Status.SUCCEEDED)


def test_a_refund_that_the_bank_declines_has_failed(acquirer, far):
    far.pay(opened := acquirer.checkout(charge()))
    paid = acquirer.fetch(Subject.PAYMENT, opened.our_id)
    far.trouble("refund_declined")
    assert acquirer.refund(refund(paid)).status is Status.FAILED
