"""YooKassa's own Python client against the local bank: whoever wrote it has never heard of our backend."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from yookassa import Configuration, Payment, Refund
from yookassa.domain.common import SecurityHelper
from yookassa.domain.exceptions import BadRequestError, NotFoundError, UnauthorizedError
from yookassa.domain.notification import WebhookNotificationFactory

from acquiring.backends.yookassa import networks
from tests.acquiring.shop import Shop
from tests.local_bank import LocalBank, eventually


@pytest.fixture
def client(bank: LocalBank) -> Iterator[LocalBank]:
    """Their client knows one shop per process."""
    Configuration.configure(bank.merchant, bank.secret, api_url=f"{bank.url}/yookassa/v3")
    yield bank
    Configuration.configure("", "")


def order(**changes: Any) -> dict[str, Any]:
    return {
        "amount": {"value": "2.00", "currency": "RUB"},
        "confirmation": {"type": "redirect", "return_url": "https://shop.example/return?o=42"},
        "capture": True,
        "description": "Order 42",
        "metadata": {"order_id": "42"},
    } | changes


def created(**changes: Any) -> Any:
    return Payment.create(order(**changes), str(uuid4()))


def paid(bank: LocalBank, card: str = "4242424242424242", **changes: Any) -> Any:
    opened = created(**changes)
    bank.pay(opened.confirmation.confirmation_url, card)
    return Payment.find_one(opened.id)


def test_it_pays_on_the_page(client):
    opened = created()
    assert (opened.status, opened.paid, opened.confirmation.type) == ("pending", False, "redirect")
    back = client.pay(opened.confirmation.confirmation_url)
    assert back == "https://shop.example/return?o=42"
    done = Payment.find_one(opened.id)
    assert (done.status, done.paid, done.amount.value, done.metadata["order_id"]) == ("succeeded", True, 2, "42")
    assert (done.payment_method.card.last4, done.payment_method.saved) == ("4242", False)
    assert done.income_amount.value < done.amount.value
    assert done.refundable


def test_it_reads_why_a_card_was_declined(client):
    done = paid(client, "4000000000009995")
    assert (done.status, done.cancellation_details.reason) == ("canceled", "insufficient_funds")
    assert done.cancellation_details.party == "payment_network"


def test_it_charges_a_saved_card(client):
    method = paid(client, save_payment_method=True).payment_method
    assert method.saved
    again = Payment.create(
        {"amount": {"value": "3.00", "currency": "RUB"}, "capture": True, "payment_method_id": method.id}, str(uuid4())
    )
    assert (again.status, again.amount.value, again.payment_method.id) == ("succeeded", 3, method.id)


def test_it_takes_a_part_of_a_hold_and_releases_another(client):
    held = paid(client, capture=False)
    assert held.status == "waiting_for_capture"
    taken = Payment.capture(held.id, {"amount": {"value": "1.00", "currency": "RUB"}}, str(uuid4()))
    assert (taken.status, taken.amount.value) == ("succeeded", 1)
    other = paid(client, capture=False)
    assert Payment.cancel(other.id, str(uuid4())).cancellation_details.reason == "canceled_by_merchant"
    with pytest.raises(BadRequestError):
        Payment.cancel(created().id, str(uuid4()))  # a page that nobody paid


def test_it_refunds_parts_and_lists_them(client):
    done = paid(client)
    part = {"payment_id": done.id, "amount": {"value": "1.50", "currency": "RUB"}, "metadata": {"refund_id": "r1"}}
    made = Refund.create(part, "refund-key")
    assert (made.status, made.amount.value, made.payment_id) == ("succeeded", 1.5, done.id)
    assert Refund.create(part, "refund-key").id == made.id
    assert Refund.find_one(made.id).metadata == {"refund_id": "r1"}
    with pytest.raises(BadRequestError):
        Refund.create(part, "another-key")  # more than is left
    assert [each.id for each in Refund.list({"payment_id": done.id}).items] == [made.id]
    assert Payment.find_one(done.id).refunded_amount.value == 1.5


def test_the_same_key_is_the_same_payment_and_another_order_under_it_is_refused(client):
    first = Payment.create(order(), "one-key")
    assert Payment.create(order(), "one-key").id == first.id
    with pytest.raises(BadRequestError) as refused:
        Payment.create(order(description="another"), "one-key")
    assert refused.value.content["parameter"] == "Idempotence-Key"
    client.forget_keys()
    assert Payment.create(order(), "one-key").id != first.id


def test_it_pages_through_a_list(client):
    ids = [created().id for _ in range(5)]
    found, params = [], {"limit": 2, "created_at.gte": "2020-01-01T00:00:00.000Z", "status": "pending"}
    while True:
        listed = Payment.list(params)
        found += [each.id for each in listed.items]
        if not listed.next_cursor:
            break
        params = params | {"cursor": listed.next_cursor}
    assert found == ids[::-1]
    assert Payment.list({"created_at.lt": "2020-01-01T00:00:00.000Z"}).items == []
    assert Payment.list({"captured_at.gte": "2020-01-01T00:00:00.000Z"}).items == []
    with pytest.raises(BadRequestError):
        Payment.list({"limit": 101})


def test_it_is_told_what_does_not_exist_and_who_may_not_come_in(client):
    with pytest.raises(NotFoundError):
        Payment.find_one("22e12f66-000f-5000-8000-18db351245c7")
    with pytest.raises(NotFoundError):
        Refund.find_one("no-id")
    Configuration.configure(client.merchant, "wrong", api_url=f"{client.url}/yookassa/v3")
    with pytest.raises(UnauthorizedError):
        created()


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"amount": {"value": "0.00", "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": "2.00", "currency": "USD"}}, "amount.currency"),
        ({"payment_method_id": "22e12f66-000f-5000-8000-18db351245c7"}, "payment_method_id"),
        ({"metadata": {str(n): "x" for n in range(17)}}, "metadata"),
        ({"confirmation": None}, "confirmation"),
        ({"description": "x" * 129}, "description"),
        ({"receipt": {"items": []}}, "receipt.customer"),
    ],
)
def test_what_the_documents_forbid_is_refused(client, changes, parameter):
    answer = client.http.post(
        f"{client.url}/yookassa/v3/payments",
        json={name: value for name, value in order(**changes).items() if value is not None},
        auth=(client.merchant, client.secret),
        headers={"Idempotence-Key": str(uuid4())},
    )
    assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)


def test_a_request_without_a_key_is_refused(client):
    address = f"{client.url}/yookassa/v3/payments"
    answer = client.http.post(address, json=order(), auth=(client.merchant, client.secret))
    assert (answer.status_code, answer.json()["parameter"]) == (400, "Idempotence-Key")


def test_its_reader_of_notifications_reads_ours(tmp_path, shop: Shop):
    with LocalBank(tmp_path / "bank", shop.url) as bank:
        Configuration.configure(bank.merchant, bank.secret, api_url=f"{bank.url}/yookassa/v3")
        shop.answers[:] = [201]  # is not "received" here: only 200 is
        done = paid(bank)
        Refund.create({"payment_id": done.id, "amount": {"value": "1.00", "currency": "RUB"}}, str(uuid4()))
        eventually(lambda: len(shop.deliveries) >= 3)
    read = [WebhookNotificationFactory().create(json.loads(each.body)) for each in shop.deliveries]
    assert sorted(each.event for each in read) == ["payment.succeeded", "payment.succeeded", "refund.succeeded"]
    assert {each.object.id for each in read if each.event == "payment.succeeded"} == {done.id}


@pytest.mark.parametrize("address", ["185.71.76.5", "185.71.76.32", "77.75.154.200", "77.75.156.12", "127.0.0.1"])
def test_it_trusts_the_same_networks(address):
    assert SecurityHelper().is_ip_trusted(address) is networks.is_theirs(address)
