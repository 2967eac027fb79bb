"""T-Bank against the local bank that speaks its protocol: the shared contract, and what is its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from moneyed import Money
from pydantic import ValidationError
from tbank.acquiring.enums import PaymentStatus
from tbank.acquiring.models import InitRequest
from tbank.acquiring.sync import AcquiringClient
from tbank.acquiring.webhooks import parse_notification, verify_notification
from tbank.core.errors import TBankError

from acquiring.backends.tbank import TBank
from acquiring.backends.tbank.mapping import our_id_of
from acquiring.base import BadCallback
from acquiring.types import Charge, Clue, Decline, Outcome, Receipt, ReceiptItem, ReceiptStatus, Status, Subject
from tests.acquiring.contract import AcquirerContract
from tests.acquiring.far import PRICE, charge, clue, refund
from tests.acquiring.shop import Shop
from tests.local_bank import LocalBank, eventually

DECLINING = {
    "retry_later": "4000000000009995",
    "another_card": "4000000000000069",
    "customer_action": "4000008400001629",
    "stop": "4000000000009979",
    "our_fault": "4000000000000101",
}


def tbank(bank: LocalBank, callback_url: str = "", timeout: float = 10.0, **options: Any) -> TBank:
    """The acquirer under test, talking to a bank's API port."""
    url = f"{bank.api_url}/tbank/v2"
    options = {"passwords": [bank.secret], "url": url, "timeout": timeout} | options
    return TBank(bank.merchant, callback_url=callback_url, **options)


@pytest.fixture
def acquirer(bank: LocalBank, shop: Shop) -> TBank:
    return tbank(bank, shop.url)


@pytest.fixture
def impatient(bank: LocalBank, shop: Shop) -> TBank:
    return tbank(bank, shop.url, timeout=0.3)


class Far:
    """The local bank as the contract moves it. What it says twice (held, and taken) counts once here."""

    def __init__(self, bank: LocalBank, shop: Shop) -> None:
        self.bank, self.shop = bank, shop
        self.secrets = (bank.secret,)

    def pay(self, outcome: Outcome, decline: str = "") -> None:
        if outcome.redirect_url:
            self.bank.pay(outcome.redirect_url, DECLINING[decline] if decline else "4242424242424242")

    def trouble(self, name: str, count: int = 1) -> None:
        if name == "calm":
            self.bank.clear_faults()
        else:
            self.bank.fault(name, count)

    def moved(self) -> list[tuple[str, str, int]]:
        done = [line for line in self.bank.operations() if line["state"] == "succeeded"]
        return [(line["kind"], our_id_of(line["order_id"]), line["amount"]) for line in done]

    def callback(self, number: int) -> tuple[str, dict[str, str], bytes]:
        def told() -> list[Any]:
            return [each for each in self.shop.deliveries if each.data["Status"] != "AUTHORIZED"]

        delivery = eventually(lambda: told()[number : number + 1])[0]
        return "tbank", delivery.headers, delivery.body


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


def test_a_wrong_password_is_our_fault_at_the_order_and_tells_nothing_at_a_lookup(bank):
    stranger = tbank(bank, passwords=["wrong"])
    assert stranger.fetch(Subject.PAYMENT, "any").absent is False
    for outcome in (stranger.checkout(charge()), stranger.charge(charge(token="1"))):
        assert (outcome.status, outcome.decline, outcome.code) == (Status.FAILED, Decline.OUR_FAULT, "204")
    assert stranger.refund(refund(Outcome(Status.SUCCEEDED, "1"))).status is Status.UNKNOWN


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


def test_a_removed_card_is_charged_no_more(acquirer, far, client):
    token = TRIPS.token(acquirer, far)
    card = client.get_card_list("customer-1")[0]
    assert client.remove_card("customer-1", card.card_id).status == "D"
    assert acquirer.charge(charge(token=token)).decline is Decline.ANOTHER_CARD


def test_two_refunds_at_once_do_not_become_one(acquirer, far, paid):
    far.trouble("refund_pending:3600")
    slow, other = refund(paid, Money("100.00", "RUB")), refund(paid, Money("50.00", "RUB"))
    assert acquirer.refund(slow).status is Status.PENDING
    assert acquirer.refund(slow).status is Status.PENDING
    waits = acquirer.refund(other)
    assert (waits.status, waits.reference) == (Status.UNKNOWN, "")
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


# --- Other people's client drives the bank --------------------------------------------------------------------------


@pytest.fixture
def client(bank: LocalBank) -> Iterator[AcquiringClient]:
    with AcquiringClient(bank.merchant, bank.secret, base_url=f"{bank.api_url}/tbank/v2") as client:
        yield client


def init(order: str, **more: Any) -> InitRequest:
    return InitRequest(amount=29900, order_id=order, description="Films", **more)


def test_a_client_from_pypi_walks_a_payment(client, bank, shop):
    opened = client.init(init("o-1", customer_key="c-1", recurrent="Y", notification_url=shop.url))
    assert (opened.status, opened.amount) == (PaymentStatus.NEW, 29900)
    bank.pay(opened.payment_url)
    assert client.get_state(opened.payment_id).status is PaymentStatus.CONFIRMED
    with pytest.raises(ValidationError):  # this client does not bear the number that the documents show here
        client.check_order("o-1")
    part = client.cancel(opened.payment_id, amount=10000)
    assert (part.status, part.original_amount, part.new_amount) == (PaymentStatus.PARTIAL_REFUNDED, 29900, 19900)
    rest = client.cancel(opened.payment_id)
    assert (rest.status, rest.new_amount) == (PaymentStatus.REFUNDED, 0)
    (card,) = client.get_card_list("c-1")
    next_ = client.init(init("o-2"))
    assert client.charge(next_.payment_id, card.rebill_id).status is PaymentStatus.CONFIRMED


def test_a_client_from_pypi_reads_the_notifications(client, bank, shop):
    bank.pay(client.init(init("o-1", customer_key="c-1", recurrent="Y", notification_url=shop.url)).payment_url)
    for each in shop.wait_for(2):
        assert verify_notification(each.data, bank.secret)
        told = parse_notification(each.data)
        assert (told.order_id, told.amount, told.success) == ("o-1", 29900, True)
        assert told.rebill_id


def test_a_client_from_pypi_holds_and_takes(client, bank):
    held = client.init(init("o-1", pay_type="T"))
    bank.pay(held.payment_url)
    assert client.get_state(held.payment_id).status is PaymentStatus.AUTHORIZED
    assert client.confirm(held.payment_id, 20000).status is PaymentStatus.CONFIRMED
    other = client.init(init("o-2", pay_type="T"))
    bank.pay(other.payment_url)
    assert client.cancel(other.payment_id).status is PaymentStatus.REVERSED


def test_a_client_from_pypi_is_refused_as_t_bank_refuses(client, bank):
    client.init(init("o-1"))
    for refused, code in [
        (lambda: client.init(init("o-1")), "20"),
        (lambda: client.get_state("999"), "255"),
        (lambda: client.check_order("nobody's"), "335"),
        (lambda: AcquiringClient("boxoffice", "x", base_url=f"{bank.url}/tbank/v2").get_state("1"), "204"),
        (lambda: AcquiringClient("x", "x", base_url=f"{bank.url}/tbank/v2").get_state("1"), "501"),
        (lambda: client.init(InitRequest(amount=99, order_id="o-2")), "251"),
    ]:
        with pytest.raises(TBankError) as caught:
            refused()
        assert caught.value.code == code
