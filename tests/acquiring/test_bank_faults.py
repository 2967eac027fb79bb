"""Trouble on order happens exactly as ordered."""

from __future__ import annotations

import socket
import threading
import time

import pytest
import requests

from acquiring.bank.faults import BadFault, Faults
from acquiring.types import Decline, Status, Subject
from tests.acquiring.far import charge, refund
from tests.acquiring.wire import Wire
from tests.local_bank import LocalBank, eventually


@pytest.fixture
def wire(bank: LocalBank) -> Wire:
    return Wire(bank)


@pytest.mark.parametrize("name", ["timeout_before", "timeout_after", "error_after"])
def test_a_fault_with_a_count_strikes_that_often_and_no_more(bank, wire, name):
    bank.fault(name, count=2)
    for _ in range(2):
        with pytest.raises((requests.ReadTimeout, AssertionError)):
            assert wire.post("/api/payments", wire.order(), timeout=0.3).status_code != 500
    assert wire.post("/api/payments", wire.order()).status_code == 201


def test_an_unanswered_request_ends_with_the_bank(own_bank):
    own_bank.fault("timeout_before")
    wire, ended = Wire(own_bank), []

    def ask() -> None:
        try:
            wire.post("/api/payments", wire.order(), timeout=30)
        except requests.ConnectionError as problem:
            ended.append(problem)

    thread = threading.Thread(target=ask)
    thread.start()
    eventually(lambda: own_bank.http.get(f"{own_bank.url}/control/faults").json() == [])
    began = time.monotonic()
    own_bank.stop()
    thread.join()
    assert time.monotonic() - began < 2
    assert len(ended) == 1


def test_lookups_are_not_struck_by_timeouts(bank, wire):
    payment = wire.open()
    for name in ("timeout_before", "timeout_after", "error_after"):
        bank.fault(name)
    assert wire.payment(payment)["status"] == "created"


def test_slow_answers_are_slow_and_true(bank, wire):
    bank.fault("slow:0.3")
    began = time.monotonic()
    wire.open()
    assert time.monotonic() - began >= 0.3


def test_an_ordered_decline_strikes_the_next_attempt_only(bank, wire, acquirer):
    bank.fault("decline:stolen_card")
    assert wire.paid()["decline"]["group"] == "stop"
    paid = wire.paid(save_card=True, customer="customer-1")
    assert paid["status"] == "succeeded"
    bank.fault("decline:issuer_unavailable")
    outcome = acquirer.charge(charge(token=paid["card"]["token"]))
    assert (outcome.decline, outcome.code) == (Decline.RETRY_LATER, "issuer_unavailable")


def test_a_closed_port_really_refuses_and_opens_at_once(bank, wire):
    host, port = "127.0.0.1", int(bank.api_url.rsplit(":", 1)[1])
    bank.fault("refuse", count=60)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, port), timeout=2)
    with pytest.raises(requests.ConnectionError):
        wire.get("/api/payments", order_id="x")
    assert bank.http.get(f"{bank.url}/control/health").ok
    bank.clear_faults()
    socket.create_connection((host, port), timeout=2).close()
    assert wire.get("/api/payments", order_id="x").status_code == 404


def test_a_closed_port_opens_by_itself_after_its_seconds(bank, acquirer):
    bank.fault("refuse", count=1)
    assert acquirer.checkout(charge()).decline is Decline.NOT_SENT
    eventually(lambda: acquirer.checkout(charge()).status is Status.PENDING)


def test_a_refund_can_be_pending_first(bank, wire, acquirer, shop):
    opened = acquirer.checkout(charge())
    bank.pay(opened.redirect_url)
    bank.fault("refund_pending:0.2")
    order = refund(opened)
    assert acquirer.refund(order).status is Status.PENDING
    assert acquirer.refund(refund(opened)).code == "over_refund"
    assert shop.wait_for(2)[1].data["type"] == "refund.succeeded"
    assert acquirer.fetch(Subject.REFUND, order.our_id).status is Status.SUCCEEDED
    assert acquirer.fetch(Subject.PAYMENT, opened.our_id).refunded == opened.amount


def test_a_refund_can_be_declined_and_asked_for_anew(bank, acquirer):
    opened = acquirer.checkout(charge())
    bank.pay(opened.redirect_url)
    bank.fault("refund_declined")
    assert acquirer.refund(refund(opened)).status is Status.FAILED
    assert acquirer.refund(refund(opened)).status is Status.SUCCEEDED


# --- The switchboard itself ---


