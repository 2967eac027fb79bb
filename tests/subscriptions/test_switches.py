"""P13: a plan that was chosen for the next term begins when that term begins, however early it is paid."""

from __future__ import annotations

from typing import Any

import pytest

from billing import payments
from billing.errors import Conflict
from notifications.models import Message
from subscriptions import (
    agreements,
    cancellation,
    changes,
    endings,
    entitlements,
    explain,
    lifecycle,
    next_plans,
    trials,
)  # fmt: skip
from subscriptions.models import Plan
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.ahead import DAY, EARLY, END, MORNING, SECOND, SOON, THEN, ahead, codes, pays, plans, roles
from tests.subscriptions.renewing import Renewing
from tests.subscriptions.terms import at, news, right, rub, told

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    return plans(settings)


def test_whoever_chose_a_cheaper_plan_keeps_the_dearer_one_to_the_end_of_its_term(bank: FakeAcquirer) -> None:
    vera = ahead(bank)
    assert (codes(vera.row), vera.row.valid_till, vera.taken) == (("gold", "basic", END), THEN, 59_900 + 29_900)
    assert vera.row.access_until == THEN + Plan.objects.get(code="basic").grace
    owed = {each.role: each.until for each in entitlements.of(vera.user.pk, at=EARLY)}
    assert owed == {"cinema": vera.row.access_until, "gold": END}
    assert roles(vera, END - SECOND) == ["cinema", "gold"] and roles(vera, END) == ["cinema"]  # no sweep has run
    assert vera.go(END - SECOND) == []
    assert vera.go(END) == ["subscription.plan_begun"]
    assert (codes(vera.row), vera.row.price.money) == (("basic", None, None), rub(299))
    assert (roles(vera, END), vera.row.valid_till) == (["cinema"], THEN)
    assert vera.row.next_charge_at == THEN - 7 * DAY
    vera.go(THEN - 7 * DAY)
    assert (codes(vera.row), vera.taken) == (("basic", None, None), 59_900 + 2 * 29_900)
    assert right(vera.at)


def test_a_dearer_plan_is_not_given_before_its_term(bank: FakeAcquirer) -> None:
    vera = ahead(bank, "basic", "gold")
    assert (codes(vera.row), roles(vera, END - SECOND)) == (("basic", "gold", END), ["cinema"])
    assert roles(vera, END) == ["cinema", "gold"]
    assert vera.row.access_until == THEN + 5 * DAY  # the grace of the plan that was paid
    assert right(EARLY)
    vera.go(END)
    assert (codes(vera.row), vera.row.price.money) == (("gold", None, None), rub(599))
    assert right(END)


def test_the_mail_of_the_early_payment_names_what_was_paid_and_the_beginning_brings_none(bank: FakeAcquirer) -> None:
    vera = ahead(bank)
    mail = Message.objects.get(event__kind="subscription.renewed")
    assert mail.subject == "Basic is extended to 31 March"
    before = Message.objects.count()
    assert vera.go(END) == ["subscription.plan_begun"]
    assert Message.objects.count() == before


def test_customer_and_support_read_what_is_to_come(bank: FakeAcquirer) -> None:
    vera = ahead(bank)
    first, access = explain.subscription(vera.row, at=EARLY)[:2]
    assert first == (
        "Gold is paid to 28 February 2026, 12:00 MSK; "
        "from 28 February 2026, 12:00 MSK on it is Basic, which is paid to 31 March 2026, 12:00 MSK."
    )
    assert access.startswith("Access (cinema, gold; from Basic on cinema) goes on to ")
    vera.go(END)
    assert explain.subscription(vera.row, at=END)[0] == "Basic is paid to 31 March 2026, 12:00 MSK."


