"""The local bank as CloudPayments, with the address of a listening shop in its cabinet."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from acquiring.backends.cloudpayments import CloudPayments
from acquiring.bank.cloudpayments.tongue import sign
from tests.acquiring.far import BankFar
from tests.acquiring.shop import Delivery, Shop
from tests.local_bank import LocalBank, eventually


@pytest.fixture(scope="package")
def cabinet() -> Iterator[Shop]:
    """Our shop, whose address stands in the acquirer's cabinet."""
    shop = Shop(b'{"code": 0}')
    yield shop
    shop.close()


@pytest.fixture(scope="package")
def calling_bank(tmp_path_factory: pytest.TempPathFactory, cabinet: Shop) -> Iterator[LocalBank]:
    with LocalBank(tmp_path_factory.mktemp("bank"), cabinet.url) as bank:
        yield bank


@pytest.fixture
def bank(calling_bank: LocalBank) -> Iterator[LocalBank]:
    calling_bank.reset()
    yield calling_bank
    calling_bank.clear_faults()


@pytest.fixture
def shop(bank: LocalBank, cabinet: Shop) -> Shop:
    cabinet.says, cabinet.answers = b'{"code": 0}', []
    cabinet.deliveries = []  # a late one of an earlier test goes to the old list
    return cabinet


def cloudpayments(bank: LocalBank, timeout: float = 10.0, **options: object) -> CloudPayments:
    secrets = [bank.callback_secret]
    url = f"{bank.api_url}/cloudpayments"
    return CloudPayments(bank.merchant, bank.secret, secrets, url=url, timeout=timeout, **options)


@pytest.fixture
def acquirer(bank: LocalBank, shop: Shop) -> CloudPayments:
    return cloudpayments(bank)


@pytest.fixture
def impatient(bank: LocalBank, shop: Shop) -> CloudPayments:
    return cloudpayments(bank, timeout=0.3)


@pytest.fixture
def stranger(bank: LocalBank) -> CloudPayments:
    return CloudPayments(bank.merchant, "wrong", url=f"{bank.api_url}/cloudpayments")


class Far(BankFar):
    """The local bank as the contract moves it."""

    def signed(self, headers: dict[str, str], body: bytes) -> dict[str, str]:
        return headers | {"content-hmac": sign(self.bank.callback_secret, body)}

    def told(self) -> list[Delivery]:
        """The deliveries that are no questions."""
        return [each for each in self.shop.deliveries if kind_of(each) != "check"]

    def callback(self, number: int) -> tuple[str, dict[str, str], bytes]:
        eventually(lambda: len(self.told()) > number)
        delivery = self.told()[number]
        return kind_of(delivery), delivery.headers, delivery.body


def kind_of(delivery: Delivery) -> str:
    return urlsplit(delivery.path).path.rpartition("/")[2]


@pytest.fixture
def far(bank: LocalBank, shop: Shop) -> Far:
    return Far(bank, shop)
