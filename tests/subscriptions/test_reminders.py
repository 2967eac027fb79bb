"""Reminders and ends: each once, however late, double or seldom the scheduler runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail

from subscriptions import agreements, reminders
from subscriptions.models import Plan
from tests import things
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.renewing import Renewing
from tests.subscriptions.terms import at, fake_bank

pytestmark = pytest.mark.django_db
MORNING = at("2026-01-31T12:00")
END = at("2026-02-28T12:00")
DAYS = timedelta(days=3)


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    things.plan("month", 1, 29_900, name="Monthly")
    things.plan("silent", 1, 29_900, reminder_days=0)
    things.plan("early", 1, 29_900, renewal_lead_hours=24 * 5)
    return fake_bank(settings)


def letters() -> list[str]:
    return [letter.subject for letter in mail.outbox][1:]  # the first is the receipt


def test_T10_a_reminder_three_days_before_the_end_with_the_charge_to_come(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    assert vera.go(END - DAYS - timedelta(seconds=1)) == []
    assert vera.go(END - DAYS) == ["subscription.reminded"]
    assert letters() == ["Monthly renews on 28 February"]
    text = str(mail.outbox[-1].body)
    assert "299.00" in text and "Visa •••• 4242" in text and "28 February 2026, 12:00" in text


def test_T10_one_that_does_not_renew_is_told_of_its_end(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING, auto_renew=False)
    vera.go(END - DAYS)
    assert letters() == ["Monthly ends on 28 February"]
    vera.go(END)
    vera.go(END + timedelta(days=2))
    assert letters()[1:] == ["Monthly has ended; films go on until 2 March", "Monthly is over"]


def test_T10_a_reminder_is_sent_once_ever_for_a_term(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    for hours in (0, 0, 1, 24):
        vera.go(END - DAYS + timedelta(hours=hours))
    agreements.switch_off(vera.id, actor="vera", at=END - timedelta(days=1))
    agreements.agree(vera.id, method_id=vera.card.pk, actor="vera", at=END - timedelta(days=1))
    vera.go(END - timedelta(hours=20))
    assert [letter for letter in letters() if " on 28 " in letter] == ["Monthly renews on 28 February"]


def test_T10_the_next_term_has_its_own_reminder(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    vera.go(END - DAYS)
    vera.go(END)
    vera.go(at("2026-03-31T12:00") - DAYS)
    assert [letter for letter in letters() if "renews" in letter] == [
        "Monthly renews on 28 February",
        "Monthly renews on 31 March",
    ]


def test_T10_a_late_scheduler_reminds_late_and_one_that_slept_past_the_end_does_not(bank: FakeAcquirer) -> None:
    late, past = (Renewing(bank, "month", MORNING, auto_renew=False) for _ in range(2))
    late.go(END - timedelta(days=1))
    assert things.last_event("subscription.reminded").user_id in (late.user.pk, past.user.pk)
    slept = Renewing(bank, "month", END, auto_renew=False)
    assert "subscription.reminded" not in slept.go(END + timedelta(days=40))


def test_T10_whoever_has_renewed_already_is_not_reminded(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "early", MORNING)
    vera.go(END - timedelta(days=5))
    assert vera.go(END - DAYS) == []


def test_T10_a_plan_without_reminders_sends_none(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "silent", MORNING)
    assert vera.go(END - timedelta(minutes=1)) == []


def test_T10_a_card_that_is_missing_is_asked_for(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    things.removed(vera.card, at=MORNING)
    vera.go(END - DAYS)
    assert letters() == ["Monthly cannot renew on 28 February: no card"]


def test_T10_two_schedulers_at_one_moment_remind_once(bank: FakeAcquirer) -> None:
    Renewing(bank, "month", MORNING)
    assert [reminders.remind_due(at=END - DAYS) for _ in range(2)] == [1, 0]


def test_T10_the_lead_of_the_reminder_is_the_plans(bank: FakeAcquirer) -> None:
    Plan.objects.filter(code="month").update(reminder_days=7)
    vera = Renewing(bank, "month", MORNING)
    assert vera.go(END - timedelta(days=7)) == ["subscription.reminded"]
