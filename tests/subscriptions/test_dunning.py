"""Dunning: declined, the acquirer's fault and unknown are three ways; the ladder is counted from what happened."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from acquiring.types import Card, Decline, Outcome
from billing import explanations, payments, settlement
from billing.models import Payment
from subscriptions import agreements, lifecycle, renewals
from tests import things
from tests.fake_acquirer import CARD, FakeAcquirer, Fault
from tests.subscriptions.renewing import Renewing, declined
from tests.subscriptions.terms import at, fake_bank

pytestmark = pytest.mark.django_db
MORNING = at("2026-01-31T12:00")
END = at("2026-02-28T12:00")
NEXT = at("2026-03-31T12:00")
OTHER = Card("tok_other", "•••• 5555", "Mastercard", 12, 2031)
NO = declined()


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    things.plan("month", 1, 29_900, name="Monthly")
    return fake_bank(settings)


@pytest.fixture
def vera(bank: FakeAcquirer) -> Renewing:
    return Renewing(bank, "month", MORNING)


def tries(vera: Renewing) -> list[datetime]:
    """When the card was charged for the next term."""
    return [payment.created_at for payment in vera.payments[1:]]


def hourly(vera: Renewing, hours: int) -> None:
    """Lets the scheduler run each hour from the end on."""
    for hour in range(hours + 1):
        vera.go(END + timedelta(hours=hour))


def test_M10_a_declined_renewal_climbs_the_ladder_and_access_follows_the_grace(
    bank: FakeAcquirer, vera: Renewing
) -> None:
    bank.program("charge", NO, NO, NO, NO, NO)
    hourly(vera, 47)
    assert tries(vera) == [END, END + timedelta(days=1), END + timedelta(hours=45)]
    assert (vera.row.status, vera.watches()) == ("past_due", True)
    vera.go(END + timedelta(hours=48))
    assert (vera.row.status, vera.watches(), vera.invoices) == ("expired", False, ["paid", "uncollectible"])
    vera.go(END + timedelta(days=30))
    assert (len(tries(vera)), vera.taken) == (3, 29_900)


def test_M10_each_step_is_told_and_nothing_else(bank: FakeAcquirer, vera: Renewing) -> None:
    bank.program("charge", NO, NO, NO)
    assert vera.go(END - timedelta(days=3)) == ["subscription.reminded"]
    assert vera.go(END) == ["payment.failed"]
    assert vera.go(END + timedelta(minutes=15)) == ["subscription.past_due"]
    assert vera.go(END + timedelta(days=1)) == ["payment.failed"]
    assert vera.go(END + timedelta(hours=45)) == ["payment.failed"]
    assert vera.go(END + timedelta(days=2)) == ["invoice.written_off", "subscription.expired"]


def test_M10_a_decline_that_is_paid_later_recovers_without_a_gap(bank: FakeAcquirer, vera: Renewing) -> None:
    bank.program("charge", NO)
    vera.go(END)
    vera.go(END + timedelta(hours=1))
    assert sorted(vera.go(END + timedelta(days=1))) == [
        "invoice.paid",
        "payment.succeeded",
        "subscription.activated",
        "subscription.renewed",
    ]
    assert (vera.row.status, vera.row.valid_till, vera.row.next_charge_at) == ("active", NEXT, NEXT)


def test_M10_the_same_news_twice_is_no_second_step(bank: FakeAcquirer, vera: Renewing) -> None:
    bank.program("charge", NO, NO)
    vera.go(END)
    before = vera.row.next_charge_at
    for _ in range(3):
        renewals.tell(vera.payments[-1].invoice_id, at=END + timedelta(minutes=1))
        renewals.renew_due(at=END + timedelta(minutes=1))
    assert vera.row.next_charge_at == before == END + timedelta(days=1)
    assert len(tries(vera)) == 1


def test_M10_after_an_outage_one_try_is_made_and_not_all_that_were_missed(bank: FakeAcquirer, vera: Renewing) -> None:
    bank.program("charge", NO, NO)
    vera.go(END + timedelta(hours=30))
    vera.go(END + timedelta(hours=31))
    assert tries(vera) == [END + timedelta(hours=30)]
    assert vera.row.next_charge_at == END + timedelta(hours=45)


def later(hours: int, group: Decline = Decline.RETRY_LATER) -> Outcome:
    """The bank's no, and from how many hours after the end of the term on another try is welcome."""
    return replace(declined(group), retry_after=END + timedelta(hours=hours))


