"""The days of grace in the shop, after a trial: what was tried, why it failed, and another plan or a code."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from acquiring.types import Card, Decline
from billing import settlement
from subscriptions import agreements, trials
from subscriptions.models import Plan, Subscription
from tests import fake_acquirer, things
from tests.subscriptions import shopping
from tests.subscriptions.promo import promo
from tests.subscriptions.renewing import declined

pytestmark = pytest.mark.django_db
OVER = timedelta(days=7, hours=12)  # since a trial of seven days began


@pytest.fixture
def tried(browser, vera, till):
    """Vera has tried the month for nothing; half a day ago that was over."""
    Plan.objects.filter(code="month").update(trial_days=7)
    begun = trials.begin(vera.pk, "month", actor="vera", at=things.now() - OVER)
    things.run_until_idle(things.now() - OVER)
    return begun


def charged_in_vain(vera, tried, answer):
    """Her card, to which the first term after the trial was charged: the bank's `answer` was a no."""
    card = settlement.save_card(vera.pk, "fake", Card("tok_a", "•••• 4242", "Visa", 12, 2040), at=things.now() - OVER)
    agreements.agree(tried.pk, method_id=card.pk, actor="vera", at=things.now() - OVER)
    fake_acquirer.installed().program("charge", answer)
    for hours in (12, 11):
        things.run_until_idle(things.now() - timedelta(hours=hours) + timedelta(minutes=1))
    return card


def test_A6_a_stranger_sees_that_there_is_a_trial_and_signs_up_for_it(tried):
    text = Client().get("/plans/").text
    assert "Try it 7 days for nothing</a>" in text and "/signup/?next=/plans/" in text


def test_A6_a_trial_is_called_one(browser, vera, till):
    Plan.objects.filter(code="month").update(trial_days=7)
    trials.begin(vera.pk, "month", actor="vera", at=things.now())
    things.run_until_idle(things.now())
    text = browser.get("/account/").text
    assert "<dt>For nothing, to</dt>" in text and "is tried for nothing, to" in text and "Paid to" not in text


def test_T6_in_the_days_of_grace_another_plan_is_chosen_with_a_code(browser, vera, tried):
    things.run_until_idle(things.now())
    promo("SPRING", 20)
    shelf = browser.get("/plans/").text
    assert "is over</strong>; films go on to" in shelf and "/checkout/year/" in shelf and "Try it" not in shelf
    assert "Promo code SPRING 20%" in browser.get("/checkout/month/?promo_code=SPRING").text
    shopping.check_out(browser, "month", promo_code="SPRING", expected_total="239.20")
    shopping.settle(shopping.payment_of(vera), things.now())
    assert sorted(Subscription.objects.values_list("status", flat=True)) == ["active", "expired"]
    assert shopping.payment_of(vera).amount == 23_920


def test_M10_a_declined_renewal_says_why_and_what_comes_next(browser, vera, tried):
    charged_in_vain(vera, tried, declined())
    text = browser.get("/account/").text
    assert "did not go through on" in text and "Not enough money." in text and "We try it again on <time" in text
    page = browser.get(f"/payments/{shopping.payment_of(vera).pk}/").text
    assert "Choose a plan<" not in page and '<ol class="steps"' not in page and "One month, 1 month, from" in page


def test_M10_that_nothing_more_is_charged_to_a_card_that_is_kept_is_called_so(browser, vera, tried):
    """Not "there is no card": the customer sees it on the same page."""
    charged_in_vain(vera, tried, declined(Decline.STOP))
    text = browser.get("/account/").text
    assert "nothing more is charged to Visa •••• 4242" in text and "the next term could not be charged" in text
    assert "no card" not in text


def test_M10_a_card_whose_tries_are_over_is_not_said_to_be_charged_now(browser, vera, tried):
    card = charged_in_vain(vera, tried, declined(Decline.STOP))
    form = {"subscription": str(tried.pk), "card": str(card.pk)}
    assert "Renew by Visa •••• 4242" not in browser.get("/account/").text  # that is agreed, and came to nothing
    text = browser.post("/account/renewal/on/", form, follow=True).text
    assert "was declined for the next term and is not tried again" in text and "is being charged now" not in text
    assert "nothing more is charged to Visa •••• 4242" in text
    other = settlement.save_card(vera.pk, "fake", Card("tok_b", "•••• 4444", "Visa", 12, 2040), at=things.now())
    text = browser.post("/account/renewal/on/", form | {"card": str(other.pk)}, follow=True).text
    assert "4444 is being charged now" in text


def test_T6_when_the_term_is_over_the_days_of_grace_are_told_by_their_end(browser, vera, tried):
    things.run_until_idle(things.now())
    text = browser.get("/account/").text
    assert "If you do not pay again, films go on to <time" in text and " more, to" not in text
