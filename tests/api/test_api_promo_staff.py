"""P6, T11: marketing makes, lists, changes and switches off promo codes and discounts over HTTP, as in the admin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from subscriptions.models import PersonalDiscount, PromoCode, TermDiscount
from tests.api.client import Api
from tests.subscriptions.promo import off, promo, states

pytestmark = pytest.mark.django_db

CODES = tuple(f"subscriptions.{verb}_promocode" for verb in ("view", "add", "change", "delete"))
STANDING = tuple(
    f"subscriptions.{verb}_{kind}"
    for verb in ("view", "add", "change", "delete")
    for kind in ("personaldiscount", "termdiscount")
)
WHERE = "subscriptions/promo-codes"
PERSONAL, MONTHS = "subscriptions/discounts/personal", "subscriptions/discounts/months"


def used(anna: Api, code: str = "spring") -> None:
    """Anna's checkout reserves a code."""
    anna.subscribe("year", promo_code=code)


def test_P6_a_code_that_staff_make_takes_something_off_a_quote(anna: Api, staff: Callable[..., Api]) -> None:
    marketing = staff(*CODES)
    body = {"code": "Spring", "percent": 10, "total_limit": 1, "plans": ["year"], "valid_until": "2999-01-01T00:00:00Z"}
    made = marketing.post(WHERE, body, key="k")
    assert made.status_code == 201 and marketing.post(WHERE, body, key="k")["Idempotent-Replayed"] == "true"
    assert (made.data["plans"], made.data["per_user_limit"], made.data["is_on"], made.data["taken"]) == (
        ["year"], 1, True, 0,
    )  # fmt: skip
    assert anna.post("subscriptions/quote", {"plan": "year", "promo_code": "SPRING"}).data["total"] == "2429.10"
    other = anna.post("subscriptions/quote", {"plan": "month", "promo_code": "SPRING"})
    assert other.data["code"] == "promo_other_plan"
    again = marketing.post(WHERE, body | {"code": "sPRING"})
    assert (again.status_code, again.data["code"]) == (409, "promo_exists")


def test_P6_a_code_for_an_amount(anna: Api, staff: Callable[..., Api]) -> None:
    body = {"code": "HUNDRED", "amount": {"amount": "100.00", "currency": "RUB"}, "per_user_limit": None}
    made = staff(*CODES).post(WHERE, body)
    assert (made.data["amount"], made.data["percent"]) == ({"amount": "100.00", "currency": "RUB"}, None)
    assert anna.post("subscriptions/quote", {"plan": "year", "promo_code": "hundred"}).data["total"] == "2599.00"


def test_P6_codes_are_listed_newest_first_in_pages(anna: Api, staff: Callable[..., Api]) -> None:
    promo("ONE"), promo("TWO"), off("THREE", 100)
    marketing = staff(*CODES)
    page = marketing.get(WHERE, page_size=2).data
    assert [row["code"] for row in page["results"]] == ["THREE", "TWO"] and page["next"]
    rest = marketing.http.get(page["next"]).json()
    assert [row["code"] for row in rest["results"]] == ["ONE"]
    assert marketing.get(f"{WHERE}/two").data["code"] == "TWO"
    assert marketing.get(f"{WHERE}/four").data["code"] == "promo_not_found"


def test_P6_a_code_that_is_switched_off_is_for_nobody_new(anna: Api, staff: Callable[..., Api]) -> None:
    promo()
    used(anna)
    marketing = staff(*CODES)
    assert not marketing.post(f"{WHERE}/spring/change", {"is_on": False}).data["is_on"]
    answer = Api(staff().user).post("subscriptions/quote", {"plan": "year", "promo_code": "SPRING"})
    assert (answer.status_code, answer.data["code"]) == (409, "promo_expired")
    assert states() == ["reserved"]
    said = LogEntry.objects.get()
    assert (said.user, said.object_repr, said.change_message) == (
        marketing.user,
        "SPRING",
        "Over the API. is_on: False",
    )


def test_P6_a_code_that_was_used_keeps_its_worth_and_is_not_deleted(anna: Api, staff: Callable[..., Api]) -> None:
    code = promo(total_limit=5)
    used(anna)
    marketing = staff(*CODES)
    change = f"{WHERE}/SPRING/change"
    for body, refusal in (
        ({"percent": 20}, "promo_in_use"),
        ({"amount": {"amount": "1.00", "currency": "RUB"}}, "promo_in_use"),
        ({"total_limit": 0}, "promo_used_more_often"),
    ):
        answer = marketing.post(change, body)
        assert (answer.status_code, answer.data["code"]) == (409, refusal)
    assert marketing.post(change, {"percent": 10, "total_limit": 1, "plans": ["month"]}).status_code == 200
    assert marketing.delete(f"{WHERE}/SPRING").data["code"] == "promo_in_use"
    code.refresh_from_db()
    assert (code.percent, code.total_limit, [plan.code for plan in code.plans.all()]) == (10, 1, ["month"])
    assert LogEntry.objects.count() == 1


