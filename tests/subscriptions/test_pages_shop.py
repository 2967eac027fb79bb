"""Plans and the checkout: what is shown is what is charged, once."""

import uuid
from datetime import timedelta

import pytest
from django.test import Client

from billing import payments
from billing.models import Payment
from subscriptions import cancellation
from subscriptions.models import Price, Subscription
from tests import fake_acquirer, things
from tests.subscriptions.shopping import check_out, hidden, payment_of, settle, subscribed

pytestmark = pytest.mark.django_db


def test_M7_the_plans_show_price_price_per_month_and_saving_to_anybody(client, shop):
    text = client.get("/").text

    assert "299.00\xa0₽" in text and "2\xa0699.00\xa0₽" in text
    assert "about 224.91\xa0₽ a month" in text
    assert "You save 889.00\xa0₽ (24%)" in text
    assert text.count("Best value") == 1 and text.index("Best value") > text.index("One month")
    assert client.get("/plans/").status_code == 200


def test_choosing_while_logged_out_leads_through_sign_up_and_keeps_the_goal(client, shop):
    assert 'href="/signup/?next=%2Fcheckout%2Fyear%2F"' in client.get("/").text
    assert client.get("/checkout/year/")["Location"] == "/login/?next=/checkout/year/"


def test_nothing_on_sale_is_said(client, db):
    assert "No plan is on sale" in client.get("/").text


def test_whoever_has_a_subscription_sees_it_and_cannot_buy_another(browser, vera):
    subscribed(vera)
    text = browser.get("/").text

    assert "You have a subscription: One month" in text and 'href="/account/"' in text
    assert 'href="/checkout/' not in text


def test_M7_the_checkout_says_what_is_bought_and_how_money_comes_back(browser):
    page = browser.get("/checkout/year/")

    assert "12 months one by one" in page.text and "3\xa0588.00\xa0₽" in page.text
    assert "−889.00\xa0₽" in page.text and "Pay 2\xa0699.00\xa0₽" in page.text
    assert "Cancel within one hour of paying and all of it comes back." in page.text
    assert "price of every month that has not begun" in page.text
    assert "\xa0MSK</time>" in page.text
    assert 'name="save_card"' in page.text and "checked" not in page.text
    assert "no-store" in page["Cache-Control"] and "private" in page["Cache-Control"]


def test_the_card_is_saved_only_when_asked(browser, vera, till):
    check_out(browser, save_card="on")

    assert payment_of(vera).save_card
    assert till.called("checkout")[0].order.save_card


def test_M7_pay_leads_to_the_banks_page_and_back_to_the_payment(browser, vera, till, settings):
    answer = check_out(browser)
    payment = payment_of(vera)

    assert (answer.status_code, answer["Location"]) == (302, payment.redirect_url)
    assert payment.redirect_url.startswith("https://bank.example/")
    assert payment.return_url == f"{settings.PUBLIC_URL}/payments/{payment.pk}/?back=1"


def test_M3_a_double_click_is_one_subscription_and_one_payment(browser, till):
    fields = hidden(browser.get("/checkout/month/"))
    first, second = (browser.post("/checkout/month/", fields) for _ in range(2))

    assert first["Location"] == second["Location"]
    assert Subscription.objects.count() == Payment.objects.count() == 1
    assert len(till.called("checkout")) == 1


def test_M3_the_button_pressed_again_after_paying_shows_the_payment_that_was_made(browser, vera):
    fields = hidden(browser.get("/checkout/month/"))
    browser.post("/checkout/month/", fields)
    settle(payment_of(vera), things.now())

    assert browser.post("/checkout/month/", fields)["Location"] == f"/payments/{payment_of(vera).pk}/"
    assert Subscription.objects.count() == Payment.objects.count() == 1


def test_a_second_tab_finds_the_checkout_that_waits(browser):
    check_out(browser)
    page = browser.get("/checkout/month/")
    assert "You have begun to pay for this already" in page.text

    check_out(browser)
    assert Subscription.objects.count() == Payment.objects.count() == 1
    payments.cancel(Payment.objects.get().pk, at=things.now())
    assert "You have begun to pay" not in browser.get("/checkout/month/").text


