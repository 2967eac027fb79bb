"""What T-Bank's JSON means, without HTTP: signatures, every code and status of its documents, and nonsense."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moneyed import Money

from acquiring.backends.tbank import TBank, codes, mapping, orders, signing
from acquiring.bank.cards import DECLINES
from acquiring.bank.tbank import shapes
from acquiring.bank.tbank.signing import sign
from acquiring.base import BadCallback
from acquiring.http import Response, Unanswered
from acquiring.reading import Malformed
from acquiring.types import (
    Charge,
    Clue,
    Decline,
    Notice,
    Outcome,
    Receipt,
    ReceiptItem,
    ReceiptStatus,
    RefundOrder,
    Status,
    Subject,
    Verdict,
)

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PRICE = Money("299.00", "RUB")
OURS = "9a512a70-de71-4405-b983-1377e15ebc02"
ORDER = RefundOrder(
    "e0000000-0000-4000-8000-000000000001", OURS, "3093639567", Money("100.00", "RUB"), "changed my mind"
)
STATE = {
    "Success": True, "ErrorCode": "0", "Message": "OK", "TerminalKey": "T", "Status": "CONFIRMED",
    "PaymentId": "3093639567", "OrderId": OURS, "Amount": 29900, "Params": [{"Key": "Route", "Value": "ACQ"}],
}  # fmt: skip
NEWS = {
    "TerminalKey": "T", "OrderId": OURS, "Success": True, "Status": "CONFIRMED", "PaymentId": 3093639567,
    "ErrorCode": "0", "Amount": 29900, "RebillId": 3207469334, "CardId": 10452089, "Pan": "430000******0777",
    "ExpDate": "0229", "Data": {"Route": "TCB"},
}  # fmt: skip

VECTORS: list[tuple[str, dict[str, Any], str]] = [
    (
        "usaf8fw8fsw21g",
        {"TerminalKey": "MerchantTerminalKey", "Amount": 19200, "OrderId": "21090",
         "Description": "Подарочная карта на 1000 рублей", "DATA": {"Phone": "+71234567890", "Email": "a@test.com"}},
        "0024a00af7c350a3a67ca168ce06502aa72772456662e38696d48b56ee9c97d9",
    ),
    (
        "Dfsfh56dgKl",
        {"TerminalKey": "1321054611234DEMO", "OrderId": "201709", "Success": True, "Status": "AUTHORIZED",
         "PaymentId": 8742591, "ErrorCode": "0", "Amount": 9855, "CardId": 322264, "Pan": "430000******0777",
         "ExpDate": "1122", "RebillId": 101709},
        "b906d28e76c6428e37b25fcf86c0adc52c63d503013fdd632e300593d165766b",
    ),
    (
        "test_password",
        {"TerminalKey": "TestTerminalDEMO", "Amount": 140000, "OrderId": "21090", "Description": "Подписка",
         "CustomerKey": "user-1", "Recurrent": "Y", "PayType": "O", "DATA": {"OperationInitiatorType": "1"},
         "Receipt": {"Email": "a@b.c", "Taxation": "osn", "Items": []}},
        "8f2c3398a5ae43f67090773b2521ab198bcc2f795fb8dd9c35a6387f5b2f41c3",
    ),
    (
        "test_password",
        {"TerminalKey": "TestTerminalDEMO", "OrderId": "21090", "Success": True, "Status": "CONFIRMED",
         "PaymentId": 3093639567, "ErrorCode": "0", "Amount": 140000, "CardId": 322264, "Pan": "430000******0777",
         "ExpDate": "1230", "RebillId": 145919, "Data": {"Source": "cards"}},
        "078ec5220630da6bbd1d412cb90145f321629d829aa265d785217decf937efc7",
    ),
]  # fmt: skip

# The table of error codes as it was read in T-Bank's documents, class by class.
TABLE = {
    "retry_later": "103 116 1051 5060 99 120 123 125 402 903 999 1030 1034 1089 1091 1096 9001 3040 1013 1019 1061 "
    "1065 1075 3041 3042 5061 5062 1001 1005 1006 1008 1012 1017 1062 1088 1092 104",
    "stop": "1004 1007 1043 1059 1063 1093 1094 506 600",
    "another_card": "107 252 262 1014 1015 1033 1039 1041 1053 1054 1080 1082 508 642 1057 1058 1078 76 77 3012 3013 "
    "3014 3015 5065 5066",
    "customer_action": "101 106 108 511 2014",
    "our_fault": "10 202 204 205 501 3001 3019 105 334 308 309 310 311 312 313 314 315 316 317 318 319 320 321 322",
}
WORDS = {
    "pending": "NEW FORM_SHOWED 3DS_CHECKING 3DS_CHECKED PREAUTHORIZING AUTHORIZING PAY_CHECKING CONFIRMING "
    "CONFIRM_CHECKING CHECKING CHECKED REVERSING",
    "authorized": "AUTHORIZED PARTIAL_REVERSED",
    "succeeded": "CONFIRMED REFUNDING ASYNC_REFUNDING PARTIAL_REFUNDED REFUNDED",
    "failed": "REJECTED AUTH_FAIL ATTEMPTS_EXPIRED",
    "cancelled": "CANCELED REVERSED DEADLINE_EXPIRED",
}


def each(table: dict[str, str]) -> list[tuple[str, str]]:
    return [(word, meaning) for meaning, words in table.items() for word in words.split()]


def acquirer(**options: Any) -> TBank:
    return TBank("T", options.pop("passwords", ["pass"]), "https://shop.example/callbacks/tbank", **options)


def news(**changes: Any) -> bytes:
    told = {name: value for name, value in (NEWS | changes).items() if value is not ...}
    return json.dumps(told | {"Token": signing.token(told, "pass")}).encode()


def read(**changes: Any) -> Notice:
    return acquirer().parse("", {}, news(**changes))


# --- Signatures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("password", "params", "token"), VECTORS)
def test_the_signature_is_that_of_the_documents(password, params, token):
    assert signing.token(params, password) == token
    assert signing.token(params | {"Token": "old"}, password) == token
    assert sign(params, password) == token  # the bank's own, written apart


def test_a_fraction_is_signed_as_it_was_written():
    body = b'{"TerminalKey": "T", "Rate": 1.10, "Big": 1e5}'
    assert signing.token(signing.read(body), "p") == signing.token(
        {"TerminalKey": "T", "Rate": "1.10", "Big": "1e5"}, "p"
    )


def test_a_field_nobody_knew_enters_the_signature():
    assert read(Added="new", AddedToo=False).outcome.status is Status.SUCCEEDED
    body = json.loads(news()) | {"Added": "after it was signed"}
    with pytest.raises(BadCallback):
        acquirer().parse("", {}, json.dumps(body).encode())


def test_an_old_password_verifies_until_it_is_removed():
    assert acquirer(passwords=["newer", "pass"]).parse("", {}, news()).trusted
    with pytest.raises(BadCallback):
        acquirer(passwords=["newer"]).parse("", {}, news())


def test_a_notification_for_another_terminal_is_not_ours():
    with pytest.raises(BadCallback, match="another terminal"):
        read(TerminalKey="S")


@pytest.mark.parametrize("changes", [{"terminal_key": ""}, {"passwords": []}, {"passwords": [""]}, {"passwords": "a"}])
def test_an_acquirer_without_its_credentials_is_not_made(changes):
    options = {"terminal_key": "T", "passwords": ["p"], "callback_url": ""} | changes
    with pytest.raises(ValueError, match=next(iter(changes))):
        TBank(**options)


# --- What answers mean ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "group"), each(TABLE))
def test_every_code_of_a_declined_payment_has_its_group(code, group):
    said = STATE | {"Status": "REJECTED", "Success": False, "ErrorCode": code, "Message": "No"}
    outcome = mapping.found(said).outcome
    assert (outcome.status, outcome.decline, outcome.code) == (Status.FAILED, Decline(group), code)


@pytest.mark.parametrize(("word", "status"), each(WORDS))
def test_every_status_is_known(word, status):
    outcome = mapping.found(STATE | {"Status": word}).outcome
    assert outcome.status is Status(status)
    assert (outcome.reference, outcome.our_id) == ("3093639567", OURS)
    assert (outcome.decline is not None) == (status == "failed")


def test_a_decline_without_a_code_or_with_a_new_one_may_be_tried_later():
    for code in ("0", "777777"):
        outcome = mapping.found(STATE | {"Status": "REJECTED", "ErrorCode": code}).outcome
        assert (outcome.decline, bool(outcome.code), bool(outcome.message)) == (Decline.RETRY_LATER, True, True)
    assert mapping.found(STATE | {"Status": "AUTH_FAIL"}).outcome.decline is Decline.CUSTOMER_ACTION


def test_what_was_given_back_is_told_only_where_it_is_certain():
    told = {word: mapping.found(STATE | {"Status": word}, asked=PRICE).outcome for word in mapping.STATUS}
    assert told["CONFIRMED"].refunded == Money(0, "RUB")
    assert told["REFUNDED"].refunded == PRICE
    assert told["PARTIAL_REFUNDED"].refunded is None
    assert {word for word, outcome in told.items() if outcome.amount is None} == mapping.RETURNED | mapping.RETURNING


def test_the_ids_of_further_tries_lead_back_to_ours():
    for number in (1, 2, 9):
        order = mapping.order_id(OURS, number)
        assert len(order) <= 36
        assert mapping.our_id_of(order) == OURS
    assert mapping.order_id("o-1", 2) == "o-1-2"


def test_of_an_orders_payments_the_one_that_moved_money_tells():
    def line(number: int, word: str) -> dict[str, Any]:
        return {"PaymentId": str(number), "Amount": 29900, "Status": word, "Success": "true", "ErrorCode": 0}

    answer = STATE | {"Payments": [line(1, "CONFIRMED"), line(2, "NEW"), line(3, "REJECTED"), line(4, "CANCELED")]}
    order = mapping.orders(answer)
    assert order is not None
    assert [mapping.best(order[place:]).outcome.reference for place in range(4)] == ["1", "2", "4", "4"]


@pytest.mark.parametrize("code", ["255", "335"])
def test_an_order_that_was_never_made_is_none(code):
    assert mapping.orders({"Success": False, "ErrorCode": code, "Message": "no"}) is None
    assert mapping.orders(STATE | {"Payments": []}) is None


@pytest.mark.parametrize("code", ["99", "204", "501", "63"])
def test_a_lookup_refused_otherwise_is_not_absence(code):
    with pytest.raises(Malformed):
        mapping.orders({"Success": False, "ErrorCode": code})


@pytest.mark.parametrize(
    ("code", "meant"),
    [("10", Decline.OUR_FAULT), ("107", Decline.ANOTHER_CARD), ("999", None), ("8", None), ("x", None)],
)
def test_a_charge_that_was_refused_is_final_only_where_the_code_says_so(code, meant):
    outcome = mapping.charged({"Success": False, "ErrorCode": code, "Message": "No"})
    assert (outcome and outcome.decline) == meant


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("REFUNDED", Status.SUCCEEDED), ("PARTIAL_REFUNDED", Status.SUCCEEDED), ("REFUNDING", Status.PENDING),
        ("ASYNC_REFUNDING", Status.PENDING), ("CONFIRMED", Status.UNKNOWN),
    ],
)  # fmt: skip
def test_what_a_refund_came_to(word, status):
    outcome = mapping.refund_outcome(STATE | {"Status": word, "OriginalAmount": 29900}, ORDER, "CONFIRMED")
    assert outcome.status is status


@pytest.mark.parametrize(
    ("code", "before", "status"),
    [
        ("330", "CONFIRMED", Status.FAILED), ("8", "REFUNDED", Status.FAILED), ("8", "REFUNDING", Status.UNKNOWN),
        ("999", "CONFIRMED", Status.UNKNOWN), ("3029", "CONFIRMED", Status.UNKNOWN),
        ("1005", "CONFIRMED", Status.FAILED), ("777777", "CONFIRMED", Status.UNKNOWN),
        ("204", "CONFIRMED", Status.FAILED),
    ],
)  # fmt: skip
def test_a_refused_refund_is_given_up_only_when_it_can_never_be_made(code, before, status):
    said = {"Success": False, "ErrorCode": code, "Message": "No"}
    assert mapping.refund_outcome(said, ORDER, before).status is status


def test_a_refund_by_sbp_says_when_it_may_be_tried_again():
    outcome = mapping.refund_outcome({"Success": False, "ErrorCode": "3029", "Message": "No"}, ORDER, "CONFIRMED")
    assert mapping.retry_at(outcome, NOW).retry_after == NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("word", "reference", "status", "absent", "again"),
    [
        ("CONFIRMED", "", Status.UNKNOWN, True, False),
        ("CONFIRMED", "r", Status.UNKNOWN, True, False),
        ("REFUNDING", "", Status.UNKNOWN, False, True),
        ("REFUNDING", "r", Status.PENDING, False, False),
        ("PARTIAL_REFUNDED", "", Status.UNKNOWN, False, True),
        ("PARTIAL_REFUNDED", "r", Status.SUCCEEDED, False, False),
        ("REFUNDED", "", Status.UNKNOWN, False, True),
        ("REFUNDED", "r", Status.SUCCEEDED, False, False),
    ],
)
def test_a_refund_is_read_from_its_payment(word, reference, status, absent, again):
    outcome = mapping.refund_found(mapping.found(STATE | {"Status": word}), "o", reference, again=True)
    assert (outcome.status, outcome.absent, outcome.again) == (status, absent, again)


def test_where_a_repeat_would_not_be_recognised_nothing_is_sent_again():
    outcome = mapping.refund_found(mapping.found(STATE | {"Status": "PARTIAL_REFUNDED"}), "o", "", again=False)
    assert (outcome.status, outcome.absent, outcome.again) == (Status.UNKNOWN, False, False)


def test_every_decline_of_the_bank_has_a_code():
    assert set(shapes.CODES) == set(DECLINES)
    assert set(shapes.CODES.values()) <= set(codes.GROUP)


# --- Notifications --------------------------------------------------------------------------------------------------


def test_a_notification_tells_payment_and_card():
    notice = read()
    assert (notice.subject, notice.kind, notice.trusted) == (Subject.PAYMENT, "CONFIRMED", True)
    assert (notice.outcome.reference, notice.outcome.amount) == ("3093639567", PRICE)
    card = notice.outcome.card
    assert card is not None
    assert (card.token, card.mask, card.brand, card.exp_month, card.exp_year) == (
        "3207469334", "•••• 0777", "Visa", 2, 2029,
    )  # fmt: skip
    assert "3207469334" not in str(notice.outcome.raw)


def test_another_amount_is_passed_on_as_it_is():
    assert read(Amount=29901).outcome.amount == Money("299.01", "RUB")


def test_held_and_taken_are_two_notifications_in_any_order():
    held, taken = read(Status="AUTHORIZED"), read()
    assert (held.outcome.status, taken.outcome.status) == (Status.AUTHORIZED, Status.SUCCEEDED)
    assert held.dedupe_key != taken.dedupe_key == read().dedupe_key


@pytest.mark.parametrize("word", ["REJECTED", "CANCELED", "REVERSED", "DEADLINE_EXPIRED", "NEW", "SOMETHING_NEW"])
def test_bad_and_strange_news_only_ring(word):
    notice = read(Status=word, Success=False, ErrorCode="1051")
    assert (notice.subject, notice.trusted, notice.outcome.our_id) == (Subject.PAYMENT, False, OURS)


@pytest.mark.parametrize("word", ["PARTIAL_REFUNDED", "REFUNDED"])
def test_a_refund_rings_for_its_payment(word):
    notice = read(Status=word)
    assert (notice.subject, notice.trusted, notice.payment_reference) == (Subject.REFUND, False, "3093639567")
    assert notice.outcome.our_id == ""


@pytest.mark.parametrize(("success", "status"), [(True, ReceiptStatus.REGISTERED), (False, ReceiptStatus.FAILED)])
def test_a_fiscal_receipt_is_told(success, status):
    notice = read(Status="RECEIPT", Success=success, Type="Income")
    assert (notice.only_receipt, notice.subject, notice.outcome.receipt) == (True, Subject.PAYMENT, status)
    back = read(Status="RECEIPT", Success=success, Type="IncomeReturn")
    assert (back.only_receipt, back.subject, back.payment_reference) == (True, Subject.REFUND, "3093639567")


def test_the_answer_is_the_word_ok():
    assert acquirer().reply(None, Verdict.ACCEPTED).body == b"OK"
    assert acquirer().reply(None, Verdict.NOT_TAKEN).status == 500


# --- What is asked --------------------------------------------------------------------------------------------------


def order(**changes: Any) -> Charge:
    given: dict[str, Any] = {"our_id": OURS, "amount": PRICE, "description": "Films " * 50, "customer_id": "7"}
    return Charge(**(given | {"customer_email": "a@b.c", "return_url": "https://shop.example/"} | changes))


def test_a_page_is_asked_for_with_what_t_bank_bears():
    body = orders.page(order(save_card=True, capture=False, expires_at=NOW), OURS, "https://c", "", NOW)
    assert (body["Amount"], body["PayType"], body["Recurrent"], body["CustomerKey"]) == (29900, "T", "Y", "7")
    assert len(body["Description"]) == 140
    assert body["RedirectDueDate"] == "2026-11-21T15:02:00+03:00"  # it lives for a minute at least
    assert body["DATA"] == {"OperationInitiatorType": "1"}


@pytest.mark.parametrize(("scheduled", "kind"), [(True, "R"), (False, "2")])
def test_a_charge_says_who_wanted_it(scheduled, kind):
    body = orders.absent(order(token="1", scheduled=scheduled), OURS, "", "")
    assert body["DATA"] == {"OperationInitiatorType": kind}
    assert "Recurrent" not in body


def test_a_receipt_adds_up_to_the_kopeck():
    items = (
        ReceiptItem("Films", Decimal(3), Money("30.00", "RUB"), vat="22"),
        ReceiptItem("Series", Decimal(3), Money("10.00", "RUB"), vat="20/120"),
    )
    said = orders.receipt(Receipt(items, email="a@b.c"), "usn_income")
    assert (said["Taxation"], said["Email"]) == ("usn_income", "a@b.c")
    assert [(item["Price"], item["Quantity"], item["Amount"], item["Tax"]) for item in said["Items"]] == [
        (1000, 3, 3000, "vat22"),
        (1000, 1, 1000, "vat120"),
    ]


@pytest.mark.parametrize(
    "said",
    [
        Receipt((ReceiptItem("Films", Decimal(1), PRICE),), email="a@b.c"),
        Receipt((ReceiptItem("Films", Decimal(1), PRICE),), tax_system="osn"),
        Receipt((ReceiptItem("Films", Decimal(1), PRICE, vat="21"),), email="a@b.c", tax_system="osn"),
    ],
)
def test_what_cannot_be_said_is_our_fault_and_not_sent(said, monkeypatch):
    calls: list[str] = []

    def answer(client: object, method: str, path: str, **parts: Any) -> Response:
        calls.append(path)
        return Response(200, {"Success": False, "ErrorCode": "335"})

    monkeypatch.setattr("acquiring.http.Client.request", answer)
    outcome = acquirer().checkout(order(receipt=said))
    assert (outcome.status, outcome.decline, calls) == (Status.FAILED, Decline.OUR_FAULT, ["/CheckOrder"])
    assert acquirer().checkout(order(amount=Money(1, "USD"))).decline is Decline.OUR_FAULT


# --- Nonsense -------------------------------------------------------------------------------------------------------

_WORDS = st.sampled_from([*mapping.STATUS, "RECEIPT", "", "x"])
_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_NAMES = st.sampled_from([*STATE, *NEWS, "Payments", "PaymentURL", "Token", "Type", "Details"])
_ANSWERS = _ANY | st.dictionaries(_NAMES, _ANY, max_size=12) | st.lists(st.dictionaries(_NAMES, _ANY), max_size=3)


@given(st.lists(_ANSWERS, min_size=1, max_size=4), st.sampled_from([200, 200, 403]))
def test_any_answer_is_an_outcome(answers, status):
    def say(method: str, path: str, **parts: Any) -> Response:
        return Response(status, answers[-1] if len(answers) == 1 else answers.pop())

    backend = acquirer()
    backend._wire._client.request = say  # type: ignore[method-assign]
    card = order(token="1")
    clue = Clue(payment_our_id=OURS, payment_reference="1", amount=PRICE, customer_id="7")
    told = [backend.checkout(order()), backend.charge(card), backend.capture(OURS, "1", card)]
    told += [backend.void(OURS, ""), backend.void(OURS, "1"), backend.refund(ORDER)]
    told += [backend.fetch(subject, OURS, ref, clue) for subject in Subject for ref in ("", "1")]
    assert all(isinstance(outcome, Outcome) for outcome in told)


@given(_ANSWERS)
def test_any_signed_notification_is_a_notice_or_refused(data):
    if isinstance(data, dict):
        data = data | {"TerminalKey": "T"}
        data["Token"] = signing.token(signing.read(json.dumps(data).encode()), "pass")
    with suppress(BadCallback):
        assert isinstance(acquirer().parse("", {}, json.dumps(data).encode()), Notice)


def test_it_lists_nothing():
    with pytest.raises(Unanswered):
        list(acquirer().statement(NOW.date()))
