"""PRODUCT's last line of "Cases from the field": garbage gets a 4xx, never a 5xx, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.books import books
from tests.api.client import V1, Api, check_problem

pytestmark = pytest.mark.django_db

STRANGE_ID = "00000000-0000-4000-8000-000000000000"
ENDPOINTS: dict[str, dict[str, Any]] = {
    "subscriptions/subscribe": {
        "plan": "year",
        "expected_total": "1.00",
        "acquirer": "fake",
        "return_url": "https://a.example",
        "save_card": True,
        "promo_code": "",
    },
    "subscriptions/unsubscribe": {"subscription": STRANGE_ID, "expected_refund": "1.00"},
    "subscriptions/quote": {"plan": "nothing", "promo_code": ""},
    "subscriptions/plans/new": {
        "code": "decade",
        "name": "Decade",
        "months": 0,
        "price": {"amount": "1.00", "currency": "RUB"},
        "roles": ["cinema"],
        "refund_policy": "none",
        "grace_days": 1,
        "time_zone": "UTC",
        "position": 1,
        "description": "",
    },
    "subscriptions/plans/none/change": {"name": "None", "hidden": True, "sale_from": "2027-01-01T00:00:00Z"},
    "subscriptions/plans/none/prices": {"amount": "1.00", "currency": "RUB", "starts_at": "2027-01-01T00:00:00Z"},
    "subscriptions/price-moves": {
        "plan": "none",
        "from_price": 1,
        "to_price": 2,
        "effective_from": "2027-01-01T00:00:00Z",
        "reason": "none",
    },
    f"subscriptions/price-moves/{STRANGE_ID}/announce": {"expected_people": 1, "reason": ""},
    "subscriptions/promo-codes": {
        "code": "GARBAGE",
        "percent": 0,
        "amount": None,
        "valid_from": "2027-01-01T00:00:00Z",
        "valid_until": "2026-01-01T00:00:00Z",
        "total_limit": 1,
        "per_user_limit": 1,
        "plans": [],
        "every_term": False,
        "is_on": True,
    },
    "subscriptions/promo-codes/NONE/change": {"is_on": False, "percent": 5, "plans": []},
    "subscriptions/discounts/personal": {"user_id": STRANGE_ID, "percent": 5, "note": "none"},
    "subscriptions/discounts/personal/1/change": {"percent": 5, "valid_until": "2027-01-01T00:00:00Z", "note": "x"},
    "subscriptions/discounts/months": {"months": 6, "percent": 0},
    "subscriptions/discounts/months/1/change": {"months": 6, "percent": 5},
    "payments/payment": {"subscription": STRANGE_ID, "acquirer": "fake"},
    "payments/refund": {"payment": STRANGE_ID, "amount": "1.00", "currency": "RUB", "reason": "none"},
    "payments/check": {"payment": STRANGE_ID},
    "payments/confirm": {"payment": STRANGE_ID},
    f"invoices/{STRANGE_ID}/void": {},
    "callbacks/fake": {},
    "callbacks/fake/notice": {},
    "auth/register": {"email": "a@example.org", "password": "a long film title"},
    "auth/confirm": {"token": "x"},
    "auth/token": {"email": "a@example.org", "password": "x"},
    "auth/refresh": {"refresh": "x"},
    "auth/logout": {"refresh": "x"},
}
MONEY = [route for route in ENDPOINTS if not route.startswith("auth/")]
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "null": b"null",
    "a list": b"[]",
    "a number": b"12",
    "a text": b'"x"',
    "100,000 brackets": b"[" * 100_000,
    "100,000 closed brackets": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "30 levels": b'{"a":' * 30 + b"1" + b"}" * 30,
    "no UTF-8": b'{"a": "\xff\xfe"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "a text that is no field": b'{"\\u0000": 1}',
    "a field too many": b'{"no_such_field": 1}',
    "too large": b'{"a": "' + b"x" * 300_000 + b'"}',
    "a number of 5,000 digits": b'{"a": ' + b"9" * 5_000 + b"}",
}
VALUES: dict[str, str] = {  # JSON
    "NaN": "NaN",
    "minus infinity": "-Infinity",
    "1e309": "1e309",
    "1e999999999": "1e999999999",
    "1e99999999999999999999": "1e99999999999999999999",
    "beyond 64 bits": str(2**64),
    "-1": "-1",
    "a fraction": "1.5",
    "a list": "[]",
    "an object": "{}",
    "full-width digits": '"１２"',
    "1_000": '"1_000"',
    "NUL": '"a\\u0000b"',
    "a lone surrogate": '"\\ud800"',
    "an exponent": '"1e3"',
    "200 letters": json.dumps("x" * 2_001),
}
FREE_TEXT = {"reason", "name", "description", "note"}  # any short text is as good as another


@pytest.fixture
def root(staff: Callable[..., Api]) -> Api:
    """Who may do everything, so that no permission hides what a body does."""
    root = staff()
    root.user.is_superuser = True
    root.user.save()
    return root


def send(client: Api, route: str, body: bytes) -> Any:
    return client.http.generic("POST", V1 + route, body, content_type="application/json")


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("route", ENDPOINTS)
def test_M12_a_body_that_is_garbage_is_refused(root: Api, route: str, body: str) -> None:
    before = books()

    answer = send(root, route, BODIES[body])

    if route.endswith("/void") and body == "nothing":
        assert answer.status_code == 404  # it needs no body
    assert 400 <= answer.status_code < 500, answer.content
    check_problem(answer)
    assert books() == before


@pytest.mark.parametrize("route", [route for route in MONEY if ENDPOINTS[route]])
@pytest.mark.parametrize("value", VALUES)
def test_M12_a_field_that_holds_garbage_is_refused(root: Api, route: str, value: str) -> None:
    before = books()
    good = ENDPOINTS[route]

    for field in good:
        if field in FREE_TEXT and value in ("full-width digits", "1_000", "an exponent"):
            continue
        others = [f"{json.dumps(name)}: {json.dumps(other)}" for name, other in good.items() if name != field]
        body = "{" + ", ".join([*others, f'"{field}": {VALUES[value]}']) + "}"
        answer = send(root, route, body.encode())
        assert 400 <= answer.status_code < 500, (field, answer.content)
        check_problem(answer)

    assert books() == before


@pytest.mark.parametrize("value", [*VALUES, "a boolean", "null"])
def test_M12_a_price_that_is_garbage_is_refused(root: Api, value: str) -> None:
    before = books()
    raw = {"a boolean": "true", "null": "null"}.get(value) or VALUES[value]
    if value == "a fraction":
        raw = "1.555"
    for field in ("amount", "currency"):
        price = {"amount": '"1.00"', "currency": '"RUB"'} | {field: raw}
        inside = ", ".join(f'"{name}": {each}' for name, each in price.items())
        body = f'{{"code": "decade", "name": "Decade", "months": 120, "price": {{{inside}}}}}'
        answer = send(root, "subscriptions/plans/new", body.encode())
        assert answer.status_code in (400, 413), (field, answer.content)

    assert books() == before


@pytest.mark.parametrize(
    "amount", ["-1.00", "0", "0.00", "1.005", "1,00", " 1.00", "+1.00", "1e2", "１.00", "٣", "1_0", "", "9" * 30, "NaN",
               -5, 0, True, None, [], 10**16],
)  # fmt: skip
def test_G8_an_amount_to_give_back_that_is_none_is_refused(
    staff: Callable[..., Api], paid: dict[str, str], amount: Any
) -> None:
    before = books()

    answer = staff("billing.refund_payment").post(
        "payments/refund", {"payment": paid["payment"], "amount": amount, "reason": "Asked"}
    )

    assert answer.status_code in (400, 409)
    assert answer.data["code"] in ("bad_amount", "invalid", "over_refund")
    assert books() == before


@pytest.mark.parametrize("amount", ["1.5", "1.50", 1, "01.00"])
def test_G8_plain_numbers_are_amounts(staff: Callable[..., Api], paid: dict[str, str], amount: Any) -> None:
    body = {"payment": paid["payment"], "amount": amount, "reason": "Asked"}
    made = staff("billing.refund_payment").post("payments/refund", body)
    assert made.status_code == 201 and made.data["amount"] in ("1.50", "1.00")


@pytest.mark.parametrize(
    "route",
    [
        "payments/1",
        "payments/%00",
        "payments/９e107d9d-372b-4b6a-8f5f-3c7e5a8d1e33",
        "payments/{9e107d9d-372b-4b6a-8f5f-3c7e5a8d1e33}",
        "payments/9e107d9d372b4b6a8f5f3c7e5a8d1e33",
        f"payments/subscription/{2**64}",
        f"subscriptions/{2**64}",
        f"subscriptions/{2**200}/payments",
        f"subscriptions/plans/{2**64}",
        "subscriptions/plans/%EF%BC%91",
        "subscriptions/plans/1_000",
        "subscriptions/plans/%00",
        "subscriptions/plans/a%0A",
        "invoices/-1",
        "invoices/nan",
        f"payments/{STRANGE_ID}",
        f"invoices/{STRANGE_ID}",
        f"subscriptions/{STRANGE_ID}",
    ],
)
def test_M12_an_id_that_is_none_is_not_found(root: Api, route: str) -> None:
    answer = root.http.get(V1 + route)
    assert answer.status_code == 404
    check_problem(answer)


@pytest.mark.parametrize("plan", [str(2**64), "9" * 4000, "0", "1_000", "%EF%BC%91", "new"])
def test_M12_a_plan_that_is_none_cannot_be_withdrawn(root: Api, plan: str) -> None:
    assert root.http.delete(f"{V1}subscriptions/plans/{plan}").status_code in (404, 405)


@pytest.mark.parametrize(
    "query",
    [
        "cursor=x",
        "cursor=cD0lMDA=",
        "cursor=cD1ub3doZXJl",  # p=nowhere
        "cursor=cD0yMDI2LTAxLTAx",  # p=2026-01-01
        "cursor=cD0yMDI2LTEzLTQ1KzAwOjAw",
        "cursor=cj0xJnA9MjAyNi0wMS0wMVQwMDowMDowMA==",  # no time zone
        "page_size=0",
        "page_size=-1",
        "page_size=1000",
        "page_size=%EF%BC%91",
        "page_size=1_0",
        f"page_size={2**64}",
        "page_size=",
    ],
)
@pytest.mark.parametrize("route", ["subscriptions", "invoices"])
def test_M12_a_page_that_is_none_is_refused(anna: Api, route: str, query: str) -> None:
    assert anna.get(f"{route}?{query}").status_code == 400


@pytest.mark.parametrize("user_id", ["1", "%00", str(2**64), "me", "{9e107d9d-372b-4b6a-8f5f-3c7e5a8d1e33}", ""])
def test_G12_access_of_nobody_is_refused(root: Api, user_id: str) -> None:
    assert root.get(f"access?user_id={user_id}").status_code == 400
