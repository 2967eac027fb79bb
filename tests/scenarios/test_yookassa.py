"""The whole trip at an acquirer that signs nothing, finds nothing by our ids and closes no pages: YooKassa."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from moneyed import Money

from billing import audit, callbacks, payments, receipts, reconciliation, refunds
from billing.models import Callback, Case, Invoice, Payment, PaymentMethod, Receipt, Refund
from subscriptions import agreements, lifecycle
from tests.local_bank import LocalBank, eventually
from tests.scenarios.story import Story
from tests.things import now, plan, run_until_idle

pytestmark = pytest.mark.django_db(transaction=True)

SUCCESS, CODE, LATER_DECLINED = "4242424242424242", "4000000000003220", "4000000000000341"


class Tale(Story):
    """A story at YooKassa."""

    acquirer = "yookassa"


@pytest.fixture
def far_bank(tmp_path: Path, live_server: Any) -> Iterator[LocalBank]:
    """A bank that knows from the start where to ring: this protocol has no address in its orders."""
    with LocalBank(tmp_path / "bank", f"{live_server.url}/api/v1/callbacks/{{acquirer}}") as bank:
        yield bank


@pytest.fixture
def tale(far_bank: LocalBank, live_server: Any, settings: Any) -> Iterator[Tale]:
    settings.ALLOWED_HOSTS = ["*"]
    settings.ACQUIRERS = {
        "yookassa": {
            "backend": "acquiring.backends.yookassa.YooKassa",
            "options": {
                "shop_id": far_bank.merchant,
                "secret_key": far_bank.secret,
                "url": f"{far_bank.api_url}/yookassa/v3",
                "timeout": 1.0,
            },
        }
    }
    plan("month", 1, 29_900)
    plan("year", 12, 269_900)
    yield Tale(far_bank)
    far_bank.clear_faults()
    eventually(lambda: all(note["state"] != "pending" for note in far_bank.callbacks()))


def rung(count: int) -> None:
    """Waits until the bank has rung so often, and acts on it."""
    eventually(lambda: Callback.objects.count() >= count)
    callbacks.process_due(at=now())


def to_the_end(tale: Tale) -> None:
    end = tale.subscription.valid_till
    assert end
    tale.wait(seconds=(end - tale.at).total_seconds())


def agrees(tale: Tale) -> None:
    """The day at the bank has no case, and the books are right."""
    result = reconciliation.run("yookassa", now().astimezone(UTC).date(), at=tale.at)
    assert result.lines
    assert not Case.objects.exists()
    assert not audit.run(at=tale.at).breaches
    tale.agree()


def test_M6_the_whole_trip_at_yookassa(tale: Tale) -> None:
    tale.subscribe(auto_renew=True)
    assert str(tale.payment.pk) in tale.pay(CODE)  # with a code from the card's bank
    rung(1)
    assert tale.payment.status == "succeeded"
    tale.wait(minutes=1)
    assert tale.watches

    to_the_end(tale)  # renewed by the saved card
    assert (tale.subscription.status, len(tale.charges())) == ("active", 2)

    tale.bank.fault("decline:insufficient_funds")
    to_the_end(tale)  # declined, and tried again a day later
    assert tale.subscription.status in ("active", "past_due")
    declined = Payment.objects.latest("created_at")
    assert (declined.status, declined.decline_code) == ("failed", "insufficient_funds")
    tale.wait(hours=1)
    assert tale.subscription.status == "past_due"
    tale.wait(hours=24)
    assert (tale.subscription.status, len(tale.charges())) == ("active", 3)

    tale.bank.fault("decline:stolen_card")  # the next time the card's owner has withdrawn the permission
    to_the_end(tale)
    tale.wait(hours=1)
    assert Payment.objects.latest("created_at").decline == "stop"
    assert tale.subscription_id
    order = lifecycle.Order(plan="month", return_url="http://shop.example/p/{payment}/", save_card=True)
    page = agreements.pay(tale.subscription_id, order, actor="vera", at=tale.at)
    assert page
    tale.bank.pay(page.redirect_url, SUCCESS)
    tale.wait(minutes=2)
    assert (tale.subscription.status, len(tale.charges())) == ("active", 4)
    assert PaymentMethod.objects.count() == 2

    paid = Payment.objects.filter(status="succeeded").earliest("created_at")
    part = refunds.request(paid.pk, amount=Money("100.00", "RUB"), reason="a dull film", actor="staff", at=tale.at)
    assert part.status == "succeeded"
    tale.cancel()
    tale.wait(days=40)
    assert tale.subscription.status == "ended"
    agrees(tale)


def test_a_ring_alone_pays_nothing(tale: Tale, client: Any) -> None:
    tale.subscribe()
    url = "/api/v1/callbacks/yookassa"
    content = {
        "id": tale.payment.acquirer_payment_id,
        "status": "succeeded",
        "amount": {"value": "299.00", "currency": "RUB"},
        "metadata": {"order_id": str(tale.payment.pk)},
    }
    body = {"type": "notification", "event": "payment.succeeded", "object": content}
    assert client.post(url, body, content_type="application/json").status_code == 200
    callbacks.process_due(at=now())
    assert (tale.payment.status, tale.watches) == ("pending", False)
    tale.pay()
    rung(2)  # the false ring has not taken the true one's place
    assert tale.payment.status == "succeeded"
    agrees(tale)


def test_a_checkout_whose_answer_was_lost_is_found_in_their_list(tale: Tale) -> None:
    tale.bank.fault("timeout_after")
    begun = tale.subscribe()
    assert begun.status == "unknown"
    tale.wait(minutes=3)
    assert (tale.payment.status, bool(tale.payment.redirect_url)) == ("pending", True)
    tale.pay()
    tale.wait(minutes=10)
    assert tale.watches
    agrees(tale)


def test_a_checkout_that_never_arrived_is_sent_again(tale: Tale) -> None:
    tale.bank.fault("timeout_before")
    assert tale.subscribe().status == "unknown"
    tale.wait(minutes=3)
    assert tale.payment.status == "pending"
    tale.pay()
    tale.wait(minutes=10)
    assert len(tale.charges()) == 1
    agrees(tale)


def test_another_plan_can_be_chosen_although_the_first_page_stays_open(tale: Tale) -> None:
    first = tale.subscribe("month")
    tale.wait(minutes=5)
    second = tale.subscribe("year")
    assert second.pk != first.pk
    assert Payment.objects.get(pk=first.pk).status == "cancelled"
    tale.pay()
    tale.wait(minutes=5)
    assert tale.watches
    tale.bank.pay(first.redirect_url)  # in the other tab
    tale.wait(minutes=5)
    assert Payment.objects.get(pk=first.pk).surplus
    assert Refund.objects.get(payment_id=first.pk).status == "succeeded"
    agrees(tale)


def test_a_page_is_followed_until_its_time_is_over(tale: Tale) -> None:
    first = tale.subscribe("month")
    tale.subscribe("year")
    given_up = Payment.objects.get(pk=first.pk)
    assert given_up.next_check_at
    expire(tale.bank, given_up)
    tale.wait(minutes=10)
    given_up.refresh_from_db()
    assert (given_up.status, given_up.next_check_at) == ("cancelled", None)


def test_a_checkout_whose_time_is_over_waits_for_its_page_and_no_longer(tale: Tale) -> None:
    payment = tale.subscribe()
    tale.wait(minutes=61)  # of ours; theirs has hardly begun
    assert (tale.payment.status, payment.invoice.status) == ("pending", "open")
    tale.pay()  # in the last moment
    tale.wait(minutes=30)
    assert tale.watches
    agrees(tale)


def test_a_checkout_nobody_paid_is_closed_with_its_page(tale: Tale) -> None:
    payment = tale.subscribe()
    tale.wait(minutes=61)
    expire(tale.bank, payment)
    tale.wait(minutes=30)
    tale.wait(minutes=30)
    assert (tale.payment.status, Invoice.objects.get().status) == ("cancelled", "void")
    assert tale.subscription.status == "abandoned"


def test_what_never_arrived_keeps_nobody_from_beginning_anew(tale: Tale) -> None:
    tale.bank.fault("timeout_before", 20)
    first = tale.subscribe("month")
    tale.bank.clear_faults()
    tale.at += timedelta(minutes=3)
    payments.cancel(first.pk, at=tale.at)
    assert Payment.objects.get(pk=first.pk).status == "cancelled"
    tale.subscribe("year")
    tale.pay()
    tale.wait(minutes=10)
    assert tale.watches
    agrees(tale)


def test_what_nobody_can_say_is_not_given_up(tale: Tale) -> None:
    first = tale.subscribe("month")
    tale.bank.fault("refuse", 30)
    payments.cancel(first.pk, at=tale.at)
    tale.bank.clear_faults()
    assert Payment.objects.get(pk=first.pk).status == "pending"


def test_a_hold_is_taken_once_and_a_refund_that_waits_ends(tale: Tale, settings: Any) -> None:
    settings.ACQUIRERS["yookassa"]["two_stage"] = True
    tale.subscribe()
    tale.pay()
    tale.wait(minutes=5)
    assert tale.payment.status == "authorized"
    payments.capture(tale.payment.pk, at=tale.at)
    tale.bank.fault("refund_pending:0.5")
    back = refunds.request(tale.payment.pk, amount=Money("1.00", "RUB"), reason="x", actor="staff", at=tale.at)
    assert back.status == "pending"
    eventually(lambda: tale.bank.operations()[-1]["kind"] == "refund")
    tale.wait(minutes=5)
    assert Refund.objects.get().status == "succeeded"
    agrees(tale)


def test_receipts_are_made_with_the_money_and_watched_until_they_are_registered(tale: Tale, settings: Any) -> None:
    settings.ACQUIRERS["yookassa"]["receipts"] = {"tax_system": "osn", "vat": "22", "subject": "service"}
    tale.subscribe()
    tale.pay()
    tale.wait(minutes=1)
    refunds.request(tale.payment.pk, amount=Money("100.00", "RUB"), reason="x", actor="staff", at=tale.at)
    assert [receipt.status for receipt in Receipt.objects.order_by("created_at")] == ["pending", "pending"]

    def registered() -> bool:
        tale.at += timedelta(minutes=30)
        receipts.poll_due(at=tale.at)
        return set(Receipt.objects.values_list("status", flat=True)) == {"registered"}

    eventually(registered)
    tale.wait(minutes=1)
    agrees(tale)


def expire(bank: LocalBank, payment: Payment) -> None:
    """The hour of a page is over at the bank."""
    bank.expire(f"pay_{UUID(payment.acquirer_payment_id).hex}")
    run_until_idle(now())
