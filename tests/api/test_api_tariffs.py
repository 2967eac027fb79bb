"""W4-W9 over HTTP: by the hour."""

from __future__ import annotations

import pytest

from tests.api.client import Api
from tests.subscriptions.hourly import fill, tariff

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _tariffs(db: None) -> None:
    tariff("hourly", 1_000)
    tariff("gold", 2_500)


def test_W9_a_subscription_by_the_hour_is_begun_from_a_filled_wallet(anna: Api) -> None:
    rates = {row["code"]: row["rate"] for row in Api().get("subscriptions/tariffs").json()["results"]}
    assert rates["gold"] == {"amount": "25.00", "currency": "RUB"}
    assert "hourly" not in {row["code"] for row in anna.get("subscriptions/plans").json()["results"]}
    poor = anna.post("subscriptions/tariffs/start", {"plan": "hourly"})
    assert (poor.status_code, poor.json()["code"]) == (409, "empty_wallet")
    assert anna.user
    fill(anna.user, 10_000)
    begun = anna.post("subscriptions/tariffs/start", {"plan": "hourly"}, key="k")
    assert (begun.status_code, begun.data["status"]) == (201, "active")
    assert anna.post("subscriptions/tariffs/start", {"plan": "hourly"}, key="k").json()["id"] == begun.data["id"]
    assert anna.post("subscriptions/tariffs/start", {"plan": "gold"}).json()["code"] == "already_subscribed"
    assert [row["role"] for row in anna.get("access").json()["entitlements"]] == ["cinema"]


def test_W7_another_tariff_and_the_end(anna: Api, boris: Api) -> None:
    assert anna.user
    fill(anna.user, 10_000)
    begun = anna.post("subscriptions/tariffs/start", {"plan": "hourly"}).data["id"]
    body = {"subscription": begun, "plan": "gold"}
    assert boris.post("subscriptions/tariffs/change", body).status_code == 404
    assert anna.post("subscriptions/tariffs/change", body).data["plan"]["code"] == "gold"
    assert anna.post("subscriptions/tariffs/change", body).json()["code"] == "same_plan"
    assert anna.post("subscriptions/tariffs/change", body | {"plan": "year"}).status_code == 404
    assert anna.post("wallet/close").json()["code"] == "wallet_in_use"
    assert "stays in your wallet" in anna.get(f"subscriptions/{begun}").json()["cancellation"]["explanation"]
    ended = anna.post("subscriptions/unsubscribe", {"subscription": begun, "expected_refund": "0"})
    assert (ended.data["status"], ended.data["refund"]) == ("cancelled", None)
    assert anna.get("access").json()["entitlements"] == []


def test_W7_what_is_not_by_the_hour_has_no_tariff(anna: Api) -> None:
    subscribed = anna.subscribe("month")
    answer = anna.post("subscriptions/tariffs/change", {"subscription": subscribed["id"], "plan": "gold"})
    assert (answer.status_code, answer.json()["code"]) == (400, "not_hourly")