def test_M10_no_try_is_made_before_the_bank_welcomes_it(bank: FakeAcquirer, vera: Renewing) -> None:
    bank.program("charge", later(30), NO)
    hourly(vera, 29)
    assert tries(vera) == [END]
    assert vera.row.next_charge_at == vera.payments[1].retry_after == END + timedelta(hours=30)
    hourly(vera, 44)
    assert tries(vera) == [END, END + timedelta(hours=30)]
    assert vera.row.next_charge_at == END + timedelta(hours=45)  # the ladder goes on from there
    vera.go(END + timedelta(hours=45))
    assert (vera.row.status, vera.payments[-1].retry_after) == ("active", None)


def test_M10_a_try_that_is_welcome_sooner_does_not_hurry_the_ladder(bank: FakeAcquirer, vera: Renewing) -> None:
    bank.program("charge", later(2))
    hourly(vera, 24)
    assert tries(vera) == [END, END + timedelta(days=1)]


def test_M10_a_try_that_is_welcome_only_after_the_grace_is_not_made_and_another_card_is_asked_for(
    bank: FakeAcquirer, vera: Renewing
) -> None:
    bank.program("charge", later(48))
    assert vera.go(END) == ["payment.failed", "subscription.card_needed", "subscription.past_due"]
    assert "only from 2 March 2026, 12:00 MSK on" in things.last_event("subscription.card_needed").data["why"]
    hourly(vera, 60)
    assert (tries(vera), vera.row.status) == ([END], "expired")


def test_M10_a_busy_acquirer_is_not_asked_again_before_it_wants_to_be(bank: FakeAcquirer, vera: Renewing) -> None:
    bank.program("charge", later(3, Decline.NOT_SENT))
    hourly(vera, 3)
    assert tries(vera) == [END, END + timedelta(hours=3)]


def test_B3_when_the_bank_takes_the_card_again_is_explained(bank: FakeAcquirer, vera: Renewing) -> None:
    bank.program("charge", later(30))
    vera.go(END)
    assert "The bank takes this card again from 1 March 2026, 18:00 MSK on." in explanations.explain(vera.payments[-1])


@pytest.mark.parametrize("group", [Decline.ANOTHER_CARD, Decline.STOP, Decline.CUSTOMER_ACTION])
def test_M10_a_hard_decline_stops_and_asks_for_another_card_once(
    bank: FakeAcquirer, vera: Renewing, group: Decline
) -> None:
    bank.program("charge", declined(group, "No."))
    assert vera.go(END) == ["payment.failed", "subscription.card_needed", "subscription.past_due"]
    hourly(vera, 47)
    assert len(tries(vera)) == 1
    assert vera.row.next_charge_at is None
    assert things.last_event("subscription.card_needed").data["why"] == "No."
    assert vera.row.status == "past_due"


def test_M10_a_new_card_is_tried_at_once(bank: FakeAcquirer, vera: Renewing) -> None:
    bank.program("charge", declined(Decline.STOP))
    vera.go(END)
    other = settlement.save_card(vera.user.pk, "fake", OTHER, at=END)
    soon = END + timedelta(hours=7)
    vera.go(soon)
    agreements.agree(vera.id, method_id=other.pk, actor="vera", at=soon)
    vera.go(soon)
    assert (vera.row.status, vera.row.valid_till) == ("active", NEXT)
    assert [call.order.token for call in bank.called("charge")] == [CARD.token, OTHER.token]


