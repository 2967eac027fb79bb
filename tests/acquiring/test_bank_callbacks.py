"""Callbacks: prompt, signed, tried again, remembered; and lost, doubled, late, out of order or forged on order."""

from __future__ import annotations

import time

import pytest

from acquiring.bank.signing import sign
from acquiring.base import BadCallback
from acquiring.types import Status
from tests.acquiring.conftest import sandbox
from tests.acquiring.far import charge, refund
from tests.acquiring.wire import Wire
from tests.local_bank import LocalBank, eventually


@pytest.fixture
def wire(bank: LocalBank) -> Wire:
    return Wire(bank)


def test_a_callback_is_signed_and_comes_at_once(bank, wire, shop):
    payment = wire.open(callback_url=shop.url)
    wire.submit(payment, test_card="4242424242424242")
    began = time.monotonic()
    delivery = shop.wait_for(1)[0]
    assert time.monotonic() - began < 0.5
    assert delivery.headers["x-bank-signature"] == sign(bank.callback_secret, delivery.body)
    assert delivery.data["type"] == "payment.succeeded"
    assert delivery.data["object"]["order_id"] == payment["order_id"]
    eventually(lambda: [note["state"] for note in bank.callbacks()] == ["delivered"])


def test_each_turn_of_a_payment_is_told(bank, wire, shop, acquirer):
    held = wire.open(callback_url=shop.url, capture=False)
    bank.pay(held["payment_url"])
    acquirer.capture(held["order_id"], held["id"], charge())
    bank.refund_in_cabinet(held["id"], 100)
    bank.charge_back(held["id"])
    bank.leave(wire.open(callback_url=shop.url)["payment_url"])
    bank.pay(wire.open(callback_url=shop.url)["payment_url"], "4000000000000002")
    told = [delivery.data["type"] for delivery in shop.wait_for(6)]
    turns = {"authorized", "succeeded", "voided", "declined"}
    assert set(told) == {f"payment.{turn}" for turn in turns} | {"refund.succeeded", "chargeback.created"}


def test_a_callback_refused_is_sent_again_the_same(bank, wire, shop):
    shop.answers = [500, 404]
    wire.submit(wire.open(callback_url=shop.url), test_card="4242424242424242")
    first, second = shop.wait_for(2)
    assert first.body == second.body
    shop.wait_for(3)
    eventually(lambda: bank.callbacks()[0]["state"] == "delivered")
    assert [attempt["result"] for attempt in bank.callbacks()[0]["attempts"]] == ["500", "404", "200"]


def test_a_callback_nobody_takes_is_kept_and_tried_later(bank, wire):
    wire.submit(wire.open(callback_url="http://127.0.0.1:9/nobody"), test_card="4242424242424242")
    note = eventually(lambda: [note for note in bank.callbacks() if note["attempts"]])[0]
    assert note["state"] == "pending"
    assert note["next_at"] > note["attempts"][0]["at"]


def test_an_undelivered_callback_survives_a_killed_bank(own_bank, shop):
    wire = Wire(own_bank)
    shop.answers = [500]
    wire.submit(wire.open(callback_url=shop.url), test_card="4242424242424242")
    shop.wait_for(1)
    own_bank.kill()
    own_bank.start()
    first, second = shop.wait_for(2)
    assert first.body == second.body


def test_a_lost_callback_never_comes(bank, wire, shop):
    bank.fault("callback_lost")
    wire.submit(wire.open(callback_url=shop.url), test_card="4242424242424242")
    wire.submit(wire.open(callback_url=shop.url), test_card="4242424242424242")
    eventually(lambda: [note["state"] for note in bank.callbacks()] == ["lost", "delivered"])
    assert len(shop.deliveries) == 1


def test_a_doubled_callback_comes_in_copies_with_one_id(bank, wire, shop, acquirer):
    bank.fault("callback_duplicate:3")
    wire.submit(wire.open(callback_url=shop.url), test_card="4242424242424242")
    deliveries = shop.wait_for(4)
    keys = {acquirer.parse("sandbox", delivery.headers, delivery.body).dedupe_key for delivery in deliveries}
    assert len(keys) == 1


def test_a_delayed_callback_comes_late(bank, wire, shop):
    bank.fault("callback_delayed:0.4")
    began = time.monotonic()
    wire.submit(wire.open(callback_url=shop.url), test_card="4242424242424242")
    shop.wait_for(1)
    assert time.monotonic() - began >= 0.4


def test_a_reordered_callback_comes_after_the_next_one(bank, shop, acquirer):
    opened = acquirer.checkout(charge())
    bank.fault("callback_reordered")
    bank.pay(opened.redirect_url)
    acquirer.refund(refund(opened))
    assert [delivery.data["type"] for delivery in shop.wait_for(2, seconds=2)] == [
        "refund.succeeded",
        "payment.succeeded",
    ]


def test_a_reordered_callback_comes_even_if_there_is_no_next_one(bank, wire, shop):
    bank.fault("callback_reordered")
    wire.submit(wire.open(callback_url=shop.url), test_card="4242424242424242")
    shop.wait_for(1, seconds=6)


def test_a_forged_callback_comes_first_and_is_not_believed(bank, shop, acquirer):
    opened = acquirer.checkout(charge())
    bank.fault("callback_forged")
    bank.pay(opened.redirect_url, "4000000000000002")
    forged, true = shop.wait_for(2)
    assert forged.data["object"]["status"] == "succeeded"
    assert forged.data["object"]["amount"] == 299000
    with pytest.raises(BadCallback):
        acquirer.parse("sandbox", forged.headers, forged.body)
    assert acquirer.parse("sandbox", true.headers, true.body).outcome.status is Status.FAILED


def test_a_refused_forgery_is_not_sent_again(bank, wire, shop):
    shop.answers = [400]
    bank.fault("callback_forged")
    wire.submit(wire.open(callback_url=shop.url), test_card="4242424242424242")
    eventually(lambda: [note["state"] for note in bank.callbacks()] == ["given_up", "delivered"])


def test_the_banks_own_callback_address_serves_payments_that_bring_none(tmp_path, shop):
    with LocalBank(tmp_path, callback_url=shop.url) as bank:
        bank.pay(sandbox(bank).checkout(charge()).redirect_url)
        assert shop.wait_for(1)