def test_paid_by_hand_and_early_it_is_the_same(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "prime", MORNING, auto_renew=False)
    next_plans.plan_next(vera.id, "basic", actor="test", at=SOON)
    end = at("2027-01-31T12:00")
    pays(vera, end - 2 * DAY)
    assert codes(vera.row) == ("prime", "basic", end)
    assert (vera.row.valid_till, vera.taken) == (at("2027-02-28T12:00"), 499_900 + 29_900)
    assert "prime" in roles(vera, end - SECOND)
    vera.go(end)
    assert (codes(vera.row), roles(vera, end)) == (("basic", None, None), ["cinema"])
    assert right(end)


def test_two_terms_that_are_paid_ahead_begin_where_the_first_of_them_does(bank: FakeAcquirer) -> None:
    Plan.objects.filter(code="basic").update(reminder_days=60)
    vera = ahead(bank)
    pays(vera, EARLY + DAY)
    assert (codes(vera.row), vera.row.valid_till) == (("gold", "basic", END), at("2026-04-30T12:00"))
    assert vera.taken == 59_900 + 2 * 29_900
    vera.go(END)
    assert codes(vera.row) == ("basic", None, None)
    assert right(END)


def test_paid_when_it_has_begun_it_begins_at_once(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "gold", MORNING, auto_renew=False)
    next_plans.plan_next(vera.id, "basic", actor="test", at=SOON)
    vera.go(END + DAY)
    assert vera.row.status == "past_due"
    pays(vera, END + DAY)
    assert (codes(vera.row), vera.row.status) == (("basic", None, None), "active")


def test_a_trial_is_of_its_plan_to_its_end(bank: FakeAcquirer) -> None:
    Plan.objects.filter(code="gold").update(trial_days=7)
    vera = Renewing(bank, "basic", at("2025-06-01T12:00"), auto_renew=False)
    vera.go(MORNING - 30 * DAY)
    vera.id = trials.begin(vera.user.pk, "gold", actor="test", at=MORNING).pk
    vera.go(MORNING)
    next_plans.plan_next(vera.id, "basic", actor="test", at=MORNING)
    over = MORNING + 7 * DAY
    pays(vera, over - 2 * DAY)
    assert codes(vera.row) == ("gold", "basic", over)
    assert roles(vera, over - SECOND) == ["cinema", "gold"] and roles(vera, over) == ["cinema"]
    assert right(vera.at)


def test_the_sweep_may_be_late_or_run_twice(bank: FakeAcquirer) -> None:
    vera = ahead(bank)
    assert next_plans.begin_due(at=END - SECOND) == 0
    assert [next_plans.begin_due(at=END + 3 * DAY) for _ in range(2)] == [1, 0]
    again = next_plans.begin(vera.id, at=END + 3 * DAY)
    assert (codes(again), told(again).count("subscription.plan_begun")) == (("basic", None, None), 1)


def test_without_that_sweep_the_end_makes_the_switch(bank: FakeAcquirer) -> None:
    vera = ahead(bank)
    agreements.switch_off(vera.id, actor="test", at=END - DAY)
    endings.end_due(at=at("2026-07-01T12:00"))
    assert (codes(vera.row), vera.row.status) == (("basic", None, None), "expired")
    assert told(vera.row)[-3:] == ["subscription.plan_begun", "subscription.past_due", "subscription.expired"]


def test_without_that_sweep_a_further_term_makes_the_switch(bank: FakeAcquirer) -> None:
    vera = ahead(bank)
    late = THEN - DAY
    payment = agreements.pay(vera.id, lifecycle.Order(plan=""), actor="vera", at=late)
    assert payment and codes(vera.row) == ("gold", "basic", END)
    bank.pay(payment.pk)
    payments.check(payment.pk, at=late)
    news(late)
    assert (codes(vera.row), vera.row.valid_till) == (("basic", None, None), at("2026-04-30T12:00"))
    assert told(vera.row)[-2:] == ["subscription.plan_begun", "subscription.renewed"]


