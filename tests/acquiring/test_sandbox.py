"""The sandbox acquirer against a real local bank: the shared contract, and what is its own."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from moneyed import Money

from acquiring.asking import told
from acquiring.backends.sandbox import Sandbox, acted, notice, payment_outcome, refund_outcome
from acquiring.bank.signing import sign
from acquiring.base import BadCallback
from acquiring.http import Response
from acquiring.reading import Malformed, minor, money
from acquiring.types import Decline, Outcome, Status, Subject
from tests.acquiring.contract import AcquirerContract
from tests.acquiring.far import BankFar, charge
from tests.acquiring.shop import Shop
from tests.acquiring.test_http import answering, server
from tests.local_bank import LocalBank


class Far(BankFar):
    """The local bank as the contract moves it."""

    def pay(self, outcome: Outcome, decline: str = "") -> None:
        url = outcome.redirect_url or f"{self.bank.url}/pay/{outcome.reference}"
        super().pay(replace(outcome, redirect_url=url), decline)

    def signed(self, headers: dict[str, str], body: bytes) -> dict[str, str]:
        return headers | {"x-bank-signature": sign(self.bank.callback_secret, body)}

    def callback(self, number: int) -> tuple[str, dict[str, str], bytes]:
        delivery = self.shop.wait_for(number + 1)[number]
        return "sandbox", delivery.headers, delivery.body


@pytest.fixture
def far(bank: LocalBank, shop: Shop) -> Far:
    return Far(bank, shop)


class TestSandbox(AcquirerContract):
    """Every promise of the contract."""


def test_a_wrong_secret_is_our_fault(stranger):
    outcome = stranger.checkout(charge())
    assert (outcome.status, outcome.decline, outcome.code) == (Status.FAILED, Decline.OUR_FAULT, "unauthorized")
    assert stranger.fetch(Subject.PAYMENT, "any").absent is False


def test_a_404_that_is_not_the_banks_own_word_is_not_absence():
    with server(answering("404 Not Found", b"{}")) as (url, _):
        lost = Sandbox(url, "m", "s", ["c"], "", 1).fetch(Subject.PAYMENT, "o-1", "pay_1")
    assert lost.status is Status.UNKNOWN
    assert not lost.absent


def test_an_old_callback_secret_verifies_until_it_is_removed(acquirer, bank, shop):
    bank.pay(acquirer.checkout(charge()).redirect_url)
    delivery = shop.wait_for(1)[0]
    both = Sandbox(bank.api_url, bank.merchant, bank.secret, ["newer", bank.callback_secret], "", 5)
    newer = Sandbox(bank.api_url, bank.merchant, bank.secret, ["newer"], "", 5)
    assert both.parse("sandbox", delivery.headers, delivery.body).outcome.status is Status.SUCCEEDED
    with pytest.raises(BadCallback):
        newer.parse("sandbox", delivery.headers, delivery.body)


@pytest.mark.parametrize(
    "changes",
    [{"secret": ""}, {"url": ""}, {"callback_secrets": []}, {"callback_secrets": [""]}, {"callback_secrets": "a"}],
)
def test_an_acquirer_without_its_secrets_is_not_made(changes):
    options = {
        "url": "http://x",
        "merchant": "m",
        "secret": "s",
        "callback_secrets": ["c"],
        "callback_url": "",
        "timeout": 1,
    }
    with pytest.raises(ValueError, match="needs"):
        Sandbox(**(options | changes))


PAYMENT = {
    "id": "pay_1", "order_id": "o-1", "kind": "payment", "amount": 29900, "captured": 29900, "refunded": 0,
    "currency": "RUB", "status": "succeeded", "decline": None, "payment_url": None,
    "card": {"token": "tok_1", "mask": "•••• 4242", "brand": "visa", "exp_month": 12, "exp_year": 2030},
    "finished_at": "2026-01-02T03:04:05.000006Z",
}  # fmt: skip
REFUND = {
    "id": "ref_1", "order_id": "r-1", "kind": "refund", "payment_id": "pay_1", "amount": 100, "currency": "RUB",
    "status": "succeeded", "decline": None, "updated_at": "2026-01-02T03:04:05Z",
}  # fmt: skip


def test_a_payment_is_translated_without_its_token():
    outcome = payment_outcome(PAYMENT)
    assert outcome.card.token == "tok_1"
    assert "tok_1" not in str(outcome.raw)
    assert outcome.amount == Money("299.00", "RUB")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("created", Status.PENDING), ("awaiting_3ds", Status.PENDING), ("authorized", Status.AUTHORIZED),
        ("succeeded", Status.SUCCEEDED), ("declined", Status.FAILED), ("voided", Status.CANCELLED),
        ("expired", Status.CANCELLED),
    ],
)  # fmt: skip
def test_every_state_of_a_payment_is_known(said, meant):
    assert payment_outcome(PAYMENT | {"status": said}).status is meant


@pytest.mark.parametrize(
    "name", [name for name in PAYMENT if name not in {"kind", "decline", "card", "payment_url", "finished_at"}]
)
@pytest.mark.parametrize("wrong", [None, True, [], {}, 1.5, -1])
def test_a_payment_with_a_wrong_field_is_not_read(name, wrong):
    with pytest.raises(Malformed):
        payment_outcome(PAYMENT | {name: wrong})


@pytest.mark.parametrize(
    "changes",
    [
        {"card": []},
        {"card": {"mask": 1}},
        {"decline": "x"},
        {"finished_at": "x"},
        {"status": "new"},
        {"currency": "XXL"},
    ],
)
def test_a_payment_with_a_strange_part_is_not_read(changes):
    with pytest.raises(Malformed):
        payment_outcome(PAYMENT | changes)


@pytest.mark.parametrize("data", [None, [], "text", 1, {}])
def test_what_is_no_object_is_not_read(data):
    for translate in (payment_outcome, refund_outcome, notice):
        with pytest.raises(Malformed):
            translate(data)


def test_an_answer_that_cannot_be_read_is_unknown():
    assert told(lambda: acted(Response(201, {"status": "succeeded"}), payment_outcome)).status is Status.UNKNOWN


@pytest.mark.parametrize(
    "answer", [Response(409, {"error": {"code": "conflict"}}), Response(400, {}), Response(408, [])]
)
def test_a_refusal_that_is_not_the_banks_own_word_tells_nothing(answer):
    assert acted(answer, payment_outcome).status is Status.UNKNOWN


@pytest.mark.parametrize("data", [[], {}, {"id": "n", "type": "t"}, {"id": 1, "type": "t", "object": PAYMENT}])
def test_a_signed_callback_that_cannot_be_read_is_refused(data):
    acquirer = Sandbox("http://x", "m", "s", ["c"], "", 1)
    body = json.dumps(data).encode()
    with pytest.raises(BadCallback, match="cannot be read"):
        acquirer.parse("sandbox", {"x-bank-signature": sign("c", body)}, body)


def test_a_signed_callback_nested_too_deep_is_refused():
    acquirer = Sandbox("http://x", "m", "s", ["c"], "", 1)
    body = b"[" * 60_000
    with pytest.raises(BadCallback):
        acquirer.parse("sandbox", {"x-bank-signature": sign("c", body)}, body)


@pytest.mark.parametrize(
    ("amount", "units"), [(Money("299.00", "RUB"), 29900), (Money("0.01", "USD"), 1), (Money(500, "JPY"), 500)]
)
def test_minor_units_go_there_and_back(amount, units):
    assert minor(amount) == units
    assert money(units, amount.currency.code) == amount


def test_a_part_of_a_minor_unit_is_refused():
    with pytest.raises(ValueError, match="whole number"):
        minor(Money("0.001", "RUB"))