def test_M10_a_fault_of_the_acquirer_is_no_step_and_comes_again_soon(bank: FakeAcquirer, vera: Renewing) -> None:
    bank.program("charge", Fault.NOT_SENT, Fault.NOT_SENT, NO)
    vera.go(END)
    assert vera.row.next_charge_at == END + timedelta(minutes=5)
    vera.go(END + timedelta(minutes=5))
    assert vera.row.next_charge_at == END + timedelta(minutes=15)
    vera.go(END + timedelta(minutes=15))
    assert vera.row.next_charge_at == END + timedelta(days=1)  # the decline is the first step
    vera.go(END + timedelta(days=1))
    assert vera.row.valid_till == NEXT


def test_M3_while_nobody_knows_nothing_is_tried_and_then_the_truth_counts(bank: FakeAcquirer, vera: Renewing) -> None:
    bank.program("charge", Fault.LOSE_ANSWER)
    bank.program("fetch", *[Fault.LOSE_ANSWER] * 200)
    hourly(vera, 30)
    assert len(tries(vera)) == 1
    bank._steps["fetch"].clear()
    bank.settle(vera.payments[-1].pk, settlement.Status.FAILED)
    vera.go(END + timedelta(hours=37))
    assert vera.payments[-1].status == "failed"
    assert len(bank.called("charge")) == 1  # "another card", said late


def test_M3_money_that_arrives_after_the_grace_is_surplus_and_goes_back(bank: FakeAcquirer, vera: Renewing) -> None:
    bank.program("charge", Fault.LOSE_ANSWER)
    bank.program("fetch", *[Fault.LOSE_ANSWER] * 200)
    bank.program("void", *[Fault.LOSE_ANSWER] * 3)
    hourly(vera, 48)
    assert vera.row.status == "expired"
    bank._steps["fetch"].clear()
    for hour in range(49, 70):
        vera.go(END + timedelta(hours=hour))
    assert (vera.row.status, vera.row.valid_till, vera.taken) == ("expired", END, 29_900)
    assert vera.payments[-1].surplus


def test_M3_a_charge_that_never_arrived_is_not_sent_for_a_term_that_is_over(bank: FakeAcquirer, vera: Renewing) -> None:
    bank.program("charge", Fault.LOSE_REQUEST)
    renewals.renew_due(at=END)
    agreements.switch_off(vera.id, actor="vera", at=END + timedelta(minutes=1))
    vera.go(END + timedelta(minutes=10))
    assert (vera.payments[-1].status, len(bank.called("charge"))) == ("cancelled", 1)


def test_M10_a_card_is_charged_no_more_often_than_the_networks_allow(
    bank: FakeAcquirer, vera: Renewing, settings: Any
) -> None:
    settings.CARD_ATTEMPTS = 3
    bank.program("charge", NO, NO, NO)
    vera.go(END)
    vera.go(END + timedelta(days=1))
    vera.go(END + timedelta(hours=45))
    assert len(tries(vera)) == 2  # the purchase was the first
    assert "as often as" in things.last_event("subscription.card_needed").reason


def test_M10_the_ladder_is_a_setting(bank: FakeAcquirer, vera: Renewing, settings: Any) -> None:
    settings.DUNNING_STEPS = [timedelta(hours=6), timedelta(hours=12), timedelta(hours=18)]
    bank.program("charge", *[NO] * 4)
    hourly(vera, 47)
    assert tries(vera) == [END + timedelta(hours=hours) for hours in (0, 6, 12, 18)]


def test_M10_another_page_paid_in_grace_ends_the_dunning(bank: FakeAcquirer, vera: Renewing) -> None:
    bank.program("charge", NO)
    vera.go(END)
    payment = agreements.pay(vera.id, lifecycle.Order(plan="month", save_card=True), actor="vera", at=END)
    bank.pay(payment.pk, OTHER)
    payments.check(payment.pk, at=END)
    vera.go(END + timedelta(minutes=1))
    assert (vera.row.valid_till, vera.row.method and vera.row.method.mask) == (NEXT, OTHER.mask)
    hourly(vera, 30)
    assert Payment.objects.filter(user=vera.user, status="succeeded").count() == 2
