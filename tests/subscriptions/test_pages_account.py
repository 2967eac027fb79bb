"""The account and receipts."""

import uuid

import pytest

from billing import payments, settlement
from billing.models import Payment, PaymentMethod, Refund
from subscriptions import cancellation
from subscriptions.models import Subscription
from tests import fake_acquirer, things
from tests.subscriptions.shopping import check_out, payment_of, settle, subscribed

pytestmark = pytest.mark.django_db


def test_an_empty_account_offers_the_plans(browser):
    page = browser.get("/account/")

    assert "You have no subscription just now" in page.text and 'href="/plans/"' in page.text
    assert "Nothing has been paid yet" in page.text and "None. You can have one saved" in page.text
    assert "no-store" in page["Cache-Control"] and "private" in page["Cache-Control"]


def test_the_account_is_for_who_is_logged_in(client, db):
    for url in ("/account/", "/account/cancel/", f"/receipts/{uuid.uuid4()}/"):
        assert client.get(url)["Location"] == f"/login/?next={url}"
    for url in ("/account/drop/", "/account/remove-card/"):
        assert client.post(url)["Location"] == "/login/?next=/account/"


def test_M7_the_account_shows_the_term_the_grace_and_that_nothing_is_charged_next(browser, vera):
    bought = subscribed(vera, "year")
    text = browser.get("/account/").text

    assert "One year" in text and '<span class="badge active">Active</span>' in text
    local = bought.valid_till.astimezone(bought.plan.zone)
    assert f"{local.day} {local:%B %Y, %H:%M}\xa0MSK" in text
    assert "If you do not pay again, films go on 2\xa0days more, to" in text and "it does not renew by itself" in text
    assert 'href="/account/cancel/"' in text and 'href="/films/"' in text
    assert "Visa •••• 4242" in text and f'href="/receipts/{payment_of(vera).invoice_id}/"' in text


def test_times_are_told_in_the_zone_of_the_plan(browser, vera, shop):
    shop["month"].time_zone = "Asia/Tashkent"  # has no letters of its own
    shop["month"].save()
    bought = subscribed(vera)
    local = bought.valid_till.astimezone(bought.plan.zone)

    assert f"{local:%H:%M}\xa0UTC+05" in browser.get("/account/").text


def test_a_checkout_that_waits_can_be_gone_on_with_or_dropped(browser, vera):
    check_out(browser)
    text = browser.get("/account/").text
    assert payment_of(vera).redirect_url in text and "Drop this checkout</button>" in text

    answer = browser.post("/account/drop/", follow=True)
    assert "Dropped. Nothing was charged." in answer.text
    assert Subscription.objects.get().status == "abandoned" and payment_of(vera).status == "cancelled"


def test_dropping_what_is_paid_this_moment_keeps_it(browser, vera, till):
    check_out(browser)
    till.pay(payment_of(vera).pk)
    answer = browser.post("/account/drop/", follow=True)

    assert "has just arrived" in answer.text and not Refund.objects.exists()
    settle(payment_of(vera), things.now())
    assert Subscription.objects.get().status == "active"
    assert "no unfinished checkout" in browser.post("/account/drop/", follow=True).text
    assert Subscription.objects.get().status == "active"


def test_dropping_waits_while_the_bank_cannot_say(browser, vera, till):
    check_out(browser)
    till.program("void", fake_acquirer.Fault.LOSE_REQUEST)
    answer = browser.post("/account/drop/", follow=True)

    assert "has not said yet" in answer.text and Subscription.objects.get().status == "pending"


def test_dropping_nothing_is_friendly(browser):
    assert "no unfinished checkout" in browser.post("/account/drop/", follow=True).text


def test_a_saved_card_is_shown_and_removed(browser, vera, client):
    settlement.save_card(vera.pk, "fake", fake_acquirer.CARD, at=things.now())
    text = browser.get("/account/").text
    assert "Visa •••• 4242" in text and "good to 12/2030" in text and "tok_fake" not in text

    card = PaymentMethod.objects.get()
    text = browser.post("/account/remove-card/", {"card": str(card.pk)}, follow=True).text
    card.refresh_from_db()
    assert "is removed" in text and card.removed_at and "good to" not in text


@pytest.mark.parametrize("wrong", ["", "garbage", "\x00", "8c9d3f0e-5b7a-4c1d-9e2f-0a1b2c3d4e5f"])
def test_removing_a_card_that_is_none_is_refused(browser, wrong):
    assert "There is no such card" in browser.post("/account/remove-card/", {"card": wrong}, follow=True).text


def test_removing_somebody_elses_card_is_refused(browser):
    other = settlement.save_card(things.viewer().pk, "fake", fake_acquirer.CARD, at=things.now())
    text = browser.post("/account/remove-card/", {"card": str(other.pk)}, follow=True).text

    other.refresh_from_db()
    assert "There is no such card" in text and other.removed_at is None


def test_buttons_of_the_account_do_nothing_by_a_link(browser):
    check_out(browser)

    assert browser.get("/account/drop/")["Location"] == "/account/"
    assert Subscription.objects.get().status == "pending"


def test_the_account_shows_nothing_of_others(browser, vera):
    subscribed(things.viewer(), "year")
    text = browser.get("/account/").text

    assert "One year" not in text and "Nothing has been paid yet" in text


def test_a_receipt_has_the_lines_the_payment_and_what_came_back(browser, vera):
    subscribed(vera)
    paid = payment_of(vera)
    text = browser.get(f"/receipts/{paid.invoice_id}/").text
    assert f"Receipt {paid.invoice.number}" in text and "299.00\xa0₽" in text
    assert paid.acquirer_payment_id in text and "Visa •••• 4242" in text and "Refunds" not in text

    subscription = Subscription.objects.get()
    cancellation.cancel(subscription.pk, actor="test", at=things.now())
    text = browser.get(f"/receipts/{paid.invoice_id}/").text
    assert "Refunds" in text and "all of 299.00\xa0₽ comes back" in text and "Given back" in text


def test_there_is_no_receipt_of_what_is_not_paid(browser, vera):
    check_out(browser)

    assert browser.get(f"/receipts/{payment_of(vera).invoice_id}/").status_code == 404


def test_somebody_elses_receipt_is_no_page(browser, vera):
    other = things.viewer()
    subscribed(other)

    assert browser.get(f"/receipts/{payment_of(other).invoice_id}/").status_code == 404


@pytest.mark.parametrize("wrong", ["garbage", "1", "8c9d3f0e-5b7a-4c1d-9e2f-0a1b2c3d4e5f", "%00"])
def test_a_receipt_that_is_none_is_no_page(browser, wrong):
    assert browser.get(f"/receipts/{wrong}/").status_code == 404


def test_the_account_asks_the_database_as_often_for_many_payments_as_for_one(
    browser, vera, django_assert_max_num_queries
):
    subscribed(vera)
    done = payment_of(vera)
    failed = {"invoice": done.invoice, "user": vera, "amount": 100, "currency": "RUB", "acquirer": "fake"}
    Payment.objects.bulk_create(Payment(**failed, status="failed", created_at=things.now()) for _ in range(20))

    with django_assert_max_num_queries(24):
        assert browser.get("/account/").text.count('class="badge failed"') == 20


def test_only_the_newest_payments_are_shown(browser, vera, monkeypatch):
    monkeypatch.setattr("subscriptions.pages.account.SHOWN", 1)
    check_out(browser)
    payments.cancel(payment_of(vera).pk, at=things.now())
    browser.post(f"/payments/{payment_of(vera).pk}/again/")

    assert "Only the newest are shown" in browser.get("/account/").text
