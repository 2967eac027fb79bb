"""The hosted page as a customer's browser walks it."""

from __future__ import annotations

import threading

import pytest

from tests.acquiring.far import charge
from tests.acquiring.wire import Wire
from tests.local_bank import LocalBank

BACK = "https://shop.example/back"


@pytest.fixture
def wire(bank: LocalBank) -> Wire:
    return Wire(bank)


def test_a_customer_pays_and_is_led_back(bank, wire):
    payment = wire.open()
    page = bank.http.get(payment["payment_url"]).text
    for expected in ("299.00\u00a0₽", "Boxoffice", 'autocomplete="cc-number"', 'inputmode="numeric"', "4242 4242"):
        assert expected in page
    assert bank.pay(payment["payment_url"]) == BACK
    assert wire.payment(payment)["status"] == "succeeded"


def test_a_test_card_pays_with_one_click(bank, wire):
    payment = wire.open()
    answer = wire.submit(payment, test_card="2200000000000004")
    assert (answer.status_code, answer.headers["Location"]) == (303, BACK)
    card = wire.payment(payment)["card"]
    assert (card["token"], card["mask"], card["brand"]) == (None, "•••• 0004", "mir")


def test_every_test_card_on_the_page_does_what_it_says(bank, wire):
    expected = {
        "4242424242424242": "", "5555555555554444": "", "2200000000000004": "", "4000000000003220": "",
        "4000000000000341": "", "4000000000000002": "another_card", "4000000000009995": "retry_later",
        "4000000000000069": "another_card", "4000000000009979": "stop", "4000000000000119": "retry_later",
        "4000000000000101": "our_fault", "4000008400001629": "customer_action",
    }  # fmt: skip
    for number, group in expected.items():
        payment = wire.open()
        assert number in bank.http.get(payment["payment_url"]).text
        assert bank.pay(payment["payment_url"], number) == BACK
        decline = wire.payment(payment)["decline"]
        assert (decline or {"group": ""})["group"] == group


def test_a_declined_customer_reads_why_and_is_led_back(bank, wire):
    payment = wire.open()
    answer = wire.submit(payment, test_card="4000000000009995")
    assert answer.headers["Location"] == f"/pay/{payment['id']}"
    page = bank.http.get(payment["payment_url"]).text
    assert "not enough money" in page
    assert f'href="{BACK}"' in page
    wire.submit(payment, test_card="4242424242424242")
    assert wire.payment(payment)["status"] == "declined"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("number", "4242 4242 4242 4241", "Check the card number"),
        ("number", "4111 1111 1111 1111", "takes no real cards"),
        ("number", "", "Check the card number"),
        ("number", "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢", "Check the card number"),
        ("expiry", "13/30", "Enter the month"),
        ("expiry", "", "Enter the month"),
        ("cvc", "12", "Enter the 3 digits"),
    ],
)
def test_a_mistyped_card_is_not_tried_and_the_field_is_marked(bank, wire, field, value, message):
    payment = wire.open()
    answer = wire.submit(payment, **{"number": "4242424242424242", "expiry": "12/38", "cvc": "987", field: value})
    assert answer.status_code == 422
    assert message in answer.text
    assert f'aria-describedby="{field}-error"' in answer.text
    assert 'value="987"' not in answer.text
    assert bank.operations() == []


def test_a_card_whose_date_is_over_is_declined(bank, wire):
    payment = wire.open()
    bank.pay(payment["payment_url"], expiry="01/20")
    assert wire.payment(payment)["decline"]["code"] == "expired_card"


def test_leaving_without_paying_closes_the_page(bank, wire):
    payment = wire.open()
    assert bank.leave(payment["payment_url"]) == BACK
    assert wire.payment(payment)["status"] == "voided"
    assert "was closed" in bank.http.get(payment["payment_url"]).text
    bank.pay(payment["payment_url"])
    assert bank.operations() == []


def test_a_paid_page_opened_again_tells_so_and_charges_nothing(bank, wire):
    payment = wire.open()
    bank.pay(payment["payment_url"])
    assert bank.pay(payment["payment_url"]) == BACK
    bank.leave(payment["payment_url"])
    assert "Paid" in bank.http.get(payment["payment_url"]).text
    assert [line["state"] for line in bank.operations()] == ["succeeded"]