def test_a_plan_that_was_chosen_and_never_paid_goes_with_the_subscription(bank: FakeAcquirer) -> None:
    vera, other = Renewing(bank, "gold", MORNING, auto_renew=False), Renewing(bank, "gold", MORNING, auto_renew=False)
    for each in (vera, other):
        next_plans.plan_next(each.id, "basic", actor="test", at=SOON)
    endings.end_due(at=END)
    lifecycle.subscribe(other.user.pk, lifecycle.Order(plan="prime"), actor="test", at=END + DAY)
    assert (codes(other.row), other.row.status) == (("gold", None, None), "expired")
    endings.end_due(at=END + 10 * DAY)
    assert (codes(vera.row), vera.row.next_price, vera.row.status) == (("gold", None, None), None, "expired")


def test_when_the_next_term_is_paid_no_other_plan_is_chosen_for_it(bank: FakeAcquirer) -> None:
    vera = ahead(bank)
    for deed in (
        lambda moment: next_plans.plan_next(vera.id, "prime", actor="test", at=moment),
        lambda moment: next_plans.keep_plan(vera.id, actor="test", at=moment),
    ):
        with pytest.raises(Conflict, match="paid for already, with Basic") as refused:
            deed(EARLY)
        assert refused.value.code == "next_term_paid"
    with pytest.raises(Conflict) as refused:
        changes.preview(vera.row, "prime", at=EARLY)
    assert refused.value.code == "later_term_paid"
    chosen = next_plans.plan_next(vera.id, "gold", actor="test", at=END)  # before any sweep
    assert codes(chosen) == ("basic", "gold", None)


def test_a_dearer_plan_at_once_after_a_late_sweep(bank: FakeAcquirer) -> None:
    vera = ahead(bank)
    asked = changes.upgrade(vera.id, lifecycle.Order(plan="gold"), actor="test", at=END)
    assert codes(vera.row) == ("basic", None, None)
    bank.pay(asked.payment.pk)
    payments.check(asked.payment.pk, at=END)
    vera.go(END)
    assert (codes(vera.row), roles(vera, END)) == (("gold", None, None), ["cinema", "gold"])
    assert right(END)


def test_cancelled_the_plan_to_come_goes_with_its_money(bank: FakeAcquirer) -> None:
    vera = ahead(bank)
    done = cancellation.cancel(vera.id, actor="test", at=EARLY + DAY)
    assert (done.total, codes(done.subscription)) == (rub(299), ("gold", None, None))
    assert done.subscription.access_until == END
    vera.go(EARLY + DAY)
    assert roles(vera, END - SECOND) == ["cinema", "gold"] and roles(vera, END) == []
    vera.go(END)
    assert (vera.row.status, vera.row.plan.code, right(END)) == ("ended", "gold", True)


def test_cancelled_a_plan_without_refunds_comes_all_the_same(bank: FakeAcquirer) -> None:
    vera = ahead(bank, "gold", "kept")
    done = cancellation.cancel(vera.id, actor="test", at=EARLY + DAY)
    assert (done.total, codes(done.subscription)) == (None, ("gold", "kept", END))
    assert roles(vera, END - SECOND) == ["cinema", "gold"] and roles(vera, END) == ["cinema"]
    assert explain.subscription(vera.row, at=EARLY + DAY)[0].endswith(
        "goes on to its end; from 28 February 2026, 12:00 MSK on it is Kept, which is paid."
    )
    assert right(EARLY + DAY)
    vera.go(END)
    assert (codes(vera.row), vera.row.status) == (("kept", None, None), "cancelled")
    vera.go(THEN)
    assert (vera.row.status, right(THEN)) == ("ended", True)


def test_cancelled_and_never_swept_it_ends_as_the_plan_that_came(bank: FakeAcquirer) -> None:
    vera = ahead(bank, "gold", "kept")
    cancellation.cancel(vera.id, actor="test", at=EARLY + DAY)
    endings.end_due(at=THEN)
    assert (codes(vera.row), vera.row.status) == (("kept", None, None), "ended")
