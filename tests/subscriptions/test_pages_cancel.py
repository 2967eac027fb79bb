"""Cancelling on the page: what it shows is what happens, once."""

import uuid
from datetime import timedelta

import pytest

from billing.models import Refund
from subscriptions import cancellation
from subscriptions.models import Subscription
from tests import fake_acquirer, things
from tests.subscriptions.shopping import check_out, hidden, payment_of, settle, subscribed

pytestmark = pytest.mark.django_db
MONTHS = timedelta(days=40)  # into the second month of any term


def cancel(browser, **changes):
    """Opens the page and presses its button."""
    return browser.post("/account/cancel/", {**hidden(browser.get("/account/cancel/")), **changes}, follow=True)


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
    page = browser.get("/account/cancel/")
    seen = page.context["preview"]
    assert "If you cancel</dt><dd>paid to" in page.text and "Without cancelling</dt><dd>paid to" in page.text
    assert 0 < seen.refund.amount < 2699 and "10 of 12 months have not begun" in seen.explanation

    text = cancel(browser).text
    bought.refresh_from_db()
    assert (Refund.objects.get().money, bought.access_until) == (seen.refund, seen.access_until)
    assert "Paid to" in text and "If you do not pay again" not in text and "Cancelled</span>" in text
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
    assert "Paid to" in browser.get("/account/").text