def test_P6_a_code_that_nobody_used_is_deleted(anna: Api, staff: Callable[..., Api]) -> None:
    promo()
    marketing = staff(*CODES)
    assert marketing.delete(f"{WHERE}/Spring").status_code == 204
    assert not PromoCode.objects.exists() and LogEntry.objects.get().is_deletion()
    assert marketing.delete(f"{WHERE}/Spring").status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"percent": 0}, {"percent": 101}, {"percent": 1.5}, {"percent": None}, {"code": "two words"}, {"code": ""},
        {"percent": 5, "amount": {"amount": "1.00", "currency": "RUB"}}, {"plans": "year"}, {"total_limit": -1},
        {"percent": None, "amount": {"amount": "0", "currency": "RUB"}}, {"per_user_limit": 2**31},
        {"percent": None, "amount": {"amount": "1.234", "currency": "RUB"}}, {"taken": 5}, {"is_on": "yes"},
        {"percent": None, "amount": {"amount": "1.00", "currency": "XXZ"}}, {"valid_until": "2000-01-01T00:00:00Z"},
        {"code": "-X"}, {"code": "ÄÖ"}, {"valid_from": None},
    ],
)  # fmt: skip
def test_P6_a_code_that_makes_no_sense_is_refused(staff: Callable[..., Api], change: dict[str, Any]) -> None:
    answer = staff(*CODES).post(WHERE, {"code": "SPRING", "percent": 10} | change)
    assert answer.status_code == 400, answer.data
    assert not PromoCode.objects.exists()


def test_P6_a_change_of_a_code_that_makes_no_sense_changes_nothing(staff: Callable[..., Api]) -> None:
    promo(valid_until=None)
    marketing = staff(*CODES)
    for change in ({"percent": None}, {"valid_until": "2019-01-01T00:00:00Z"}, {"code": "OTHER"}, {"valid_from": 1}):
        assert marketing.post(f"{WHERE}/SPRING/change", change).status_code == 400
    assert marketing.post(f"{WHERE}/SPRING/change", {"plans": ["none"]}).data["code"] == "plan_not_found"
    row = PromoCode.objects.get()
    assert (row.percent, row.valid_until) == (10, None) and not LogEntry.objects.exists()


def test_P6_a_customer_gets_a_percent_by_e_mail_or_id(anna: Api, staff: Callable[..., Api]) -> None:
    assert anna.user is not None
    marketing = staff(*STANDING)
    made = marketing.post(PERSONAL, {"email": anna.user.email.upper(), "percent": 15, "note": "a friend"})
    assert (made.status_code, made.data["user_id"], made.data["email"]) == (201, str(anna.user.pk), anna.user.email)
    assert anna.post("subscriptions/quote", {"plan": "year"}).data["total"] == "2294.15"
    address = f"{PERSONAL}/{made.data['id']}"
    assert marketing.post(f"{address}/change", {"percent": 20}).data["percent"] == 20
    assert anna.post("subscriptions/quote", {"plan": "year"}).data["total"] == "2159.20"
    late = marketing.post(f"{address}/change", {"valid_until": "2000-01-01T00:00:00Z"})
    assert (late.status_code, late.data["detail"]) == (400, "It ends after it begins.")
    second = marketing.post(PERSONAL, {"user_id": str(anna.user.pk), "percent": 5, "valid_from": "2001-01-01T00:00Z"})
    assert [row["id"] for row in marketing.get(PERSONAL).data["results"]] == [made.data["id"], second.data["id"]]
    for _ in range(2):
        assert marketing.delete(address).status_code in (204, 404)
    assert PersonalDiscount.objects.get().percent == 5
    for body in ({}, {"email": "no@example.org", "user_id": str(anna.user.pk)}):
        assert marketing.post(PERSONAL, body | {"percent": 5}).status_code == 400
    assert marketing.post(PERSONAL, {"email": "no@example.org", "percent": 5}).data["code"] == "user_not_found"


def test_P6_months_have_one_percent_each(anna: Api, staff: Callable[..., Api]) -> None:
    marketing = staff(*STANDING)
    made = marketing.post(MONTHS, {"months": 12, "percent": 10})
    assert made.status_code == 201 and anna.post("subscriptions/quote", {"plan": "year"}).data["total"] == "2429.10"
    assert marketing.post(MONTHS, {"months": 12, "percent": 20}).data["code"] == "discount_exists"
    other = marketing.post(MONTHS, {"months": 3, "percent": 5}).data["id"]
    assert [row["months"] for row in marketing.get(MONTHS).data["results"]] == [3, 12]
    assert marketing.post(f"{MONTHS}/{other}/change", {"months": 12}).data["code"] == "discount_exists"
    assert marketing.post(f"{MONTHS}/{other}/change", {"months": 6, "percent": 7}).data["months"] == 6
    assert marketing.post(f"{MONTHS}/{other}/change", {"percent": 0}).status_code == 400
    assert marketing.delete(f"{MONTHS}/{made.data['id']}").status_code == 204
    assert TermDiscount.objects.get().percent == 7
    assert marketing.post(f"{MONTHS}/999/change", {"percent": 1}).data["code"] == "discount_not_found"


def test_P6_discounts_are_for_those_who_may(anna: Api, staff: Callable[..., Api]) -> None:
    promo()
    personal, months = PERSONAL + "/1", MONTHS + "/1"
    for who in (anna, staff("subscriptions.view_plan"), staff(*CODES, *STANDING, is_staff=False)):
        answers = [who.get(where) for where in (WHERE, WHERE + "/SPRING", PERSONAL, MONTHS)]
        answers += [who.post(where, {}) for where in (WHERE, WHERE + "/SPRING/change", PERSONAL, MONTHS)]
        answers += [who.post(where + "/change", {}) for where in (personal, months)]
        answers += [who.delete(where) for where in (WHERE + "/SPRING", personal, months)]
        assert {answer.status_code for answer in answers} == {403}
    looker = staff("subscriptions.view_promocode")
    assert looker.get(WHERE).status_code == 200
    assert looker.post(WHERE + "/SPRING/change", {"is_on": False}).status_code == 403
    assert PromoCode.objects.get().is_on
