"""The local bank as YooKassa, and how the contract moves it."""

from __future__ import annotations

from typing import Any

from acquiring.backends.yookassa import YooKassa
from acquiring.types import Outcome
from tests.acquiring.shop import Shop
from tests.local_bank import LocalBank

DECLINING = {
    "retry_later": "4000000000009995",
    "another_card": "4000000000000069",
    "customer_action": "4000008400001629",
}


def yookassa(bank: LocalBank, **options: Any) -> YooKassa:
    """The acquirer under test, talking to a bank's API port."""
    return YooKassa(bank.merchant, bank.secret, f"{bank.api_url}/yookassa/v3", **options)


class Far:
    """The local bank as the contract moves it."""

    def __init__(self, bank: LocalBank, shop: Shop) -> None:
        self.bank, self.shop = bank, shop
        self.secrets = (bank.secret,)

    def pay(self, outcome: Outcome, decline: str = "") -> None:
        self.bank.pay(outcome.redirect_url, DECLINING[decline] if decline else "4242424242424242")

    def trouble(self, name: str, count: int = 1) -> None:
        if name == "calm":
            self.bank.clear_faults()
        else:
            self.bank.fault(name, count)

    def moved(self) -> list[tuple[str, str, int]]:
        done = [line for line in self.bank.operations() if line["state"] == "succeeded"]
        return [(line["kind"], line["order_id"], line["amount"]) for line in done]

    def forget(self) -> None:
        self.bank.forget_keys()

    def callback(self, number: int) -> tuple[str, dict[str, str], bytes]:
        delivery = self.shop.wait_for(number + 1)[number]
        return "", delivery.headers, delivery.body
