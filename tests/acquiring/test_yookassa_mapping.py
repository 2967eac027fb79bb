"""What YooKassa says, in our words: every state, every reason, and nonsense. No network."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moneyed import Money

from acquiring.asking import told
from acquiring.backends.yookassa import YooKassa, reasons
from acquiring.backends.yookassa.mapping import (
    acted,
    looked_up,
    notice,
    page,
    pause,
    payment_outcome,
    refund_outcome,
)
from acquiring.base import BadCallback
from acquiring.http import Response
from acquiring.reading import Malformed
from acquiring.types import Decline, Outcome, ReceiptStatus, Status, Subject

ID = "22e12f66-000f-5000-8000-18db351245c7"
PAYMENT = {
    "id": ID, "status": "succeeded", "paid": True, "amount": {"value": "2.00", "currency": "RUB"},
    "authorization_details": {"rrn": "10000000000", "auth_code": "000000", "three_d_secure": {"applied": True}},
    "captured_at": "2018-07-18T11:17:33.483Z", "created_at": "2018-07-18T10:51:18.139Z", "description": "Order 42",
    "metadata": {"order_id": "42"}, "income_amount": {"value": "1.97", "currency": "RUB"},
    "refunded_amount": {"value": "0.00", "currency": "RUB"}, "refundable": True, "test": False,
    "payment_method": {
        "type": "bank_card", "id": "the-saved-method", "saved": True, "status": "active", "title": "Bank card *4444",
        "card": {
            "first6": "555555", "last4": "4444", "expiry_month": "07", "expiry_year": "2030",
            "card_type": "MasterCard", "issuer_country": "RU",
        },
    },
    "recipient": {"account_id": "100500", "gateway_id": "100700"},
}  # fmt: skip
REFUND = {
    "id": "216749f7-0016-50be-b000-078d43a63ae4", "payment_id": ID, "status": "succeeded",
    "amount": {"value": "1.00", "currency": "RUB"}, "created_at": "2017-10-04T19:27:51.407Z",
    "metadata": {"refund_id": "r1"},
}  # fmt: skip


def cancelled(reason: str) -> Outcome:
    details = {"party": "payment_network", "reason": reason}
    return payment_outcome(PAYMENT | {"status": "canceled", "cancellation_details": details})


def test_a_documented_payment_is_read():
    outcome = payment_outcome(PAYMENT)
    assert (outcome.status, outcome.reference, outcome.our_id) == (Status.SUCCEEDED, ID, "42")
    assert (outcome.amount, outcome.refunded) == (Money("2.00", "RUB"), Money(0, "RUB"))
    assert outcome.occurred_at == datetime(2018, 7, 18, 11, 17, 33, 483000, UTC)
    assert (outcome.card.token, outcome.card.mask, outcome.card.brand) == (
        "the-saved-method",
        "•••• 4444",
        "MasterCard",
    )
    assert (outcome.card.exp_month, outcome.card.exp_year) == (7, 2030)
    assert "the-saved-method" not in str(outcome.raw) + repr(outcome)


def test_a_documented_refund_is_read():
    outcome = refund_outcome(REFUND)
    assert (outcome.status, outcome.our_id, outcome.amount) == (Status.SUCCEEDED, "r1", Money("1.00", "RUB"))


@pytest.mark.parametrize(
    ("said", "meant"),
    [("pending", Status.PENDING), ("waiting_for_capture", Status.AUTHORIZED), ("succeeded", Status.SUCCEEDED)],
)
def test_every_state_of_a_payment_is_known(said, meant):
    assert payment_outcome(PAYMENT | {"status": said}).status is meant


@pytest.mark.parametrize(
    ("said", "meant"), [("pending", Status.PENDING), ("succeeded", Status.SUCCEEDED), ("canceled", Status.FAILED)]
)
def test_every_state_of_a_refund_is_known(said, meant):
    assert refund_outcome(REFUND | {"status": said}).status is meant


@pytest.mark.parametrize(
    ("reason", "group"),
    [
        ("insufficient_funds", "retry_later"), ("payment_method_limit_exceeded", "retry_later"),
        ("issuer_unavailable", "retry_later"), ("internal_timeout", "retry_later"),
        ("general_decline", "retry_later"), ("call_issuer", "another_card"), ("fraud_suspected", "another_card"),
        ("payment_method_restricted", "another_card"), ("country_forbidden", "another_card"),
        ("card_expired", "another_card"), ("invalid_card_number", "another_card"), ("invalid_csc", "another_card"),
        ("unsupported_mobile_operator", "another_card"), ("3d_secure_failed", "customer_action"),
        ("identification_required", "customer_action"), ("permission_revoked", "stop"), ("deal_expired", "our_fault"),
        ("something_of_next_year", "retry_later"),
    ],
)  # fmt: skip
def test_every_reason_has_its_group(reason, group):
    outcome = cancelled(reason)
    assert (outcome.status, outcome.decline, outcome.code) == (Status.FAILED, Decline(group), reason)
    assert outcome.message


@pytest.mark.parametrize("reason", ["canceled_by_merchant", "expired_on_confirmation", "expired_on_capture"])
def test_what_closed_without_a_decline_is_cancelled(reason):
    outcome = cancelled(reason)
    assert (outcome.status, outcome.decline, outcome.code) == (Status.CANCELLED, None, reason)


@pytest.mark.parametrize("reason", [*reasons.REFUNDS, "something_of_next_year"])
def test_every_reason_of_a_refund_is_told(reason):
    outcome = refund_outcome(REFUND | {"status": "canceled", "cancellation_details": {"reason": reason}})
    assert (outcome.code, bool(outcome.message), bool(outcome.decline)) == (reason, True, True)


def test_a_limit_is_over_the_next_day():
    assert cancelled("payment_method_limit_exceeded").retry_after == datetime(2018, 7, 19, 10, 51, 18, 139000, UTC)
    assert cancelled("insufficient_funds").retry_after is None


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("pending", ReceiptStatus.PENDING),
        ("succeeded", ReceiptStatus.REGISTERED),
        ("canceled", ReceiptStatus.FAILED),
        ("else", None),
        ([], None),
    ],
)
def test_what_becomes_of_a_receipt_is_told(said, meant):
    for translate, data in ((payment_outcome, PAYMENT), (refund_outcome, REFUND)):
        assert translate(data | {"receipt_registration": said}).receipt is meant
        assert translate(data).receipt is None


@pytest.mark.parametrize("changes", [{"saved": False}, {"status": "inactive"}, {"status": "pending"}, {"saved": "yes"}])
def test_a_method_that_cannot_be_charged_is_no_token(changes):
    method = PAYMENT["payment_method"] | changes
    assert payment_outcome(PAYMENT | {"payment_method": method}).card.token == ""


@pytest.mark.parametrize("changes", [{"last4": "44"}, {"expiry_month": "13"}, {"expiry_year": 2030}, {"last4": None}])
def test_a_card_that_cannot_be_read_keeps_no_money_out(changes):
    method = PAYMENT["payment_method"] | {"card": PAYMENT["payment_method"]["card"] | changes}
    outcome = payment_outcome(PAYMENT | {"payment_method": method})
    assert (outcome.status, outcome.card) == (Status.SUCCEEDED, None)


@pytest.mark.parametrize("name", ["id", "status", "amount"])
@pytest.mark.parametrize("wrong", [None, True, [], {}, 1.5, ""])
def test_an_object_with_a_wrong_field_is_not_read(name, wrong):
    for translate, data in ((payment_outcome, PAYMENT), (refund_outcome, REFUND)):
        with pytest.raises(Malformed):
            translate(data | {name: wrong})


@pytest.mark.parametrize(
    "amount",
    [
        {"value": 2.00, "currency": "RUB"}, {"value": "2.001", "currency": "RUB"}, {"value": "-2.0", "currency": "RUB"},
        {"value": "2e3", "currency": "RUB"}, {"value": "NaN", "currency": "RUB"}, {"value": "2.00", "currency": "XXL"},
        {"value": "٢.00", "currency": "RUB"},
    ],
)  # fmt: skip
def test_an_amount_that_is_none_is_not_read(amount):
    with pytest.raises(Malformed):
        payment_outcome(PAYMENT | {"amount": amount})


def error(code: str, parameter: str = "") -> dict[str, str]:
    return {"type": "error", "id": "e-1", "code": code, "description": "why", "parameter": parameter}


@pytest.mark.parametrize(
    ("status", "body", "meant", "decline"),
    [
        (400, error("invalid_request", "amount.value"), Status.FAILED, Decline.OUR_FAULT),
        (400, error("invalid_request", "Idempotence-Key"), Status.UNKNOWN, None),
        (400, error("invalid_request", "payment_method_id"), Status.FAILED, Decline.ANOTHER_CARD),
        (401, error("invalid_credentials"), Status.FAILED, Decline.OUR_FAULT),
        (403, error("forbidden"), Status.FAILED, Decline.OUR_FAULT),
        (404, error("not_found"), Status.FAILED, Decline.OUR_FAULT),
        (409, error("conflict"), Status.UNKNOWN, None),
        (403, {"blocked": "by a firewall"}, Status.UNKNOWN, None),
        (401, {"blocked": "by a proxy"}, Status.FAILED, Decline.OUR_FAULT),
        (407, None, Status.FAILED, Decline.OUR_FAULT),
        (408, error("timeout"), Status.UNKNOWN, None),
        (400, [], Status.UNKNOWN, None),
        (202, {"type": "processing", "retry_after": 1800}, Status.UNKNOWN, None),
        (200, {"status": "succeeded"}, Status.UNKNOWN, None),
        (200, None, Status.UNKNOWN, None),
    ],
)
def test_every_answer_to_an_act_means_something(status, body, meant, decline):
    outcome = told(lambda: acted(Response(status, body), payment_outcome))
    assert (outcome.status, outcome.decline, outcome.absent) == (meant, decline, False)
    assert outcome.shut_out is (status in (401, 403, 407) and meant is Status.FAILED)


@pytest.mark.parametrize(
    ("status", "body", "seconds"),
    [
        (202, {"type": "processing", "retry_after": 1800}, 1.8),
        (200, {"type": "processing", "retry_after": 0}, 0.1),
        (202, {"type": "processing"}, 1.0),
        (202, [], 1.0),
        (202, {"type": "processing", "retry_after": True}, 1.0),
        (200, PAYMENT, None),
        (400, error("invalid_request"), None),
    ],
)
def test_how_long_to_wait_for_an_answer(status, body, seconds):
    assert pause(Response(status, body)) == seconds


def test_only_their_own_word_is_absence():
    assert looked_up(Response(404, error("not_found")), payment_outcome).absent
    assert not looked_up(Response(404, {}), payment_outcome).absent
    assert looked_up(Response(403, error("forbidden")), payment_outcome).status is Status.UNKNOWN


def test_a_documented_notification_rings():
    details = {"party": "payment_network", "reason": "insufficient_funds"}
    content = PAYMENT | {"status": "canceled", "cancellation_details": details}
    body = json.dumps({"type": "notification", "event": "payment.canceled", "object": content}).encode()
    rung = YooKassa("1", "k").parse("", {}, body)
    assert (rung.trusted, rung.subject, rung.kind) == (False, Subject.PAYMENT, "payment.canceled")
    assert (rung.outcome.our_id, rung.outcome.status) == ("42", Status.FAILED)
    back = notice({"event": "refund.succeeded", "object": REFUND}, "d")
    assert (back.subject, back.payment_reference, back.outcome.our_id) == (Subject.REFUND, ID, "r1")


@pytest.mark.parametrize(
    "data",
    [
        [], {}, {"event": "payment.succeeded"}, {"event": "deal.closed", "object": PAYMENT},
        {"event": "payment.succeeded", "object": []}, {"event": "refund.succeeded", "object": PAYMENT},
    ],
)  # fmt: skip
def test_a_notification_that_cannot_be_read_is_refused(data):
    with pytest.raises(BadCallback, match="cannot be read"):
        YooKassa("1", "k").parse("", {}, json.dumps(data).encode())


def test_a_notification_nested_too_deep_is_refused():
    with pytest.raises(BadCallback):
        YooKassa("1", "k").parse("", {}, b"[" * 60_000)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from([*PAYMENT, *REFUND]), inner),
    max_leaves=20,
)


@given(said=JSON, name=st.sampled_from([*PAYMENT, "cancellation_details", "receipt_registration", "confirmation"]))
def test_nonsense_is_an_outcome_or_malformed(said, name):
    for data in (said, PAYMENT | {name: said}, PAYMENT | {"status": "canceled", name: said}):
        for translate in (payment_outcome, refund_outcome, page, lambda each: notice(each, "d")):
            with suppress(Malformed):
                translate(data)
        for status in (200, 202, 400, 404):
            for read, translate in ((acted, payment_outcome), (looked_up, refund_outcome)):
                with suppress(Malformed):
                    assert isinstance(read(Response(status, data), translate), Outcome)


@given(body=st.binary(max_size=200) | JSON.map(lambda said: json.dumps(said).encode()))
def test_a_nonsense_callback_is_bad(body):
    with pytest.raises(BadCallback):
        YooKassa("1", "k").parse("", {}, body)
