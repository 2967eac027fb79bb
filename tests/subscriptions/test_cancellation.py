"""Cancelling: the figure shown is the figure given back, once, whatever dies in between."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import pytest

from acquiring.types import Status, Subject
from billing import payments, refunds
from billing.errors import Conflict
from billing.models import Event, Refund
from subscriptions import cancellation, endings, entitlements
from subscriptions.models import Subscription
from tests.fake_acquirer import FakeAcquirer, Fault
from tests.subscriptions.terms import at, bought, chosen, fake_bank, news, rub, told
from tests.things import plan, viewer

pytestmark = pytest.mark.django_db
MORNING = at("2026-01-31T12:00")
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    plan("month", 1, 29_900)
    plan("year", 12, 269_900)
    for policy in ("pro_rata_days", "window_only", "none"):
        plan(policy, 6, 150_001, refund_policy=policy)
    return fake_bank(settings)


def cancel(sold: Subscription, moment: Any, **more: Any) -> cancellation.Cancelled:
    return cancellation.cancel(sold.pk, **{"actor": f"user:{sold.user_id}", "at": moment} | more)


def refused(code: str) -> Any:
    return pytest.raises(Conflict, check=lambda error: error.code == code)


# --- Preview is the deed ---

MOMENTS = (
    "2026-01-31T12:00", "2026-01-31T12:59:59.999999", "2026-01-31T13:00", "2026-02-28T11:59:59", "2026-02-28T12:00",
    "2026-03-31T12:00", "2026-06-15T03:00", "2026-07-31T11:59:59", "2026-07-31T12:00", "2026-08-02T12:00",
    "2026-12-31T12:00", "2027-01-31T12:00",
)  # fmt: skip


@pytest.mark.parametrize("code", ["year", "pro_rata_days", "window_only", "none"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_M8_what_was_shown_is_what_is_done(bank: FakeAcquirer, code: str, moment: str) -> None:
    sold = bought(bank, code, MORNING)
    shown = cancellation.preview(sold, at=at(moment))
    done = cancel(sold, at(moment), expected_refund=shown.refund)
    assert done.subscription.access_until == shown.access_until
    assert done.subscription.valid_till == min(shown.access_until, sold.periods.get().ends_at)  # grace is not paid
    assert sum(bank.returned(sold.periods.get().invoice.payments.get().pk), start=rub(0)) == shown.refund
    if shown.refund:
        assert done.refund
        assert (done.refund.money, done.refund.status) == (shown.refund, "succeeded")
        assert done.refund.explanation == shown.explanation
    else:
        assert done.refund is None
    told_of = Event.objects.get(kind="subscription.cancelled").data
    assert told_of["explanation"] == shown.explanation


@pytest.mark.parametrize(
    ("shown_at", "pressed_at"),
    [("2026-01-31T12:59:59", "2026-01-31T13:00"), ("2026-02-28T11:59:59", "2026-02-28T12:00")],
)
def test_M8_a_figure_gone_stale_while_somebody_hesitated_is_refused_and_nothing_changes(
    bank: FakeAcquirer, shown_at: str, pressed_at: str
) -> None:
    sold = bought(bank, "year", MORNING)
    shown = cancellation.preview(sold, at=at(shown_at))
    before = Subscription.objects.filter(pk=sold.pk).values().get()
    with refused("stale_refund"):
        cancel(sold, at(pressed_at), expected_refund=shown.refund)
    assert Subscription.objects.filter(pk=sold.pk).values().get() == before
    assert not Refund.objects.exists()
    assert not Event.objects.filter(kind="subscription.cancelled").exists()
    assert bank.called("refund") == []


def test_M8_a_figure_shown_before_staff_gave_something_back_is_stale(bank: FakeAcquirer) -> None:
    sold = bought(bank, "year", MORNING)
    shown = cancellation.preview(sold, at=MORNING + HOUR)
    payment = sold.periods.get().invoice.payments.get()
    refunds.request(payment.pk, amount=rub(1000), reason="Sorry", actor="staff", at=MORNING + HOUR)
    with refused("stale_refund"):
        cancel(sold, MORNING + HOUR, expected_refund=shown.refund)
    assert cancel(sold, MORNING + HOUR).refund.money == rub(1699)
    assert sum(bank.returned(payment.pk), start=rub(0)) == rub(2699)


# --- What cancelling does ---


def test_T5_within_the_hour_everything_comes_back_and_films_stop(bank: FakeAcquirer) -> None:
    sold = bought(bank, "year", MORNING)
    done = cancel(sold, MORNING + HOUR - SECOND)
    assert done.refund
    assert done.refund.money == rub(2699)
    assert not entitlements.may(sold.user_id, "cinema", at=MORNING + HOUR - SECOND)


def test_T6_after_a_cancellation_there_is_no_grace(bank: FakeAcquirer) -> None:
    sold = bought(bank, "year", MORNING)
    cancel(sold, at("2026-02-10T12:00"))
    assert entitlements.may(sold.user_id, "cinema", at=at("2026-02-28T12:00") - SECOND)
    assert not entitlements.may(sold.user_id, "cinema", at=at("2026-02-28T12:00"))


def test_M8_cancelling_twice_gives_back_once(bank: FakeAcquirer) -> None:
    sold = bought(bank, "year", MORNING)
    cancel(sold, MORNING + HOUR)
    with refused("not_cancellable"):
        cancel(sold, MORNING + HOUR + SECOND)
    assert Refund.objects.count() == len(bank.called("refund")) == 1
    assert Refund.objects.get().request_key == f"cancel:{sold.pk}"  # unique: the second guard, and how pages find it


def test_M8_the_same_key_finds_what_it_cancelled_and_another_key_does_not(bank: FakeAcquirer) -> None:
    sold = bought(bank, "year", MORNING)
    done = cancel(sold, MORNING + HOUR, request_key="k")
    again = cancel(sold, MORNING + HOUR + SECOND, request_key="k")
    assert (again.subscription, again.refund) == (done.subscription, done.refund)
    with refused("not_cancellable"):
        cancel(sold, MORNING + HOUR + SECOND, request_key="another")
    assert len(bank.called("refund")) == 1


def test_M8_the_same_key_finds_the_checkout_that_it_closed(bank: FakeAcquirer) -> None:
    waiting = chosen("year", MORNING).subscription
    cancel(waiting, MORNING + SECOND, request_key="k")
    assert cancel(waiting, MORNING + SECOND, request_key="k").subscription.status == "abandoned"
    with refused("not_cancellable"):
        cancel(waiting, MORNING + SECOND, request_key="another")


def test_M8_a_key_that_closed_nothing_cancels_what_was_paid_meanwhile(bank: FakeAcquirer) -> None:
    begun = chosen("year", MORNING)
    bank.pay(begun.payment.pk)
    with refused("invoice_paid"):
        cancel(begun.subscription, MORNING + SECOND, request_key="k")
    news(MORNING + SECOND)
    assert cancel(begun.subscription, MORNING + SECOND, request_key="k").subscription.status == "cancelled"


def test_M8_cancelling_in_the_grace_ends_access_and_says_so(bank: FakeAcquirer) -> None:
    sold = bought(bank, "month", MORNING)
    later = at("2026-03-01T12:00")
    endings.end_due(at=later)
    sold.refresh_from_db()
    assert "access ends now" in cancellation.preview(sold, at=later).explanation
    done = cancel(sold, later)
    assert (done.refund, done.subscription.access_until) == (None, later)


def test_M8_cancelling_after_the_grace_gives_no_access_although_the_sweep_is_late(bank: FakeAcquirer) -> None:
    sold = bought(bank, "month", MORNING)
    endings.end_due(at=at("2026-03-01T12:00"))
    sold.refresh_from_db()
    over = sold.access_until
    done = cancel(sold, at("2026-03-20T12:00"))
    assert (done.subscription.status, done.subscription.access_until) == ("cancelled", over)


def test_M8_cancelling_before_the_payment_closes_the_page_and_gives_nothing_back(bank: FakeAcquirer) -> None:
    begun = chosen("year", MORNING)
    done = cancel(begun.subscription, MORNING + SECOND)
    assert (done.subscription.status, done.refund) == ("abandoned", None)
    assert bank.operations[Subject.PAYMENT, str(begun.payment.pk)].status == Status.CANCELLED
    with refused("not_cancellable"):
        cancel(begun.subscription, MORNING + SECOND)


def test_M3_cancelling_while_the_payment_comes_in_keeps_the_subscription(bank: FakeAcquirer) -> None:
    begun = chosen("year", MORNING)
    bank.pay(begun.payment.pk)
    with refused("invoice_paid"):
        cancel(begun.subscription, MORNING + SECOND)
    begun.subscription.refresh_from_db()
    assert begun.subscription.status == "pending"  # the news of the payment makes it active


def test_P13_a_cancellation_by_staff_is_told_with_who_and_why(bank: FakeAcquirer) -> None:
    sold, staff = bought(bank, "year", MORNING), viewer()
    why = "The customer called. " * 30
    done = cancel(sold, MORNING + HOUR, actor=f"user:{staff.pk}", reason=why, requested_by=staff.pk)
    event = Event.objects.get(kind="subscription.cancelled")
    assert (event.actor, event.reason, event.from_state, event.to_state) == (
        f"user:{staff.pk}", why, "active", "cancelled"
    )  # fmt: skip
    assert done.refund
    assert done.refund.requested_by_id == staff.pk
    assert done.subscription.cancel_reason == why[:300]
    assert told(done.refund) == ["refund.requested", "refund.succeeded"]


def test_M8_a_term_not_begun_comes_back_and_the_one_before_it_runs_on(bank: FakeAcquirer) -> None:
    user = viewer()
    cancel(bought(bank, "year", MORNING, user), at("2026-02-10T12:00"))
    second = bought(bank, "year", at("2026-02-11T12:00"), user)
    done = cancel(second, at("2026-02-20T12:00"))
    assert done.refund
    assert (done.refund.money, done.subscription.access_until) == (rub(2699), at("2026-02-28T12:00"))
    assert entitlements.may(user.pk, "cinema", at=at("2026-02-28T12:00") - SECOND)
    assert not entitlements.may(user.pk, "cinema", at=at("2026-02-28T12:00"))


# --- Processes and banks that die ---


def test_M4_a_refund_refused_by_our_own_books_leaves_the_subscription_as_it_was(
    bank: FakeAcquirer, monkeypatch: Any
) -> None:
    """Subscription and refund are one commit."""
    sold = bought(bank, "year", MORNING)
    monkeypatch.setattr(refunds, "promise", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cancel(sold, MORNING + HOUR)
    sold.refresh_from_db()
    assert (sold.status, sold.cancelled_at) == ("active", None)
    assert not Event.objects.filter(kind="subscription.cancelled").exists()


def test_M4_a_process_that_dies_before_it_asks_the_bank_leaves_the_refund_to_the_sweep(
    bank: FakeAcquirer, monkeypatch: Any
) -> None:
    sold = bought(bank, "year", MORNING)
    with monkeypatch.context() as dying:
        dying.setattr(refunds, "submit", lambda *_, **__: sys.exit())
        with pytest.raises(SystemExit):
            cancel(sold, MORNING + HOUR)
    sold.refresh_from_db()
    assert (sold.status, Refund.objects.get().status) == ("cancelled", "created")
    assert bank.called("refund") == []
    assert refunds.poll_due(at=MORNING + HOUR + refunds.LEASE - SECOND) == 0
    assert refunds.poll_due(at=MORNING + HOUR + refunds.LEASE) == 1
    assert Refund.objects.get().status == "succeeded"
    assert len(bank.returned(Refund.objects.get().payment_id)) == 1


@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.LOSE_REQUEST, Fault.NOT_SENT, Fault.PENDING])
def test_M4_a_bank_that_does_not_answer_gives_back_once_and_never_too_little(bank: FakeAcquirer, fault: Fault) -> None:
    sold = bought(bank, "year", MORNING)
    bank.program("refund", fault)
    done = cancel(sold, MORNING + HOUR)
    assert done.refund
    assert done.refund.status != "succeeded"
    if fault is Fault.PENDING:
        bank.settle(done.refund.pk, Status.SUCCEEDED, Subject.REFUND)
    for minute in range(1, 60, 5):
        refunds.poll_due(at=MORNING + HOUR + timedelta(minutes=minute))
    assert bank.returned(done.refund.payment_id) == [done.refund.money]
    assert Refund.objects.get().status == "succeeded"


def test_M8_a_refund_that_the_bank_refuses_is_shown_to_staff_and_may_be_asked_for_again(bank: FakeAcquirer) -> None:
    sold = bought(bank, "year", MORNING)
    bank.program("refund", Fault.DECLINE)
    done = cancel(sold, MORNING + HOUR)
    assert done.refund
    assert (done.subscription.status, done.refund.status) == ("cancelled", "failed")
    assert "still waits" in done.refund.parked
    payment = payments.check(done.refund.payment_id, at=MORNING + HOUR)
    assert payment.refundable == rub(2699)
