"""W1-W3 over HTTP: put in, look, pay from it, have it back."""

from __future__ import annotations

from typing import Any

import pytest

from billing.models import Invoice, Payment
from tests.api.books import books
from tests.api.client import Api, tell
from tests.fake_acquirer import FakeAcquirer
from tests.things import now, run_until_idle

pytestmark = pytest.mark.django_db


def put_in(api: Api, acquirer: FakeAcquirer, value: Any = "500.00", **more: Any) -> Any:
    answer = api.post("wallet/top-up", {"value": value, "currency": "RUB", **more})
    assert answer.status_code == 201, answer.content
    acquirer.pay(answer.data["payment"])
    assert tell(acquirer, answer.data["payment"]).status_code == 200
    run_until_idle(now())
    return answer.data


def test_W1_a_top_up_says_where_to_pay_and_is_in_the_wallet_when_it_is_paid(anna: Api, acquirer: FakeAcquirer) -> None:
    assert anna.get("wallet").json() == {"balance": "0.00", "currency": "RUB", "wallets": []}
    told = put_in(anna, acquirer, description="For the summer")
    assert set(told) == {"invoice", "payment", "confirmation_url"} and told["confirmation_url"]
    row = {"balance": "500.00", "currency": "RUB"}
    assert anna.get("wallet").json() == row | {"wallets": [row]}
    assert anna.get(f"invoices/{told['invoice']}").json()["lines"][0]["description"] == "For the summer"
    assert anna.get("wallet", currency="USD").json()["balance"] == "0.00"


def test_M12_one_key_is_one_top_up(anna: Api, acquirer: FakeAcquirer) -> None:
    body = {"value": 500, "currency": "RUB", "description": ""}
    first, again = (anna.post("wallet/top-up", body, key="k") for _ in range(2))
    assert first.data == again.json() and Payment.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"value": "0", "currency": "RUB"}, "bad_amount"),
        ({"value": "-1.00", "currency": "RUB"}, "bad_amount"),
        ({"value": "0.001", "currency": "RUB"}, "bad_amount"),
        ({"value": "1e3", "currency": "RUB"}, "bad_amount"),
        ({"value": None, "currency": "RUB"}, "invalid"),
        ({"value": "9999999999999999", "currency": "RUB"}, "bad_amount"),
        ({"value": "100001", "currency": "RUB"}, "amount_too_large"),
        ({"value": "5.00", "currency": "ZZZ"}, "bad_amount"),
        ({"value": "5.00", "currency": "rub"}, "bad_amount"),
        ({"value": "5.00"}, "invalid"),
        ({"value": "5.00", "currency": "RUB", "description": "x" * 201}, "invalid"),
        ({"value": "5.00", "currency": "RUB", "description": "a\u0000b"}, "parse_error"),
        ({"value": "5.00", "currency": "RUB", "user": 7}, "invalid"),
    ],
)
def test_W1_a_bad_top_up_is_refused_in_words_and_changes_nothing(anna: Api, body: dict[str, Any], code: str) -> None:
    before = books()
    answer = anna.post("wallet/top-up", body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert books() == before


def test_W2_the_statement_comes_in_pages(anna: Api, acquirer: FakeAcquirer) -> None:
    assert anna.get("wallet/transactions").json() == {"results": [], "next": None, "previous": None}
    for value in ("1.00", "2.00", "3.00"):
        put_in(anna, acquirer, value)
    page = anna.get("wallet/transactions", page_size=2).json()
    assert [(line["amount"], line["balance"]) for line in page["results"]] == [("3.00", "6.00"), ("2.00", "3.00")]
    rest = anna.get(page["next"].partition("/api/v1/")[2]).json()
    assert [(line["amount"], line["balance"]) for line in rest["results"]] == [("1.00", "1.00")]
    assert rest["next"] is None


@pytest.mark.parametrize("query", [{"cursor": "x"}, {"cursor": "１"}, {"page_size": "0"}, {"currency": "ZZ"}])
def test_W2_nonsense_in_the_address_of_a_page_is_a_400(anna: Api, query: dict[str, str]) -> None:
    assert anna.get("wallet/transactions", **query).status_code == 400


def test_W3_a_subscription_is_paid_from_the_wallet(anna: Api, acquirer: FakeAcquirer) -> None:
    put_in(anna, acquirer, "500.00")
    subscribed = anna.subscribe("month")
    paid = anna.post("wallet/pay", {"invoice": subscribed["invoice"]})
    assert (paid.status_code, paid.data["status"], paid.data["acquirer"]) == (201, "succeeded", "wallet")
    assert anna.get("wallet").json()["balance"] == "201.00"
    short = anna.post("wallet/pay", {"invoice": subscribed["invoice"]})
    assert short.data["id"] == paid.data["id"]


def test_W3_too_little_is_refused_with_what_is_missing(anna: Api, acquirer: FakeAcquirer) -> None:
    put_in(anna, acquirer, "100.00")
    answer = anna.post("wallet/pay", {"invoice": anna.subscribe("month")["invoice"]})
    assert (answer.status_code, answer.json()["code"], answer.json()["missing"]) == (409, "short_balance", "199.00")


def test_W3_nobody_pays_or_sees_what_is_another_s(anna: Api, boris: Api, acquirer: FakeAcquirer) -> None:
    put_in(boris, acquirer)
    assert boris.post("wallet/pay", {"invoice": anna.subscribe("month")["invoice"]}).status_code == 404
    assert anna.get("wallet/transactions").json()["results"] == []
    assert Api().get("wallet").status_code == 401


def test_W2_a_closed_wallet_goes_back_to_the_card(anna: Api, acquirer: FakeAcquirer) -> None:
    put_in(anna, acquirer, "100.00")
    stale = anna.post("wallet/close", {"expected_balance": "99.00"})
    assert (stale.status_code, stale.json()["code"]) == (409, "stale_balance")
    closed = anna.post("wallet/close", {"expected_balance": "100.00"})
    assert [(refund["amount"], refund["status"]) for refund in closed.data["refunds"]] == [("100.00", "succeeded")]
    assert anna.post("wallet/close").json()["code"] == "empty_wallet"
    assert Invoice.objects.get().status == "paid"
