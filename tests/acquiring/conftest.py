"""One bank for a module of tests, emptied before each; and a shop that listens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from acquiring.backends.sandbox import Sandbox
from tests.acquiring.shop import Shop
from tests.local_bank import LocalBank


@pytest.fixture(scope="module")
def shared_bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBank]:
    with LocalBank(tmp_path_factory.mktemp("bank")) as bank:
        yield bank


@pytest.fixture
def bank(shared_bank: LocalBank) -> Iterator[LocalBank]:
    shared_bank.reset()
    yield shared_bank
    shared_bank.clear_faults()


@pytest.fixture
def own_bank(tmp_path) -> Iterator[LocalBank]:
    """A bank that this test may kill."""
    with LocalBank(tmp_path / "bank") as bank:
        yield bank


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.close()


def sandbox(bank: LocalBank, callback_url: str = "", timeout: float = 10.0) -> Sandbox:
    """The acquirer under test, talking to a bank's API port."""
    return Sandbox(bank.api_url, bank.merchant, bank.secret, [bank.callback_secret], callback_url, timeout)


@pytest.fixture
def acquirer(bank: LocalBank, shop: Shop) -> Sandbox:
    return sandbox(bank, shop.url)


@pytest.fixture
def impatient(bank: LocalBank, shop: Shop) -> Sandbox:
    """The same acquirer, waiting 0.3 s for answers."""
    return sandbox(bank, shop.url, timeout=0.3)


@pytest.fixture
def stranger(bank: LocalBank) -> Sandbox:
    return Sandbox(bank.api_url, bank.merchant, "wrong", ["x"], "", 5)
