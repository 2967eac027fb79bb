"""What Stripe says, translated: no network here."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st
from moneyed import Money

from acquiring import asking
from acquiring.backends.stripe import Stripe, events
from acquiring.backends.stripe.mapping import (
    acted,
    charge_outcome,
    dispute_outcome,
    payment_outcome,
    refund_outcome,
    session_outcome,
    statement_line,
)
from acquiring.base import BadCallback
from acquiring.http import Response
from acquiring.reading import Malformed
from acquiring.types import Decline, Outcome, Status, Subject

SECRET, SIGNED_AT = "whsec_test_secret", 1795221079

CHARGE = {
    "id": "ch_1", "object": "charge", "amount": 29900, "amount_captured": 29900, "amount_refunded": 0,
    "captured": True, "paid": True, "created": 1795221000, "currency": "rub", "metadata": {"order_id": "o-1"},
    "payment_intent": "pi_1",
    "payment_method_details": {"card": {"brand": "visa", "exp_month": 12, "exp_year": 2030, "last4": "4242"}},
}  # fmt: skip
INTENT = {
    "id": "pi_1", "object": "payment_intent", "amount": 29900, "amount_received": 29900, "created": 1795220000,
    "currency": "rub", "customer": "cus_1", "payment_method": "pm_1", "setup_future_usage": "off_session",
    "metadata": {"order_id": "o-1", "way": "page"}, "last_payment_error": None, "latest_charge": CHARGE,
    "status": "succeeded", "client_secret": "pi_1_secret_2",
}  # fmt: skip
DECLINED = {"type": "card_error", "code": "card_declined", "decline_code": "stolen_card", "message": "Stolen."}
SESSION = {
    "id": "cs_test_1", "object": "checkout.session", "status": "open", "payment_status": "unpaid", "currency": "rub",
    "amount_total": 29900, "client_reference_id": "o-1", "payment_intent": None, "url": "https://pay.example/cs_test_1",
}  # fmt: skip
REFUND = {
    "id": "re_1", "object": "refund", "amount": 100, "currency": "rub", "status": "succeeded", "created": 1795221000,
    "payment_intent": "pi_1", "metadata": {"order_id": "r-1"}, "failure_reason": None,
}  # fmt: skip
DISPUTE = {
    "id": "du_1", "object": "dispute", "amount": 29900, "currency": "rub", "status": "needs_response",
    "payment_intent": "pi_1", "metadata": {},
}  # fmt: skip


# --- Objects ---


def test_a_payment_is_translated_without_its_token():
    outcome = payment_outcome(INTENT)
    assert (outcome.status, outcome.reference, outcome.our_id) == (Status.SUCCEEDED, "pi_1", "o-1")
    assert (outcome.amount, outcome.refunded) == (Money("299.00", "RUB"), Money(0, "RUB"))
    assert outcome.card.token == "cus_1:pm_1"
    assert (outcome.card.mask, outcome.card.brand) == ("•••• 4242", "Visa")
    assert "pm_1" not in str(outcome.raw)
    assert "secret_2" not in str(outcome.raw)


@pytest.mark.parametrize(
    ("said", "way", "error", "page", "meant"),
    [
        ("succeeded", "page", None, None, Status.SUCCEEDED),
        ("processing", "page", None, None, Status.PENDING),
        ("requires_capture", "page", None, None, Status.AUTHORIZED),
        ("canceled", "card", None, None, Status.CANCELLED),
        ("requires_confirmation", "card", None, None, Status.PENDING),
        ("requires_payment_method", "card", None, None, Status.PENDING),
        ("requires_payment_method", "card", DECLINED, None, Status.FAILED),
        ("requires_action", "card", None, None, Status.FAILED),
        ("requires_payment_method", "tombstone", None, None, Status.CANCELLED),
        ("requires_action", "page", None, "open", Status.PENDING),
        ("requires_payment_method", "page", DECLINED, "open", Status.PENDING),
        ("requires_payment_method", "page", DECLINED, None, Status.PENDING),
        ("requires_payment_method", "page", DECLINED, "expired", Status.CANCELLED),
        ("requires_payment_method", "", DECLINED, None, Status.FAILED),
    ],
)
def test_every_state_of_a_payment_is_known(said, way, error, page, meant):
    intent = INTENT | {"status": said, "metadata": {"order_id": "o-1", "way": way}, "last_payment_error": error}
    outcome = payment_outcome(intent, SESSION | {"status": page} if page else None)
    assert outcome.status is meant
    assert bool(outcome.decline) is (meant is Status.FAILED)
    assert bool(outcome.redirect_url) is (page == "open")


def test_what_asks_for_an_absent_customer_is_the_customers_turn():
    outcome = payment_outcome(INTENT | {"status": "requires_action", "metadata": {"way": "card"}})
    assert outcome.decline is Decline.CUSTOMER_ACTION


@pytest.mark.parametrize(
    ("said", "meant"), [("open", Status.PENDING), ("complete", Status.PENDING), ("expired", Status.CANCELLED)]
)
def test_every_state_of_a_page_is_known(said, meant):
    outcome = session_outcome(SESSION | {"status": said})
    assert (outcome.status, outcome.our_id, outcome.reference) == (meant, "o-1", "")
    assert outcome.amount == Money("299.00", "RUB")


def test_a_page_with_its_payment_is_that_payment():
    assert session_outcome(SESSION | {"status": "complete", "payment_intent": INTENT}).reference == "pi_1"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("pending", Status.PENDING), ("requires_action", Status.PENDING), ("succeeded", Status.SUCCEEDED),
        ("failed", Status.FAILED), ("canceled", Status.CANCELLED),
    ],
)  # fmt: skip
def test_every_state_of_a_refund_is_known(said, meant):
    outcome = refund_outcome(REFUND | {"status": said, "failure_reason": "declined" if said == "failed" else None})
    assert (outcome.status, outcome.code) == (meant, "declined" if said == "failed" else "")


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        ("needs_response", True), ("under_review", True), ("lost", True), ("appeal_under_review", True),
        ("won", False), ("prevented", False), ("warning_needs_response", False), ("warning_closed", False),
    ],
)  # fmt: skip
def test_a_dispute_takes_money_back_unless_it_is_only_a_warning_or_won(said, taken):
    outcome = dispute_outcome(DISPUTE | {"status": said})
    assert (outcome.reference, outcome.our_id) == ("pi_1", "")
    assert outcome.charged_back == (Money("299.00", "RUB") if taken else None)


def test_the_lines_of_a_statement_are_told_apart():
    said = [statement_line({"source": source}) for source in (CHARGE, REFUND, DISPUTE, {"object": "payout"}, None)]
    assert [line and line.subject for line in said] == [Subject.PAYMENT, Subject.REFUND, Subject.PAYMENT, None, None]
    assert said[0].outcome.amount == Money("299.00", "RUB")
    assert (said[1].payment_reference, said[1].outcome.our_id) == ("pi_1", "r-1")
    assert said[2].outcome.charged_back == Money("299.00", "RUB")


@pytest.mark.parametrize(
    ("status", "error", "meant", "decline"),
    [
        (402, DECLINED | {"payment_intent": INTENT}, Status.FAILED, Decline.STOP),
        (400, {"type": "idempotency_error"}, Status.UNKNOWN, None),
        (409, {"code": "idempotency_key_in_use"}, Status.UNKNOWN, None),
        (409, {"code": "lock_timeout"}, Status.UNKNOWN, None),
        (400, {"code": "resource_missing", "param": "payment_method"}, Status.FAILED, Decline.ANOTHER_CARD),
        (400, {"param": "customer"}, Status.FAILED, Decline.ANOTHER_CARD),
        (400, {"code": "amount_too_large"}, Status.FAILED, Decline.OUR_FAULT),
        (401, {"message": "Invalid API Key"}, Status.FAILED, Decline.OUR_FAULT),
        (403, {"type": "invalid_request_error"}, Status.FAILED, Decline.OUR_FAULT),
        (408, {"type": "api_error"}, Status.UNKNOWN, None),
        (425, {"type": "api_error"}, Status.UNKNOWN, None),
        (402, None, Status.UNKNOWN, None),
        (403, None, Status.UNKNOWN, None),
        (404, "what", Status.UNKNOWN, None),
    ],
)
def test_every_refusal_is_known(status, error, meant, decline):
    outcome = acted(Response(status, {"error": error}), payment_outcome)
    assert (outcome.status, outcome.decline) == (meant, decline)
    assert outcome.shut_out is (status in (401, 403) and meant is Status.FAILED)
    assert outcome.code or not isinstance(error, dict)
    assert outcome.message
    assert outcome.reference == ("pi_1" if (status, meant) == (402, Status.FAILED) else "")


# --- Events ---


def told(kind: str, content: dict) -> events.Notice:
    return events.notice({"id": "evt_1", "type": kind, "created": 1795221079, "data": {"object": content}})


@pytest.mark.parametrize(
    ("kind", "content", "status", "trusted"),
    [
        ("payment_intent.succeeded", INTENT | {"setup_future_usage": None}, Status.SUCCEEDED, True),
        ("payment_intent.succeeded", INTENT, Status.SUCCEEDED, False),  # the card to keep must be asked for
        ("payment_intent.canceled", INTENT | {"status": "canceled"}, Status.CANCELLED, True),
        ("payment_intent.processing", INTENT | {"status": "processing"}, Status.PENDING, False),
        ("payment_intent.amount_capturable_updated", INTENT | {"status": "requires_capture"}, Status.AUTHORIZED, True),
        ("checkout.session.completed", SESSION | {"status": "complete", "payment_status": "paid"}, Status.SUCCEEDED,
         False),
        ("checkout.session.expired", SESSION | {"status": "expired"}, Status.CANCELLED, True),
        ("charge.refunded", CHARGE | {"amount_refunded": 100}, Status.SUCCEEDED, False),
        ("refund.updated", REFUND, Status.SUCCEEDED, True),
        ("refund.failed", REFUND | {"status": "failed"}, Status.FAILED, True),
        ("charge.dispute.created", DISPUTE, Status.SUCCEEDED, True),
    ],
)  # fmt: skip
def test_every_event_is_known(kind, content, status, trusted):
    notice = told(kind, content)
    assert (notice.dedupe_key, notice.kind) == ("evt_1", kind)
    assert (notice.outcome.status, notice.trusted) == (status, trusted)
    assert not notice.ignorable


def test_a_failed_attempt_ends_a_charge_and_not_a_page():
    failed = INTENT | {"status": "requires_payment_method", "last_payment_error": DECLINED}
    page = told("payment_intent.payment_failed", failed)
    card = told("payment_intent.payment_failed", failed | {"metadata": {"order_id": "o-1", "way": "card"}})
    assert (page.outcome.status, page.trusted) == (Status.PENDING, False)
    assert (card.outcome.status, card.trusted) == (Status.FAILED, True)
    assert card.outcome.decline is Decline.STOP


@pytest.mark.parametrize("kind", ["customer.created", "charge.succeeded", "invoice.paid", "v9.of.tomorrow"])
def test_an_event_that_we_do_not_follow_is_ignorable(kind):
    assert told(kind, {}).ignorable


# --- Nonsense ---


@pytest.mark.parametrize("name", ["id", "status", "amount", "amount_received", "currency"])
@pytest.mark.parametrize("wrong", [None, True, [], {}, 1.5, -1])
def test_a_payment_with_a_wrong_field_is_not_read(name, wrong):
    intent = INTENT | {name: wrong}
    needed = name != "amount"  # of one that succeeded, what was received counts
    if needed:
        with pytest.raises(Malformed):
            payment_outcome(intent)
    else:
        with pytest.raises(Malformed):
            payment_outcome(intent | {"status": "processing"})


def test_an_answer_that_cannot_be_read_is_unknown():
    assert asking.told(lambda: acted(Response(200, {"status": "succeeded"}), payment_outcome)).status is Status.UNKNOWN


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _spoilt(good: dict) -> st.SearchStrategy[dict]:
    """A true object with some fields replaced by nonsense."""
    return st.dictionaries(st.sampled_from(sorted(good)), TREES, max_size=3).map(lambda wrong: good | wrong)


@given(data=st.one_of(TREES, *[_spoilt(good) for good in (INTENT, SESSION, CHARGE, REFUND, DISPUTE)]))
def test_nonsense_is_an_outcome_or_malformed(data):
    for read in (payment_outcome, session_outcome, charge_outcome, refund_outcome, dispute_outcome):
        with suppress(Malformed):
            assert isinstance(read(data), Outcome)
        for status in (200, 400, 402, 404):
            for body in (data, {"error": data}):
                with suppress(Malformed):
                    assert isinstance(acted(Response(status, body), read), Outcome)
    with suppress(Malformed):
        statement_line({"source": data})


@given(
    event=st.fixed_dictionaries(
        {
            "id": st.just("evt_1") | TREES,
            "type": st.sampled_from(["payment_intent.succeeded", "refund.updated", "charge.dispute.created"]) | TREES,
            "created": st.integers() | TREES,
            "data": st.fixed_dictionaries({"object": _spoilt(INTENT) | _spoilt(REFUND) | TREES}) | TREES,
        }
    )
)
def test_a_signed_callback_is_read_or_refused(event):
    body = json.dumps(event)
    header = stripe.WebhookSignature.generate_signature_header(body, SECRET, SIGNED_AT)
    acquirer = Stripe("sk_test_1", [SECRET], now=lambda: datetime.fromtimestamp(SIGNED_AT, UTC))
    with suppress(BadCallback):
        acquirer.parse("", {"stripe-signature": header}, body.encode())
