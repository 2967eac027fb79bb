"""An invoice over nothing: paid without a payment, and what it was for begins the one way."""

from __future__ import annotations

from typing import Any

import pytest
from moneyed import Money

from billing import invoices, ledger, payments
from billing.errors import Conflict
from billing.models import Event, Invoice, Payment, Transfer
from subscriptions import offers, quotes
from tests.subscriptions.shopping import check_out
from tests.subscriptions.terms import at, chosen, fake_bank, news, right, rub, told
from tests.things import plan, viewer

pytestmark = pytest.mark.django_db
MORNING = at("2026-01-31T12:00")


def issued(total: Money) -> Invoice:
    line = invoices.Line("gift", "A gift", rub(100), discount=rub(100) - total)
    return invoices.issue(
        user_id=viewer().pk,
        lines=[line],
        account=ledger.revenue("RUB"),
        purpose="subscription",
        actor="test",
        at=MORNING,
        expires_at=at("2026-02-01T12:00"),
    )


@pytest.fixture
def free(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A discount of the whole price."""
    fake_bank(settings)
    plan("month", 1, 29_900)
    gift = quotes.Quote("Month", 1, rub(299), rub(0))
    monkeypatch.setattr(offers.Offer, "quote", gift)


def test_an_invoice_over_nothing_is_paid_without_a_payment() -> None:
    invoice = issued(rub(0))
    waived = invoices.waive(invoice.pk, actor="staff", at=MORNING, reason="A present")
    again = invoices.waive(invoice.pk, actor="staff", at=MORNING)
    assert (
        (waived.status, waived.paid_at, waived.next_sweep_at)
        == (again.status, MORNING, None)
        == ("paid", MORNING, None)
    )
    assert told(invoice) == ["invoice.issued", "invoice.paid"]
    assert Event.objects.get(kind="invoice.paid").reason == "A present"
    assert not Payment.objects.exists() and not Transfer.objects.exists()
    assert right(MORNING)


def test_what_costs_something_is_not_waived() -> None:
    invoice = issued(rub(1))
    with pytest.raises(Conflict) as refused:
        invoices.waive(invoice.pk, actor="staff", at=MORNING)
    assert refused.value.code == "not_free"
    invoice.refresh_from_db()
    assert invoice.status == "open"


def test_a_closed_invoice_is_not_waived() -> None:
    invoice = issued(rub(0))
    invoices.void(invoice.pk, actor="test", at=MORNING, reason="late")
    with pytest.raises(Conflict, match="closed"):
        invoices.waive(invoice.pk, actor="staff", at=MORNING)


def test_nothing_is_collected_for_an_invoice_over_nothing(free: None) -> None:
    with pytest.raises(Conflict) as refused:
        payments.start(issued(rub(0)).pk, actor="test", at=MORNING)
    assert refused.value.code == "nothing_to_pay"
    assert not Payment.objects.exists()


def test_T4_a_plan_for_nothing_begins_at_once_and_only_once(free: None) -> None:
    user = viewer()
    first, again = chosen("month", MORNING, user, request_key="k"), chosen("month", MORNING, user, request_key="k")
    news(MORNING)
    first.subscription.refresh_from_db()
    assert first.payment is None and again.subscription.pk == first.subscription.pk
    assert (first.subscription.status, first.subscription.valid_till) == ("active", at("2026-02-28T12:00"))
    assert told(first.subscription) == ["subscription.created", "subscription.activated"]
    assert Invoice.objects.get().status == "paid" and not Payment.objects.exists()
    assert right(MORNING)


def test_T4_the_page_says_that_there_is_nothing_to_pay(free: None, client: Any) -> None:
    user = viewer()
    client.force_login(user)
    assert "Begin; there is nothing to pay" in client.get("/checkout/month/").text
    assert check_out(client)["Location"] == "/account/"
    assert "There was nothing to pay." in client.get("/account/").text


def test_T8_the_api_answers_without_a_payment(free: None, client: Any) -> None:
    user = viewer()
    token = client.post(
        "/api/v1/auth/token", {"email": user.email, "password": "secret-enough"}, content_type="application/json"
    ).json()["access"]
    answer = client.post(
        "/api/v1/subscriptions/subscribe",
        {"plan": "month", "expected_total": "0.00"},
        content_type="application/json",
        headers={"authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 201, answer.text
    told_back = answer.json()
    assert (told_back["payment"], told_back["redirect_url"]) == (None, None)
    assert told_back["invoice"] == str(Invoice.objects.get().pk)
