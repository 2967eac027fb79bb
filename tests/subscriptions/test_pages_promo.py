"""T4, M7: a promo code at the checkout: what it does is shown before anybody pays."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from subscriptions.models import PromoCode, Subscription
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.promo import for_months, personal, promo, states
from tests.subscriptions.shopping import hidden, payment_of, settle, subscribed
from tests.subscriptions.terms import fake_bank
from tests.things import now, plan, viewer

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    plan("month", 1, 29_900)
    plan("year", 12, 269_900)
    return fake_bank(settings)


@pytest.fixture
def vera(bank: FakeAcquirer) -> User:
    return viewer()


@pytest.fixture
def shop(vera: User, client: Client) -> Client:
    client.force_login(vera)
    return client


def look(shop: Client, code: str, **chosen: str) -> Any:
    """Presses "Use this code"."""
    form = {"promo_code": code, "look": "again", **chosen}
    return shop.post("/checkout/month/", hidden(shop.get("/checkout/month/")) | form)


def spaced(page: Any) -> str:
    return str(page.text).replace("\u00a0", " ")


def test_T4_a_code_is_typed_shown_and_paid_with(shop: Client, vera: User) -> None:
    promo()
    assert 'name="promo_code"' in shop.get("/checkout/month/").text
    page = look(shop, "spring")
    assert "Promo code SPRING 10%" in spaced(page) and "Pay 269.10 ₽" in spaced(page)
    assert "takes off 29.90 ₽, which is the most, so it is applied" in spaced(page)
    assert not Subscription.objects.exists()  # looking reserves nothing
    assert shop.post("/checkout/month/", hidden(page)).status_code == 302
    assert (payment_of(vera).amount, states()) == (26_910, ["reserved"])


def test_T4_to_look_at_a_code_keeps_what_else_was_chosen(shop: Client) -> None:
    promo()
    ticked = 'name="save_card" id="id_save_card" checked'
    assert ticked in look(shop, "SPRING", save_card="on").text and ticked in look(shop, "NOBODY", save_card="on").text
    assert ticked not in look(shop, "SPRING").text
    assert ticked not in look(shop, "SPRING", save_card="on", list_price="1.00").text  # it was agreed to another price
    assert ticked not in shop.get("/checkout/month/?promo_code=SPRING&save_card=on").text  # no link ticks a consent


def test_T4_a_code_that_was_typed_and_not_looked_at_is_not_passed_over(shop: Client, vera: User) -> None:
    promo()
    page = shop.get("/checkout/month/")
    answer = shop.post("/checkout/month/", hidden(page) | {"promo_code": "SPRING", "save_card": "on"})
    assert answer.status_code == 409 and "Pay 269.10 ₽" in spaced(answer) and " checked" in answer.text
    assert not Subscription.objects.exists()
    assert "To pay without a code, take it out." in look(shop, "NOBODY").text
    assert shop.post("/checkout/month/", hidden(page) | {"promo_code": ""}).status_code == 302
    assert payment_of(vera).amount == 29_900


def test_T4_a_code_that_loses_is_said_to_lose_and_stays_unused(shop: Client, vera: User) -> None:
    promo()
    personal(vera, 20)
    page = shop.get("/checkout/month/", {"promo_code": "SPRING"})
    assert "would take off 29.90 ₽, less than 59.80 ₽" in spaced(page) and "Pay 239.20 ₽" in spaced(page)
    shop.post("/checkout/month/", hidden(page))
    assert (payment_of(vera).amount, states()) == (23_920, [])


@pytest.mark.parametrize("typed", ["NOBODY", "<b>", "x" * 500, "\x00", "٣"])
def test_T4_a_code_that_is_none_is_said_to_be_none_and_the_plain_price_stays(shop: Client, typed: str) -> None:
    page = shop.get("/checkout/month/", {"promo_code": typed})
    assert page.status_code == 200
    assert "There is no such promo code." in page.text and "Pay 299.00 ₽" in spaced(page)
    assert "<b>" not in page.text


def test_T4_a_code_that_ended_meanwhile_charges_nothing_and_says_so(shop: Client) -> None:
    promo()
    page = shop.get("/checkout/month/", {"promo_code": "SPRING"})
    PromoCode.objects.update(valid_until=now())
    again = shop.post("/checkout/month/", hidden(page))
    assert again.status_code == 409
    assert "not valid any more" in again.text and "Pay 299.00 ₽" in spaced(again)
    assert not Subscription.objects.exists()


def test_T4_a_code_that_takes_everything_leads_to_the_account_and_not_to_the_bank(shop: Client, vera: User) -> None:
    promo("FREE", 100)
    page = shop.get("/checkout/month/", {"promo_code": "FREE"})
    assert "there is nothing to pay" in page.text
    answer = shop.post("/checkout/month/", hidden(page), follow=True)
    assert answer.redirect_chain[-1][0] == "/account/" and "There was nothing to pay." in answer.text


def test_T3_the_page_of_plans_shows_what_months_and_person_take_off(shop: Client, vera: User) -> None:
    for_months(12, 10)
    personal(vera, 10)
    text = spaced(shop.get("/plans/"))
    assert "2 159.20 ₽" in text and "269.10 ₽" in text


def test_T4_the_receipt_shows_what_was_taken_off(shop: Client, vera: User) -> None:
    promo()
    olga = viewer()
    subscribed(olga)
    shop.post("/checkout/month/", hidden(look(shop, "SPRING")))
    settle(payment_of(vera), now())
    text = spaced(shop.get(f"/receipts/{payment_of(vera).invoice_id}/"))
    assert "Taken off" in text and "−29.90 ₽" in text and "269.10 ₽" in text
    shop.force_login(olga)
    assert "Taken off" not in shop.get(f"/receipts/{payment_of(olga).invoice_id}/").text
