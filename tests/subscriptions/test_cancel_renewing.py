"""Cancelling a subscription that renews: no free time, no invoice left to pay, every paid term by the rules."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from subscriptions import cancellation, renewals
from tests import things
from tests.fake_acquirer import FakeAcquirer, Fault
from tests.subscriptions.renewing import Renewing, declined
from tests.subscriptions.terms import at, fake_bank, rub

pytestmark = pytest.mark.django_db
MORNING = at("2026-01-31T12:00")
END = at("2026-02-28T12:00")


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    things.plan("month", 1, 29_900, name="Monthly")
    things.plan("early", 1, 29_900, renewal_lead_hours=48)
    things.plan("never", 1, 29_900, renewal_lead_hours=48, refund_policy="none")
    things.plan("quarter", 3, 80_000, renewal_lead_hours=48)
    return fake_bank(settings)


def test_M8_cancelling_in_grace_gives_no_free_time_and_leaves_nothing_to_pay(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    bank.program("charge", declined())
    vera.go(END)
    vera.go(END + timedelta(hours=20))
    done = cancellation.cancel(vera.id, actor="vera", at=vera.at, expected_refund=rub(0))
    assert (done.refund, done.subscription.access_until, done.subscription.valid_till) == (None, vera.at, END)
    assert vera.invoices == ["paid", "uncollectible"]
    vera.go(END + timedelta(days=5))
    assert (vera.row.status, vera.watches(), len(vera.payments)) == ("ended", False, 2)


def test_M8_a_next_term_paid_early_comes_back_whole(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "early", MORNING)
    vera.go(END - timedelta(hours=48))
    later = END - timedelta(hours=10)
    seen = cancellation.preview(vera.row, at=later)
    assert (seen.refund, seen.access_until) == (rub(299), END)
    done = cancellation.cancel(vera.id, actor="vera", at=later, expected_refund=seen.refund)
    assert [refund.amount for refund in done.refunds] == [29_900]
    assert (done.subscription.valid_till, vera.taken) == (END, 29_900)
    vera.go(END)
    assert vera.row.status == "ended"


def test_M8_the_months_not_begun_and_the_next_term_come_back_together(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "quarter", MORNING)
    vera.go(at("2026-04-30T12:00") - timedelta(hours=48))
    assert vera.taken == 160_000
    done = cancellation.cancel(vera.id, actor="vera", at=vera.at + timedelta(hours=2))
    assert [refund.amount for refund in done.refunds] == [80_000]
    renewed = Renewing(bank, "quarter", MORNING)
    renewed.go(at("2026-04-30T12:00") - timedelta(hours=48))
    both = cancellation.preview(renewed.row, at=MORNING + timedelta(days=40))  # as if the lead were long
    assert both.refund == rub("266.66") + rub(800)


def test_M8_a_plan_that_gives_nothing_back_lets_one_watch_what_was_paid(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "never", MORNING)
    vera.go(END - timedelta(hours=48))
    done = cancellation.cancel(vera.id, actor="vera", at=END - timedelta(hours=10))
    assert (done.refund, done.subscription.access_until) == (None, at("2026-03-31T12:00"))


def test_M8_unsubscribing_during_an_unknown_charge_gives_late_money_back(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "early", MORNING)
    bank.program("charge", Fault.LOSE_ANSWER)
    renewals.renew_due(at=END - timedelta(hours=48))
    done = cancellation.cancel(vera.id, actor="vera", at=END - timedelta(hours=47))
    assert (done.refund, done.subscription.access_until) == (None, END)
    vera.go(END - timedelta(hours=46))
    vera.go(END - timedelta(hours=40))
    assert (vera.taken, vera.payments[-1].surplus, vera.row.valid_till) == (29_900, True, END)


def test_M8_a_renewal_that_was_paid_this_very_moment_is_given_back_too(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "early", MORNING)
    renewals.renew_due(at=END - timedelta(hours=48))  # paid; its news is on the way
    done = cancellation.cancel(vera.id, actor="vera", at=END - timedelta(hours=47))
    assert [refund.amount for refund in done.refunds] == [29_900]
    vera.go(END - timedelta(hours=46))
    assert (vera.row.valid_till, vera.taken) == (END, 29_900)


def test_M8_within_the_hour_after_a_renewal_all_of_it_comes_back(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    vera.go(END)
    done = cancellation.cancel(vera.id, actor="vera", at=END + timedelta(minutes=30))
    assert [refund.amount for refund in done.refunds] == [29_900]
    assert done.subscription.access_until == END + timedelta(minutes=30)


def test_M8_after_a_cancellation_nothing_is_charged_or_reminded(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    cancellation.cancel(vera.id, actor="vera", at=MORNING + timedelta(days=3))
    vera.news()
    assert vera.go(END - timedelta(days=3)) == []
    assert vera.go(END) == ["subscription.ended"]
    assert len(bank.called("charge")) == 0
