"""P6, P12: staff change, price, hide and archive plans, and move old subscribers, over HTTP as in the admin."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from subscriptions.models import Moving, Plan, Price, PriceMove, Subscription
from tests.api.client import Api
from tests.things import now

pytestmark = pytest.mark.django_db
MOVES = ("subscriptions.add_pricemove", "subscriptions.view_pricemove", "subscriptions.announce_pricemove")


def later(days: int = 40) -> str:
    return f"{now() + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"


def test_P6_staff_see_every_plan_with_its_prices(anna: Api, staff: Callable[..., Api], paid: dict[str, str]) -> None:
    Plan.objects.filter(code="month").update(archived=True)
    rows = staff("subscriptions.view_plan").get("subscriptions/plans/all").data["results"]
    found = {row["code"]: (row["archived"], row["prices"][0]["frozen"]) for row in rows}
    assert found == {"month": (True, False), "year": (False, True)}
    assert anna.get("subscriptions/plans/all").status_code == 403


def test_P6_staff_change_the_rules_of_a_plan(anna: Api, staff: Callable[..., Api], paid: dict[str, str]) -> None:
    marketing = staff("subscriptions.change_plan")
    change = {"hidden": True, "grace_days": 5, "sale_until": later(), "reminder_days": 0}
    answer = marketing.post("subscriptions/plans/year/change", change)
    assert answer.status_code == 200 and (answer.data["hidden"], answer.data["grace_days"]) == (True, 5)
    assert marketing.post("subscriptions/plans/year/change", {"sale_from": later(50)}).status_code == 400
    assert marketing.post("subscriptions/plans/year/change", {"sale_until": None}).data["sale_until"] is None
    assert marketing.post("subscriptions/plans/year/change", {"archived": True}).data["archived"]
    assert anna.get("subscriptions/plans/year").status_code == 404
    assert anna.get(f"subscriptions/{paid['id']}").data["status"] == "active"
    assert anna.post("subscriptions/plans/year/change", {"name": "Mine"}).status_code == 403
    assert marketing.post("subscriptions/plans/none/change", {}).status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"months": 2}, {"code": "other"}, {"name": ""}, {"roles": []}, {"grace_days": 61}, {"reminder_days": 61},
        {"renewal_lead_hours": 361}, {"hidden": 1}, {"sale_from": "2027-01-01"}, {"sale_from": "2027-01-01T00:00:00"},
        {"sale_from": "2027-13-01T00:00:00Z"}, {"sale_from": "9999-12-31T23:59:59-23:00"}, {"sale_from": 12},
        {"sale_from": "٢٠٢٧-01-01T00:00:00Z"}, {"sale_until": "2027-01-01T00:00:00Z\x00"},
        {"sale_from": "2027-01-02T00:00:00Z", "sale_until": "2027-01-01T00:00:00Z"},
    ],
)  # fmt: skip
def test_P6_a_change_that_makes_no_sense_is_refused(
    staff: Callable[..., Api], paid: dict[str, str], change: dict[str, Any]
) -> None:
    answer = staff("subscriptions.change_plan").post("subscriptions/plans/year/change", change)
    assert answer.status_code == 400
    assert Plan.objects.filter(code="year", sale_from=None, sale_until=None, months=12).exists()


def test_P12_staff_set_a_price_with_a_start(anna: Api, staff: Callable[..., Api], paid: dict[str, str]) -> None:
    marketing = staff("subscriptions.add_price")
    body = {"amount": "2999.00", "currency": "RUB", "starts_at": later()}
    made = marketing.post("subscriptions/plans/year/prices", body)
    assert made.status_code == 201 and made.data["price"]["amount"] == "2999.00" and not made.data["frozen"]
    assert marketing.post("subscriptions/plans/year/prices", body).data["code"] == "price_exists"
    past = body | {"starts_at": "2019-12-31T00:00:00Z".replace("2019", "2000")}
    assert marketing.post("subscriptions/plans/year/prices", past).data["code"] == "price_never_counts"
    assert marketing.post("subscriptions/plans/year/prices", body | {"amount": "0"}).data["code"] == "bad_amount"
    assert anna.get("subscriptions/plans/year").data["price"]["amount"] == "2699.00"
    assert marketing.post("subscriptions/plans/year/prices", {"amount": "3099", "currency": "RUB"}).status_code == 201
    assert anna.get("subscriptions/plans/year").data["price"]["amount"] == "3099.00"
    assert anna.get(f"subscriptions/{paid['id']}").data["price"]["amount"] == "2699.00"
    assert anna.post("subscriptions/plans/year/prices", body).status_code == 403


def test_P12_old_subscribers_are_moved_over_http(anna: Api, staff: Callable[..., Api], paid: dict[str, str]) -> None:
    price = Price.objects.create(plan=Plan.objects.get(code="year"), amount=299_900, starts_at=now())
    body = {"plan": "year", "to_price": price.pk, "effective_from": later(), "reason": "Dearer films"}
    marketing = staff(*MOVES)
    move = marketing.post("subscriptions/price-moves", body)
    assert move.status_code == 201 and move.data["people"] == 1
    (who,) = move.data["who"]
    assert (str(who["subscription"]), who["old_price"]["amount"]) == (paid["id"], "2699.00")
    address = f"subscriptions/price-moves/{move.data['id']}"
    assert marketing.post(f"{address}/announce", {"expected_people": 7}).data["code"] == "stale_preview"
    for _ in range(2):
        done = marketing.post(f"{address}/announce", {"expected_people": 1})
        assert (done.status_code, done.data["status"], done.data["people"]) == (200, "announced", 1)
    assert Moving.objects.count() == 1 and marketing.get(address).data["who"] == []
    assert Subscription.objects.get().price.amount == 269_900
    for call in (lambda: anna.post("subscriptions/price-moves", body), lambda: anna.get(address)):
        assert call().status_code == 403
    assert anna.post(f"{address}/announce", {}).status_code == 403


def test_P12_a_move_is_listed_and_called_off_over_http(
    anna: Api, staff: Callable[..., Api], paid: dict[str, str]
) -> None:
    price = Price.objects.create(plan=Plan.objects.get(code="year"), amount=299_900, starts_at=now())
    body = {"plan": "year", "to_price": price.pk, "effective_from": later(), "reason": "Dearer films"}
    marketing = staff(*MOVES)
    draft, move = (marketing.post("subscriptions/price-moves", body).data["id"] for _ in range(2))
    assert marketing.post(f"subscriptions/price-moves/{draft}/withdraw", {}).data["status"] == "withdrawn"
    assert marketing.post(f"subscriptions/price-moves/{move}/announce", {}).data["status"] == "announced"
    for _ in range(2):
        done = marketing.post(f"subscriptions/price-moves/{move}/withdraw", {"reason": "Not this year"})
        assert (done.status_code, done.data["status"]) == (200, "withdrawn")
    assert Moving.objects.get().outcome == Moving.Outcome.KEPT
    rows = marketing.get("subscriptions/price-moves").data["results"]
    assert [(row["id"], row["status"], row["reason"]) for row in rows] == [
        (move, "withdrawn", "Dearer films"), (draft, "withdrawn", "Dearer films"),
    ]  # fmt: skip
    assert anna.get("subscriptions/price-moves").status_code == 403
    assert anna.post(f"subscriptions/price-moves/{move}/withdraw", {}).status_code == 403


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"plan": "none"}, 404, "plan_not_found"),
        ({"plan": "../x"}, 404, "plan_not_found"),
        ({"to_price": 10**9}, 404, "price_not_found"),
        ({"plan": "month"}, 400, "other_plan"),
        ({"effective_from": "2026-01-01T00:00:00Z"}, 400, "too_soon"),
        ({"reason": " "}, 400, "invalid"),
    ],
)
def test_P12_a_move_that_makes_no_sense_is_refused(
    staff: Callable[..., Api], paid: dict[str, str], change: dict[str, Any], status: int, code: str
) -> None:
    price = Price.objects.create(plan=Plan.objects.get(code="year"), amount=299_900, starts_at=now())
    body = {"plan": "year", "to_price": price.pk, "effective_from": later(), "reason": "x"} | change
    answer = staff(*MOVES).post("subscriptions/price-moves", body)
    assert (answer.status_code, answer.data["code"]) == (status, code)
    assert not PriceMove.objects.exists()


def test_P12_an_unknown_move_is_not_found(staff: Callable[..., Api], paid: dict[str, str]) -> None:
    nowhere = "subscriptions/price-moves/00000000-0000-4000-8000-000000000000"
    marketing = staff(*MOVES)
    assert marketing.get(nowhere).status_code == marketing.post(f"{nowhere}/announce", {}).status_code == 404
