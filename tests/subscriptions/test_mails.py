"""M15: what a customer is told by mail about their subscription when somebody changes it, staff or they themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail

from acquiring.types import Status, Subject
from billing import refunds
from billing.models import Payment
from subscriptions import agreements, cancellation, changes, grants, lifecycle, next_plans, pauses, trials
from subscriptions.grants import Gift
from subscriptions.models import Subscription
from tests.fake_acquirer import FakeAcquirer, Fault
from tests.subscriptions.renewing import Renewing
from tests.subscriptions.terms import at, bought, fake_bank
from tests.things import plan, run_until_idle, viewer

pytestmark = pytest.mark.django_db
MORNING = at("2026-01-31T12:00")
LATER = at("2026-02-10T12:00")
WHO = {"actor": "staff", "at": LATER}
WHY = "a secret of the staff"


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    plan("month", 1, 29_900, name="Monthly", trial_days=7)
    plan("year", 12, 269_900, name="Yearly")
    return fake_bank(settings)


def letter(moment: Any = LATER) -> tuple[str, str]:
    """Subject and text of the one mail that the sweeps at `moment` send, with plain spaces."""
    mail.outbox.clear()
    run_until_idle(moment)
    (sent,) = mail.outbox
    text = f"{sent.subject}\n{sent.body}".replace("\xa0", " ")
    assert "{" not in text and "None" not in text and WHY not in text
    return sent.subject, text


def settled(sold: Subscription, moment: Any = MORNING) -> Subscription:
    """A subscription whose news so far is told."""
    run_until_idle(moment)
    return Subscription.objects.get(pk=sold.pk)


def test_M15_a_pause_and_its_end_are_told_once(bank: FakeAcquirer) -> None:
    sold = settled(bought(bank, "month", MORNING))
    for _ in range(2):
        pauses.pause(sold.pk, **WHO, reason=WHY)
    subject, text = letter()
    assert subject == "Monthly is paused" and "18 whole days" in text and "Films have stopped" in text
    for _ in range(2):
        pauses.resume(sold.pk, actor="staff", at=LATER + timedelta(days=10), reason=WHY)
    subject, text = letter(LATER + timedelta(days=10))
    assert subject == "Monthly goes on"
    assert "rested for 10 days" in text and "paid to 10 March 2026" in text and "renews" not in text


def test_M15_another_plan_is_told_with_the_end_of_its_term(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    changes.upgrade(vera.id, lifecycle.Order(plan="year"), **WHO, by_saved_card=True)
    mail.outbox.clear()
    run_until_idle(LATER)
    assert sorted(str(sent.subject).split(":")[0] for sent in mail.outbox) == [
        "Payment received",
        "You have Yearly now",
    ]
    text = next(str(sent.body) for sent in mail.outbox if sent.subject == "You have Yearly now")
    assert "from Monthly to Yearly" in text and "31 January 2027" in text and "renews by itself" in text
    assert "What was left of the old term, 299.00\xa0₽, counted" in text


def test_M15_the_plan_of_the_next_term_is_told_and_its_withdrawal_too(bank: FakeAcquirer) -> None:
    sold = settled(bought(bank, "year", MORNING))
    next_plans.plan_next(sold.pk, "month", **WHO, reason=WHY)
    subject, text = letter()
    assert subject == "Monthly follows Yearly from 31 January on"
    assert "299.00 ₽" in text and "nothing is charged unless you pay" in text
    next_plans.keep_plan(sold.pk, **WHO, reason=WHY)
    subject, text = letter()
    assert subject == "You keep Yearly" and "the change to Monthly is off" in text


def test_M15_a_present_is_told_with_its_end(bank: FakeAcquirer) -> None:
    user = viewer()
    given = grants.give(user.pk, Gift("year", months=2), actor="staff", at=MORNING, reason=WHY)
    subject, text = letter(MORNING)
    assert subject == "2 months of Yearly, a present from us" and "To    31 March 2026, 12:00" in text
    assert Subscription.objects.get(pk=given.pk).valid_till == at("2026-03-31T12:00")
    grants.extend(given.pk, Gift("year", days=10), **WHO, reason=WHY)
    subject, text = letter()
    assert subject == "Yearly is extended to 10 April" and "we added 10 days" in text


def test_M15_a_present_after_paid_days_says_when_it_begins(bank: FakeAcquirer) -> None:
    user = viewer()
    sold = settled(bought(bank, "month", MORNING, user))
    cancellation.cancel(sold.pk, **WHO)
    run_until_idle(LATER)
    grants.give(user.pk, Gift("year", days=5), **WHO, reason=WHY)
    _, text = letter()
    assert "From  28 February 2026, when your paid days end" in text and "To    5 March 2026" in text
    assert Subscription.objects.get(plan__code="year").valid_till == at("2026-03-05T12:00")


def test_M15_a_trial_says_what_comes_after_it(bank: FakeAcquirer) -> None:
    trials.begin(viewer().pk, "month", actor="anna", at=MORNING)
    subject, text = letter(MORNING)
    assert subject == "Your trial of Monthly has begun"
    assert "7 days of Monthly" in text and "7 February 2026" in text and "nothing is charged then" in text
    assert "299.00 ₽ for 1 month)" in text


def test_M15_consent_to_renewal_and_its_end_are_told(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    agreements.switch_off(vera.id, **WHO, reason=WHY)
    subject, text = letter()
    assert subject == "Monthly does not renew any more" and "goes on to 28 February 2026" in text
    agreements.agree(vera.id, method_id=vera.card.pk, **WHO)
    subject, text = letter()
    assert subject == "Monthly renews by itself" and "Visa •••• 4242" in text and "299.00 ₽" in text


def test_M15_a_cancellation_says_what_comes_back_and_until_when(bank: FakeAcquirer) -> None:
    sold = settled(bought(bank, "month", MORNING))
    cancellation.cancel(sold.pk, **WHO, reason=WHY)
    subject, text = letter()
    assert subject == "Monthly is cancelled" and "Films go on to 28 February 2026" in text
    assert "nothing more will be charged" in text


def test_M15_a_refund_that_takes_its_time_is_told_once_before_it_is_made(bank: FakeAcquirer) -> None:
    sold = settled(bought(bank, "month", MORNING))
    payment = Payment.objects.get(invoice__period__subscription=sold)
    bank.program("refund", Fault.PENDING)
    refund = refunds.request(payment.pk, actor="staff", at=LATER, amount=None, reason=WHY)
    subject, text = letter()
    assert subject == "Refund of 299.00\xa0₽ is on its way" and "Visa •••• 4242" in text
    bank.settle(refund.pk, Status.SUCCEEDED, Subject.REFUND)
    assert letter(LATER + timedelta(hours=1))[0] == "Refund made: 299.00\xa0₽"
