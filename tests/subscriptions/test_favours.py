"""P13: a dearer plan for nothing, by staff; and the plan of the next term of a subscription that is cancelled."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from billing import events
from billing.errors import Conflict
from billing.models import Invoice, Payment
from notifications.models import Message
from subscriptions import cancellation, changes, entitlements, explain, favours, next_plans, pauses
from subscriptions.models import Plan, Price, Subscription
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.renewing import Renewing
from tests.subscriptions.terms import at, bought, fake_bank, news, right, rub, told
from tests.things import plan

pytestmark = pytest.mark.django_db
MORNING = at("2026-01-31T12:00")
LATER = at("2026-03-10T12:00")
END = at("2026-02-28T12:00")
SOON = at("2026-02-03T12:00")


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    plan("month", 1, 29_900, name="Monthly")
    plan("year", 12, 269_900, name="One year")
    plan("prime", 12, 499_900, name="Prime", roles=["cinema", "prime"])
    plan("gold", 1, 59_900, name="Gold", roles=["cinema", "prime"])
    return fake_bank(settings)


def favour(sold: Subscription, code: str = "prime", moment: datetime = LATER) -> Subscription:
    return favours.upgrade(sold.pk, code, actor="user:1", at=moment, reason="ticket 7")


def test_P13_a_dearer_plan_for_nothing_is_had_at_once_to_the_end_of_what_is_paid(bank: FakeAcquirer) -> None:
    sold = bought(bank, "year", MORNING)
    before = (Invoice.objects.count(), Payment.objects.count(), sold.valid_till, sold.access_until)
    done = favour(sold)
    assert (done.plan.code, done.status) == ("prime", "active")
    assert (Invoice.objects.count(), Payment.objects.count(), done.valid_till, done.access_until) == before
    assert entitlements.may(sold.user_id, "prime", at=LATER)
    event = events.Event.objects.get(kind="subscription.upgraded")
    assert (event.actor, event.reason, event.data["old_plan"]) == ("user:1", "ticket 7", "One year")
    assert explain.subscription(done, at=LATER)[0] == (
        "One year is paid to 31 January 2027, 12:00 MSK; until then Prime takes its place, and that costs nothing."
    )
    news(LATER)
    mail = Message.objects.get(event=event)
    assert "present from us" in mail.subject
    assert "ticket" not in mail.body
    assert right(LATER)


def test_P13_a_favour_changes_nothing_of_what_comes_back(bank: FakeAcquirer) -> None:
    sold = bought(bank, "year", at("2026-01-31T03:00"))  # still the 30th in New York, whose February ends later
    edge = at("2026-02-28T12:00")
    Plan.objects.filter(code="prime").update(time_zone="America/New_York", refund_policy="none")
    alone = cancellation.preview(sold, at=edge)
    done = favour(sold, moment=SOON)
    seen = cancellation.preview(done, at=edge)
    assert (seen.refund, seen.access_until) == (alone.refund, alone.access_until)
    cancelled = cancellation.cancel(sold.pk, actor="test", at=edge, expected_refund=alone.refund)
    assert cancelled.total == alone.refund
    assert cancelled.subscription.next_plan is None
    assert right(edge)


def test_P13_the_next_term_is_of_the_plan_and_price_of_before(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    Price.objects.create(plan=vera.row.plan, amount=39_900, currency="RUB", starts_at=at("2026-02-01T00:00"))
    done = favour(vera.row, "gold", SOON)
    assert (done.plan.code, done.next_plan and done.next_plan.code) == ("gold", "month")
    vera.go(END)
    assert [payment.amount for payment in vera.payments] == [29_900, 29_900]
    assert (vera.row.plan.code, vera.row.price.amount, vera.row.next_plan) == ("month", 29_900, None)
    assert right(END)


def test_B2_whoever_comes_back_to_his_old_plan_by_choice_has_seen_what_it_costs_now(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    Price.objects.create(plan=vera.row.plan, amount=39_900, currency="RUB", starts_at=at("2026-02-01T00:00"))
    favour(vera.row, "gold", SOON)
    next_plans.keep_plan(vera.row.pk, actor="test", at=SOON, expected_price=rub(599))
    next_plans.plan_next(vera.row.pk, "month", actor="test", at=SOON, expected_price=rub(399))
    vera.go(END)
    assert [payment.amount for payment in vera.payments] == [29_900, 39_900]
    assert right(END)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # no trigger, which would refuse this
        cursor.execute("UPDATE billing_event SET kind = 'seen' WHERE kind = 'subscription.change_planned'")
    assert not right(END)  # without his choice nobody has told him


def test_P13_whoever_keeps_the_favour_sees_its_price_first(bank: FakeAcquirer) -> None:
    sold = bought(bank, "month", MORNING)
    favour(sold, "gold", SOON)
    with pytest.raises(Conflict, match=r"it is 599\.00"):
        next_plans.keep_plan(sold.pk, actor="test", at=SOON, expected_price=sold.price.money)
    kept = next_plans.keep_plan(sold.pk, actor="test", at=SOON, expected_price=rub(599))
    assert (kept.plan.code, kept.next_plan) == ("gold", None)
    Subscription.objects.filter(pk=sold.pk).update(status="past_due")
    told = explain.subscription(Subscription.objects.get(pk=sold.pk), at=END)[0]
    assert told.startswith("Monthly was paid to 28 February 2026")


def test_P13_a_plan_that_was_chosen_for_the_next_term_stays_chosen(bank: FakeAcquirer) -> None:
    sold = bought(bank, "month", MORNING)
    next_plans.plan_next(sold.pk, "year", actor="test", at=SOON)
    done = favour(sold, "gold", SOON)
    assert done.next_plan and done.next_plan.code == "year"
    other = bought(bank, "month", MORNING)
    next_plans.plan_next(other.pk, "gold", actor="test", at=SOON)
    Price.objects.create(plan=Plan.objects.get(code="gold"), amount=69_900, currency="RUB", starts_at=SOON)
    done = favour(other, "gold", SOON)
    assert (done.plan.code, done.next_plan, done.price.amount) == ("gold", None, 59_900)  # as it was promised


def test_P13_what_is_paid_on_top_of_a_favour_counts_what_was_really_paid(bank: FakeAcquirer) -> None:
    sold = bought(bank, "year", MORNING)
    plan("all", 12, 699_900, name="Everything")
    alone = changes.preview(sold, "all", at=LATER)
    seen = changes.preview(favour(sold), "all", at=LATER)
    assert (seen.to_pay, seen.returnable) == (alone.to_pay, alone.returnable)
    assert "Of One year 11 months" in seen.explanation


@pytest.mark.parametrize(
    ("have", "want", "code"),
    [
        ("year", "year", "same_plan"),
        ("year", "month", None),
        ("prime", "year", "not_dearer"),
        ("gold", "prime", "not_dearer"),
    ],
)
def test_P13_only_a_dearer_plan_is_a_favour(bank: FakeAcquirer, have: str, want: str, code: str | None) -> None:
    sold = bought(bank, have, MORNING)
    if code is None:  # by the month it costs more
        assert favour(sold, want, SOON).plan.code == want
        return
    with pytest.raises(Conflict) as refused:
        favour(sold, want, SOON)
    assert refused.value.code == code


def test_P13_only_one_that_runs_is_moved(bank: FakeAcquirer) -> None:
    sold = bought(bank, "year", MORNING)
    pauses.pause(sold.pk, actor="test", at=LATER)
    with pytest.raises(Conflict, match="not running"):
        favour(sold)


def test_cancelling_takes_the_plan_of_the_next_term_off_and_only_the_cancellation_is_told_by_mail(
    bank: FakeAcquirer,
) -> None:
    sold = bought(bank, "year", MORNING)
    next_plans.plan_next(sold.pk, "month", actor="test", at=LATER)
    cancellation.cancel(sold.pk, actor="test", at=LATER)
    sold.refresh_from_db()
    assert (sold.status, sold.next_plan, sold.next_price) == ("cancelled", None, None)
    assert told(sold)[2:] == [
        "subscription.change_planned", "subscription.change_withdrawn", "subscription.cancelled"
    ]  # fmt: skip
    news(LATER)
    mailed = Message.objects.filter(event__subject_id=sold.pk).order_by("event_id")
    assert list(mailed.values_list("event__kind", flat=True)) == [
        "subscription.change_planned", "subscription.cancelled"
    ]  # fmt: skip
    with pytest.raises(IntegrityError, match="subscription_cancelled_has_no_next_plan"), transaction.atomic():
        Subscription.objects.filter(pk=sold.pk).update(next_plan=sold.plan, next_price=sold.price)
