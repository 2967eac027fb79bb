"""P6, P13: staff give, extend, upgrade, pause, resume and cancel for somebody else, over HTTP as in the admin."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from billing.models import Event, RequestKey
from subscriptions.models import Plan, Subscription
from tests.api.books import books
from tests.api.client import Api
from tests.things import now, plan, run_until_idle, viewer

pytestmark = pytest.mark.django_db
WHY = {"reason": "ticket 7"}
GIVE, PAUSE, CANCEL = (f"subscriptions.{verb}_subscription" for verb in ("give", "pause", "cancel"))
DEEDS: list[tuple[str, str, dict[str, Any]]] = [
    (GIVE, "extend", {"days": 10}),
    (GIVE, "favour", {"plan": "prime"}),
    (PAUSE, "pause", {}),
    (PAUSE, "resume", {}),
    (CANCEL, "cancel", {}),
]


@pytest.fixture(autouse=True)
def _prime(plans: None) -> None:
    plan("prime", 12, 999_900, name="Prime")


def row() -> Subscription:
    return Subscription.objects.get()


def test_P13_staff_give_a_term_to_many_and_hear_who_got_it(staff: Callable[..., Api], paid: dict[str, str]) -> None:
    clerk, lucky, named = staff(GIVE), viewer(), viewer()
    owner = row().user
    body = {
        "people": [lucky.email, str(named.pk), "nobody@example.org", owner.email],
        "plan": "month",
        "days": 3,
        **WHY,
    }
    results = clerk.post("subscriptions/give", body, key="g").json()["results"]
    assert [each["text"] for each in results] == [
        "Given.",
        "Given.",
        "There is no such person.",
        "They have One year already.",
    ]
    run_until_idle(now())
    assert str(Subscription.objects.get(user=lucky, status="active").pk) == results[0]["subscription"]
    told = Event.objects.get(kind="subscription.given", user=named)
    assert (told.actor, told.reason) == (f"user:{clerk.user and clerk.user.pk}", "ticket 7")


def test_P13_staff_extend_and_a_stale_end_is_refused(staff: Callable[..., Api], paid: dict[str, str]) -> None:
    clerk, before = staff(GIVE), row().valid_till
    assert before is not None
    address, shown = f"subscriptions/{paid['id']}/extend", before + timedelta(days=10)
    longer = clerk.post(address, {"days": 10, "expected_till": shown.isoformat(), **WHY})
    assert longer.status_code == 200 and datetime.fromisoformat(longer.json()["valid_till"]) == shown
    assert clerk.post(address, {"days": 10, "expected_till": shown.isoformat(), **WHY}).data["code"] == "stale_till"
    for wrong in ({"days": 10, "months": 1}, {}):
        assert clerk.post(address, wrong | WHY).data["code"] == "bad_term"
    for wrong in ({"days": 367}, {"months": 0}, {"days": True}, {"days": "1"}):
        assert clerk.post(address, wrong | WHY).status_code == 400


@pytest.mark.parametrize(("route", "body"), [("give", {"plan": "month"}), ("extend", {})])
def test_P13_a_gift_whose_answer_was_lost_is_given_once(
    staff: Callable[..., Api], paid: dict[str, str], route: str, body: dict[str, Any]
) -> None:
    clerk, lucky = staff(GIVE), viewer()
    people = {"people": [lucky.email]} if route == "give" else {}
    address = "subscriptions/give" if route == "give" else f"subscriptions/{paid['id']}/extend"
    for _ in range(2):
        assert clerk.post(address, {**people, **body, "days": 3, **WHY}, key="g").status_code == 200
        run_until_idle(now())
        RequestKey.objects.all().delete()  # the process died before it kept the answer
    assert Event.objects.filter(kind__in=["subscription.given", "subscription.extended"]).count() == 1


def test_P13_staff_move_somebody_to_a_dearer_plan_for_nothing(staff: Callable[..., Api], paid: dict[str, str]) -> None:
    clerk, address = staff(GIVE), f"subscriptions/{paid['id']}/favour"
    for _ in range(2):
        moved = clerk.post(address, {"plan": "prime", **WHY}, key="f")
        assert moved.status_code == 200
        RequestKey.objects.all().delete()
    assert (moved.json()["plan"]["code"], moved.json()["next_plan"]["code"]) == ("prime", "year")
    assert clerk.post(address, {"plan": "prime", **WHY}).data["code"] == "same_plan"
    assert clerk.post(address, {"plan": "month", **WHY}).data["code"] == "not_dearer"


def test_P13_staff_pause_and_resume_where_customers_may_not(
    anna: Api, staff: Callable[..., Api], paid: dict[str, str]
) -> None:
    Plan.objects.update(customers_may_pause=False)
    clerk = staff(PAUSE)
    assert clerk.post(f"subscriptions/{paid['id']}/pause", WHY).data["status"] == "paused"
    assert Event.objects.get(kind="subscription.paused").reason == "ticket 7"
    assert clerk.post(f"subscriptions/{paid['id']}/resume", WHY).data["status"] == "active"
    assert anna.post("subscriptions/pause", {"subscription": paid["id"]}).status_code == 403


def test_P13_staff_cancel_and_the_figure_that_was_shown_comes_back(
    staff: Callable[..., Api], paid: dict[str, str]
) -> None:
    clerk, address = staff(CANCEL), f"subscriptions/{paid['id']}/cancel"
    assert clerk.post(address, {"expected_refund": "1.00", **WHY}).data["code"] == "stale_refund"
    for _ in range(2):
        done = clerk.post(address, {"expected_refund": "2699.00", **WHY}, key="c")
        assert (done.status_code, done.data["status"], done.data["refund"]["status"]) == (200, "cancelled", "succeeded")
        RequestKey.objects.all().delete()
    assert len(done.data["refunds"]) == 1


@pytest.mark.parametrize(("permission", "deed", "body"), DEEDS)
def test_P6_nobody_without_the_permission_and_a_reason_does_any_of_it(
    anna: Api, staff: Callable[..., Api], paid: dict[str, str], permission: str, deed: str, body: dict[str, Any]
) -> None:
    before, address = books(), f"subscriptions/{paid['id']}/{deed}"
    others = {GIVE, PAUSE, CANCEL} - {permission}
    for who in (anna, staff(), staff(*others), staff(permission, is_staff=False)):
        assert who.post(address, body | WHY).status_code == 403
    clerk = staff(permission)
    assert clerk.post(address, body).status_code == 400  # without a reason
    assert clerk.post(address, body | {"reason": " "}).status_code == 400
    assert clerk.post(address.replace(paid["id"], str(anna.user and anna.user.pk)), body | WHY).status_code == 404
    assert Api().post(address, body | WHY).status_code == 401
    assert books() == before


def test_P6_giving_needs_its_permission(anna: Api, staff: Callable[..., Api]) -> None:
    body = {"people": [str(anna.user and anna.user.pk)], "plan": "month", "months": 1, **WHY}
    for who in (anna, staff(PAUSE)):
        assert who.post("subscriptions/give", body).status_code == 403
    assert staff(GIVE).post("subscriptions/give", body | {"plan": "none"}).data["code"] == "plan_not_found"
    assert staff(GIVE).post("subscriptions/give", body | {"people": []}).status_code == 400
    assert not Subscription.objects.exists()
