"""YooKassa against the local bank that speaks its protocol: the shared contract, and what is its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from moneyed import Money

from acquiring.backends.yookassa import YooKassa
from acquiring.base import BadCallback
from acquiring.types import (
    Clue,
    Outcome,
    Receipt,
    ReceiptItem,
    ReceiptStatus,
    Status,
    Subject,
)
from acquiring.types import (
    Decline as Group,
)
from tests.acquiring.contract import AcquirerContract
from tests.acquiring.far import PRICE, charge, clue, refund
from tests.acquiring.shop import Shop
from tests.acquiring.test_http import answering, server
from tests.local_bank import LocalBank, eventually

DECLINING = {
    "retry_later": "4000000000009995",
    "another_card": "4000000000000069",
    "customer_action": "4000008400001629",
}


def yookassa(bank: LocalBank, **options: Any) -> YooKassa:
    """The acquirer under test, talking to a bank's API port."""
    return YooKassa(bank.merchant, bank.secret, f"{bank.api_url}/yookassa/v3", **options)


@pytest.fixture(scope="module")
def shared_shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.close()


@pytest.fixture(scope="module")
def shared_bank(tmp_path_factory: pytest.TempPathFactory, shared_shop: Shop) -> Iterator[LocalBank]:
    """One that knows its shop's address from the start: this protocol has none in its orders."""
    with LocalBank(tmp_path_factory.mktemp("bank"), shared_shop.url) as bank:
        yield bank


@pytest.fixture
def shop(shared_shop: Shop, bank: LocalBank) -> Iterator[Shop]:
    shared_shop.deliveries.clear()
    yield shared_shop
    eventually(lambda: all(note["state"] != "pending" for note in bank.callbacks()))  # none is left for the next test


@pytest.fixture
def acquirer(bank: LocalBank, shop: Shop) -> YooKassa:
    return yookassa(bank)


@pytest.fixture
def impatient(bank: LocalBank, shop: Shop) -> YooKassa:
    return yookassa(bank, timeout=0.3)


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


@pytest.fixture
def far(bank: LocalBank, shop: Shop) -> Far:
    return Far(bank, shop)


class TestYooKassa(AcquirerContract):
    """Every promise of the contract."""

    finds_by_our_id = False
    keeps_orders = False
    closes_pages = False
    remembers_voids = False
    signs = False
    token_is_an_id = True
    page_declines = frozenset(Group(group) for group in DECLINING)
