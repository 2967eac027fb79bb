"""The account, cancelling and receipts."""

import uuid
from datetime import timedelta

import pytest

from billing import payments, settlement
from billing.models import Payment, PaymentMethod, Refund
from subscriptions import cancellation
from subscriptions.models import Subscription
from tests import fake_acquirer, things
from tests.subscriptions.shopping import check_out, hidden, payment_of, settle, subscribed

pytestmark = pytest.mark.django_db
MONTHS = timedelta(days=40)  # into the second month of any term


def cancel(browser, **changes):
    """Opens the page and presses its button."""
    return browser.post("/account/cancel/", {**hidden(browser.get("/account/cancel/")), **changes}, follow=True)


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
    assert f"{local.day} {local:%B %Y, %H:%M} MSK" in text
    assert "2 days of grace" in text and "it does not renew by itself" in text
    assert 'href="/account/cancel/"' in text and 'href="/films/"' in text
    assert "Visa •••• 4242" in text and f'href="/receipts/{payment_of(vera).invoice_id}/"' in text


def test_times_are_told_in_the_zone_of_the_plan(browser, vera, shop):
    shop["month"].time_zone = "Asia/Tashkent"  # has no letters of its own
    shop["month"].save()
    bought = subscribed(vera)
    local = bought.valid_till.astimezone(bought.plan.zone)

    assert f"{local:%H:%M} UTC+05" in browser.get("/account/").text


def test_a_checkout_that_waits_can_be_gone_on_with_or_dropped(browser, vera):
    check_out(browser)
    text = browser.get("/account/").text
    assert payment_of(vera).redirect_url in text and "Drop it</button>" in text

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


def test_M8_within_the_hour_all_comes_back_and_access_ends(browser, vera, till):
    subscribed(vera, "year")
    page = browser.get("/account/cancel/")
    assert "2\xa0699.00\xa0₽ back" in page.text and "access ends at once" in page.text
    assert "Cancelled within 60 minutes of payment" in page.text and "to Visa •••• 4242" in page.text

    text = cancel(browser, reason="Too many films").text
    assert "2\xa0699.00\xa0₽ was given back" in text and "Given back</span>" in text
    assert till.returned(payment_of(vera).pk)[0].amount == 2699
    cancelled = Subscription.objects.get()
    assert (cancelled.status, cancelled.cancel_reason) == ("cancelled", "Too many films")
    assert Refund.objects.get().requested_by == vera
    assert browser.get("/films/the-last-tram/").status_code == 403


def test_M8_later_the_months_not_begun_come_back_and_the_page_said_so(browser, vera):
    bought = subscribed(vera, "year", things.now() - MONTHS)
    seen = browser.get("/account/cancel/").context["preview"]
    assert 0 < seen.refund.amount < 2699 and "10 of 12 months have not begun" in seen.explanation

    text = cancel(browser).text
    bought.refresh_from_db()
    assert (Refund.objects.get().money, bought.access_until) == (seen.refund, seen.access_until)
    assert "You watch until" in text and "Cancelled</span>" in text
    assert browser.get("/films/the-last-tram/").status_code == 200


def test_a_refund_on_its_way_is_told_as_such(browser, vera, till):
    subscribed(vera)
    till.program("refund", fake_acquirer.Fault.PENDING)

    assert "299.00\xa0₽ is on its way back" in cancel(browser).text
    assert "On its way</span>" in browser.get("/account/").text


def test_a_refund_that_the_bank_refused_is_not_lost_for_the_customer(browser, vera, till):
    subscribed(vera)
    till.program("refund", fake_acquirer.Fault.DECLINE)

    assert "a person here sees to it" in cancel(browser).text
    assert "We are looking at it</span>" in browser.get("/account/").text


def test_a_month_that_began_meanwhile_is_shown_and_asked_again(browser, vera):
    subscribed(vera, "year", things.now() - MONTHS)
    fields = hidden(browser.get("/account/cancel/")) | {"expected_refund": "2474.07", "reason": "Why not"}
    page = browser.post("/account/cancel/", fields)

    assert page.status_code == 409 and "Nothing was cancelled" in page.text and not Refund.objects.exists()
    assert 'value="Why not"' in page.text
    assert hidden(page)["expected_refund"] != "2474.07"
    assert "Your subscription is cancelled" in browser.post("/account/cancel/", hidden(page), follow=True).text