def test_another_plan_closes_the_checkout_that_waits(browser, vera, till):
    check_out(browser)
    assert "closes" in browser.get("/checkout/year/").text

    check_out(browser, "year")
    assert [s.status for s in Subscription.objects.order_by("created_at")] == ["abandoned", "pending"]
    assert payment_of(vera).amount == 269_900


def test_another_plan_waits_while_the_bank_cannot_say_what_became_of_the_first(browser, vera, till):
    till.program("checkout", fake_acquirer.Fault.LOSE_ANSWER)
    check_out(browser)
    till.program("void", fake_acquirer.Fault.LOSE_REQUEST)
    answer = check_out(browser, "year")

    assert answer["Location"] == f"/payments/{payment_of(vera).pk}/"
    assert "has not said yet" in browser.get(answer["Location"]).text
    assert Subscription.objects.get().plan.code == "month"


def test_a_bank_out_of_reach_leads_to_the_payments_page(browser, vera, till):
    till.program("checkout", fake_acquirer.Fault.NOT_SENT)

    assert check_out(browser)["Location"] == f"/payments/{payment_of(vera).pk}/"


@pytest.mark.parametrize(
    "evil", ["javascript:alert(1)", "ftp://bank.example/x", "data:text/html,x", "http://[", "//x", ""]
)
def test_no_browser_is_sent_to_an_address_that_is_no_web_page(browser, vera, till, evil):
    from acquiring.types import Outcome, Status

    till.program("checkout", Outcome(Status.PENDING, reference="p1", redirect_url=evil))
    answer = check_out(browser)
    page = browser.get(f"/payments/{payment_of(vera).pk}/")

    assert answer["Location"] == f"/payments/{payment_of(vera).pk}/"
    assert "Continue at the bank" not in page.text


def test_a_second_subscribe_while_one_runs_leads_to_the_account(browser, vera):
    fields = hidden(browser.get("/checkout/month/"))
    subscribed(vera)

    assert browser.get("/checkout/year/")["Location"] == "/account/"
    assert browser.post("/checkout/month/", fields)["Location"] == "/account/"
    assert "You have a subscription already" in browser.get("/account/").text
    assert Subscription.objects.count() == 1


def test_a_price_that_changed_meanwhile_is_shown_and_asked_again(browser, shop):
    fields = hidden(browser.get("/checkout/month/"))
    Price.objects.create(plan=shop["month"], amount=34_900, starts_at=things.now())
    page = browser.post("/checkout/month/", fields)

    assert page.status_code == 409 and not Payment.objects.exists()
    assert "The price has changed: it is 349.00\xa0₽ now." in page.text and "Pay 349.00\xa0₽" in page.text
    assert browser.post("/checkout/month/", hidden(page)).status_code == 302


@pytest.mark.parametrize(
    "changes",
    [
        {"expected_total": "1"},
        {"expected_total": "abc"},
        {"expected_total": "-299.00"},
        {"expected_total": "299.001"},
        {"expected_total": "NaN"},
        {"expected_total": "1e309"},
        {"expected_total": "２９９"},  # full-width digits
        {"expected_total": "9" * 400},
        {"expected_total": "\x00"},
        {"expected_total": ""},
        {"key": ""},
        {"key": "no-uuid"},
        {"key": "\x00" * 36},
    ],
)
def test_a_form_that_was_tampered_with_buys_nothing(browser, changes):
    page = check_out(browser, **changes)

    assert page.status_code in (400, 409) and "Pay 299.00\xa0₽" in page.text
    assert not Subscription.objects.exists()


def test_an_empty_post_buys_nothing(browser):
    assert browser.post("/checkout/month/").status_code == 400
    assert not Subscription.objects.exists()


