"""The stories as a person lives them, in a browser."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from billing.models import Payment
from subscriptions.models import Period, Subscription
from tests.local_bank import LocalBank
from tests.things import now, plan

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def viewer(page: Page) -> User:
    """Somebody with a confirmed address, logged in, and four plans on sale."""
    for position, (code, name, months, kopecks) in enumerate(
        [
            ("month", "One month", 1, 29_900),
            ("quarter", "Three months", 3, 79_900),
            ("half-year", "Six months", 6, 149_900),
            ("year", "One year", 12, 269_900),
        ]
    ):
        plan(code, months, kopecks, name=name, position=position)
    user = User.objects.create_user("vera@example.com", "vera-vera-vera", name="Vera", email_confirmed_at=now())
    page.goto("/login/")
    log_in(page, "vera@example.com", "vera-vera-vera")
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    return user


def log_in(page: Page, email: str, password: str) -> None:
    page.locator("input[name=username]").fill(email)
    page.locator("input[name=password]").fill(password)
    page.locator("main button[type=submit], main form button, #login-form input[type=submit]").first.click()


def to_the_bank(page: Page, name: str = "One month") -> None:
    """From the plans to the bank's page."""
    page.goto("/plans/")
    page.locator(".plan", has_text=name).get_by_role("link").first.click()
    page.get_by_role("button", name=re.compile("^Pay")).click()
    expect(page.locator("#number")).to_be_visible()


def pay(page: Page, card: str = "4242 4242 4242 4242") -> None:
    page.locator("#number").fill(card)
    page.locator("#expiry").fill("12/38")
    page.locator("#cvc").fill("123")
    page.get_by_role("button", name=re.compile("^Pay ")).click()


def test_M7_subscribe_pay_and_watch(page: Page, viewer: User, bank_that_calls: LocalBank, picture: Any) -> None:
    page.goto("/plans/")
    picture("plans", wide=True)
    page.locator(".plan", has_text="One year").get_by_role("link").first.click()
    picture("checkout")
    page.get_by_role("button", name=re.compile("^Pay")).click()
    picture("bank")
    pay(page)
    expect(page.get_by_role("link", name="To the films")).to_be_visible()
    expect(page.locator(".badge.succeeded, .badge.paid").first).to_be_visible()
    picture("paid")
    page.goto("/films/")
    page.locator("a.poster").first.click()
    expect(page.locator("main")).not_to_contain_text("opens with a subscription")
    picture("film")
    page.goto("/account/")
    expect(page.locator("main")).to_contain_text("One year")
    picture("account", wide=True)
    (operation,) = bank_that_calls.operations()
    assert (operation["amount"], operation["state"]) == (269_900, "succeeded")


def test_M8_cancel_within_the_hour(page: Page, viewer: User, bank_that_calls: LocalBank, picture: Any) -> None:
    to_the_bank(page)
    pay(page)
    expect(page.get_by_role("link", name="To the films")).to_be_visible()
    expect(page.locator("main")).to_contain_text("is paid to")
    page.goto("/account/cancel/")
    expect(page.locator("main")).to_contain_text("299.00")
    picture("cancel")
    page.get_by_role("button", name=re.compile("^Cancel and get")).click()
    expect(page.locator("main")).to_contain_text("Refund")
    page.goto("/films/")
    page.locator("a.poster").first.click()
    expect(page.locator("main")).to_contain_text("opens with a subscription")
    assert [o["kind"] for o in bank_that_calls.operations()] == ["charge", "refund"]


def test_M8_cancel_after_two_months_and_a_half(page: Page, viewer: User, picture: Any) -> None:
    to_the_bank(page, "Six months")
    pay(page)
    expect(page.locator("main")).to_contain_text("is paid to")
    long_ago(viewer, days=75)
    page.goto("/account/cancel/")
    expect(page.locator("main")).to_contain_text("3 of 6 months have not begun")
    page.get_by_role("button", name=re.compile("^Cancel and get")).click()
    assert Payment.objects.get().refunded == 149_900 - 3 * 24_984 + 1  # 24,984 twice, then 24,983: largest remainder
    page.goto("/films/")
    page.locator("a.poster").first.click()
    expect(page.locator("main")).not_to_contain_text("opens with a subscription")


def long_ago(user: User, *, days: int) -> None:
    """Moves what this person bought into the past: the browser has no other clock."""
    back = timedelta(days=days)
    payment = Payment.objects.get(user=user)
    Payment.objects.filter(pk=payment.pk).update(settled_at=payment.settled_at - back)
    subscription = Subscription.objects.get(user=user)
    fields = ("anchor_at", "valid_till", "access_until", "next_action_at")
    Subscription.objects.filter(pk=subscription.pk).update(**{f: getattr(subscription, f) - back for f in fields})
    period = Period.objects.get(subscription=subscription)
    Period.objects.filter(pk=period.pk).update(starts_at=period.starts_at - back, ends_at=period.ends_at - back)


def test_M7_three_d_secure_asks_for_the_code(page: Page, viewer: User, picture: Any) -> None:
    to_the_bank(page)
    pay(page, "4000 0000 0000 3220")
    picture("bank-3ds")
    page.locator("input[name=code]").fill("1234")
    page.get_by_role("button", name=re.compile("onfirm")).first.click()
    expect(page.get_by_role("link", name="To the films")).to_be_visible()


def test_M7_a_declined_card_and_then_a_good_one(page: Page, viewer: User, picture: Any) -> None:
    to_the_bank(page)
    pay(page, "4000 0000 0000 9995")
    page.get_by_role("link", name="Return to the shop").click()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    picture("declined")
    page.get_by_role("button", name="Try again").click()
    pay(page)
    expect(page.get_by_role("link", name="To the films")).to_be_visible()


def test_M3_checking_with_the_bank_is_shown_and_resolves_by_itself(
    page: Page, viewer: User, bank_that_calls: LocalBank, picture: Any
) -> None:
    bank_that_calls.fault("timeout_after")
    page.goto("/checkout/month/")
    page.get_by_role("button", name=re.compile("^Pay")).click()
    expect(page.locator("main")).to_contain_text("Checking with the bank")
    picture("checking")
    Payment.objects.update(next_check_at=now())  # the back-off would let a person wait some seconds
    page.get_by_role("link", name="Continue at the bank").click()
    pay(page)
    expect(page.get_by_role("link", name="To the films")).to_be_visible()
    assert len(bank_that_calls.operations()) == 1


def test_M9_staff_find_a_person_and_see_everything(page: Page, viewer: User, picture: Any) -> None:
    to_the_bank(page, "One year")
    pay(page)
    expect(page.locator("main")).to_contain_text("is paid to")
    User.objects.create_superuser("boss@example.com", "boss-boss-boss", email_confirmed_at=now())
    page.context.clear_cookies()
    page.goto("/admin/accounts/user/?q=vera@")
    log_in(page, "boss@example.com", "boss-boss-boss")
    page.locator("#result_list a", has_text="vera@example.com").click()
    expect(page.locator("#content")).to_contain_text("One year")
    expect(page.locator("#content")).to_contain_text("pay_")
    picture("admin-user", wide=True)
