"""M7, P14: a customer changes the plan, rests and tries one, on the pages."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from billing import payments
from subscriptions import agreements, lifecycle, next_plans
from subscriptions.models import Change, Plan, Subscription
from tests import things
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.renewing import Renewing
from tests.subscriptions.terms import fake_bank

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    things.plan("month", 1, 29_900, name="One month")
    things.plan("year", 12, 269_900, name="One year", trial_days=7)
    return fake_bank(settings)


@pytest.fixture
def vera(bank: FakeAcquirer, client: Client) -> Client:
    user = things.viewer()
    now = things.now()
    payment = lifecycle.subscribe(user.pk, lifecycle.Order(plan="month"), actor="test", at=now).payment
    assert payment
    bank.pay(payment.pk)
    payments.check(payment.pk, at=now)
    things.run_until_idle(now)
    client.force_login(user)
    return client


def test_the_page_shows_the_difference_and_a_click_leads_to_the_bank(vera: Client) -> None:
    page = vera.get("/account/change/").text
    assert "Change now for 2\u00a0400.00\u00a0₽" in page
    sold = Subscription.objects.get()
    form = {"subscription": str(sold.pk), "plan": "year", "expected_total": "2400.00"}
    answer = vera.post("/account/change/now/", form)
    assert answer.status_code == 302 and Change.objects.get().invoice.total == 240_000
    assert Subscription.objects.get().plan.code == "month"


def test_a_stale_figure_changes_nothing(vera: Client) -> None:
    sold = Subscription.objects.get()
    form = {"subscription": str(sold.pk), "plan": "year", "expected_total": "1.00"}
    assert "Nothing was charged" in vera.post("/account/change/now/", form, follow=True).text
    assert vera.post("/account/change/now/", form | {"expected_total": "NaN"}).status_code == 404
    assert not Change.objects.exists()


def test_a_plan_is_chosen_for_the_next_term_and_withdrawn(vera: Client) -> None:
    sold = Subscription.objects.get()
    form = {"subscription": str(sold.pk), "plan": "year", "expected_price": "2699.00"}
    page = vera.post("/account/change/next/", form, follow=True).text
    assert "From the next term on it is <strong>One year</strong>" in page
    assert "Keep One month: 299.00\u00a0₽ each term" in page
    stale = {"subscription": str(sold.pk), "expected_price": "298.00"}
    assert "it is 299.00\u00a0₽ now" in vera.post("/account/change/next/", stale, follow=True).text
    assert Subscription.objects.get().next_plan is not None
    vera.post("/account/change/next/", {"subscription": str(sold.pk), "expected_price": "299.00"})
    assert Subscription.objects.get().next_plan is None


def test_a_plan_that_is_paid_ahead_is_told_and_no_other_is_offered(vera: Client, bank: FakeAcquirer) -> None:
    Plan.objects.update(reminder_days=60)
    sold, now = Subscription.objects.get(), things.now()
    next_plans.plan_next(sold.pk, "year", actor="test", at=now)
    payment = agreements.pay(sold.pk, lifecycle.Order(plan="year"), actor="test", at=now)
    assert payment
    bank.pay(payment.pk)
    payments.check(payment.pk, at=now)
    things.run_until_idle(now)
    page = vera.get("/account/change/").text
    assert "paid for already, with <strong>One year</strong>" in page and "/account/change/next/" not in page
    account = vera.get("/account/").text
    assert "One month</strong>" in account and 'One year <span class="small muted">(paid)</span>' in account
    form = {"subscription": str(sold.pk), "plan": "year", "expected_price": "2699.00"}
    assert "you can choose another plan when it has begun" in vera.post("/account/change/next/", form, follow=True).text


def test_a_rest_only_where_the_plan_leaves_it_to_the_customer(vera: Client) -> None:
    sold, form = Subscription.objects.get(), {"subscription": str(Subscription.objects.get().pk)}
    assert "cannot be paused" in vera.post("/account/change/pause/", form, follow=True).text
    Plan.objects.update(customers_may_pause=True)
    assert "Take a rest" in vera.get("/account/change/").text
    assert "It rests" in vera.post("/account/change/pause/", form, follow=True).text
    assert "Go on" in vera.get("/account/change/").text
    vera.post("/account/change/resume/", form)
    sold.refresh_from_db()
    assert sold.status == "active"


def test_somebody_else_s_subscription_is_nowhere(vera: Client, client: Client) -> None:
    form = {"subscription": str(Subscription.objects.get().pk), "plan": "year", "expected_total": "2400.00"}
    client.force_login(things.viewer("eve@example.org"))
    for page in ("now", "next", "pause", "resume"):
        assert client.post(f"/account/change/{page}/", form).status_code == 404
    assert client.get("/account/change/").status_code == 302


def test_a_trial_is_offered_once(bank: FakeAcquirer, client: Client) -> None:
    client.force_login(things.viewer())
    assert "Try it 7 days for nothing" in client.get("/plans/").text
    assert "begins now, for nothing" in client.post("/plans/trial/", {"plan": "year"}, follow=True).text
    things.run_until_idle(things.now())
    assert Subscription.objects.get().status == "active"
    assert "Try it" not in client.get("/plans/").text


def test_the_page_tells_what_the_card_is_charged_for_after_an_upgrade(bank: FakeAcquirer, client: Client) -> None:
    renewing = Renewing(bank, "month", things.now())
    client.force_login(renewing.user)
    promise = "After that 2\u00a0699.00\u00a0₽ is charged for each next term"
    assert promise in client.get("/account/change/").text
    agreements.switch_off(renewing.id, actor="test", at=things.now())
    assert promise not in client.get("/account/change/").text