def test_cancelling_twice_gives_back_once(browser, vera, till):
    subscribed(vera)
    fields = hidden(browser.get("/account/cancel/"))
    answers = [browser.post("/account/cancel/", fields, follow=True).text for _ in range(2)]

    assert all("299.00\xa0₽ was given back" in text for text in answers)
    assert Refund.objects.count() == len(till.called("refund")) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"expected_refund": "0"},
        {"expected_refund": "abc"},
        {"expected_refund": ""},
        {"expected_refund": "-1"},
        {"expected_refund": "299.001"},
        {"expected_refund": "NaN"},
        {"reason": "x" * 301},
        {"reason": "a\x00b"},
    ],
)
def test_a_cancel_form_that_was_tampered_with_cancels_nothing(browser, vera, changes):
    subscribed(vera)
    page = cancel(browser, **changes)

    assert page.status_code in (400, 409) and hidden(page)["expected_refund"] == "299.00"
    assert Subscription.objects.get().status == "active"


@pytest.mark.parametrize("wrong", ["", "garbage", str(uuid.UUID(int=0)), "\x00", "9" * 99])
def test_cancelling_what_is_none_is_no_page(browser, vera, wrong):
    subscribed(vera)

    assert cancel(browser, subscription=wrong).status_code == 404
    assert Subscription.objects.get().status == "active"


def test_cancelling_somebody_elses_subscription_is_no_page(browser, vera, client):
    theirs = subscribed(things.viewer(), "year")
    subscribed(vera)

    assert cancel(browser, subscription=str(theirs.pk)).status_code == 404
    assert set(Subscription.objects.values_list("status", flat=True)) == {"active"}


def test_nothing_to_cancel_is_said_kindly(browser, vera):
    assert "There is nothing to cancel" in browser.get("/account/cancel/").text
    check_out(browser)
    assert "is not paid yet" in browser.get("/account/cancel/").text
    waiting = Subscription.objects.get()
    fields = {"subscription": str(waiting.pk), "expected_refund": "0"}
    assert browser.post("/account/cancel/", fields).status_code == 404  # that has its own button
    settle(payment_of(vera), things.now())
    cancel(browser)
    assert "There is nothing to cancel" in browser.get("/account/cancel/").text


def test_cancelled_with_time_left_says_until_when(browser, vera):
    bought = subscribed(vera, "month", things.now() - timedelta(days=2))
    cancellation.cancel(bought.pk, actor="test", at=things.now())

    assert "is cancelled already" in browser.get("/account/cancel/").text
    assert "You watch until" in browser.get("/account/").text


def test_a_saved_card_is_shown_and_removed(browser, vera, client):
    settlement.save_card(vera.pk, "fake", fake_acquirer.CARD, at=things.now())
    text = browser.get("/account/").text
    assert "Visa •••• 4242" in text and "good to 12/2030" in text and "tok_fake" not in text

    card = PaymentMethod.objects.get()
    text = browser.post("/account/remove-card/", {"card": str(card.pk)}, follow=True).text
    card.refresh_from_db()
    assert "is removed" in text and card.removed_at and "good to" not in text


@pytest.mark.parametrize("wrong", ["", "garbage", "\x00", str(uuid.uuid4())])
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

    cancel(browser)
    text = browser.get(f"/receipts/{paid.invoice_id}/").text
    assert "Refunds" in text and "Subscription cancelled" in text and "Given back" in text


def test_there_is_no_receipt_of_what_is_not_paid(browser, vera):
    check_out(browser)

    assert browser.get(f"/receipts/{payment_of(vera).invoice_id}/").status_code == 404


def test_somebody_elses_receipt_is_no_page(browser, vera):
    other = things.viewer()
    subscribed(other)

    assert browser.get(f"/receipts/{payment_of(other).invoice_id}/").status_code == 404


@pytest.mark.parametrize("wrong", ["garbage", "1", uuid.uuid4(), "%00"])
def test_a_receipt_that_is_none_is_no_page(browser, wrong):
    assert browser.get(f"/receipts/{wrong}/").status_code == 404


def test_the_account_asks_the_database_as_often_for_many_payments_as_for_one(
    browser, vera, django_assert_max_num_queries
):
    subscribed(vera)
    done = payment_of(vera)
    failed = {"invoice": done.invoice, "user": vera, "amount": 100, "currency": "RUB", "acquirer": "fake"}
    Payment.objects.bulk_create(Payment(**failed, status="failed", created_at=things.now()) for _ in range(20))

    with django_assert_max_num_queries(16):
        assert browser.get("/account/").text.count('class="badge failed"') == 20


def test_only_the_newest_payments_are_shown(browser, vera, monkeypatch):
    monkeypatch.setattr("subscriptions.pages.account.SHOWN", 1)
    check_out(browser)
    payments.cancel(payment_of(vera).pk, at=things.now())
    browser.post(f"/payments/{payment_of(vera).pk}/again/")

    assert "Only the newest are shown" in browser.get("/account/").text
