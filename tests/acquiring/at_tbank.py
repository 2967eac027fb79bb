"""T-Bank as the local bank plays it, for the contract and for other tests."""

from __future__ import annotations

from typing import Any

from acquiring.backends.tbank import TBank
from acquiring.backends.tbank.mapping import our_id_of
from acquiring.types import Outcome
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
    """The acquirer under test, talking to a bank's API port as a terminal that takes no SBP."""
    url = f"{bank.api_url}/tbank/v2"
    options = {"passwords": [bank.secret], "url": url, "timeout": timeout, "repeat_refunds": True} | options
    return TBank(bank.merchant, callback_url=callback_url, **options)


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
