"""The page of one payment: every state in plain words, and what can be done next."""

import uuid
from datetime import timedelta

import pytest

from acquiring.types import Decline, Outcome, Status, Subject
from billing import payments, settlement
from billing.models import Payment
from subscriptions.models import Subscription
from tests import fake_acquirer, things
from tests.subscriptions.shopping import check_out, payment_of, settle

pytestmark = pytest.mark.django_db


@pytest.fixture
def payment(browser, vera, till) -> Payment:
    """Vera has been led to the bank's page."""
    check_out(browser)
    return payment_of(vera)


def page(browser, payment, part=""):
    return browser.get(f"/payments/{payment.pk}/{part}")


def hear(payment, outcome):
    settlement.apply(payment.pk, outcome, actor="test", at=things.now())


def decline(payment, why, message="The bank's own words."):
    if why == Decline.NOT_SENT:  # believed only of a payment that the bank never answered for
        Payment.objects.filter(pk=payment.pk).update(acquirer_payment_id="")
    hear(payment, Outcome(Status.FAILED, decline=why, code="some_code", message=message))


def test_M7_a_payment_that_waits_for_the_customer_can_be_gone_on_with(browser, payment):
    text = page(browser, payment).text

    assert "Waiting for you at the bank" in text and f'href="{payment.redirect_url}"' in text
    assert '<noscript><meta http-equiv="refresh"' in text and "payment.js" in text and 'aria-live="polite"' in text


@pytest.mark.parametrize("part", ["", "state/"])
def test_who_comes_back_from_the_bank_reads_that_it_is_asked(browser, payment, part):
    text = page(browser, payment, f"{part}?back=1").text

    assert "You are back from the bank" in text and "Waiting for you" not in text
    assert f'<a href="{payment.redirect_url}">Not paid yet? Continue at the bank</a>' in text
    assert part or 'content="3;url=?back=2"' in text
    settle(payment, things.now())
    assert "Payment received" in page(browser, payment, f"{part}?back=1").text


@pytest.mark.parametrize("back", ["11", "0", "-1", "x", "", "\u0661", "9" * 300])
def test_the_bank_waits_again_after_some_looks_without_news(browser, payment, back):
    assert "Waiting for you at the bank" in browser.get(f"/payments/{payment.pk}/", {"back": back}).text


def test_checking_with_the_bank_is_a_state_of_its_own(browser, vera, till):
    till.program("checkout", fake_acquirer.Fault.LOSE_ANSWER)
    answer = check_out(browser)
    text = browser.get(answer["Location"]).text

    assert "Checking with the bank" in text
    assert "not charged twice" in text and "no need to pay again" in text
    assert "Continue at the bank" not in text and "Try again" not in text


def test_a_payment_not_sent_yet_looks_the_same(browser, payment):
    Payment.objects.filter(pk=payment.pk).update(status="created")

    assert "Checking with the bank" in page(browser, payment).text


def test_a_held_sum_says_so(browser, payment, till):
    till.settle(payment.pk, Status.AUTHORIZED)
    payments.check(payment.pk, at=things.now())

    assert "The bank holds the sum" in page(browser, payment).text


def test_M7_paid_opens_access_within_a_moment(browser, payment, till):
    till.pay(payment.pk)
    payments.check(payment.pk, at=things.now())
    between = page(browser, payment).text
    assert "Payment received" in between and "Opening your access…" in between and "data-final" not in between

    settle(payment, things.now())
    after = page(browser, payment)
    assert "Your access is open" in after.text and "is paid to" in after.text
    assert 'href="/films/"' in after.text and f'href="/receipts/{payment.invoice_id}/"' in after.text
    assert "data-final" in after.text and "http-equiv" not in after.text and "payment.js" not in after.text


@pytest.mark.parametrize(
    ("why", "title", "quoted"),
    [
        (Decline.RETRY_LATER, "could not take this payment now", True),
        (Decline.ANOTHER_CARD, "refused this card", True),
        (Decline.CUSTOMER_ACTION, "was not confirmed", True),
        (Decline.STOP, "refused this payment", False),
        (Decline.OUR_FAULT, "wrong on our side", False),
        (Decline.NOT_SENT, "out of reach", False),
        (None, "did not go through", False),
    ],
)
def test_a_failure_says_what_to_do_next(browser, payment, why, title, quoted):
    decline(payment, why)
    text = page(browser, payment).text

    assert title in text and "Nothing was charged." in text and "Try again</button>" in text
    assert ("own words" in text) == quoted  # what only confuses, or warns a thief, stays here
    assert "data-final" in text


def test_trying_again_is_a_new_payment_of_the_same_subscription(browser, payment, vera):
    decline(payment, Decline.ANOTHER_CARD)
    first, second = (browser.post(f"/payments/{payment.pk}/again/") for _ in range(2))
    again = payment_of(vera)

    assert again.pk != payment.pk and first["Location"] == second["Location"] == again.redirect_url
    assert again.return_url.endswith(f"/payments/{again.pk}/?back=1")
    assert Payment.objects.count() == 2 and Subscription.objects.count() == 1
    assert f'href="/payments/{again.pk}/"' in page(browser, payment).text
    assert "Try again</button>" not in page(browser, payment).text


