"""What T-Bank is asked and tells by itself, without HTTP: signatures, notifications, orders; and nonsense."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moneyed import Money

from acquiring.backends.tbank import TBank, mapping, orders, signing
from acquiring.bank.tbank.signing import sign
from acquiring.base import BadCallback
from acquiring.http import Response, Unanswered
from acquiring.types import (
    Clue,
    Decline,
    Notice,
    Outcome,
    Receipt,
    ReceiptItem,
    ReceiptStatus,
    Status,
    Subject,
    Verdict,
)
from tests.acquiring.tbank_json import NEWS, NOW, ORDER, OURS, PRICE, STATE, acquirer, news, order, read

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
_QUIET = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)
_ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_NAMES = st.sampled_from([*STATE, *NEWS, "Payments", "PaymentURL", "Token", "Type", "Details"])
_ANSWERS = _ANY | st.dictionaries(_NAMES, _ANY, max_size=8)


@_QUIET
@given(st.lists(_ANSWERS, min_size=1, max_size=4), st.sampled_from([200, 200, 403]))
def test_any_answer_is_an_outcome(answers, status):
    def say(method: str, path: str, **parts: Any) -> Response:
        return Response(status, answers[-1] if len(answers) == 1 else answers.pop())

    backend = acquirer()
    backend._wire._client.request = say
    card = order(token="1")
    clue = Clue(payment_our_id=OURS, payment_reference="1", amount=PRICE, customer_id="7")
    told = [backend.checkout(order()), backend.charge(card), backend.capture(OURS, "1", card)]
    told += [backend.void(OURS, ""), backend.void(OURS, "1"), backend.refund(ORDER)]
    told += [backend.fetch(subject, OURS, ref, clue) for subject in Subject for ref in ("", "1")]
    assert all(isinstance(outcome, Outcome) for outcome in told)


@_QUIET
@given(_ANSWERS)
def test_any_signed_notification_is_a_notice_or_refused(data):
    if isinstance(data, dict):
        data = data | {"TerminalKey": "T"}
        data["Token"] = signing.token(signing.read(json.dumps(data).encode()), "pass")
    with suppress(BadCallback):
        assert isinstance(acquirer().parse("", {}, json.dumps(data).encode()), Notice)


def test_certificates_that_are_not_there_are_told_at_the_start(tmp_path):
    with pytest.raises(ValueError, match="certificates"):
        acquirer(ca_bundle=str(tmp_path / "none.pem"))
    (tmp_path / "some.pem").write_text("")
    assert acquirer(ca_bundle=str(tmp_path / "some.pem"))


def test_it_lists_nothing():
    with pytest.raises(Unanswered):
        list(acquirer().statement(NOW.date()))
