"""What T-Bank's answers mean, without HTTP: every code and status of its documents."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from moneyed import Money

from acquiring.backends.tbank import codes, mapping
from acquiring.bank.cards import DECLINES
from acquiring.bank.tbank import shapes
from acquiring.reading import Malformed
from acquiring.types import (
    Decline,
    Status,
)
from tests.acquiring.tbank_json import NOW, ORDER, OURS, PRICE, STATE

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
    "CONFIRM_CHECKING CHECKING CHECKED REVERSING REFUNDING ASYNC_REFUNDING",
    "authorized": "AUTHORIZED PARTIAL_REVERSED",
    "succeeded": "CONFIRMED PARTIAL_REFUNDED",
    "failed": "REJECTED AUTH_FAIL ATTEMPTS_EXPIRED",
    "cancelled": "CANCELED REVERSED DEADLINE_EXPIRED REFUNDED",  # all of it went back
}


def each(table: dict[str, str]) -> list[tuple[str, str]]:
    return [(word, meaning) for meaning, words in table.items() for word in words.split()]


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
    assert outcome.reference == ("" if status is Status.UNKNOWN else ORDER.our_id)


def test_a_refund_under_way_beside_another_one_has_no_id_by_which_the_payment_could_tell_of_it():
    for word, before in (("ASYNC_REFUNDING", "PARTIAL_REFUNDED"), ("REFUNDING", "REFUNDING")):
        outcome = mapping.refund_outcome(STATE | {"Status": word}, ORDER, before)
        assert (outcome.status, outcome.reference, outcome.our_id) == (Status.PENDING, "", ORDER.our_id)


@pytest.mark.parametrize(
    ("code", "shut_out"),
    [("202", True), ("204", True), ("205", True), ("501", True), ("http_403", True), ("10", False), ("1005", False)],
)
def test_a_door_that_stays_shut_says_nothing_of_the_order(code, shut_out):
    said = {"Success": False, "ErrorCode": code, "Message": "No"}
    for outcome in (mapping.refused(said), mapping.charged(said), mapping.refund_outcome(said, ORDER, "CONFIRMED")):
        assert (outcome.status, outcome.shut_out) == (Status.FAILED, shut_out)


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
    assert set(shapes.CODES) == {code for code in DECLINES if not code.startswith("shop_")}  # nobody asks the shop here
    assert set(shapes.CODES.values()) <= set(codes.GROUP)