def test_a_closed_payment_can_be_tried_again(browser, payment):
    payments.cancel(payment.pk, at=things.now())
    text = page(browser, payment).text

    assert "This payment was closed" in text and "Try again</button>" in text


def test_trying_again_what_is_paid_leads_to_the_account(browser, payment):
    settle(payment, things.now())
    answer = browser.post(f"/payments/{payment.pk}/again/")

    assert answer["Location"] == "/account/" and Payment.objects.count() == 1


def test_trying_again_a_closed_checkout_leads_to_the_plans(browser, payment):
    decline(payment, Decline.ANOTHER_CARD)
    browser.post("/account/drop/")
    text = page(browser, payment).text
    assert "Try again</button>" not in text and 'href="/plans/"' in text

    answer = browser.post(f"/payments/{payment.pk}/again/", follow=True)
    assert answer.redirect_chain[0][0] == "/plans/" and "nothing was charged" in answer.text
    assert Payment.objects.count() == 1


def test_trying_again_needs_a_post_and_after_a_log_in_the_page_comes_back(browser, client, payment):
    assert browser.get(f"/payments/{payment.pk}/again/")["Location"] == f"/payments/{payment.pk}/"
    client.logout()
    assert client.post(f"/payments/{payment.pk}/again/")["Location"] == f"/login/?next=/payments/{payment.pk}/"


def test_a_figure_that_is_not_ours_is_looked_at_by_a_human(browser, payment):
    till = fake_acquirer.installed()
    till.operations[Subject.PAYMENT, str(payment.pk)].amount /= 2
    till.pay(payment.pk)
    payments.check(payment.pk, at=things.now())
    text = page(browser, payment).text

    assert "We are looking at it" in text and "no need to pay again" in text
    assert "The acquirer took" not in text and "Continue at the bank" not in text


def test_money_that_came_on_top_goes_back_and_is_shown(browser, payment, vera):
    decline(payment, Decline.ANOTHER_CARD)
    browser.post(f"/payments/{payment.pk}/again/")
    settle(payment_of(vera), things.now())
    hear(payment, Outcome(Status.SUCCEEDED, amount=payment.money))
    text = page(browser, payment).text
    assert "This payment came on top" in text and "On its way" in text and "data-final" not in text

    fake_acquirer.installed().pay(payment.pk)
    things.run_until_idle(things.now())
    text = page(browser, payment).text
    assert "Given back" in text and "data-final" in text
    assert "It came on top of what was owed. All of it went back" in text
    assert "Goes back" not in browser.get("/account/").text


def test_looking_has_a_payment_asked_about_soon(browser, payment):
    Payment.objects.update(next_check_at=things.now() + timedelta(hours=6))
    Payment.objects.update(updated_at=things.now() - timedelta(seconds=10))
    page(browser, payment, "state/")

    assert Payment.objects.get().next_check_at <= things.now()


def test_the_changing_part_comes_alone_and_its_version_moves_only_with_news(browser, payment):
    first, second = page(browser, payment, "state/"), page(browser, payment, "state/")

    def version(answer):
        return answer.context["version"]

    assert "<html" not in first.text and "data-version=" in first.text
    assert version(first) == version(second)
    settle(payment, things.now())
    assert version(page(browser, payment, "state/")) != version(first)


@pytest.mark.parametrize("part", ["", "state/", "again/"])
def test_somebody_elses_payment_is_no_page(client, browser, payment, part):
    client.force_login(things.viewer())

    ask = client.post if part == "again/" else client.get
    assert ask(f"/payments/{payment.pk}/{part}").status_code == 404
    assert Payment.objects.count() == 1


@pytest.mark.parametrize(
    "wrong", [uuid.UUID(int=0), "8c9d3f0e-5b7a-4c1d-9e2f-0a1b2c3d4e5f", "garbage", "1", "%00", "../account", "9" * 200]
)
@pytest.mark.parametrize("part", ["", "state/"])
def test_an_id_that_is_none_is_no_page(browser, wrong, part):
    assert browser.get(f"/payments/{wrong}/{part}").status_code == 404


def test_a_payment_is_for_who_is_logged_in_and_for_no_cache(client, browser, payment):
    kept = page(browser, payment)["Cache-Control"]
    assert "no-store" in kept and "private" in kept

    client.logout()
    assert page(client, payment)["Location"] == f"/login/?next=/payments/{payment.pk}/"


def test_a_late_no_undoes_nothing_on_the_page(browser, payment):
    settle(payment, things.now())
    decline(payment, Decline.STOP)

    assert "Your access is open" in page(browser, payment).text


def test_P5_a_card_form_of_the_bank_is_started_with_what_the_server_says(browser, vera, till):
    start = {"script": "https://bank.example/form.js", "start": {"amount": "299.00", "externalId": "1"}}
    till.program("checkout", Outcome(Status.PENDING, widget=start))
    check_out(browser)
    payment = payment_of(vera)
    page = browser.get(f"/payments/{payment.pk}/").text
    assert "https://bank.example/form.js" in page and "widget.js" in page
    assert "needs JavaScript" in page

    Payment.objects.update(widget={"script": "javascript:alert(1)"})
    assert "widget.js" not in browser.get(f"/payments/{payment.pk}/").text
