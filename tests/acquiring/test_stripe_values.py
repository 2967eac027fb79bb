"""Stripe's signatures, amounts and decline codes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import stripe
from moneyed import Money

from acquiring.backends.stripe import Stripe, events
from acquiring.backends.stripe.amounts import THREE_DECIMAL, ZERO_DECIMAL, amount_of, units
from acquiring.backends.stripe.declines import group_of
from acquiring.base import RECEIVED_AT, BadCallback
from acquiring.types import Decline, Status

SECRET, SIGNED_AT = "whsec_test_secret", 1795221079
VECTOR = (
    b'{"id":"evt_1","object":"event","api_version":"2026-10-28.endive","created":1795221079,"data":{"object":'
    b'{"id":"pi_1","object":"payment_intent","amount":1099,"currency":"usd","status":"succeeded","metadata":'
    b'{"order_id":"42"}}},"livemode":false,"type":"payment_intent.succeeded"}'
)
HEADER = "t=1795221079,v1=88a29c58317707f3b1793d53c8b832dd40d856ce00eb965f350324f6ba5ec21c"

REFUND = {
    "id": "re_1", "object": "refund", "amount": 100, "currency": "rub", "status": "succeeded", "created": 1795221000,
    "payment_intent": "pi_1", "metadata": {"order_id": "r-1"},
}  # fmt: skip


# --- Signatures ---


def verified(body: bytes = VECTOR, header: str = HEADER, secrets: tuple[str, ...] = (SECRET,), later: int = 0) -> None:
    at = datetime.fromtimestamp(SIGNED_AT + later, UTC)
    events.verify(secrets, header, body, at=at, tolerance=timedelta(seconds=300))


@pytest.mark.parametrize("later", [0, 300, -1000])
def test_the_published_vector_is_believed_for_five_minutes(later):
    verified(later=later)


@pytest.mark.parametrize(
    "header",
    [
        "", "t=1795221079", HEADER.replace("v1=", "v0="), HEADER.replace("t=1795221079", "t=1795221080"),
        HEADER.replace("t=1795221079", "t=x"), HEADER.replace("t=1795221079,", ""), HEADER + ",t=1795221079",
        HEADER[:-1], HEADER.replace("t=", "t=-"), "é=é,v1=é,t=1", "t=" + "9" * 400 + ",v1=00", ",,,=,=",
    ],
)  # fmt: skip
def test_any_other_header_is_not(header):
    with pytest.raises(BadCallback):
        verified(header=header)


def test_an_old_signature_is_refused_even_though_it_is_true():
    with pytest.raises(BadCallback, match="old"):
        verified(later=301)


def test_any_of_our_secrets_and_any_of_their_signatures_will_do():
    verified(secrets=("whsec_newer", SECRET))
    verified(header=HEADER.replace("v1=", "v1=00,v1="))
    with pytest.raises(BadCallback):
        verified(secrets=("whsec_newer",))


def test_stripes_own_library_signs_what_we_verify():
    header = stripe.WebhookSignature.generate_signature_header(VECTOR.decode(), SECRET, SIGNED_AT)
    verified(header=header)


def test_a_callback_read_again_days_later_is_as_old_as_when_it_came():
    acquirer = Stripe("sk_test_1", [SECRET], now=lambda: datetime.fromtimestamp(SIGNED_AT + 90_000, UTC))
    body = json.dumps({"id": "evt_1", "type": "refund.updated", "created": 1, "data": {"object": REFUND}})
    header = stripe.WebhookSignature.generate_signature_header(body, SECRET, SIGNED_AT)
    headers = {"stripe-signature": header}
    with pytest.raises(BadCallback):
        acquirer.parse("", headers, body.encode())
    came = datetime.fromtimestamp(SIGNED_AT + 2, UTC).isoformat()
    notice = acquirer.parse("", headers | {RECEIVED_AT: came}, body.encode())
    assert notice.outcome.status is Status.SUCCEEDED


# --- Amounts ---


@pytest.mark.parametrize(
    ("amount", "whole"),
    [
        (Money("10.99", "USD"), 1099), (Money("0.01", "RUB"), 1), (Money(500, "JPY"), 500), (Money(7, "XAF"), 7),
        (Money("1.500", "KWD"), 1500), (Money("5.00", "ISK"), 500), (Money("3", "UGX"), 300),
    ],
)  # fmt: skip
def test_amounts_go_there_and_back(amount, whole):
    assert units(amount) == whole
    assert amount_of(whole, amount.currency.code.lower()) == amount


def test_no_currency_is_of_two_kinds():
    assert not ZERO_DECIMAL & THREE_DECIMAL


def test_a_part_of_the_smallest_unit_is_refused():
    with pytest.raises(ValueError, match="whole number"):
        units(Money("0.5", "JPY"))


# --- Declines ---

GROUPS = {
    Decline.STOP: "incorrect_number_is_not lost_card pickup_card stolen_card revocation_of_authorization fraudulent "
    "revocation_of_all_authorizations transaction_not_allowed highest_risk_level",
    Decline.CUSTOMER_ACTION: "authentication_required payment_intent_authentication_failure",
    Decline.ANOTHER_CARD: "expired_card incorrect_cvc invalid_expiry_month invalid_expiry_year incorrect_number",
    Decline.RETRY_LATER: "insufficient_funds do_not_honor generic_decline try_again_later processing_error "
    "issuer_not_available reenter_transaction card_velocity_exceeded withdrawal_count_limit_exceeded approve_with_id "
    "call_issuer something_nobody_has_heard_of",
    Decline.OUR_FAULT: "testmode_decline",
}
CODES = [(code, group) for group, codes in GROUPS.items() for code in codes.split() if not code.endswith("_is_not")]


@pytest.mark.parametrize(("code", "group"), CODES)
def test_every_decline_code_says_what_to_do_next(code, group):
    assert group_of(code) is group
    assert group_of("", code) is group


def test_the_issuers_advice_counts_more_than_a_soft_code():
    assert group_of("insufficient_funds", advice="do_not_try_again") is Decline.STOP
    assert group_of("generic_decline", advice="confirm_card_data") is Decline.ANOTHER_CARD
    assert group_of("generic_decline", advice="try_again_later") is Decline.RETRY_LATER
    assert group_of("stolen_card", advice="try_again_later") is Decline.STOP
    assert group_of("authentication_required", advice="do_not_try_again") is Decline.CUSTOMER_ACTION
