"""G7-G9: products are ordered by the piece, given back in parts, and listed to whom they belong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from billing.models import Invoice, Product
from tests.api.books import books
from tests.api.client import Api, tell
from tests.fake_acquirer import FakeAcquirer
from tests.things import now, run_until_idle

pytestmark = pytest.mark.django_db


@pytest.fixture
def popcorn(db: None) -> Product:
    return Product.objects.create(code="popcorn", name="Popcorn", price=14_900, days=2)


def bought(api: Api, acquirer: FakeAcquirer, product: Product, count: int = 2) -> Any:
    answer = api.post("orders", {"product_id": product.pk, "product_count": count})
    assert answer.status_code == 200, answer.content
    acquirer.pay(answer.data["payment"])
    tell(acquirer, answer.data["payment"])
    run_until_idle(now())
    return answer.data


def test_G7_an_order_says_where_to_pay_and_keeps_its_line_as_it_was(
    anna: Api, acquirer: FakeAcquirer, popcorn: Product
) -> None:
    told = bought(anna, acquirer, popcorn)
    assert told["redirect_url"]
    Product.objects.update(price=99_900, name="Dear popcorn")
    invoice = anna.get(f"invoices/{told['invoice_guid']}").json()
    assert (invoice["total"], invoice["purpose"], invoice["status"]) == ("298.00", "order", "paid")
    line = invoice["lines"][0]
    assert (line["description"], line["quantity"], line["unit_price"]) == ("Popcorn", 2, "149.00")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"product_id": 10**9, "product_count": 1}, "product_not_found"),
        ({"product_id": 0}, "invalid"),
        ({"product_id": "1"}, "invalid"),
        ({"product_id": 2**63}, "invalid"),
        ({"product_count": 1}, "invalid"),
        ({"product_id": None}, "invalid"),
    ],
)
def test_G7_a_bad_order_is_a_400_in_both_shapes(anna: Api, body: dict[str, Any], code: str) -> None:
    before = books()
    answer = anna.post("orders", body)
    assert (answer.status_code, answer.json()["error_id"]) == (400, code) and answer.json()["error_desc"]
    assert books() == before


@pytest.mark.parametrize("count", [0, -1, 1001, 1.5, True])
def test_G7_a_bad_count_is_refused(anna: Api, popcorn: Product, count: Any) -> None:
    assert anna.post("orders", {"product_id": popcorn.pk, "product_count": count}).status_code == 400
    Product.objects.update(on_sale=False)
    off = anna.post("orders", {"product_id": popcorn.pk})
    assert (off.status_code, off.json()["code"]) == (400, "product_not_found")


def test_M12_one_key_is_one_order(anna: Api, popcorn: Product) -> None:
    body = {"product_id": popcorn.pk, "product_count": 3}
    first, again = (anna.post("orders", body, key="k") for _ in range(2))
    assert first.json() == again.json() and Invoice.objects.count() == 1


def test_G8_parts_come_back_and_never_more_than_was_paid(
    anna: Api, staff: Callable[..., Api], acquirer: FakeAcquirer, popcorn: Product
) -> None:
    told = bought(anna, acquirer, popcorn)
    clerk = staff("billing.refund_payment")
    body = {"invoice_guid": told["invoice_guid"], "price": {"amount": "149.00", "currency": "RUB"}}
    assert anna.post("orders/refund", body).status_code == 403
    assert clerk.post("orders/refund", body).data["amount"] == "149.00"
    body["price"] = {"amount": "149.01", "currency": "RUB"}
    assert clerk.post("orders/refund", body).json()["code"] == "over_refund"
    body["price"] = {"amount": "149.00", "currency": "USD"}
    assert clerk.post("orders/refund", body).json()["code"] == "wrong_currency"
    assert clerk.post("orders/refund", body | {"invoice_guid": "0" * 8}).status_code == 400
    assert anna.get("orders").json()["results"][0]["refunded"] == "149.00"


def test_G8_what_is_no_paid_order_is_not_given_back(anna: Api, staff: Callable[..., Api], popcorn: Product) -> None:
    clerk = staff("billing.refund_payment")
    price = {"amount": "1.00", "currency": "RUB"}
    subscribed = anna.subscribe("month")
    assert clerk.post("orders/refund", {"invoice_guid": subscribed["invoice"], "price": price}).status_code == 404
    waits = anna.post("orders", {"product_id": popcorn.pk}).data["invoice_guid"]
    assert clerk.post("orders/refund", {"invoice_guid": waits, "price": price}).json()["code"] == "not_paid"


def test_G9_orders_are_listed_with_their_product_time_and_price(
    anna: Api, boris: Api, staff: Callable[..., Api], acquirer: FakeAcquirer, popcorn: Product
) -> None:
    cola = Product.objects.create(code="cola", name="Cola", price=9_900)
    bought(anna, acquirer, popcorn)
    bought(anna, acquirer, cola, 1)
    bought(boris, acquirer, cola, 1)
    page = anna.get("orders", page_size=1).json()
    assert page["results"][0]["product"] == {"id": cola.pk, "code": "cola", "name": "Cola", "count": 1}
    assert page["results"][0]["to"] is None and page["next"]
    row = anna.get("orders", product_id=popcorn.pk).json()["results"]
    assert len(row) == 1 and row[0]["price"] == {"amount": "298.00", "currency": "RUB"}
    assert row[0]["from"] < row[0]["to"]
    assert boris.user and anna.user
    assert anna.get("orders", user_guid=str(boris.user.pk)).status_code == 403
    clerk = staff("billing.view_invoice")
    assert len(clerk.get("orders", user_guid=str(anna.user.pk)).json()["results"]) == 2
    for query in ({"product_id": "x"}, {"user_guid": "x"}):
        assert anna.get("orders", **query).status_code == 400
