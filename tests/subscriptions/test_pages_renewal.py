"""M10 in the shop: consent at the checkout, the next charge on the account page, one click to end it."""

from __future__ import annotations

import pytest

from acquiring.types import Card
from billing import settlement
from subscriptions.models import Subscription
from tests import fake_acquirer, things
from tests.subscriptions import shopping

pytestmark = pytest.mark.django_db


@pytest.fixture
def renewing(browser, vera, till):
    """Vera has bought a month with the box ticked."""
    shopping.check_out(browser, save_card="on")
    shopping.settle(shopping.payment_of(vera), things.now())
    return Subscription.objects.get(user=vera)


def test_M10_the_checkout_asks_for_consent_in_words_and_nothing_is_ticked(browser):
    text = browser.get("/checkout/month/").text
    assert "I agree that 299.00\xa0₽ is charged to this card for each next month" in text
    assert "until I switch that off" in text and "checked" not in text


def test_M10_the_account_tells_when_how_much_and_which_card(browser, renewing):
    assert renewing.auto_renew and renewing.renewal_consent_at
    text = browser.get("/account/").text
    assert "Next charge" in text and "Visa •••• 4242" in text and "299.00\xa0₽, <time" in text
    assert "Switch renewal off" in text


def test_M10_one_click_switches_renewal_off(browser, renewing):
    text = browser.post("/account/renewal/off/", {"subscription": str(renewing.pk)}, follow=True).text
    renewing.refresh_from_db()
    assert "Renewal is off" in text and "does not renew by itself" in text
    assert not renewing.auto_renew and renewing.next_charge_at is None


def test_M10_another_saved_card_can_be_chosen(browser, vera, renewing):
    other = Card("tok_other", "•••• 5555", "Mastercard", 12, 2031)
    card = settlement.save_card(vera.pk, "fake", other, at=things.now())
    form = {"subscription": str(renewing.pk), "card": str(card.pk)}
    text = browser.post("/account/renewal/on/", form, follow=True).text
    renewing.refresh_from_db()
    assert "next, 299.00\xa0₽ by Mastercard •••• 5555" in text and renewing.method == card


def test_M10_the_next_term_is_paid_on_the_banks_page_before_the_end(browser, vera, till, shop):
    sold = shopping.subscribed(vera, at=things.now() - 29 * things.DAY)
    assert "Pay the next term: 299.00\xa0₽" in browser.get("/account/").text
    answer = browser.post("/account/renewal/pay/", {"subscription": str(sold.pk), "save_card": "on"})
    payment = shopping.payment_of(vera)
    assert (answer.status_code, answer["Location"]) == (302, payment.redirect_url)
    till_end = sold.valid_till
    shopping.settle(payment, things.now())
    sold.refresh_from_db()
    assert sold.valid_till > till_end and sold.auto_renew and sold.method


@pytest.mark.parametrize("page", ["on", "off", "pay"])
def test_M10_somebody_elses_subscription_is_not_there(browser, renewing, shop, till, page):
    other = shopping.subscribed(things.viewer())
    for wanted in (str(other.pk), "garbage", ""):
        answer = browser.post(f"/account/renewal/{page}/", {"subscription": wanted, "card": ""})
        assert answer.status_code == 404


def test_M10_a_card_that_is_none_changes_nothing(browser, renewing):
    stranger = settlement.save_card(things.viewer().pk, "fake", fake_acquirer.CARD, at=things.now())
    form = {"subscription": str(renewing.pk), "card": str(stranger.pk)}
    assert "There is no such card." in browser.post("/account/renewal/on/", form, follow=True).text
    assert browser.post("/account/renewal/on/", form | {"card": "x"}).status_code == 404
