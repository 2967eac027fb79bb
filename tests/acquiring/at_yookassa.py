"""The local bank as YooKassa, and how the contract moves it."""

from __future__ import annotations

from typing import Any

from acquiring.backends.yookassa import YooKassa
from tests.acquiring.far import BankFar
from tests.local_bank import LocalBank

DECLINING = {
    "retry_later": "4000000000009995",
    "another_card": "4000000000000069",
    "customer_action": "4000008400001629",
}


def yookassa(bank: LocalBank, **options: Any) -> YooKassa:
    """The acquirer under test, talking to a bank's API port."""
    return YooKassa(bank.merchant, bank.secret, f"{bank.api_url}/yookassa/v3", **options)


class Far(BankFar):
    """The local bank as the contract moves it."""

    declining = DECLINING

    def callback(self, number: int) -> tuple[str, dict[str, str], bytes]:
        delivery = self.shop.wait_for(number + 1)[number]
        return "", delivery.headers, delivery.body