@pytest.mark.parametrize(
    "body",
    [
        {"fault": "decline:shop_silent", "count": 1},  # a shop's own answer
        {}, {"fault": "flood", "count": 1}, {"fault": "refuse"}, {"fault": "refuse", "count": 0},
        {"fault": "refuse", "count": "1"}, {"fault": "refuse", "count": 1, "rate": 0.5}, {"fault": "refuse", "rate": 2},
        {"fault": "slow", "count": 1}, {"fault": "slow:x", "count": 1}, {"fault": "slow:-1", "count": 1},
        {"fault": "slow:nan", "count": 1}, {"fault": "decline:nonsense", "count": 1}, {"fault": "refuse:1", "count": 1},
        {"fault": "callback_duplicate:0", "count": 1}, {"fault": 5}, {"fault": "refuse", "rate": 0.5, "seed": "x"}, [],
    ],
)  # fmt: skip
def test_an_order_that_makes_no_sense_is_refused_with_a_reason(bank, body):
    answer = bank.http.post(f"{bank.url}/control/faults", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["message"]


def test_faults_are_listed_and_cleared(bank):
    bank.fault("slow:1.5", rate=0.25, seed=7)
    listed = bank.http.get(f"{bank.url}/control/faults").json()
    assert listed == [{"fault": "slow:1.5", "left": None, "rate": 0.25, "seed": 7}]
    assert bank.http.delete(f"{bank.url}/control/faults").status_code == 200
    assert bank.http.get(f"{bank.url}/control/faults").json() == []


def test_one_seed_gives_one_pattern():
    def pattern(seed: int) -> list[bool]:
        faults = Faults()
        faults.add("timeout_after", rate=0.5, seed=seed)
        return [faults.take("timeout_after") is not None for _ in range(64)]

    assert pattern(1) == pattern(1) != pattern(2)
    assert 16 < sum(pattern(1)) < 48


def test_a_refusal_by_rate_is_drawn_once_a_second():
    at = [0.0]
    faults = Faults(lambda: at[0])
    faults.add("refuse", rate=0.5, seed=3)
    seen = []
    for second in range(40):
        at[0] = second + 0.01
        first = faults.refusing()
        at[0] = second + 0.99
        assert faults.refusing() == first
        seen.append(first)
    assert 8 < sum(seen) < 32


def test_a_count_is_used_up_once_however_many_ask_at_once():
    faults, taken = Faults(), []
    faults.add("decline:do_not_honor", count=5)
    together = threading.Barrier(8)

    def ask() -> None:
        together.wait()
        taken.extend(filter(None, (faults.take("decline") for _ in range(10))))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 5


def test_a_bad_fault_changes_nothing():
    faults = Faults()
    with pytest.raises(BadFault, match="no fault is called"):
        faults.add("flood", count=1)
    assert faults.listed() == []


# --- The page ---


def test_the_control_page_shows_the_books_and_orders_faults(bank, wire):
    payment = wire.paid()
    page = f"{bank.url}/control/"
    form = {"fault": "slow", "argument": "0.1", "count": "2", "rate": "", "seed": ""}
    assert bank.http.post(f"{page}faults", data=form, allow_redirects=False).status_code == 303
    text = bank.http.get(f"{bank.url}/").text
    for expected in (payment["order_id"], "slow:0.1", "299.00"):
        assert expected in text
    assert "In force now: <code>slow:0.1</code>" in text
    bad = bank.http.post(f"{page}faults", data=form | {"count": "many"})
    assert (bad.status_code, "must be numbers" in bad.text) == (422, True)
    assert "<option selected>slow<" in bad.text and 'value="0.1"' in bad.text and 'value="many"' in bad.text
    bank.http.post(f"{page}faults/clear", data={"x": "1"})
    assert "slow:0.1" not in bank.http.get(page).text


def test_the_form_of_faults_works_as_it_is_found(bank):
    page = f"{bank.url}/control/"
    assert 'name="count" inputmode="numeric" value="1"' in bank.http.get(page).text
    for wanted in ({"fault": "callback_duplicate", "argument": "3", "count": "1"}, {"fault": "refuse", "rate": "0"}):
        answer = bank.http.post(f"{page}faults", data={"argument": "", "count": "1", "rate": "", "seed": ""} | wanted)
        assert answer.status_code == 200
    assert [fault["fault"] for fault in bank.http.get(f"{page}faults").json()] == ["callback_duplicate:3", "refuse"]


def test_another_sites_page_cannot_press_the_buttons(bank, wire):
    wire.paid()
    answer = bank.http.post(f"{bank.url}/control/reset", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert len(bank.operations()) == 1
