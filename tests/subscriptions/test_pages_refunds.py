"""What came back, on the pages: a payment that was refunded no longer reads as paid."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from billing import refunds
from billing.models import Payment, Refund
from subscriptions import cancellation
from tests import things
from tests.subscriptions.shopping import check_out, payment_of, subscribed

pytestmark = pytest.mark.django_db


@pytest.fixture
def paid(browser: Client, vera: User) -> Payment:
    """Vera's month, paid just now."""
    subscribed(vera)
    return payment_of(vera)


def pages(browser: Client, payment: Payment) -> dict[str, str]:
    urls = {
        "account": "/account/",
        "receipt": f"/receipts/{payment.invoice_id}/",
        "payment": f"/payments/{payment.pk}/",
    }
    return {name: browser.get(url).text for name, url in urls.items()}


def give_back(payment: Payment, kopecks: int) -> Refund:
    amount = payment.money * kopecks / payment.amount
    return refunds.request(payment.pk, amount=amount, reason="a gift", actor="test", at=things.now())


def test_a_payment_that_went_back_reads_refunded(browser, paid, vera):
    cancellation.cancel(vera.subscriptions.get().pk, actor="test", at=things.now())
    seen = pages(browser, paid)

    assert '<span class="badge refunded">Refunded</span>' in seen["account"]
    assert f'href="/receipts/{paid.invoice_id}/">One month' in seen["account"]
    assert "This payment was given back" in seen["payment"] and "To the films" not in seen["payment"]
    assert 'aria-current="step"' not in seen["payment"] and f'href="/receipts/{paid.invoice_id}/"' in seen["payment"]
    assert "Given back" in seen["receipt"] and "0.00\xa0₽" in seen["receipt"]


def test_a_part_that_went_back_leaves_the_films_and_the_net(browser, paid):
    give_back(paid, 10_000)
    seen = pages(browser, paid)

    assert '<span class="badge refunded">Partly refunded</span>' in seen["account"]
    assert "Part of this payment was given back" in seen["payment"] and "To the films" in seen["payment"]
    assert "−100.00\xa0₽" in seen["receipt"] and "199.00\xa0₽" in seen["receipt"]


def test_a_refund_on_its_way_is_not_called_given_back(browser, paid):
    Refund.objects.filter(pk=give_back(paid, 29_900).pk).update(status="pending", settled_at=None)
    seen = pages(browser, paid)

    assert "Partly refunded" not in seen["account"] and ">Refunded<" not in seen["account"]
    assert all("On its way" in text for text in seen.values())


@pytest.mark.parametrize(("parked", "shown"), [("The bank says no.", True), ("", False)])
def test_a_failed_refund_is_shown_only_while_somebody_looks_at_it(browser, paid, parked, shown):
    failed: dict[str, Any] = {"status": "failed", "settled_at": None, "parked": parked}
    Refund.objects.filter(pk=give_back(paid, 29_900).pk).update(**failed)

    for text in pages(browser, paid).values():
        assert ("We are looking at it" in text) == shown
        assert "The bank says no" not in text and ">Refunded<" not in text


def test_a_subscription_that_was_cancelled_does_not_just_vanish(browser, paid, vera):
    subscription = vera.subscriptions.get()
    cancellation.cancel(subscription.pk, actor="test", at=things.now())
    text = browser.get("/account/").text
    assert "You cancelled One month on" in text and "all of 299.00\xa0₽ comes back" in text

    vera.subscriptions.update(access_until=things.now() - timedelta(days=31))
    assert "You cancelled One month on" not in browser.get("/account/").text


def test_who_writes_to_us_finds_the_address_and_the_number(browser, vera, settings):
    settings.SUPPORT_EMAIL = "help@cinema.example"
    check_out(browser)
    payment = payment_of(vera)

    assert f"mailto:help@cinema.example?subject=Payment%20{payment.pk}" in browser.get(f"/payments/{payment.pk}/").text
