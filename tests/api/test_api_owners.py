"""G12, M14: one sees and moves what is one's own; staff what their permissions say; nobody else anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from subscriptions.models import Plan
from tests.api.books import books
from tests.api.client import V1, Api, check_problem
from tests.fake_acquirer import FakeAcquirer, Fault
from tests.things import now, run_until_idle

pytestmark = pytest.mark.django_db

READS = (
    "payments/{payment}",
    "payments/subscription/{id}",
    "subscriptions/{id}",
    "subscriptions/{id}/payments",
    "invoices/{invoice}",
)
ACTS: tuple[tuple[str, dict[str, str]], ...] = (
    ("subscriptions/unsubscribe", {"subscription": "{id}"}),
    ("payments/payment", {"subscription": "{id}"}),
    ("payments/payment", {"invoice": "{invoice}"}),
    ("payments/check", {"payment": "{payment}"}),
    ("invoices/{invoice}/void", {}),
)
STAFF_ONLY: tuple[tuple[str, dict[str, Any]], ...] = (
    ("payments/refund", {"payment": "{payment}", "reason": "Mine"}),
    ("payments/confirm", {"payment": "{payment}"}),
    ("subscriptions/plans/new", {"code": "free", "name": "Free", "months": 1}),
)
NEW_PLAN = {"code": "two-years", "name": "Two years", "months": 24, "price": {"amount": 4999, "currency": "RUB"}}


def filled(body: dict[str, Any], told: dict[str, str]) -> dict[str, Any]:
    return {name: value.format(**told) if isinstance(value, str) else value for name, value in body.items()}


def test_M12_a_stranger_is_asked_who_they_are(paid: dict[str, str]) -> None:
    nobody = Api()
    answers = [nobody.get(route.format(**paid)) for route in (*READS, "subscriptions", "invoices", "access")]
    answers += [nobody.post(route.format(**paid), filled(body, paid)) for route, body in (*ACTS, *STAFF_ONLY)]
    answers += [nobody.post("subscriptions/subscribe", {"plan": "year"}), nobody.delete("subscriptions/plans/year")]

    assert {answer.status_code for answer in answers} == {401}
    assert {answer["WWW-Authenticate"] for answer in answers} == {'Bearer realm="api"'}


@pytest.mark.parametrize("token", ["", "x", "Bearer", "Bearer x", "Bearer a.b.c", "Basic YTpi"])
def test_M12_a_token_that_is_none_is_refused(anna: Api, token: str) -> None:
    answer = APIClient().get(V1 + "subscriptions", headers={"Authorization": token})
    assert answer.status_code == 401
    check_problem(answer)


def test_M12_a_person_who_was_switched_off_is_refused(anna: Api) -> None:
    anna.user.is_active = False
    anna.user.save()
    assert anna.get("subscriptions").status_code == 401


@pytest.mark.parametrize("query", ["", "?user_id={}"])
def test_M12_access_is_for_those_who_may_come_in(anna: Api, query: str) -> None:
    assert anna.user is not None
    route = "access" + query.format(anna.user.pk)
    assert anna.get(route).status_code == 200

    anna.user.is_active = False
    anna.user.save()
    shut_out = anna.get(route)
    assert (shut_out.status_code, shut_out.json()["code"]) == (401, anna.get("subscriptions").json()["code"])

    User.objects.filter(pk=anna.user.pk).delete()
    gone = anna.get(route)
    assert (gone.status_code, gone.json()["code"]) == (401, anna.get("subscriptions").json()["code"])


@pytest.mark.parametrize("route", READS)
def test_M12_what_is_somebody_elses_does_not_exist(boris: Api, paid: dict[str, str], route: str) -> None:
    assert boris.get(route.format(**paid)).status_code == 404


@pytest.mark.parametrize(("route", "body"), ACTS)
def test_M12_what_is_somebody_elses_cannot_be_moved(
    boris: Api, staff: Callable[..., Api], paid: dict[str, str], route: str, body: dict[str, str]
) -> None:
    before = books()
    for other in (boris, staff("billing.view_payment", "billing.view_invoice", "subscriptions.view_subscription")):
        assert other.post(route.format(**paid), filled(body, paid)).status_code == 404
    assert books() == before


def test_M12_lists_show_ones_own_rows_only(
    anna: Api, boris: Api, staff: Callable[..., Api], paid: dict[str, str]
) -> None:
    chief = staff("billing.view_payment", "billing.view_invoice", "subscriptions.view_subscription")
    for other in (boris, chief):
        assert other.get("subscriptions").data["results"] == other.get("invoices").data["results"] == []
    assert len(anna.get("subscriptions").data["results"]) == 1


@pytest.mark.parametrize(("route", "body"), STAFF_ONLY)
def test_G12_what_is_for_staff_is_refused_to_customers_even_for_their_own(
    anna: Api, boris: Api, paid: dict[str, str], route: str, body: dict[str, Any]
) -> None:
    before = books()
    for customer in (anna, boris):
        answer = customer.post(route, filled(body, paid))
        assert (answer.status_code, answer.data["code"]) == (403, "staff_only")
    assert books() == before


def test_M14_a_permission_of_who_is_staff_no_more_is_worth_nothing(
    staff: Callable[..., Api], paid: dict[str, str]
) -> None:
    former = staff("billing.refund_payment", "billing.view_payment", is_staff=False)
    body = {"payment": paid["payment"], "reason": "Mine"}
    assert former.post("payments/refund", body).status_code == 403
    assert former.get(f"payments/{paid['payment']}").status_code == 404


def test_M14_staff_see_what_their_permissions_show(staff: Callable[..., Api], paid: dict[str, str]) -> None:
    support = staff("billing.view_payment", "subscriptions.view_subscription")
    expected = (200, 200, 200, 200, 404)
    assert tuple(support.get(route.format(**paid)).status_code for route in READS) == expected
    assert staff("billing.check_payment").post("payments/check", {"payment": paid["payment"]}).status_code == 200


def test_M2_staff_give_a_part_back_and_then_the_rest(
    anna: Api, staff: Callable[..., Api], paid: dict[str, str], acquirer: FakeAcquirer
) -> None:
    clerk = staff("billing.refund_payment", "billing.view_payment")
    part = clerk.post("payments/refund", {"payment": paid["payment"], "amount": 99, "reason": "A film broke"})
    assert part.status_code == 201 and (part.data["amount"], part.data["reason"]) == ("99.00", "A film broke")
    assert clerk.get(f"payments/{paid['payment']}").data["refunds"][0]["reason"] == "A film broke"
    own = anna.get(f"payments/{paid['payment']}").data["refunds"][0]
    assert own["reason"] == "" and "A film broke" not in own["explanation"]  # words for colleagues
    rest = clerk.post("payments/refund", {"payment": paid["payment"], "currency": "RUB", "reason": "And another"})
    assert rest.data["amount"] == "2600.00" and rest.data["status"] == "succeeded"
    assert [each.amount for each in acquirer.returned(paid["payment"])] == [99, 2600]
    assert [row["amount"] for row in anna.get(f"payments/{paid['payment']}").data["refunds"]]


def test_P5_staff_take_what_is_held(anna: Api, staff: Callable[..., Api], acquirer: FakeAcquirer) -> None:
    acquirer.program("checkout", Fault.AUTHORIZE)
    born = anna.subscribe()
    assert anna.get(f"payments/{born['payment']}").data["status"] == "authorized"

    taken = staff("billing.capture_payment").post("payments/confirm", {"payment": born["payment"]})

    assert taken.data["status"] == "succeeded"
    run_until_idle(now())
    assert anna.get("access").data["entitlements"]


def test_P6_staff_put_a_plan_on_sale_and_take_it_off(
    anna: Api, staff: Callable[..., Api], paid: dict[str, str]
) -> None:
    marketing = staff("subscriptions.add_plan", "subscriptions.change_plan")
    made = marketing.post("subscriptions/plans/new", NEW_PLAN)
    assert made.status_code == 201 and made.data["price"] == {"amount": "4999.00", "currency": "RUB"}
    assert anna.post("subscriptions/quote", {"plan": made.data["id"]}).data["total"] == "4999.00"

    again = marketing.post("subscriptions/plans/new", NEW_PLAN)
    assert (again.status_code, again.data["code"]) == (409, "plan_exists")

    for plan in ("two-years", str(made.data["id"]), "year"):
        assert marketing.delete(f"subscriptions/plans/{plan}").status_code == 204
    assert [row["code"] for row in anna.get("subscriptions/plans").data["results"]] == ["month"]
    assert Plan.objects.count() == 3 and anna.get(f"subscriptions/{paid['id']}").data["plan"]["code"] == "year"
    assert marketing.delete("subscriptions/plans/none").status_code == 404
    assert anna.delete("subscriptions/plans/month").status_code == 403


@pytest.mark.parametrize(
    "change",
    [
        {"code": "new"}, {"code": "12"}, {"code": "Two"}, {"code": "д"}, {"code": ""}, {"name": ""}, {"months": 0},
        {"months": 121}, {"months": "12"}, {"months": 1.0}, {"months": True},
        {"price": {"amount": "0", "currency": "RUB"}},
        {"price": {"amount": "-1", "currency": "RUB"}}, {"price": {"amount": "1.001", "currency": "RUB"}},
        {"price": {"amount": "1", "currency": "XXQ"}}, {"price": {"amount": "1", "currency": "CHF"}}, {"price": "1"},
        {"price": {"amount": "1"}}, {"roles": []}, {"roles": ["A B"]}, {"roles": "cinema"}, {"grace_days": 61},
        {"refund_policy": "all"}, {"time_zone": "Mars/Phobos"}, {"time_zone": "../etc/passwd"}, {"position": -1},
    ],
)  # fmt: skip
def test_P6_a_plan_that_makes_no_sense_is_refused(staff: Callable[..., Api], change: dict[str, Any]) -> None:
    answer = staff("subscriptions.add_plan").post("subscriptions/plans/new", NEW_PLAN | change)
    assert answer.status_code == 400
    assert not Plan.objects.filter(months=24).exists()


def test_G10_a_service_asks_what_somebody_may_watch(
    anna: Api, boris: Api, staff: Callable[..., Api], paid: dict[str, str]
) -> None:
    whose = f"access?user_id={anna.user.pk}"
    own = anna.get("access").data
    assert anna.get(whose).data == own
    assert staff("subscriptions.view_subscription").get(whose).data == own
    for other in (boris, staff()):
        assert other.get(whose).status_code == 403
    unknown = "access?user_id=00000000-0000-4000-8000-000000000000"
    assert staff("subscriptions.view_subscription").get(unknown).status_code == 404
    assert boris.get(unknown).status_code == 403


def test_M12_a_session_works_and_is_guarded_against_forged_requests(anna: Api) -> None:
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(anna.user)
    assert browser.get(V1 + "subscriptions").status_code == 200

    forged = browser.post(V1 + "subscriptions/subscribe", {"plan": "year"}, format="json")
    assert forged.status_code == 403
    check_problem(forged)

    browser.cookies["csrftoken"] = token = "c" * 32
    good = browser.post(V1 + "subscriptions/subscribe", {"plan": "year"}, format="json", headers={"X-CSRFToken": token})
    assert good.status_code == 201
