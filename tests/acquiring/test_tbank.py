"""T-Bank against the local bank that speaks its protocol: the shared contract, and what is its own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moneyed import Money

from acquiring.backends.tbank import TBank, codes, mapping, signing
from acquiring.backends.tbank.mapping import our_id_of
from acquiring.types import Charge, Clue, Decline, Outcome, Status, Subject
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

    def forget(self) -> None:
        self.bank.forget_keys()

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
