"""Other people's client of T-Bank drives the local bank: what both understand is not only our own idea."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError
from tbank.acquiring.enums import PaymentStatus
from tbank.acquiring.models import InitRequest
from tbank.acquiring.sync import AcquiringClient
from tbank.acquiring.webhooks import parse_notification, verify_notification
from tbank.core.errors import TBankError

from acquiring.types import Decline
from tests.acquiring.at_tbank import tbank
from tests.acquiring.far import charge
from tests.local_bank import LocalBank


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


def test_a_card_that_a_client_from_pypi_removed_is_charged_no_more(client, bank):
    bank.pay(client.init(init("o-1", customer_key="customer-1", recurrent="Y")).payment_url)
    (card,) = client.get_card_list("customer-1")
    assert client.remove_card("customer-1", card.card_id).status == "D"
    assert tbank(bank).charge(charge(token=card.rebill_id)).decline is Decline.ANOTHER_CARD
    assert client.get_card_list("customer-1")[0].status == "D"
