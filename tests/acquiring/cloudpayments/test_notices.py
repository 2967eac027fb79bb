"""CloudPayments' callbacks: every kind, and those that cannot be."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from moneyed import Money

from acquiring.backends.cloudpayments import CloudPayments, notices
from acquiring.bank.cloudpayments.tongue import sign
from acquiring.base import BadCallback
from acquiring.types import Status, Subject
from tests.acquiring.far import PRICE


def read(kind: str, data: object, content_type: str = "") -> notices.Notice:
    body = (json.dumps(data) if content_type else urlencode(data)).encode()
    headers = {"content-hmac": sign("s", body), "content-type": content_type}
    return CloudPayments("pk", "s").parse(kind, headers, body)


PAY = {
    "TransactionId": "7", "Amount": "59.00", "Currency": "RUB", "InvoiceId": "inv-1", "DateTime": "2026-11-20 10:11:12",
    "Status": "Completed", "GatewayName": "Test", "CardLastFour": "4242", "CardExpDate": "12/30", "CardType": "Visa",
    "Token": "tk_1", "Data": "", "SubscriptionId": "",
}  # fmt: skip


def test_a_callback_may_be_a_form_or_json():
    as_json = PAY | {"TransactionId": 7, "Amount": 59.0}
    for notice in (read("pay", PAY), read("pay", as_json, "application/json; charset=utf-8")):
        assert (notice.dedupe_key, notice.trusted, notice.outcome.reference) == ("pay:7", True, "7")
        assert (notice.outcome.amount, notice.outcome.card.token) == (PRICE / 299 * 59, "tk_1")


def test_a_held_sum_is_not_a_taken_one():
    assert read("pay", PAY | {"Status": "Authorized"}).outcome.status is Status.AUTHORIZED


def test_a_release_only_rings_for_its_fields_are_those_of_any_other_kind():
    notice = read("cancel", {"TransactionId": "7", "Amount": "59.00", "InvoiceId": "i"})
    assert (notice.outcome.status, notice.outcome.reference, notice.trusted) == (Status.CANCELLED, "7", False)


def test_a_refund_made_in_the_cabinet_has_no_id_of_ours():
    data = {"TransactionId": "8", "PaymentTransactionId": "7", "Amount": "1.00", "InvoiceId": "inv-1", "Data": ""}
    notice = read("refund", data)
    assert (notice.subject, notice.outcome.our_id, notice.payment_reference) == (Subject.REFUND, "", "7")
    assert notice.outcome.amount == Money("1.00", "RUB")


def test_a_question_about_a_refund_of_ours_is_answered_with_a_yes():
    acquirer = CloudPayments("pk", "s")
    notice = read("check", PAY | {"OperationType": "Refund"})
    assert acquirer.reply(notice, notices.Verdict.NOT_PAYABLE).body == b'{"code": 0}'


def test_news_of_a_plan_of_theirs_is_nobody_s_payment():
    notice = read("recurrent", {"Id": "sc_1", "Status": "Active", "AccountId": "u"})
    assert (notice.outcome.status, notice.outcome.our_id) == (Status.UNKNOWN, "sc_1")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("pay", PAY | {"Reason": "InsufficientFunds", "ReasonCode": "5051"}),  # a Fail at the address of Pay
        ("pay", PAY | {"PaymentTransactionId": "6"}),
        ("cancel", PAY | {"Reason": "x"}),
        ("refund", PAY),
        ("fail", PAY),
        ("pay", PAY | {"Status": "Declined"}),
        ("paid", PAY),
        ("", PAY),
        ("pay", {}),
    ],
)
def test_a_signed_callback_that_cannot_be_is_refused(kind, data):
    with pytest.raises(BadCallback):
        read(kind, data)


def test_a_field_said_twice_is_refused():
    body = urlencode([*PAY.items(), ("Amount", "1.00")]).encode()
    with pytest.raises(BadCallback):
        CloudPayments("pk", "s").parse("pay", {"content-hmac": sign("s", body)}, body)


def test_the_signature_of_the_decoded_body_alone_is_not_believed():
    """`Name=A%26Amount%3D1.00` and `Name=A&Amount=1.00` decode alike, and only the first was signed."""
    decoded = "TransactionId=7&Name=A&Amount=1.00"
    headers = {"x-content-hmac": sign("s", decoded.encode())}
    with pytest.raises(BadCallback):
        CloudPayments("pk", "s").parse("pay", headers, decoded.encode())
