"""Promo codes cannot be found by trying: wrong ones are counted, in the API and on the pages alike."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from rest_framework.throttling import ScopedRateThrottle

from subscriptions.models import Subscription
from tests.api.client import Api
from tests.subscriptions.promo import promo
from tests.things import viewer

pytestmark = pytest.mark.django_db
QUOTE, SUBSCRIBE = "subscriptions/quote", "subscriptions/subscribe"


@pytest.fixture(autouse=True)
def rates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three wrong codes by one person, five from one address."""
    rates = {"auth": "30/min", "promo_user": "3/hour", "promo_address": "5/hour"}
    monkeypatch.setattr(ScopedRateThrottle, "THROTTLE_RATES", rates)
    monkeypatch.setattr("accounts.throttles.time.time", lambda: 1_800_000_100.0)  # no hour ends meanwhile


def tried(who: Api, code: str, route: str = QUOTE) -> int:
    status: int = who.post(route, {"plan": "year", "promo_code": code}).status_code
    return status


def test_T4_wrong_codes_are_slowed_down_with_a_clear_answer(anna: Api) -> None:
    promo("RIGHT")
    promo("OVER", valid_until="2021-01-01T00:00:00Z")
    assert [tried(anna, "WRONG1"), tried(anna, "WRONG2", SUBSCRIBE), tried(anna, "OVER")] == [404, 404, 409]
    for code in ("WRONG4", "RIGHT"):  # the right one as well: otherwise it could be told from the others
        answer = anna.post(QUOTE, {"plan": "year", "promo_code": code})
        assert (answer.status_code, answer.data["code"]) == (429, "throttled")
        assert 0 < int(answer["Retry-After"]) <= 3600 and "go on without one" in answer.data["detail"]
    assert tried(anna, "RIGHT", SUBSCRIBE) == 429 and not Subscription.objects.exists()
    assert anna.post(QUOTE, {"plan": "year"}).status_code == 200
    assert anna.post(SUBSCRIBE, {"plan": "year", "promo_code": " "}).status_code == 201


def test_T4_right_codes_are_free_however_often_they_are_looked_at(anna: Api) -> None:
    promo("RIGHT")
    assert {tried(anna, "right") for _ in range(8)} == {200}
    assert [tried(anna, "WRONG"), tried(anna, "WRONG"), tried(anna, "right")] == [404, 404, 200]
    assert anna.post(SUBSCRIBE, {"plan": "year", "promo_code": "RIGHT"}).status_code == 201


def test_T4_many_people_at_one_address_are_slowed_down_together(anna: Api, boris: Api) -> None:
    assert [tried(anna, "WRONG") for _ in range(4)] == [404, 404, 404, 429]
    assert [tried(boris, "WRONG") for _ in range(3)] == [404, 404, 429]
    far = {"REMOTE_ADDR": "192.0.2.7"}
    answer = boris.post(QUOTE, {"plan": "year", "promo_code": "WRONG"}, **far)
    assert answer.status_code == 404  # two of his own so far


def test_T4_the_count_ends_with_its_hour(anna: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [tried(anna, "WRONG") for _ in range(4)] == [404, 404, 404, 429]
    monkeypatch.setattr("accounts.throttles.time.time", lambda: 1_800_000_100.0 + 3600)
    assert tried(anna, "WRONG") == 404


def test_T4_the_checkout_page_counts_with_the_api_and_goes_on_without_a_code(anna: Api, client: Client) -> None:
    promo("RIGHT")
    assert anna.user is not None
    client.force_login(anna.user)
    assert tried(anna, "WRONG") == 404
    pages: list[Any] = [client.get("/checkout/year/", {"promo_code": code}) for code in ("X1", "X2", "RIGHT")]
    assert [page.status_code for page in pages] == [200, 200, 429]
    assert "Too many promo codes" in pages[2].text and "2\u00a0699.00" in pages[2].text
    assert 0 < int(pages[2]["Retry-After"]) <= 3601
    assert client.post("/checkout/year/", {"promo_code": "RIGHT"}).status_code == 429
    assert client.get("/checkout/year/").status_code == 200


def test_T4_somebody_else_is_not_slowed_down(anna: Api) -> None:
    promo("RIGHT")
    assert [tried(anna, "WRONG") for _ in range(4)] == [404, 404, 404, 429]
    assert tried(Api(viewer()), "RIGHT") == 200
