"""M12, P14: what a client of the API lives through, with every answer held against the schema."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import override_settings

from acquiring.types import Status
from tests.api.client import Api, tell
from tests.fake_acquirer import FakeAcquirer, Fault
from tests.things import now, run_until_idle

pytestmark = pytest.mark.django_db


def test_M12_the_plans_are_there_for_everybody(anna: Api) -> None:
    first, year = Api().get("subscriptions/plans").data["results"]

    assert first | {"id": 0} == {
        "id": 0,
        "code": "month",
        "name": "One month",
        "description": "",
        "months": 1,
        "price": {"amount": "299.00", "currency": "RUB"},
        "saving": None,
        "roles": ["cinema"],
        "refund_policy": "unused_months",
        "grace_days": 2,
    }
    assert year["saving"] == {"amount": "889.00", "currency": "RUB", "percent": 24}
    assert Api().get(f"subscriptions/plans/{year['id']}").data == Api().get("subscriptions/plans/year").data == year


def test_M12_a_quote_tells_the_total_and_why(anna: Api) -> None:
    assert anna.post("subscriptions/quote", {"plan": "year"}).data == {
        "plan": "year",
        "total": "2699.00",
        "currency": "RUB",
        "list_price": "2699.00",
        "candidates": [],
        "promo_code": "",
        "applied": None,
        "explanation": "One year, 12 months: 2\u00a0699.00\u00a0₽. The price of 2\u00a0699.00\u00a0₽ "
        "for 12 months counts since 1 January 2020.",
    }


@pytest.mark.parametrize("slash", ["", "/"])
def test_M12_subscribe_pay_and_watch(anna: Api, acquirer: FakeAcquirer, slash: str) -> None:
    plan = anna.get("subscriptions/plans/year" + slash).data
    answer = anna.post("subscriptions/subscribe" + slash, {"plan": plan["id"], "expected_total": "2699.00"})
    assert answer.status_code == 201 and set(answer.data) == {"id", "status", "invoice", "payment", "redirect_url"}
    born = answer.data
    assert born["status"] == "pending" and born["redirect_url"].startswith("https://bank.example/pay/")
    none = anna.get("access" + slash, explain="true").data
    assert (none["user_id"], none["entitlements"]) == (str(anna.user.pk), [])
    assert none["explanation"].startswith("One year begins when")

    acquirer.pay(born["payment"])
    tell(acquirer, born["payment"])
    run_until_idle(now())

    (subscription,) = anna.get("subscriptions" + slash).data["results"]
    assert subscription["id"] == born["id"] and subscription["status"] == "active"
    assert subscription["plan"] == {"id": plan["id"], "code": "year", "name": "One year", "months": 12}
    assert subscription["auto_renew"] is False and subscription["valid_till"] < subscription["access_until"]
    assert anna.get("access" + slash).data["entitlements"] == [
        {"role": "cinema", "until": subscription["access_until"]}
    ]


def test_M12_a_payment_tells_all_of_itself(anna: Api, paid: dict[str, str], acquirer: FakeAcquirer) -> None:
    payment = anna.get(f"payments/{paid['payment']}").data

    assert payment["status"] == "succeeded"
    assert (payment["amount"], payment["captured"], payment["refunded"]) == ("2699.00", "2699.00", "0.00")
    assert (payment["subscription"], payment["invoice"]) == (paid["id"], paid["invoice"])
    assert payment["acquirer"] == "fake" and payment["acquirer_payment_id"] == "pay_1"
    assert payment["redirect_url"] is None and payment["decline"] is None
    assert payment["explanation"].startswith("2\u00a0699.00\u00a0₽ for One year, 12 months (invoice ")
    assert "by Visa •••• 4242 through fake. Paid on " in payment["explanation"]
    assert "tok_" not in str(payment)


@pytest.mark.parametrize("route", ["subscriptions/{id}/payments", "payments/subscription/{id}"])
def test_M12_the_payments_of_a_subscription_are_listed(anna: Api, acquirer: FakeAcquirer, route: str) -> None:
    born = anna.subscribe("year")
    acquirer.settle(born["payment"], Status.FAILED)
    tell(acquirer, born["payment"])
    run_until_idle(now())
    second = anna.post("payments/payment", {"subscription": born["id"]})
    assert second.status_code == 201 and second.data["redirect_url"]

    page = anna.get(route.format(**born)).data

    assert [row["id"] for row in page["results"]] == [second.data["id"], born["payment"]]
    assert page["results"][1]["decline"] == {
        "kind": "another_card",
        "code": "insufficient_funds",
        "message": "Not enough money.",
        "retry_after": None,
    }
    assert page["next"] is page["previous"] is None


def test_M8_cancelling_within_the_hour_gives_everything_back(anna: Api, paid: dict[str, str]) -> None:
    shown = anna.get(f"subscriptions/{paid['id']}").data["cancellation"]
    assert (shown["refund"], shown["currency"]) == ("2699.00", "RUB")

    done = anna.post("subscriptions/unsubscribe", {"subscription": paid["id"], "expected_refund": shown["refund"]}).data

    assert done["id"] == paid["id"] and done["status"] == "cancelled"
    assert {**done["refund"], "id": ""} == {"id": "", "amount": "2699.00", "currency": "RUB", "status": "succeeded"}
    assert done["explanation"].startswith("Cancelled within 60 minutes of payment")
    assert anna.get("access").data["entitlements"] == []
    payment = anna.get(f"payments/{paid['payment']}").data
    assert payment["refunded"] == "2699.00" and payment["refunds"][0]["id"] == done["refund"]["id"]
    assert payment["explanation"].endswith("Given back: 2\u00a0699.00\u00a0₽ (made).")
    assert anna.get(f"subscriptions/{paid['id']}").data["cancellation"] is None


@override_settings(COOLING_OFF=timedelta(0))
def test_M8_cancelling_later_gives_the_unused_months_back(anna: Api, paid: dict[str, str]) -> None:
    shown = anna.get(f"subscriptions/{paid['id']}").data["cancellation"]
    done = anna.post("subscriptions/unsubscribe", {"subscription": paid["id"]}).data

    assert done["refund"]["amount"] == shown["refund"] == "2474.08"
    assert done["access_until"] == shown["access_until"]
    assert done["explanation"] == shown["explanation"]
    assert anna.get("access").data["entitlements"][0]["until"] == done["access_until"]


def test_M8_cancelling_before_payment_closes_the_page(anna: Api, acquirer: FakeAcquirer) -> None:
    born = anna.subscribe()

    done = anna.post("subscriptions/unsubscribe", {"subscription": born["id"]}).data

    assert (done["status"], done["refund"], done["access_until"]) == ("abandoned", None, None)
    assert done["explanation"] == "Nothing was paid, so nothing comes back."
    assert anna.get(f"payments/{born['payment']}").data["status"] == "cancelled"
    assert acquirer.called("void")


def test_M13_asking_the_acquirer_finds_a_payment_whose_callback_was_lost(anna: Api, acquirer: FakeAcquirer) -> None:
    born = anna.subscribe()
    acquirer.pay(born["payment"])

    assert anna.post("payments/check", {"payment": born["payment"]}).data["status"] == "succeeded"


def test_M3_a_timed_out_checkout_is_unknown_until_asked(anna: Api, acquirer: FakeAcquirer) -> None:
    acquirer.program("checkout", Fault.LOSE_ANSWER)
    born = anna.subscribe()
    assert born["redirect_url"] is None
    assert anna.get(f"payments/{born['payment']}").data["status"] == "unknown"

    checked = anna.post("payments/check", {"payment": born["payment"]}).data

    assert checked["status"] == "pending" and checked["redirect_url"]
    assert anna.subscribe()["payment"] == born["payment"]


def test_G6_invoices_are_listed_shown_and_closed(anna: Api) -> None:
    born = anna.subscribe()
    (listed,) = anna.get("invoices").data["results"]
    shown = anna.get(f"invoices/{born['invoice']}").data

    assert shown == listed
    assert (shown["id"], shown["status"], shown["total"]) == (born["invoice"], "open", "2699.00")
    assert (shown["subscription"], shown["lines"][0]["description"]) == (born["id"], "One year, 12 months")
    assert anna.post(f"invoices/{born['invoice']}/void").data["status"] == "void"
    assert anna.post(f"invoices/{born['invoice']}/void").data["status"] == "void"
    run_until_idle(now())
    assert anna.get(f"subscriptions/{born['id']}").data["status"] == "abandoned"


def test_G5_a_paid_invoice_is_not_voided(anna: Api, paid: dict[str, str]) -> None:
    refused = anna.post(f"invoices/{paid['invoice']}/void")
    assert (refused.status_code, refused.data["code"]) == (409, "invoice_paid")


@pytest.mark.parametrize("named", ["subscription", "invoice"])
def test_M12_the_payment_that_waits_is_gone_on_with(anna: Api, named: str) -> None:
    born = anna.subscribe()
    body = {named: born["id"] if named == "subscription" else born["invoice"]}

    assert anna.post("payments/payment", body).data["id"] == born["payment"]


def test_M12_the_return_address_gets_the_payments_id(anna: Api, acquirer: FakeAcquirer) -> None:
    born = anna.subscribe(return_url="https://cinema.example/paid/{payment}?x=1", save_card=True, acquirer="fake")
    order = acquirer.called("checkout")[0].order
    assert order.return_url == f"https://cinema.example/paid/{born['payment']}?x=1"
    assert order.save_card is True


def test_M7_without_a_return_address_the_customer_comes_back_to_our_page(anna: Api, acquirer: FakeAcquirer) -> None:
    born = anna.subscribe()
    order = acquirer.called("checkout")[0].order
    assert order.return_url == f"http://127.0.0.1:8000/payments/{born['payment']}/?back=1"


def test_M12_pages_follow_one_another(anna: Api) -> None:
    born = [anna.subscribe("year" if n % 2 else "month")["id"] for n in range(5)]
    seen, route = [], "subscriptions?page_size=2"
    while route:
        page = anna.get(route).data
        seen += [row["id"] for row in page["results"]]
        route = (page["next"] or "").partition("/api/v1/")[2]

    assert seen == born[::-1]
