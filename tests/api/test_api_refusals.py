"""Issue 2, "Bad input": each gets a clear error and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.books import books
from tests.api.client import Api, tell
from tests.fake_acquirer import FakeAcquirer, Fault
from tests.things import plan, viewer

pytestmark = pytest.mark.django_db


def refused(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer.data["code"]) == (status, code), answer.data


@pytest.fixture(autouse=True)
def quiet(request: pytest.FixtureRequest, anna: Api) -> Any:
    """Nothing may change from the moment that a test calls this."""
    before: list[Any] = []
    yield lambda: before.append(books())
    if before:
        assert books() == before[0]


def test_M7_an_unknown_plan(anna: Api, quiet: Callable[[], None]) -> None:
    quiet()
    refused(anna.post("subscriptions/subscribe", {"plan": "century"}), 404, "plan_not_found")
    refused(anna.post("subscriptions/subscribe", {"plan": 10**18}), 404, "plan_not_found")
    refused(anna.post("subscriptions/quote", {"plan": "century"}), 404, "plan_not_found")


def test_M7_a_plan_that_is_no_longer_on_sale(anna: Api, quiet: Callable[[], None]) -> None:
    plan("old", on_sale=False)
    quiet()
    refused(anna.post("subscriptions/subscribe", {"plan": "old"}), 404, "plan_not_found")
    refused(anna.get("subscriptions/plans/old"), 404, "plan_not_found")


def test_M7_an_unconfirmed_user(plans: None, acquirer: FakeAcquirer, quiet: Callable[[], None]) -> None:
    newcomer = Api(viewer(confirmed=False))
    quiet()
    refused(newcomer.post("subscriptions/subscribe", {"plan": "year"}), 403, "email_not_confirmed")


def test_M3_a_second_subscribe_while_one_is_live(
    anna: Api, paid: dict[str, str], acquirer: FakeAcquirer, quiet: Callable[[], None]
) -> None:
    quiet()
    for wanted in ("year", "month"):
        refused(anna.post("subscriptions/subscribe", {"plan": wanted}), 409, "already_subscribed")
    assert len(acquirer.called("checkout")) == 1


def test_M8_cancel_twice(anna: Api, paid: dict[str, str], acquirer: FakeAcquirer, quiet: Callable[[], None]) -> None:
    assert anna.post("subscriptions/unsubscribe", {"subscription": paid["id"]}).status_code == 200
    quiet()
    refused(anna.post("subscriptions/unsubscribe", {"subscription": paid["id"]}), 409, "not_cancellable")
    assert len(acquirer.returned(paid["payment"])) == 1


def test_G8_more_than_is_left_is_not_given_back(
    staff: Callable[..., Api], paid: dict[str, str], quiet: Callable[[], None]
) -> None:
    clerk = staff("billing.refund_payment")
    body = {"payment": paid["payment"], "reason": "Asked"}
    assert clerk.post("payments/refund", body | {"amount": "2000.00"}).status_code == 201
    quiet()
    answer = clerk.post("payments/refund", body | {"amount": "699.01"})
    refused(answer, 409, "over_refund")
    assert answer.data["refundable"] == "699.00"


def test_G8_another_currency_than_was_paid(
    staff: Callable[..., Api], paid: dict[str, str], quiet: Callable[[], None]
) -> None:
    clerk = staff("billing.refund_payment")
    quiet()
    for currency in ("USD", "XXQ", "rub"):
        body = {"payment": paid["payment"], "amount": "1.00", "currency": currency, "reason": "Asked"}
        refused(clerk.post("payments/refund", body), 400, "wrong_currency")


def test_G8_a_payment_that_did_not_succeed_is_not_refundable(
    anna: Api, staff: Callable[..., Api], quiet: Callable[[], None]
) -> None:
    clerk, born = staff("billing.refund_payment"), anna.subscribe()
    quiet()
    refused(clerk.post("payments/refund", {"payment": born["payment"], "reason": "Asked"}), 409, "not_refundable")


def test_G8_a_refund_needs_a_reason(staff: Callable[..., Api], paid: dict[str, str], quiet: Callable[[], None]) -> None:
    clerk = staff("billing.refund_payment")
    quiet()
    for reason in ({}, {"reason": ""}, {"reason": " "}, {"reason": "x" * 301}):
        refused(clerk.post("payments/refund", {"payment": paid["payment"], **reason}), 400, "invalid")


def test_G8_a_misspelt_amount_does_not_mean_all_of_it(
    staff: Callable[..., Api], paid: dict[str, str], quiet: Callable[[], None]
) -> None:
    clerk = staff("billing.refund_payment")
    quiet()
    body = {"payment": paid["payment"], "ammount": "1.00", "reason": "Asked"}
    refused(clerk.post("payments/refund", body), 400, "invalid")


def test_M7_a_stale_total(anna: Api, acquirer: FakeAcquirer, quiet: Callable[[], None]) -> None:
    quiet()
    answer = anna.post("subscriptions/subscribe", {"plan": "year", "expected_total": "1.00"})
    refused(answer, 409, "stale_total")
    assert answer.data["total"] == "2699.00" and not acquirer.calls


def test_M8_a_stale_refund(anna: Api, paid: dict[str, str], acquirer: FakeAcquirer, quiet: Callable[[], None]) -> None:
    quiet()
    answer = anna.post("subscriptions/unsubscribe", {"subscription": paid["id"], "expected_refund": "2474.08"})
    refused(answer, 409, "stale_refund")
    assert answer.data["refund"] == "2699.00" and not acquirer.called("refund")


@pytest.mark.parametrize("total", ["2699.001", 2699.5, "x", None, True, "2 699"])
def test_M7_a_total_that_is_no_amount(anna: Api, quiet: Callable[[], None], total: Any) -> None:
    quiet()
    answer = anna.post("subscriptions/subscribe", {"plan": "year", "expected_total": total})
    assert answer.status_code in (400, 409) and answer.data["code"] in ("bad_amount", "invalid", "stale_total")


def test_M3_the_amount_edited_in_the_browser_is_no_field(anna: Api, quiet: Callable[[], None]) -> None:
    quiet()
    refused(anna.post("subscriptions/subscribe", {"plan": "year", "amount": "1.00"}), 400, "invalid")


@pytest.mark.parametrize("code", ["SUMMER", "0", "x" * 40, "٣٤", "a b"])
@pytest.mark.parametrize("route", ["subscriptions/quote", "subscriptions/subscribe"])
def test_T4_a_promo_code_that_there_is_not(anna: Api, quiet: Callable[[], None], route: str, code: str) -> None:
    quiet()
    refused(anna.post(route, {"plan": "year", "promo_code": code}), 404, "promo_not_found")


@pytest.mark.parametrize("code", [1, True, ["A"], {"a": 1}, "x" * 41])
@pytest.mark.parametrize("route", ["subscriptions/quote", "subscriptions/subscribe"])
def test_T4_what_is_no_text_is_no_promo_code(anna: Api, quiet: Callable[[], None], route: str, code: object) -> None:
    quiet()
    refused(anna.post(route, {"plan": "year", "promo_code": code}), 400, "invalid")


@pytest.mark.parametrize("code", ["", None])
def test_T4_no_promo_code_is_none(anna: Api, code: str | None) -> None:
    assert anna.post("subscriptions/quote", {"plan": "year", "promo_code": code}).status_code == 200


@pytest.mark.parametrize("name", ["nobody", "", "FAKE", "fake "])
def test_M6_an_unknown_acquirer(anna: Api, quiet: Callable[[], None], name: str) -> None:
    quiet()
    answer = anna.post("subscriptions/subscribe", {"plan": "year", "acquirer": name})
    if name == "fake ":
        assert answer.status_code in (201, 400)
    else:
        assert answer.status_code == 400 and answer.data["code"] in ("unknown_acquirer", "invalid")


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "ftp://a.example/",
        "//a.example/",
        "/account",
        "https://",
        "https:///path",
        "https://[",
        "https://user:pass@a.example/",
        "https://a.example/ b",
        "https://a.example/\n",
        "https://a.example/" + "x" * 483,
        "https://a.example/" + "{payment}" * 20,
        "HTTPS",
    ],
)
def test_M12_a_return_address_that_is_none(anna: Api, quiet: Callable[[], None], url: str) -> None:
    quiet()
    refused(anna.post("subscriptions/subscribe", {"plan": "year", "return_url": url}), 400, "invalid")


def test_M12_a_return_address_may_have_500_characters(anna: Api) -> None:
    url = "https://a.example/{payment}"
    anna.subscribe(return_url=url + "x" * (500 - len(url) - 27))


def test_P5_paying_needs_one_thing_to_pay(anna: Api, quiet: Callable[[], None]) -> None:
    born = anna.subscribe()
    quiet()
    refused(anna.post("payments/payment", {}), 400, "invalid")
    both = {"subscription": born["id"], "invoice": born["invoice"]}
    refused(anna.post("payments/payment", both), 400, "invalid")


def test_P5_what_is_paid_is_not_paid_again(anna: Api, paid: dict[str, str], quiet: Callable[[], None]) -> None:
    quiet()
    refused(anna.post("payments/payment", {"subscription": paid["id"]}), 409, "not_pending")
    refused(anna.post("payments/payment", {"invoice": paid["invoice"]}), 409, "invoice_paid")


def test_M3_an_invoice_is_not_closed_while_nobody_knows_whether_it_was_paid(anna: Api, acquirer: FakeAcquirer) -> None:
    acquirer.program("checkout", Fault.LOSE_ANSWER)
    acquirer.program("void", Fault.LOSE_REQUEST)
    born = anna.subscribe()
    refused(anna.post(f"invoices/{born['invoice']}/void"), 409, "payment_in_progress")
    assert anna.get(f"invoices/{born['invoice']}").data["status"] == "open"


def test_M3_an_invoice_that_turns_out_paid_is_not_closed(anna: Api, acquirer: FakeAcquirer) -> None:
    born = anna.subscribe()
    acquirer.pay(born["payment"])  # the callback is late
    refused(anna.post(f"invoices/{born['invoice']}/void"), 409, "invoice_paid")
    assert anna.get(f"payments/{born['payment']}").data["status"] == "succeeded"


def test_M3_nothing_is_captured_that_is_not_held(
    anna: Api, staff: Callable[..., Api], quiet: Callable[[], None]
) -> None:
    clerk, born = staff("billing.capture_payment"), anna.subscribe()
    quiet()
    refused(clerk.post("payments/confirm", {"payment": born["payment"]}), 409, "not_authorized")


def test_M2_a_refund_that_the_acquirer_refuses_is_told_and_may_be_asked_again(
    staff: Callable[..., Api], paid: dict[str, str], acquirer: FakeAcquirer
) -> None:
    clerk = staff("billing.refund_payment")
    acquirer.program("refund", Fault.DECLINE)
    body = {"payment": paid["payment"], "reason": "Asked"}
    assert clerk.post("payments/refund", body).data["status"] == "failed"
    assert clerk.post("payments/refund", body).data["status"] == "succeeded"


def test_M3_a_declined_card_says_why(anna: Api, acquirer: FakeAcquirer) -> None:
    acquirer.program("checkout", Fault.DECLINE)
    born = anna.subscribe()
    payment = anna.get(f"payments/{born['payment']}").data
    assert payment["status"] == "failed" and payment["decline"]["message"] == "Not enough money."
    assert "Not paid: Not enough money." in payment["explanation"]
    tell(acquirer, born["payment"])
