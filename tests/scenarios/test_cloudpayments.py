"""A customer's years at CloudPayments: the real verbs against the local bank, which speaks that protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, timedelta
from typing import Any

import pytest
from moneyed import Money

from acquiring import registry
from acquiring.types import Charge
from billing import audit, checkouts, ledger, payments, reconciliation, refunds
from billing.models import Callback, Case, Event, Invoice, Payment, Refund
from tests.local_bank import LocalBank, eventually
from tests.scenarios.story import Story
from tests.things import now, plan

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "cloudpayments"
THREE_D_SECURE = "4000000000003220"


def cloudpayments_at(bank: LocalBank, **options: Any) -> dict[str, Any]:
    """`settings.ACQUIRERS` with the local bank as CloudPayments alone."""
    return {
        NAME: {
            "backend": "acquiring.backends.cloudpayments.CloudPayments",
            "options": {
                "url": f"{bank.api_url}/cloudpayments",
                "public_id": bank.merchant,
                "api_secret": bank.secret,
                "callback_secrets": [bank.callback_secret],
                "timeout": 2.0,
                **options,
            },
        }
    }


class Trip(Story):
    """A story at CloudPayments."""

    def agree(self) -> None:
        done = [each for each in self.bank.operations() if each["state"] == "succeeded"]
        in_bank = sum(int(each["amount"]) * (1 if each["kind"] == "charge" else -1) for each in done)
        assert ledger.balance(ledger.cash(NAME, "RUB")) == Money(in_bank, "RUB") / 100
        assert not audit.run(at=self.at).breaches
        for day in (now().astimezone(UTC).date() - timedelta(days=1), now().astimezone(UTC).date()):
            assert not reconciliation.run(NAME, day, at=self.at).opened
        assert not Case.objects.exists()


@pytest.fixture
def trip(bank: LocalBank, settings: Any) -> Trip:
    settings.ACQUIRERS = cloudpayments_at(bank)
    plan("month", 1, 29_900)
    return Trip(bank)


@pytest.fixture
def called(tmp_path: Any, settings: Any, live_server: Any) -> Iterator[Trip]:
    settings.ALLOWED_HOSTS = ["*"]
    settings.PUBLIC_URL = live_server.url
    with LocalBank(tmp_path / "bank", f"{live_server.url}/api/v1/callbacks/{NAME}") as bank:
        settings.ACQUIRERS = cloudpayments_at(bank)
        plan("month", 1, 29_900)
        yield Trip(bank)


def to_the_end(trip: Trip) -> None:
    """On to the end of the term that is paid."""
    end = trip.subscription.valid_till
    assert end
    trip.wait(seconds=(end - trip.at).total_seconds())


def test_the_whole_trip(trip: Trip) -> None:
    trip.subscribe(auto_renew=True)
    trip.pay("4000000000009995")  # declined, and the page waits for another card
    trip.wait(minutes=1)
    assert (trip.payment.status, trip.watches) == ("pending", False)
    trip.pay(THREE_D_SECURE)
    trip.wait(minutes=5)
    assert (trip.payment.status, trip.subscription.status, trip.watches) == ("succeeded", "active", True)
    for _ in range(2):
        to_the_end(trip)
        assert (trip.subscription.status, trip.watches) == ("active", True)
    assert len(trip.charges()) == 3

    trip.bank.fault("decline:insufficient_funds", rate=1.0)
    to_the_end(trip)
    trip.wait(minutes=20)
    assert (trip.subscription.status, len(trip.charges())) == ("past_due", 3)
    trip.bank.clear_faults()
    trip.wait(days=1)
    assert (trip.subscription.status, len(trip.charges())) == ("active", 4)

    paid = Payment.objects.filter(status="succeeded").latest("created_at")
    part = refunds.request(paid.pk, amount=Money("100.00", "RUB"), reason="kind", actor="vera", at=trip.at)
    assert part.status == "succeeded"
    trip.agree()
    trip.cancel()
    trip.wait(minutes=10)
    assert set(Refund.objects.values_list("status", flat=True)) == {"succeeded"}
    trip.agree()


def test_a_card_that_is_declined_for_good_makes_room_for_a_new_one(trip: Trip) -> None:
    trip.subscribe(auto_renew=True)
    trip.pay()
    trip.wait(minutes=5)
    trip.bank.fault("decline:stolen_card", 1)
    to_the_end(trip)
    assert trip.subscription.status == "past_due"
    trip.wait(days=1)  # nobody charges this card again by itself
    assert len(trip.charges()) == 1
    trip.subscribe(auto_renew=True)
    trip.pay("5555555555554444")
    trip.wait(minutes=5)
    assert (trip.subscription.status, len(trip.charges())) == ("active", 2)
    to_the_end(trip)
    assert (trip.subscription.status, len(trip.charges())) == ("active", 3)
    trip.agree()


@pytest.mark.parametrize("trouble", ["timeout_before", "timeout_after", "error_after"])
def test_a_renewal_without_an_answer_is_made_once(trip: Trip, trouble: str) -> None:
    trip.subscribe(auto_renew=True)
    trip.pay()
    trip.wait(minutes=5)
    trip.bank.fault(trouble)
    to_the_end(trip)
    trip.wait(minutes=20)
    assert (trip.subscription.status, len(trip.charges())) == ("active", 2)
    trip.agree()


def test_a_page_that_nobody_pays_is_closed_and_takes_no_money(trip: Trip) -> None:
    trip.subscribe()
    page = trip.payment.redirect_url
    trip.wait(days=3)
    assert trip.payment.status == "cancelled"
    trip.bank.pay(page)
    assert trip.charges() == []
    trip.agree()


@pytest.mark.parametrize("trouble", ["timeout_before", "timeout_after"])
def test_a_checkout_whose_answer_was_lost_comes_to_an_end(trip: Trip, trouble: str) -> None:
    trip.bank.fault(trouble)
    trip.subscribe()
    assert trip.payment.status == "unknown"
    trip.wait(days=3)
    assert trip.payment.status in ("cancelled", "failed")
    assert trip.payment.parked == ""
    trip.agree()


def test_a_checkout_lost_and_then_voided_comes_to_an_end(trip: Trip) -> None:
    """The order that the bank may have is known to nobody, so no customer can find its page."""
    trip.bank.fault("timeout_after", 3)
    trip.subscribe()
    trip.bank.clear_faults()
    trip.at += timedelta(minutes=10)
    checkouts.close(trip.payment.invoice_id, actor="staff", at=trip.at, reason="a test")
    assert trip.payment.status == "cancelled"
    trip.wait(minutes=1)
    trip.agree()


def test_the_bank_asks_before_it_takes_the_money_and_is_told_the_truth(called: Trip) -> None:
    called.subscribe(auto_renew=True)
    page = called.payment.redirect_url
    called.pay()
    eventually(lambda: Callback.objects.filter(kind="pay").exists())
    called.wait(seconds=30)
    assert (called.payment.status, called.subscription.status) == ("succeeded", "active")
    called.agree()
    called.bank.pay(page)
    assert len(called.charges()) == 1


def test_nobody_pays_for_what_was_closed_here(called: Trip) -> None:
    called.subscribe()
    Invoice.objects.update(status="void")  # and whoever would close the page is late
    called.pay()
    assert called.charges() == []
    [line] = called.bank.operations()
    assert line["state"] == "declined"


def test_a_page_that_holds_a_sum_again_after_it_was_released_is_found_in_the_statement(
    trip: Trip, settings: Any
) -> None:
    settings.ACQUIRERS[NAME]["two_stage"] = True
    page = trip.subscribe().redirect_url
    trip.pay()
    payments.check(trip.payment.pk, at=trip.at)
    assert payments.cancel(trip.payment.pk, at=trip.at).status == "cancelled"
    trip.bank.open_again(page.rpartition("/")[2])
    trip.bank.pay(page)
    assert sorted(each["state"] for each in trip.bank.operations()) == ["authorized", "voided"]
    for _ in range(2):
        trip.agree()
    assert {each["state"] for each in trip.bank.operations()} == {"voided"}
    assert Event.objects.filter(kind="payment.hold_released").count() == 1
    assert (trip.payment.status, trip.payment.parked, trip.charges()) == ("cancelled", "", [])


def test_a_widget_whose_amount_was_changed_is_not_paid(called: Trip, settings: Any) -> None:
    called.subscribe()
    payment = called.payment
    settings.ACQUIRERS = cloudpayments_at(called.bank, page="widget")
    order = Charge(str(payment.pk), payment.money, "Films", str(payment.user_id), "ann@example.org")
    values = dict(registry.get(NAME).checkout(order).widget) | {"amount": "1.00"}
    page = f"{called.bank.url}/cloudpayments/widget"
    cheap = called.bank.http.get(page, params={"params": json.dumps(values)}, timeout=5)
    called.bank.pay(cheap.url)
    assert called.charges() == []  # the question was answered with a no


def test_callbacks_of_a_renewal_and_its_refund_are_read(called: Trip) -> None:
    called.subscribe(auto_renew=True)
    called.pay()
    called.wait(minutes=1)
    to_the_end(called)
    called.cancel()
    eventually(lambda: Callback.objects.filter(kind="refund").exists())
    called.wait(minutes=1)
    assert not Callback.objects.exclude(status="processed").exists()
    assert set(Refund.objects.values_list("status", flat=True)) == {"succeeded"}
    called.agree()
