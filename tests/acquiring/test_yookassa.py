"""YooKassa against the local bank that speaks its protocol: the shared contract, and its doorbell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from acquiring.backends.yookassa import YooKassa
from acquiring.base import BadCallback
from acquiring.types import Decline, Status
from tests.acquiring.at_yookassa import DECLINING, Far, yookassa
from tests.acquiring.contract import AcquirerContract
from tests.acquiring.far import charge
from tests.acquiring.shop import Shop
from tests.local_bank import LocalBank, eventually


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


@pytest.fixture
def stranger(bank: LocalBank) -> YooKassa:
    return YooKassa(bank.merchant, "wrong", f"{bank.api_url}/yookassa/v3")


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
    page_declines = frozenset(Decline(group) for group in DECLINING)


def test_a_callback_from_elsewhere_is_refused_where_the_proxy_tells(far, acquirer, bank):
    far.pay(acquirer.checkout(charge()))
    _, _, body = far.callback(0)
    careful = yookassa(bank, address_header="x-real-ip")
    assert careful.parse("", {"x-real-ip": "185.71.76.5"}, body).outcome.status is Status.SUCCEEDED
    for headers in ({}, {"x-real-ip": "127.0.0.1"}, {"x-real-ip": "no address"}):
        with pytest.raises(BadCallback, match="networks"):
            careful.parse("", headers, body)
