"""W1-W3 in the browser: the wallet's page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from moneyed import Money

from accounts.models import User
from billing import ledger
from billing.models import Invoice, Payment, Refund
from subscriptions import metering
from tests.subscriptions.hourly import MINUTE, fill, sweep, tariff
from tests.subscriptions.shopping import check_out, hidden, settle
from tests.things import now, run_until_idle, viewer

pytestmark = pytest.mark.django_db

PAGE = "/account/wallet/"


def put_in(browser: Client, value: str = "500", **more: str) -> Any:
    fields = hidden(browser.get(PAGE))
    return browser.post(PAGE + "top-up/", {"key": fields["key"], "value": value, "description": "", **more})


def held(user: User) -> Money:
    return ledger.held(ledger.wallet(user.pk, "RUB"))


def filled(browser: Client, value: str = "500") -> Payment:
    put_in(browser, value)
    payment = Payment.objects.latest("created_at")
    settle(payment, now())
    return payment


def test_W1_money_is_put_in_at_the_bank_and_the_page_shows_it(browser: Client, vera: User) -> None:
    assert put_in(browser, "1 000,50").status_code == 302
    payment = Payment.objects.get()
    settle(payment, now())
    page = browser.get(PAGE).text
    assert "1\u00a0000.50\u00a0₽" in page and "Payment of invoice" in page
    assert "1\u00a0000.50\u00a0₽" in browser.get("/account/").text
    assert "It is in your wallet" in browser.get(f"/payments/{payment.pk}/").text


def test_W1_a_double_click_is_one_top_up(browser: Client) -> None:
    fields = hidden(browser.get(PAGE))
    for _ in range(2):
        browser.post(PAGE + "top-up/", {"key": fields["key"], "value": "5", "description": ""})
    assert Payment.objects.count() == 1


@pytest.mark.parametrize("value", ["0", "-5", "lots", "1e3", "0.001", "100001", ""])
def test_W1_a_bad_sum_is_told_at_the_field(browser: Client, value: str) -> None:
    answer = put_in(browser, value)
    assert answer.status_code == 400 and "errorlist" in answer.text
    assert not Invoice.objects.exists()


def test_W3_a_waiting_checkout_is_paid_from_the_wallet(browser: Client, vera: User) -> None:
    filled(browser)
    check_out(browser)
    waiting = Payment.objects.latest("created_at")
    page = browser.get(f"/payments/{waiting.pk}/")
    assert "Pay 299.00\u00a0₽ from the wallet" in page.text
    browser.post(PAGE + "pay/", {"invoice": str(waiting.invoice_id)})
    run_until_idle(now())
    assert held(vera) == Money(201, "RUB")
    assert vera.subscriptions.get().status == "active"


def test_W3_nobody_pays_another_s_invoice(browser: Client, vera: User) -> None:
    filled(browser)
    check_out(browser)
    invoice = Invoice.objects.get(purpose="subscription")
    Invoice.objects.filter(pk=invoice.pk).update(user=viewer())
    assert browser.post(PAGE + "pay/", {"invoice": str(invoice.pk)}).status_code == 404
    assert browser.post(PAGE + "pay/", {"invoice": "x"}).status_code == 404
    assert held(vera) == Money(500, "RUB")


def test_W2_all_of_it_comes_back_to_the_card(browser: Client, vera: User) -> None:
    filled(browser)
    stale = browser.post(PAGE + "close/", {"expected_balance": "499.00"}, follow=True)
    assert "500.00\u00a0₽ now" in stale.text and held(vera) == Money(500, "RUB")
    page = browser.get(PAGE)
    done = browser.post(PAGE + "close/", {"expected_balance": hidden(page)["expected_balance"]}, follow=True)
    assert "on its way back" in done.text and held(vera) == Money(0, "RUB")
    assert Refund.objects.get().status == "succeeded"


def test_W2_older_lines_are_on_the_next_page(browser: Client, vera: User) -> None:
    wallet, revenue = ledger.wallet(vera.pk, "RUB"), ledger.revenue("RUB")
    for n in range(25):
        ledger.post(
            f"test:{n}", debit=revenue, credit=wallet, amount=Money(1, "RUB"), description=f"line {n}.", at=now()
        )
    page = browser.get(PAGE).text
    assert "line 24." in page and "line 4." not in page
    older = page.partition('href="?before=')[2].partition('"')[0]
    assert "line 4." in browser.get(f"{PAGE}?before={older}").text
    assert browser.get(f"{PAGE}?before=nonsense").status_code == 200


def test_a_stranger_sees_no_wallet(client: Client) -> None:
    assert client.get(PAGE).status_code == 302
    assert client.post(PAGE + "top-up/", {"value": "5"}).status_code == 302


def test_W9_by_the_hour_from_the_page(browser: Client, vera: User) -> None:
    tariff("hourly", 1_000, name="By the hour")
    tariff("gold", 2_500, name="Gold hours")
    assert "put money in first" in browser.get(PAGE).text
    fill(vera, 10_000)
    page = browser.get(PAGE)
    assert "Begin now" in page.text
    key = re.findall(r'name="key" value="([^"]+)"', page.text)[-1]
    for _ in range(2):
        browser.post("/account/tariff/start/", {"plan": "hourly", "key": key})
    running = vera.subscriptions.get()
    assert "The wallet lasts" in browser.get(PAGE).text and "an hour" in browser.get("/account/").text
    browser.post("/account/tariff/change/", {"plan": "gold"})
    assert vera.subscriptions.get().plan.code == "gold"
    assert "films" in browser.get("/films/").text.lower()
    cancel = browser.get("/account/cancel/")
    assert "stays in your wallet" in cancel.text
    browser.post("/account/cancel/", {**hidden(cancel), "reason": ""})
    assert vera.subscriptions.get().status == "cancelled"
    assert running.pk == vera.subscriptions.get().pk


def test_W5_each_charge_by_the_hour_says_for_how_long_it_was(browser: Client, vera: User) -> None:
    tariff("hourly", 1_000, name="By the hour")
    begun = now() - 90 * MINUTE
    fill(vera, 10_000, begun)
    metering.start(vera.pk, "hourly", actor="vera", at=begun)
    sweep(begun + 75 * MINUTE)
    text = browser.get(PAGE).text
    assert "(1 hour 15 minutes)" in text and "-12.50\xa0₽" in text
