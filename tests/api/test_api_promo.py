"""T4, T8: an offer with its breakdown over HTTP, and subscribing with a promo code."""

from __future__ import annotations

import pytest

from subscriptions.models import Plan, Subscription
from tests.api.client import Api
from tests.subscriptions.promo import for_months, personal, promo, states

pytestmark = pytest.mark.django_db


def test_T8_a_quote_tells_every_candidate_and_the_same_total_subscribes(anna: Api) -> None:
    promo(percent=20)
    assert anna.user is not None
    personal(anna.user, 5)
    for_months(12, 10)
    quote = anna.post("subscriptions/quote", {"plan": "year", "promo_code": "spring"}).data
    assert (quote["total"], quote["list_price"], quote["promo_code"]) == ("2159.20", "2699.00", "SPRING")
    assert [(c["kind"], c["saves"], c["applied"]) for c in quote["candidates"]] == [
        ("personal", "134.95", False), ("months", "269.90", False), ("promo", "539.80", True),
    ]  # fmt: skip
    assert quote["applied"] == "Promo code SPRING 20%" and "which is the most" in quote["explanation"]
    body = {"plan": "year", "promo_code": "SPRING", "expected_total": quote["total"]}
    begun = anna.post("subscriptions/subscribe", body)
    assert begun.status_code == 201, begun.data
    assert anna.get(f"invoices/{begun.data['invoice']}").data["total"] == "2159.20"
    assert states() == ["reserved"]


def test_T4_a_stale_total_tells_the_new_one_and_reserves_nothing(anna: Api) -> None:
    promo()
    body = {"plan": "year", "promo_code": "SPRING", "expected_total": "1.00"}
    answer = anna.post("subscriptions/subscribe", body)
    assert (answer.status_code, answer.data["code"], answer.data["total"]) == (409, "stale_total", "2429.10")
    assert states() == []


def test_T4_nothing_to_pay_begins_at_once(anna: Api) -> None:
    promo("FREE", 100)
    answer = anna.post("subscriptions/subscribe", {"plan": "year", "promo_code": "FREE"})
    assert (answer.status_code, answer.data["payment"], answer.data["redirect_url"]) == (201, None, None)
    assert Subscription.objects.get().periods.get().invoice.status == "paid"


def test_T4_a_code_for_another_plan_is_refused_by_both(anna: Api) -> None:
    promo(plans=[Plan.objects.get(code="month")])
    for route in ("subscriptions/quote", "subscriptions/subscribe"):
        answer = anna.post(route, {"plan": "year", "promo_code": "SPRING"})
        assert (answer.status_code, answer.data["code"]) == (409, "promo_other_plan")
