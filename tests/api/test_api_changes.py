"""P14: another plan at once or later, a rest and a trial over HTTP, by whom it belongs to."""

from __future__ import annotations

from datetime import UTC

import pytest

from subscriptions.models import Change, Plan, Subscription
from tests.api.client import Api
from tests.fake_acquirer import FakeAcquirer
from tests.things import now, run_until_idle

pytestmark = pytest.mark.django_db


@pytest.fixture
def monthly(anna: Api, acquirer: FakeAcquirer) -> dict[str, str]:
    """Anna's month, paid and begun."""
    begun = anna.subscribe("month")
    acquirer.pay(begun["payment"])
    anna.post("payments/check", {"payment": begun["payment"]})
    run_until_idle(now())
    return {"subscription": begun["id"]}


def test_P14_a_dearer_plan_costs_what_the_quote_says(anna: Api, boris: Api, monthly: dict[str, str]) -> None:
    body = monthly | {"plan": "year"}
    quote = anna.post("subscriptions/change/quote", body).data
    assert (quote["price"], quote["credit"], quote["total"]) == ("2699.00", "299.00", "2400.00")
    stale = anna.post("subscriptions/change", body | {"expected_total": "1.00"})
    assert (stale.data["code"], stale.data["total"]) == ("stale_total", "2400.00")
    assert anna.post("subscriptions/change", body | {"by_saved_card": True}).data["code"] == "no_card"
    assert not Change.objects.exists()
    asked = anna.post("subscriptions/change", body | {"expected_total": quote["total"]})
    assert asked.status_code == 201 and asked.data["redirect_url"]
    for who, status in ((boris, 404), (Api(), 401)):
        assert who.post("subscriptions/change", body).status_code == status
        assert who.post("subscriptions/change/quote", body).status_code == status


def test_P14_the_next_plan_is_chosen_and_withdrawn(anna: Api, boris: Api, monthly: dict[str, str]) -> None:
    chosen = monthly | {"plan": "year", "expected_price": "2699.00"}
    stale = anna.post("subscriptions/next-plan", chosen | {"expected_price": "1.00"})
    assert (stale.status_code, stale.data["code"]) == (409, "stale_total")
    assert anna.post("subscriptions/next-plan", chosen).data["next_plan"]["code"] == "year"
    kept = monthly | {"plan": "month"}
    assert anna.post("subscriptions/next-plan", kept | {"expected_price": "1.00"}).data["code"] == "stale_total"
    assert anna.post("subscriptions/next-plan", kept).data["next_plan"] is None
    assert boris.post("subscriptions/next-plan", chosen).status_code == 404


def test_P14_a_next_plan_that_is_paid_says_when_it_begins(
    anna: Api, acquirer: FakeAcquirer, monthly: dict[str, str]
) -> None:
    Plan.objects.update(reminder_days=60)
    chosen = monthly | {"plan": "year"}
    assert anna.post("subscriptions/next-plan", chosen).data["switches_at"] is None
    paid = anna.post("payments/payment", monthly).data
    acquirer.pay(paid["id"])
    anna.post("payments/check", {"payment": paid["id"]})
    run_until_idle(now())
    seen = anna.get(f"subscriptions/{monthly['subscription']}").data
    began = Subscription.objects.get().periods.get(plan__code="year").starts_at
    assert (seen["plan"]["code"], seen["next_plan"]["code"]) == ("month", "year")
    assert began and seen["switches_at"] == began.astimezone(UTC).isoformat().replace("+00:00", "Z")
    for plan in ("year", "month"):
        refused = anna.post("subscriptions/next-plan", monthly | {"plan": plan})
        assert (refused.status_code, refused.data["code"]) == (409, "next_term_paid")


def test_P14_a_rest_is_taken_where_the_plan_allows_it(anna: Api, boris: Api, monthly: dict[str, str]) -> None:
    Plan.objects.update(customers_may_pause=True)
    assert anna.post("subscriptions/pause", monthly).status_code == 200
    assert Subscription.objects.get().status == "paused"
    assert boris.post("subscriptions/resume", monthly).status_code == 404
    assert anna.post("subscriptions/resume", monthly).data["status"] == "active"
    Plan.objects.update(customers_may_pause=False)
    refused = anna.post("subscriptions/pause", monthly)
    assert (refused.status_code, refused.data["code"]) == (403, "not_pausable")
