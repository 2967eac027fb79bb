"""The pure half of CloudPayments: every status, every decline, and nonsense."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moneyed import Money

from acquiring import asking
from acquiring.backends.cloudpayments import CloudPayments, lookups, mapping, notices, orders
from acquiring.backends.cloudpayments.lookups import acted, looked_up
from acquiring.bank.cloudpayments.codes import REASONS
from acquiring.bank.cloudpayments.tongue import sign
from acquiring.base import BadCallback
from acquiring.http import Response, exact
from acquiring.reading import Malformed
from acquiring.types import Card, Decline, Outcome, Receipt, ReceiptItem, Status
from tests.acquiring.far import charge, refund

MODEL = {
    "ReasonCode": 0, "TransactionId": 897728064, "Amount": 59, "Currency": "RUB", "InvoiceId": 1234567,
    "AccountId": "user_x", "JsonData": None, "CreatedDateIso": "2021-10-30T02:58:25",
    "AuthDateIso": "2021-10-30T02:58:26", "ConfirmDateIso": "2021-10-30T02:58:26", "OriginalTransactionId": None,
    "CardFirstSix": "424242", "CardLastFour": "4242", "CardExpDate": "12/25", "CardType": "Visa",
    "Status": "Completed", "StatusCode": 3, "Reason": "Approved", "Token": "tk_secret", "Email": "a@b.c",
    "CardHolderMessage": "Оплата успешно проведена", "IpAddress": "87.251.91.164", "Phone": "+79990000000",
}  # fmt: skip
DECLINED = MODEL | {
    "ReasonCode": 5051, "AuthDateIso": None, "ConfirmDateIso": None, "Status": "Declined", "StatusCode": 5,
    "Reason": "InsufficientFunds", "CardHolderMessage": "Недостаточно средств на карте",
}  # fmt: skip
REFUND = MODEL | {"OriginalTransactionId": 5, "JsonData": '{"kind": "refund", "id": "r-1"}', "Amount": 10.5}
OFFICIAL = {  # "unconditionally negative": never to be charged again with nobody present
    5001, 5003, 5005, 5012, 5017, 5033, 5034, 5057,
}  # fmt: skip
TABLE = (
    "5001 5003 5005 5012 5017 5033 5034 5057 5013 5014 5030 5054 5055 5063 5051 5065 5096 5004 5007 5041 5043 5006 "
    "5015 5031 5036 5062 5058 5059 5113 5019 5061 5300 5303 5082 5091 5092 5204 5206 5207 5761 5762 5763 6001 6004 "
    "6005 6010 6011 6013 6014 6015 6017 6025 5075 5209 3001 3002 3003 3004 3005 3006 3007 3008"
)


def test_the_payment_of_their_documentation_is_read():
    outcome = mapping.payment_outcome(MODEL)
    assert (outcome.status, outcome.reference, outcome.our_id) == (Status.SUCCEEDED, "897728064", "1234567")
    assert outcome.amount == Money(59, "RUB")
    assert outcome.card == Card("tk_secret", "•••• 4242", "Visa", 12, 2025)
    assert outcome.occurred_at.isoformat() == "2021-10-30T02:58:26+00:00"
    for secret in ("tk_secret", "a@b.c", "87.251.91.164", "+79990000000"):
        assert secret not in str(outcome.raw)


@pytest.mark.parametrize(
    ("said", "meant", "known"),
    [
        ("AwaitingAuthentication", Status.PENDING, False), ("Authorized", Status.AUTHORIZED, True),
        ("Completed", Status.SUCCEEDED, True), ("Cancelled", Status.CANCELLED, True),
    ],
)  # fmt: skip
def test_every_status_is_known(said, meant, known):
    outcome = mapping.payment_outcome(MODEL | {"Status": said})
    assert (outcome.status, bool(outcome.reference)) == (meant, known)


def test_a_declined_try_ends_a_token_and_not_a_page():
    page = mapping.payment_outcome(DECLINED | {"JsonData": {"kind": "page"}}, page_url="http://page")
    assert (page.status, page.reference, page.redirect_url) == (Status.PENDING, "", "http://page")
    assert (page.decline, page.code, page.message) == (
        Decline.RETRY_LATER,
        "5051",
        "Недостаточно средств на карте",
    )
    assert mapping.payment_outcome(DECLINED).status is Status.PENDING
    for outcome in (
        mapping.payment_outcome(DECLINED, final=True),
        mapping.payment_outcome(DECLINED | {"JsonData": '{"kind": "token"}'}),
    ):
        assert (outcome.status, outcome.decline) == (Status.FAILED, Decline.RETRY_LATER)


@pytest.mark.parametrize("code", [int(code) for code in TABLE.split()])
def test_every_decline_of_the_table_has_its_group(code):
    outcome = mapping.payment_outcome(DECLINED | {"ReasonCode": code}, final=True)
    assert outcome.decline is mapping.declines.GROUPS[code]
    if code in OFFICIAL:
        assert outcome.decline in (Decline.ANOTHER_CARD, Decline.CUSTOMER_ACTION, Decline.STOP)


def test_a_decline_that_nobody_knows_is_not_tried_again_by_itself():
    assert mapping.payment_outcome(DECLINED | {"ReasonCode": 5999}, final=True).decline is Decline.ANOTHER_CARD


def test_every_code_of_the_local_bank_is_in_the_table():
    assert {code for code, *_ in REASONS.values()} <= set(mapping.declines.GROUPS)


def test_a_refund_carries_our_id_and_its_payment():
    outcome = mapping.refund_outcome(REFUND)
    assert (outcome.status, outcome.our_id, outcome.amount) == (Status.SUCCEEDED, "r-1", Money("10.50", "RUB"))
    assert mapping.is_refund(REFUND)
    assert not mapping.is_refund(MODEL)
    assert mapping.refund_outcome(REFUND | {"JsonData": None}).our_id == ""
    with pytest.raises(Malformed):
        mapping.payment_outcome(REFUND)
    assert mapping.refund_outcome(REFUND | {"Status": "AwaitingAuthentication"}).status is Status.PENDING


@pytest.mark.parametrize("amount", [0.1, 0.29, 1.1, 299.0, 1234567.89, "59.00", 7])
def test_amounts_are_what_they_wrote(amount):
    assert mapping.amount(MODEL | {"Amount": amount}).amount == Decimal(str(amount))


@pytest.mark.parametrize("amount", [None, True, -1, "x", "", 0.001, "1e400", "NaN", 1e300, [], "1" * 30])
def test_an_amount_that_is_none_is_not_read(amount):
    with pytest.raises(Malformed):
        mapping.amount(MODEL | {"Amount": amount})


@pytest.mark.parametrize("name", ["Status", "TransactionId", "Amount", "Currency", "InvoiceId", "AuthDateIso"])
@pytest.mark.parametrize("wrong", [True, [], {}, 1.5, "nonsense"])
def test_a_payment_with_a_wrong_field_is_not_read(name, wrong):
    if (name, wrong) in [("InvoiceId", "nonsense"), ("Amount", 1.5)]:
        return
    with pytest.raises(Malformed):
        mapping.payment_outcome(MODEL | {"ConfirmDateIso": None, name: wrong})


@pytest.mark.parametrize(
    ("answer", "status", "absent"),
    [
        ({"Success": False, "Message": "Not found"}, Status.UNKNOWN, True),
        ({"Success": False, "Message": "Something else"}, Status.UNKNOWN, False),
        ({"Success": False, "Message": None}, Status.UNKNOWN, False),
        ({"Success": True, "Model": None}, Status.UNKNOWN, False),
        ({"Success": True, "Message": None, "Model": MODEL}, Status.SUCCEEDED, False),
        ({"Success": False, "Message": None, "Model": DECLINED}, Status.PENDING, False),
        ([], Status.UNKNOWN, False),
    ],
)
def test_only_their_own_word_makes_a_payment_absent(answer, status, absent):
    outcome = asking.looked_up(lambda: looked_up(Response(200, answer), mapping.payment_outcome))
    assert (outcome.status, outcome.absent) == (status, absent)


@pytest.mark.parametrize(
    ("status", "body", "meant", "shut_out"),
    [
        (400, {"Success": False, "Message": "no"}, Status.FAILED, False),
        (403, {"Success": False, "Message": "no"}, Status.FAILED, True),
        (401, None, Status.FAILED, True), (407, None, Status.FAILED, True), (429, None, Status.FAILED, True),
        (403, {"blocked": "by a firewall"}, Status.UNKNOWN, False), (404, [], Status.UNKNOWN, False),
        (400, {}, Status.UNKNOWN, False), (408, {"Success": False, "Message": "no"}, Status.UNKNOWN, False),
        (409, {"Success": False, "Message": "no"}, Status.UNKNOWN, False), (425, None, Status.UNKNOWN, False),
    ],
)  # fmt: skip
def test_a_refused_order_has_failed_only_by_their_own_word_or_at_the_door(status, body, meant, shut_out):
    outcome = acted(Response(status, body), mapping.payment_outcome)
    assert (outcome.status, outcome.shut_out) == (meant, shut_out)


def test_a_404_is_not_absence_and_a_refusal_is_our_fault():
    assert not looked_up(Response(404, {"Success": False, "Message": "Not found"}), mapping.payment_outcome).absent
    refused = acted(Response(200, {"Success": False, "Message": "Amount is required"}), mapping.payment_outcome)
    assert (refused.status, refused.decline, refused.message) == (
        Status.FAILED, Decline.OUR_FAULT, "Amount is required",
    )  # fmt: skip


def test_an_answer_that_wants_3d_secure_of_nobody_is_unknown():
    model = {"TransactionId": 891463508, "PaReq": "+/eyJN", "AcsUrl": "https://demo.cloudpayments.ru/acs"}
    answer = {"Success": False, "Message": None, "Model": model}
    assert asking.told(lambda: acted(Response(200, answer), mapping.payment_outcome)).status is Status.UNKNOWN


# --- What we send ----------------------------------------------------------------------------------------------------


def test_amounts_are_sent_as_exact_numbers():
    assert '"Amount": 299.00,' in exact(orders.page(charge(), "CustomerReceipt"))
    assert '"Amount": 0.10' in exact(orders.refund(refund(Outcome(Status.SUCCEEDED, "5"), Money("0.10", "RUB")), "r"))


def test_a_customer_without_a_card_to_save_has_no_name_there():
    assert "AccountId" not in orders.page(charge(), "CustomerReceipt")
    assert orders.page(charge(save_card=True), "CustomerReceipt")["AccountId"] == "customer-1"


def test_a_receipt_travels_with_a_payment_and_a_refund():
    items = (
        ReceiptItem("Films " * 40, Decimal(1), Money("199.00", "RUB"), vat="20"),
        ReceiptItem("Popcorn", Decimal(2), Money("100.00", "RUB"), vat="10/110", subject="commodity"),
    )
    receipt = Receipt(items, email="ann@example.org", tax_system="usn_income")
    sent = json.loads(exact(orders.page(charge(receipt=receipt), "CustomerReceipt")))["JsonData"]
    told = sent["cloudpayments"]["CustomerReceipt"]
    assert [(item["price"], item["amount"], item["vat"], item["object"]) for item in told["Items"]] == [
        (199.0, 199.0, 20, 4), (50.0, 100.0, 110, 1),
    ]  # fmt: skip
    assert len(told["Items"][0]["label"]) == 128
    assert (told["taxationSystem"], told["email"], told["amounts"]) == (1, "ann@example.org", {"electronic": 299.0})


# --- Nonsense --------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from([*MODEL, "Success", "Message", "Model", "RetryAfter", "Data", "PaymentTransactionId", "Id"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(["1", "RUB"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=6),
    max_leaves=12,
)
NEAR = st.dictionaries(NAMES, JSON, max_size=3).map(lambda changes: MODEL | changes)


@settings(max_examples=300, deadline=None)
@given(JSON | NEAR)
def test_any_json_is_an_outcome(data):
    for answer in (data, {"Success": True, "Model": data}, {"Success": False, "Message": None, "Model": data}):
        for translate in (mapping.payment_outcome, mapping.refund_outcome):
            for read in (acted, looked_up):
                with suppress(Malformed):
                    assert isinstance(read(Response(200, answer), translate), Outcome)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(list(notices.KINDS)), JSON | NEAR, st.binary(max_size=40))
def test_any_signed_body_is_a_notice_or_a_bad_callback(kind, data, noise):
    acquirer = CloudPayments("pk", "s")
    for body, content_type in ((json.dumps(data).encode(), "application/json"), (noise, "")):
        headers = {"content-hmac": sign("s", body), "content-type": content_type}
        with suppress(BadCallback):
            assert isinstance(acquirer.parse(kind, headers, body), notices.Notice)


@settings(max_examples=100, deadline=None)
@given(JSON)
def test_any_statement_is_lines_or_malformed(data):
    class Door(lookups.Door):
        def post(self, path, body, key=""):
            return Response(200, data)

    with suppress(Malformed, lookups.Unanswered):
        list(lookups.statement(Door(None), date(2026, 11, 20)))