@pytest.mark.parametrize("code", ["nope", "0", "999999999999999999999999", "-", "MONTH"])
def test_an_unknown_plan_is_no_page(browser, code):
    assert browser.get(f"/checkout/{code}/").status_code == 404
    assert browser.post(f"/checkout/{code}/", {"key": str(uuid.uuid4())}).status_code == 404


def test_a_plan_off_sale_is_no_page(browser, shop):
    shop["year"].on_sale = False
    shop["year"].save()

    assert browser.get("/checkout/year/").status_code == 404


def test_whoever_has_not_confirmed_the_email_is_told_how(client, shop, mailoutbox, monkeypatch):
    monkeypatch.setattr("accounts.mails.transaction.on_commit", lambda callback: callback())
    client.force_login(things.viewer("new@example.com", confirmed=False))
    page = client.get("/checkout/year/")

    assert page.status_code == 403 and "Confirm your e-mail first" in page.text
    assert client.post("/checkout/year/", {"key": str(uuid.uuid4()), "expected_total": "2699.00"}).status_code == 403
    assert not Subscription.objects.exists()
    assert client.post("/signup/again/", {"next": "/checkout/year/"})["Location"] == "/checkout/year/"
    assert mailoutbox[0].to == ["new@example.com"]


def test_after_a_cancelled_term_the_next_begins_where_it_ends(browser, vera):
    bought = subscribed(vera, "month", things.now() - timedelta(days=3))
    cancellation.cancel(bought.pk, actor="test", at=things.now())
    bought.refresh_from_db()

    assert "begins there, so no day is paid twice" in browser.get("/").text
    page = browser.get("/checkout/month/")
    assert page.context["term"].begins_at == bought.valid_till
    assert "this term begins where that one ends" in page.text

    check_out(browser)
    settle(payment_of(vera), things.now())
    following = Subscription.objects.get(status="active")
    assert (following.anchor_at, following.valid_till) == (bought.valid_till, page.context["term"].ends_at)
    assert "Begins" in browser.get("/account/").text


def test_several_acquirers_can_be_chosen_from_and_no_other(browser, settings):
    settings.ACQUIRERS = {"fake": fake_acquirer.SETTING["fake"], "second_bank": fake_acquirer.SETTING["fake"]}
    assert "Second bank" not in browser.get("/checkout/month/").text  # the routes choose
    settings.CUSTOMER_CHOOSES_ACQUIRER = True
    assert "Second bank" in browser.get("/checkout/month/").text

    assert check_out(browser, acquirer="third").status_code == 400
    assert check_out(browser, acquirer="second_bank").status_code == 302
    assert Payment.objects.get().acquirer == "second_bank"


def test_one_acquirer_is_not_asked_about(browser):
    assert 'name="acquirer"' not in browser.get("/checkout/month/").text


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("unused_months", "nothing comes back for the month that has begun"),
        ("pro_rata_days", "every whole day that is left"),
        ("window_only", "Cancel later and nothing comes back"),
        ("none", "This plan gives no money back"),
    ],
)
def test_the_refund_rule_of_each_policy_is_said(browser, shop, policy, words):
    shop["month"].refund_policy = policy
    shop["month"].save()

    assert words in browser.get("/checkout/month/").text


def test_markup_in_names_is_text(client, shop):
    shop["month"].name = shop["month"].description = "<script>alert(1)</script>"
    shop["month"].save()
    client.force_login(things.viewer(name="<img src=x onerror=alert(2)>"))
    pages = [client.get("/").text, client.get("/checkout/month/").text, client.get("/account/").text]
    check_out(client)
    pages += [client.get("/account/").text, client.get(f"/payments/{Payment.objects.get().pk}/").text]

    assert not any("<script>alert" in page or "<img src=x" in page for page in pages)


def test_every_change_needs_the_token_of_its_page(vera, shop):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(vera)
    urls = ["/checkout/month/", "/account/cancel/", "/account/drop/", "/account/remove-card/"]

    assert {strict.post(url).status_code for url in [*urls, f"/payments/{uuid.uuid4()}/again/"]} == {403}