def test_two_clicks_at_once_charge_once(bank, wire):
    for _ in range(5):
        payment = wire.open()
        together = threading.Barrier(4)
        places: list[str] = []

        def click(payment=payment, together=together, places=places) -> None:
            together.wait()
            places.append(wire.submit(payment, test_card="4242424242424242").headers["Location"])

        threads = [threading.Thread(target=click) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(places) == 4
        assert set(places) <= {BACK, f"/pay/{payment['id']}"}
        assert [line["order_id"] for line in bank.operations()].count(payment["order_id"]) == 1


def test_a_page_past_its_time_takes_no_money(bank, wire):
    payment = wire.open(expires_at="2020-01-01T00:00:00+00:00")
    assert "expired" in bank.http.get(payment["payment_url"]).text
    bank.pay(payment["payment_url"])
    assert wire.payment(payment)["status"] == "expired"
    assert bank.operations() == []


def test_a_page_nobody_opened_is_not_found(bank):
    assert bank.http.get(f"{bank.url}/pay/pay_none").status_code == 404


# --- The code of the card's bank ---


def test_a_code_is_asked_before_money_moves(bank, wire):
    payment = wire.open()
    answer = wire.submit(payment, test_card="4000000000003220")
    assert answer.headers["Location"].endswith("/3ds")
    assert wire.payment(payment)["status"] == "awaiting_3ds"
    assert bank.operations() == []
    assert wire.code(payment, code="1234").headers["Location"] == BACK
    assert wire.payment(payment)["status"] == "succeeded"


def test_three_wrong_codes_decline(bank, wire):
    payment = wire.open()
    wire.submit(payment, test_card="4000000000003220")
    assert "2 tries are left" in wire.code(payment, code="0000").text
    assert "One try is left" in wire.code(payment, code="").text
    wire.code(payment, code="9999")
    wire.code(payment, code="1234")
    assert wire.payment(payment)["decline"]["code"] == "3ds_failed"


def test_a_cancelled_confirmation_declines(bank, wire):
    payment = wire.open()
    wire.submit(payment, test_card="4000000000003220")
    wire.code(payment, cancel="1")
    assert wire.payment(payment)["decline"]["group"] == "customer_action"


def test_a_saved_card_remembers_its_behaviour(bank, wire, acquirer):
    for number, status in (("4000000000000341", "failed"), ("4000000000003220", "succeeded")):
        payment = wire.open(save_card=True, customer="customer-1")
        bank.pay(payment["payment_url"], number)
        token = wire.payment(payment)["card"]["token"]
        assert acquirer.charge(charge(token=token)).status == status


def test_a_saved_card_is_of_use_to_its_own_customer_only(bank, wire, acquirer):
    payment = wire.open(save_card=True, customer="somebody else")
    bank.pay(payment["payment_url"])
    outcome = acquirer.charge(charge(token=wire.payment(payment)["card"]["token"]))
    assert outcome.code == "unknown_token"


@pytest.mark.parametrize(("fault", "status"), [("timeout_after", 504), ("error_after", 500)])
def test_money_can_move_while_the_customer_sees_an_error(bank, wire, fault, status):
    payment = wire.open()
    bank.fault(fault)
    answer = wire.submit(payment, test_card="4242424242424242")
    assert answer.status_code == status
    assert "before paying again" in answer.text
    assert f'id="back" href="{BACK}"' in answer.text and f'href="/pay/{payment["id"]}">Look again' in answer.text
    assert wire.payment(payment)["status"] == "succeeded"
    assert wire.submit(wire.open(), test_card="4242424242424242").status_code == 303


def test_a_page_brings_its_own_icon(bank, wire):
    answer = bank.http.get(wire.open()["payment_url"])
    assert '<link rel="icon" href="data:image/svg+xml,' in answer.text
    assert "img-src data:" in answer.headers["Content-Security-Policy"]


def test_a_page_is_not_cached_and_not_framed(bank, wire):
    headers = bank.http.get(wire.open()["payment_url"]).headers
    assert headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
