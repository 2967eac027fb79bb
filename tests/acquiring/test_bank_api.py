"""The bank's merchant API: who may ask, what is asked twice, and what the books say."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from acquiring.bank import books, records
from acquiring.bank.app import create_api_app
from acquiring.bank.house import Bank, Config
from acquiring.bank.records import Order
from tests.acquiring.wire import Wire
from tests.local_bank import LocalBank


@pytest.fixture
def wire(bank: LocalBank) -> Wire:
    return Wire(bank)


@pytest.mark.parametrize("auth", [None, ("boxoffice", "wrong"), ("other", "test-bank-secret"), ("", "")])
def test_strangers_are_refused(bank, wire, auth):
    wire.auth = auth
    assert wire.post("/api/payments", wire.order()).status_code == 401
    assert wire.get("/api/statement", day="2026-01-01").status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": 0}, {"amount": -1}, {"amount": 1.5}, {"amount": "100"}, {"amount": True}, {"amount": None},
        {"amount": 10**13}, {"currency": "GBP"}, {"currency": 643}, {"order_id": ""}, {"order_id": None},
        {"order_id": "x" * 101}, {"save_card": "yes"}, {"return_url": "javascript:alert(1)"}, {"expires_at": "soon"},
        {"expires_at": "2030-01-01T00:00:00"},
    ],
)  # fmt: skip
def test_an_order_that_makes_no_sense_is_refused(bank, wire, changes):
    answer = wire.post("/api/payments", wire.order(**changes))
    assert answer.status_code == 422
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("body", [[], "text", 5])
def test_a_body_that_is_no_object_is_refused(bank, wire, body):
    assert wire.post("/api/payments", body).status_code == 422


def test_the_same_key_gives_the_first_answer_and_another_body_is_refused(bank, wire):
    order = wire.order()
    first = wire.post("/api/payments", order, key="key-1")
    bank.pay(first.json()["payment_url"])
    assert wire.post("/api/payments", order, key="key-1").json() == first.json()
    other = wire.post("/api/payments", order | {"amount": 1}, key="key-1")
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_mismatch")


def test_an_order_id_stands_for_one_payment_for_ever(bank, wire):
    order = wire.order()
    first = wire.post("/api/payments", order)
    again = wire.post("/api/payments", order, key="another")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert wire.post("/api/payments", order | {"amount": 1}).status_code == 409


def test_the_same_order_from_many_threads_is_one_payment(bank, wire):
    order, ids, together = wire.order(), [], threading.Barrier(6)

    def ask() -> None:
        together.wait()
        ids.append(Wire(bank).post("/api/payments", order, key="same").json()["id"])

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 6
    assert len(set(ids)) == 1


def test_refunds_from_many_threads_never_exceed_the_payment(bank, wire):
    payment = wire.paid()
    together = threading.Barrier(6)

    def ask(number: int) -> None:
        together.wait()
        body = {"order_id": f"r-{number}", "payment_id": payment["id"], "amount": 10000, "currency": "RUB"}
        Wire(bank).post("/api/refunds", body)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wire.payment(payment)["refunded"] == 20000


def test_unknown_ids_are_not_found(bank, wire):
    for path, params in (("/payments/x", {}), ("/payments", {"order_id": "x"}), ("/refunds/x", {}), ("/refunds", {})):
        answer = wire.get(f"/api{path}", **params)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_both_ports_speak_the_api_and_only_one_shows_pages(bank, wire):
    order = wire.order()
    assert wire.post("/api/payments", order, url=bank.api_url).status_code == 201
    assert wire.post("/api/payments", order).status_code == 200
    assert bank.http.get(f"{bank.api_url}/control/").status_code == 404
    assert bank.http.get(f"{bank.url}/control/health").json()["api_port"] == int(bank.api_url.rsplit(":", 1)[1])


def test_a_statement_comes_in_pages_and_misses_nothing():
    bank = Bank(Config(), now=lambda: datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC))
    for number in range(205):
        bank.desk.charge(Order(f"o-{number}", 100, "RUB"), "tok_none")
    pages = [bank.journal.statement(date(2026, 3, 1), number) for number in (1, 2, 3)]
    assert [len(items) for items, _ in pages] == [100, 100, 5]
    assert [following for _, following in pages] == [2, 3, None]
    assert len({item["order_id"] for items, _ in pages for item in items}) == 205
    assert bank.journal.statement(date(2026, 3, 2), 1) == ([], None)


@pytest.mark.parametrize(
    "params", [{"day": "today"}, {}, {"day": "2026-01-01", "page": "0"}, {"day": "2026-01-01", "page": "x"}]
)
def test_a_statement_of_no_day_is_refused(bank, wire, params):
    assert wire.get("/api/statement", **params).status_code == 422


def test_a_key_is_forgotten_after_a_day_and_the_order_id_is_not(bank):
    at = [datetime(2026, 3, 1, tzinfo=UTC)]
    house = Bank(Config(), now=lambda: at[0])
    client = create_api_app(house).test_client()
    order = {"order_id": "o-1", "amount": 100, "currency": "RUB"}
    sent = {"auth": (house.config.merchant, house.config.secret), "headers": {"Idempotency-Key": "k"}}
    assert client.post("/api/payments", json=order, **sent).status_code == 201
    assert client.post("/api/payments", json=order, **sent).status_code == 201
    at[0] += timedelta(hours=24, seconds=1)
    assert client.post("/api/payments", json=order, **sent).status_code == 200


# --- The books outlive the process ---


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_the_books_outlive_the_process(own_bank, end):
    wire = Wire(own_bank)
    payment, order = wire.paid(), wire.order()
    first = wire.post("/api/payments", order, key="k").json()
    before, url = own_bank.operations(), own_bank.url
    getattr(own_bank, end)()
    own_bank.start()
    assert own_bank.url == url
    assert own_bank.operations() == before
    assert wire.payment(payment)["status"] == "succeeded"
    assert wire.post("/api/payments", order, key="k").json() == first
    assert own_bank.pay(first["payment_url"]) == "https://shop.example/back"


def test_a_bank_killed_in_the_middle_of_many_charges_forgets_none_it_confirmed(own_bank):
    wire = Wire(own_bank)
    saved = wire.paid(save_card=True, customer="c")["card"]["token"]
    confirmed: list[str] = []

    def charge_on(number: int) -> None:
        for turn in range(1000):
            order = wire.order(order_id=f"{number}-{turn}", token=saved, customer="c")
            try:
                Wire(own_bank).post("/api/charges", order)
            except Exception:
                return
            confirmed.append(order["order_id"])
            if len(confirmed) > 40:
                own_bank.kill()

    threads = [threading.Thread(target=charge_on, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    own_bank.start()
    kept = {line["order_id"] for line in own_bank.operations()}
    assert len(confirmed) > 40
    assert set(confirmed) <= kept


def test_it_starts_without_django(tmp_path):
    code = (
        "import sys, acquiring.bank.__main__\n"
        "bad = [m for m in sys.modules if m.split('.')[0] in ('django', 'requests', 'moneyed', 'billing')]\n"
        "bad += [m for m in sys.modules if m.startswith('acquiring.') and not m.startswith('acquiring.bank')]\n"
        "sys.exit(str(bad) if bad else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_card_number_reaches_the_disk(own_bank, tmp_path):
    wire = Wire(own_bank)
    wire.paid(save_card=True)
    own_bank.stop()
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"4242" in written
    assert b"4242424242424242" not in written
    assert b"42424242" not in written


# --- The cabinet ---


def test_a_refund_in_the_cabinet_has_no_order_of_ours(bank, wire):
    payment = wire.paid()
    assert bank.refund_in_cabinet(payment["id"], 100)["order_id"] == ""
    assert bank.refund_in_cabinet(payment["id"], 100)["status"] == "succeeded"
    assert wire.payment(payment)["refunded"] == 200


def test_a_chargeback_takes_what_is_left_once(bank, wire):
    payment = wire.paid()
    bank.refund_in_cabinet(payment["id"], 9900)
    assert bank.charge_back(payment["id"])["charged_back"] == 20000
    bank.charge_back(payment["id"])
    assert [line["kind"] for line in bank.operations()] == ["charge", "refund", "chargeback"]
    body = {"order_id": "r", "payment_id": payment["id"], "amount": 1, "currency": "RUB"}
    assert wire.post("/api/refunds", body).json()["error"]["code"] == "over_refund"


def test_a_chargeback_may_grow_and_takes_no_more_than_is_left(bank, wire):
    payment = wire.paid()
    bank.charge_back(payment["id"], 10_000)
    assert bank.charge_back(payment["id"], 5_000)["charged_back"] == 15_000
    too_much = bank.http.post(f"{bank.url}/control/payments/{payment['id']}/chargeback", json={"amount": 14_901})
    assert too_much.json()["error"]["code"] == "over_chargeback"
    assert [line["amount"] for line in bank.operations() if line["kind"] == "chargeback"] == [15_000]


def test_a_hold_is_taken_in_the_cabinet_in_part(bank, wire):
    payment = wire.paid(capture=False)
    taken = bank.capture_in_cabinet(payment["id"], 10_000)
    assert (taken["status"], taken["captured"]) == ("succeeded", 10_000)
    assert [line["amount"] for line in bank.operations() if line["state"] == "succeeded"] == [10_000]


def test_an_order_captured_twice_is_two_payments_and_each_is_refunded_on_its_own(bank, wire):
    payment = wire.open()
    bank.fault("captured_twice")
    bank.pay(payment["payment_url"])
    first, second = [line["id"] for line in bank.operations()]
    assert {wire.payment({"id": each})["order_id"] for each in (first, second)} == {payment["order_id"]}
    assert wire.get("/api/payments", order_id=payment["order_id"]).json()["id"] == first == payment["id"]
    bank.refund_in_cabinet(second, 29_900)
    assert [wire.payment({"id": each})["refunded"] for each in (first, second)] == [0, 29_900]


def test_books_of_before_an_order_could_be_captured_twice_are_taken_over(tmp_path):
    """A developer's own bank goes on with its old file."""
    path = tmp_path / "bank.sqlite"
    old = sqlite3.connect(path)
    schema = books._SCHEMA.replace("order_id TEXT NOT NULL,\n    amount", "order_id TEXT UNIQUE NOT NULL, amount")
    old.executescript(re.sub(r",\s+(tongue|extra) TEXT NOT NULL DEFAULT ''", "", schema))
    assert "order_id TEXT UNIQUE" in old.execute("SELECT sql FROM sqlite_master WHERE name = 'payments'").fetchone()[0]
    order = "NULL, 'pay_1', 'order-1', 100, 'RUB', '', '', '', '', '', 0, 1, ''"
    old.execute(f"INSERT INTO payments VALUES ({order}, 'page', 'succeeded', '', '', '', 100, 0, 0, '', 0, '', '')")  # noqa: S608
    old.commit()
    old.close()
    for _ in range(2):
        store = books.Books(path)
        [payment] = store.select(records.Payment)
        store.close()
    store = books.Books(path)
    store.add(replace(payment, id="pay_2"))
    assert len(store.select(records.Payment, "order_id = 'order-1'")) == 2
    store.close()
