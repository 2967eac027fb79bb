"""T-Bank against the local bank that speaks its protocol: the shared contract, and what is its own."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from moneyed import Money

from acquiring.backends.tbank import TBank
from acquiring.backends.tbank.mapping import Found
from acquiring.base import BadCallback
from acquiring.types import Charge, Clue, Decline, Outcome, Receipt, ReceiptItem, ReceiptStatus, Status, Subject
from billing import outcomes
from tests.acquiring.at_tbank import Far, tbank
from tests.acquiring.contract import AcquirerContract
from tests.acquiring.far import PRICE, charge, clue, refund
from tests.acquiring.shop import Shop
from tests.local_bank import LocalBank, eventually


@pytest.fixture
def acquirer(bank: LocalBank, shop: Shop) -> TBank:
    return tbank(bank, shop.url)


@pytest.fixture
def impatient(bank: LocalBank, shop: Shop) -> TBank:
    return tbank(bank, shop.url, timeout=0.3)


@pytest.fixture
def stranger(bank: LocalBank) -> TBank:
    return tbank(bank, passwords=["wrong"])


@pytest.fixture
def far(bank: LocalBank, shop: Shop) -> Far:
    return Far(bank, shop)


class TestTBank(AcquirerContract):
    """Every promise of the contract."""

    tells_time = False
    tells_card = False
    same_page = False
    names_refunds = False

    def troubled_charge(self, impatient: TBank, far: Far, order: Charge, trouble: str) -> Outcome:
        """A charge is two calls: the answer of the first is lost, and the second meets the trouble."""
        far.trouble("error_after")
        assert impatient.charge(order).status is Status.UNKNOWN
        far.trouble(trouble)
        return impatient.charge(order)

    def not_begun(self, truth: Outcome) -> bool:
        return (truth.status, truth.absent, truth.again) == (Status.UNKNOWN, False, True)

    def forge(self, how: str, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes]:
        if how in ("changed", "no body", "huge"):
            return super().forge(how, headers, body)
        data = json.loads(body)
        match how:
            case "unsigned":
                del data["Token"]
            case "empty":
                data["Token"] = ""
            case "nonsense":
                data["Token"] = "é\x00="
            case "longer":
                data["Added"] = 1
        return headers, json.dumps(data).encode()


# --- What is T-Bank's own -------------------------------------------------------------------------------------------

TRIPS = TestTBank()


@pytest.fixture
def paid(acquirer: TBank, far: Far) -> Outcome:
    return TRIPS.pay(acquirer, far)


def test_a_wrong_password_is_our_fault_at_the_order_and_tells_nothing_at_a_lookup(stranger):
    assert stranger.fetch(Subject.PAYMENT, "any").absent is False
    for outcome in (stranger.checkout(charge()), stranger.charge(charge(token="1"))):
        assert (outcome.status, outcome.decline, outcome.code) == (Status.FAILED, Decline.OUR_FAULT, "204")


def test_the_id_of_a_page_is_known_at_once_and_stays(acquirer, far):
    opened = acquirer.checkout(charge())
    assert opened.reference
    far.pay(opened)
    assert acquirer.fetch(Subject.PAYMENT, opened.our_id).reference == opened.reference


def test_a_page_whose_address_was_lost_is_to_be_opened_again_and_closes(acquirer, far, bank):
    order = charge()
    far.trouble("error_after")
    assert acquirer.checkout(order).status is Status.UNKNOWN
    lost = acquirer.fetch(Subject.PAYMENT, order.our_id)
    assert (lost.status, lost.again, lost.reference) == (Status.UNKNOWN, True, "")
    given = acquirer.fetch(Subject.PAYMENT, order.our_id, "", Clue(page_url="https://somewhere"))
    assert given.status is Status.PENDING
    page = acquirer.checkout(order)
    far.pay(page)
    found = acquirer.fetch(Subject.PAYMENT, order.our_id)
    assert (found.status, found.reference) == (Status.SUCCEEDED, page.reference)
    told = {each["type"] for each in bank.callbacks()}
    assert {"CANCELED", "CONFIRMED"} <= told


def test_nobody_pays_a_page_twice_by_its_two_addresses(acquirer, far):
    order = charge()
    pages = [acquirer.checkout(order) for _ in range(3)]
    assert len({page.reference for page in pages}) == 3
    for page in pages:
        far.pay(page)
    assert far.moved() == [("charge", order.our_id, 29900)]


def test_a_card_is_told_by_a_lookup_where_the_customer_has_one(acquirer, far):
    first = TRIPS.pay(acquirer, far, save_card=True)
    known = Clue(customer_id="customer-1")
    found = acquirer.fetch(Subject.PAYMENT, first.our_id, first.reference, known).card
    assert found is not None
    assert found == TRIPS.told_card(acquirer, far, first)
    TRIPS.pay(acquirer, far, save_card=True)  # now it could be either
    assert acquirer.fetch(Subject.PAYMENT, first.our_id, first.reference, known).card is None


def test_two_refunds_at_once_do_not_become_one(acquirer, far, paid):
    far.trouble("refund_pending:3600")
    slow, other = refund(paid, Money("100.00", "RUB")), refund(paid, Money("50.00", "RUB"))
    assert acquirer.refund(slow).status is Status.PENDING
    waits = acquirer.refund(other)
    assert (waits.decline, waits.reference) == (Decline.NOT_SENT, "")
    assert acquirer.fetch(Subject.REFUND, slow.our_id, slow.our_id, clue(slow)).status is Status.PENDING
    asked = acquirer.fetch(Subject.REFUND, other.our_id, "", clue(other))
    assert (asked.status, asked.again) == (Status.UNKNOWN, True)


def test_a_lost_partial_refund_is_told_from_another_one_of_the_same_sum(acquirer, impatient, far, paid, bank):
    order, part = refund(paid, Money("100.00", "RUB")), Money("100.00", "RUB")
    far.trouble("timeout_before")
    assert impatient.refund(order).status is Status.UNKNOWN
    bank.refund_in_cabinet(bank.operations()[0]["id"], 10000)  # somebody else's, meanwhile
    assert acquirer.fetch(Subject.REFUND, order.our_id, "", clue(order)).again
    assert acquirer.refund(order).status is Status.SUCCEEDED
    assert acquirer.refund(order).status is Status.SUCCEEDED
    assert [line[2] for line in far.moved()] == [29900, 10000, 10000]
    assert part == order.amount


def test_a_lost_refund_of_money_that_went_back_in_the_cabinet_is_refused_for_good(acquirer, impatient, far, paid, bank):
    """Its repeat would have been answered with the state, had T-Bank made it: so that refusal is its own."""
    order = refund(paid)
    far.trouble("timeout_before")
    assert impatient.refund(order).status is Status.UNKNOWN
    bank.refund_in_cabinet(bank.operations()[0]["id"], 29900)
    assert acquirer.fetch(Subject.REFUND, order.our_id, "", clue(order)).again
    assert outcomes.of_the_payment(acquirer.refund(order)).status is Status.FAILED
    assert [line[2] for line in far.moved()] == [29900, 29900]


def test_a_refund_refused_by_the_cards_bank_stays_refused(acquirer, far, paid):
    far.trouble("refund_declined")
    order = refund(paid)
    for _ in range(2):
        assert acquirer.refund(order).status is Status.FAILED
    assert acquirer.fetch(Subject.REFUND, order.our_id, "", clue(order)).absent


def test_money_taken_twice_for_one_order_is_found_by_its_own_id(acquirer, far, shop, paid, bank):
    bank.capture_again(bank.operations()[0]["id"])
    again = eventually(lambda: [each for each in shop.deliveries if str(each.data["PaymentId"]) != paid.reference])[0]
    second = str(again.data["PaymentId"])
    assert acquirer.fetch(Subject.PAYMENT, "", second).our_id == paid.our_id
    assert acquirer.fetch(Subject.PAYMENT, paid.our_id, paid.reference).reference == paid.reference


def test_notifications_come_twice_and_in_any_order_and_none_undoes_another(acquirer, far, bank, shop):
    far.trouble("callback_duplicate:2", 2)
    opened = acquirer.checkout(charge())
    far.pay(opened)
    told = [acquirer.parse("", each.headers, each.body) for each in shop.wait_for(6)]
    assert {notice.outcome.status for notice in told} == {Status.AUTHORIZED, Status.SUCCEEDED}
    assert len({notice.dedupe_key for notice in told}) == 2


def test_a_forged_notification_of_the_bank_is_not_believed(acquirer, far, shop):
    far.trouble("callback_forged")
    far.pay(acquirer.checkout(charge()))
    believed = []
    for each in shop.wait_for(4):
        try:
            believed.append(acquirer.parse("", each.headers, each.body))
        except BadCallback:
            continue
    assert {notice.outcome.amount for notice in believed} == {PRICE}
    assert len(believed) == 2


def test_only_the_word_ok_ends_the_tries(acquirer, far, shop, bank):
    shop.words = [b"ok", b"<p>OK</p>"]
    far.pay(acquirer.checkout(charge()))
    shop.wait_for(4)
    eventually(lambda: {each["state"] for each in bank.callbacks()} == {"delivered"})


def test_a_receipt_is_sent_with_the_payment_and_its_refund_and_told_when_it_is_made(acquirer, far, shop):
    said = Receipt((ReceiptItem("Films", 1, PRICE, vat="22"),), email="ann@example.org", tax_system="osn")
    paid = TRIPS.pay(acquirer, far, receipt=said)
    told = [acquirer.parse("", each.headers, each.body) for each in shop.wait_for(3)]
    (made,) = [notice for notice in told if notice.only_receipt]
    assert (made.outcome.receipt, made.outcome.our_id) == (ReceiptStatus.REGISTERED, paid.our_id)
    short = Receipt((ReceiptItem("Films", 1, Money("1.00", "RUB")),), email="ann@example.org", tax_system="osn")
    refused = acquirer.refund(replace(refund(paid), receipt=short))
    assert (refused.status, refused.code) == (Status.FAILED, "308")
    assert acquirer.refund(replace(refund(paid), receipt=said)).status is Status.SUCCEEDED


def test_a_refund_beside_an_earlier_one_is_not_taken_for_it(acquirer, far, paid):
    assert acquirer.refund(refund(paid, Money("100.00", "RUB"))).status is Status.SUCCEEDED
    far.trouble("refund_pending:0.2")
    order = refund(paid, Money("50.00", "RUB"))
    pending = acquirer.refund(order)
    assert (pending.status, pending.reference) == (Status.PENDING, "")  # the payment's state will not tell of this one
    eventually(lambda: acquirer.refund(order).status is Status.SUCCEEDED)  # T-Bank knows it by its id
    assert [line[2] for line in far.moved()] == [29900, 10000, 5000]


# --- A charge whose answer was lost -----------------------------------------------------------------------------------


def lost(impatient: TBank, far: Far, order: Charge, trouble: str) -> Outcome:
    """The outcome of a charge whose Init went well and whose Charge met this trouble."""
    return TRIPS.troubled_charge(impatient, far, order, trouble)


@pytest.mark.parametrize(
    ("trouble", "truth"), [("timeout_before", Status.PENDING), ("timeout_after", Status.SUCCEEDED)]
)
def test_a_charge_without_an_answer_is_known_by_its_id_and_not_given_again(acquirer, impatient, far, trouble, truth):
    order = charge(token=TRIPS.token(acquirer, far))
    outcome = lost(impatient, far, order, trouble)
    assert (outcome.status, outcome.our_id, bool(outcome.reference)) == (Status.UNKNOWN, order.our_id, True)
    asked = acquirer.fetch(Subject.PAYMENT, order.our_id, outcome.reference, Clue(since=datetime.now(UTC)))
    assert (asked.status, asked.again, asked.reference) == (truth, False, outcome.reference)


def test_a_charge_that_never_arrived_is_cancelled_after_an_hour_and_none_can_follow(bank, shop, impatient, far):
    young = tbank(bank, shop.url)
    order, page = charge(token=TRIPS.token(young, far)), young.checkout(charge())
    reference, sent = lost(impatient, far, order, "timeout_before").reference, datetime.now(UTC)
    old = tbank(bank, shop.url, clock=lambda: sent + timedelta(minutes=61))
    moved = far.moved()
    assert old.fetch(Subject.PAYMENT, order.our_id, reference).status is Status.PENDING  # nobody says since when
    assert young.fetch(Subject.PAYMENT, order.our_id, reference, Clue(since=sent)).status is Status.PENDING
    waits = old.fetch(Subject.PAYMENT, page.our_id, page.reference, Clue(since=sent, page_url=page.redirect_url))
    assert waits.status is Status.PENDING
    assert old.fetch(Subject.PAYMENT, order.our_id, reference, Clue(since=sent)).status is Status.CANCELLED
    assert young.charge(order).status is Status.CANCELLED
    assert far.moved() == moved


# --- A page that is paid in the moment in which it is closed ----------------------------------------------------------


@pytest.mark.parametrize("slowly", [True, False])
def test_what_was_paid_while_it_was_cancelled_is_never_called_made(acquirer, far, paid, slowly):
    if slowly:
        far.trouble("refund_pending:0.5")
    unpaid = Found("NEW", replace(paid, status=Status.PENDING))  # so it was when it was asked about
    said = acquirer._wire.cancelled(unpaid).outcome
    assert (said.status, said.reference, said.our_id) == (
        Status.UNKNOWN if slowly else Status.CANCELLED, paid.reference, paid.our_id,
    )  # fmt: skip
    told = []

    def given_back() -> bool:
        told.append(acquirer.fetch(Subject.PAYMENT, paid.our_id, paid.reference, Clue(amount=PRICE)))
        return told[-1].status is Status.CANCELLED

    eventually(given_back)
    assert {each.status for each in told} <= {Status.PENDING, Status.CANCELLED}
    assert told[-1].refunded == PRICE
    assert acquirer.void(paid.our_id, paid.reference).status is Status.CANCELLED
