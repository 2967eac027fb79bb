"""P13: a plan that was chosen for the next term begins when that term begins, however early it is paid."""

from __future__ import annotations

from datetime import datetime, timedelta
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
    favours,
    grants,
    lifecycle,
    next_plans,
    pauses,
    price_moves,
    prices,
    trials,
)
from subscriptions.models import Plan, Subscription
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.renewing import Renewing
from tests.subscriptions.terms import at, fake_bank, news, right, rub, told
from tests.things import plan

pytestmark = pytest.mark.django_db
MORNING = at("2026-01-31T12:00")
SOON = at("2026-02-10T12:00")
END = at("2026-02-28T12:00")
THEN = at("2026-03-31T12:00")
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
EARLY = END - 7 * DAY
STAFF: dict[str, Any] = {"actor": "user:1", "reason": "ticket 7"}


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    week = 7 * 24
    plan("basic", 1, 29_900, name="Basic", renewal_lead_hours=week, reminder_days=10)
    plan("gold", 1, 59_900, name="Gold", roles=["cinema", "gold"], renewal_lead_hours=week, grace_days=5)
    plan("prime", 12, 499_900, name="Prime", roles=["cinema", "gold", "prime"])
    plan("all", 1, 99_900, name="Everything", roles=["cinema", "all"])
    plan("kept", 1, 39_900, name="Kept", refund_policy="none")
    return fake_bank(settings)


def roles(vera: Renewing, moment: datetime) -> list[str]:
    return [each.role for each in entitlements.of(vera.user.pk, at=moment)]


def ahead(bank: FakeAcquirer, now: str = "gold", then: str = "basic", **more: Any) -> Renewing:
    """Somebody whose next term, of another plan, is charged a week before it begins."""
    vera = Renewing(bank, now, MORNING, **more)
    next_plans.plan_next(vera.id, then, actor="test", at=SOON)
    vera.go(EARLY)
    return vera


def pays(vera: Renewing, moment: datetime) -> None:
    """The next term, by hand on the bank's page."""
    payment = agreements.pay(vera.id, lifecycle.Order(plan=""), actor="vera", at=moment)
    assert payment is not None
    vera.bank.pay(payment.pk)
    payments.check(payment.pk, at=moment)
    vera.go(moment)


def codes(row: Subscription) -> tuple[str, str | None, datetime | None]:
    return row.plan.code, row.next_plan and row.next_plan.code, row.switches_at


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


def test_without_that_sweep_the_next_term_and_the_end_make_the_switch(bank: FakeAcquirer) -> None:
    vera, other = ahead(bank), ahead(bank, auto_renew=False)
    pays(other, END - 2 * DAY)
    late = THEN - DAY
    pays(other, late)
    assert codes(other.row) == ("basic", None, None)
    for row in (vera.row, other.row):
        agreements.switch_off(row.pk, actor="test", at=late)
    endings.end_due(at=at("2026-07-01T12:00"))
    for row in (vera.row, other.row):
        assert (codes(row), row.status) == (("basic", None, None), "expired")
        assert told(row).index("subscription.plan_begun") < told(row).index("subscription.expired")


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


def test_a_favour_lasts_to_the_term_that_was_paid_ahead(bank: FakeAcquirer) -> None:
    vera = ahead(bank)
    before = vera.row.access_until
    done = favours.upgrade(vera.id, "all", at=EARLY, **STAFF)
    assert (codes(done), done.access_until) == (("all", "basic", END), before)
    news(EARLY)
    mail = Message.objects.get(event__kind="subscription.upgraded")
    assert mail.subject == "You have Everything now, a present from us"
    assert "yours to 28 February 2026" in mail.body and "of Basic, is paid already" in mail.body
    assert (
        "Gold is paid to 28 February 2026, 12:00 MSK; until then Everything takes its place"
        in (explain.subscription(done, at=EARLY)[0])
    )
    assert roles(vera, END - SECOND) == ["all", "cinema"] and roles(vera, END) == ["cinema"]
    vera.go(END)
    assert (codes(vera.row), right(END)) == (("basic", None, None), True)


def test_a_favour_of_the_plan_that_is_paid_ahead_begins_it_now(bank: FakeAcquirer) -> None:
    vera = ahead(bank, "basic", "gold")
    done = favours.upgrade(vera.id, "gold", at=EARLY, **STAFF)
    assert (codes(done), roles(vera, EARLY)) == (("gold", None, None), ["cinema", "gold"])
    assert (done.valid_till, right(EARLY)) == (THEN, True)


def test_the_term_of_before_that_follows_a_favour_is_paid_early_and_ends_it_only_then(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "basic", MORNING)
    favours.upgrade(vera.id, "gold", at=SOON, **STAFF)
    vera.go(EARLY)
    assert (codes(vera.row), vera.taken) == (("gold", "basic", END), 2 * 29_900)
    assert roles(vera, END - SECOND) == ["cinema", "gold"]
    vera.go(END)
    assert codes(vera.row) == ("basic", None, None)


def test_a_rest_puts_the_plan_off_with_its_term(bank: FakeAcquirer) -> None:
    vera = ahead(bank)
    pauses.pause(vera.id, actor="test", at=EARLY + DAY)
    assert vera.go(END + DAY) == ["subscription.paused"]
    assert (codes(vera.row), roles(vera, END + DAY)) == (("gold", "basic", END), [])
    back = EARLY + 11 * DAY
    done = pauses.resume(vera.id, actor="test", at=back)
    later = END + 10 * DAY
    assert (codes(done), done.valid_till) == (("gold", "basic", later), THEN + 10 * DAY)
    assert roles(vera, later - SECOND) == ["cinema", "gold"] and roles(vera, later) == ["cinema"]
    assert right(back)
    vera.go(later)
    assert (codes(vera.row), right(later)) == (("basic", None, None), True)


def test_a_rest_of_some_hours_over_the_end_of_a_term_moves_nothing(bank: FakeAcquirer) -> None:
    vera = ahead(bank)
    pauses.pause(vera.id, actor="test", at=END - SECOND)
    done = pauses.resume(vera.id, actor="test", at=END + 3600 * SECOND)
    assert (codes(done), done.valid_till) == (("basic", None, None), THEN)
    assert right(vera.at)


def test_a_rest_after_the_term_has_begun_is_one_of_its_plan(bank: FakeAcquirer) -> None:
    vera = ahead(bank)
    done = pauses.pause(vera.id, actor="test", at=END + DAY)
    assert (codes(done), right(END + DAY)) == (("basic", None, None), True)


def test_a_gift_follows_the_term_that_was_paid_ahead(bank: FakeAcquirer) -> None:
    vera = ahead(bank)
    with pytest.raises(Conflict, match="They have Basic already"):
        grants.give(vera.user.pk, grants.Gift("gold", months=1), at=EARLY, **STAFF)
    done = grants.give(vera.user.pk, grants.Gift("basic", months=1), at=EARLY, **STAFF)
    assert (codes(done), done.valid_till) == (("gold", "basic", END), at("2026-04-30T12:00"))
    assert (done.access_until, right(EARLY)) == (done.valid_till + done.plan_ahead.grace, True)


def test_a_move_of_prices_is_about_the_plan_that_is_paid_ahead(bank: FakeAcquirer) -> None:
    vera, date = ahead(bank), at("2026-05-01T00:00")
    moves = {}
    for code, amount in (("gold", 699), ("basic", 399)):
        price = prices.add(Plan.objects.get(code=code), rub(amount), starts_at=EARLY, at=EARLY)
        wanted = price_moves.Proposal(price.plan, price, date, "dearer films")
        moves[code] = price_moves.propose(wanted, actor="user:boss", at=EARLY)
    assert not price_moves.candidates(moves["gold"]).exists()
    price_moves.announce(moves["basic"].pk, actor="user:boss", at=EARLY, expected_people=1)
    vera.go(EARLY)
    mail = Message.objects.get(event__kind="subscription.price_announced")
    assert "Basic" in mail.subject + mail.body and "Gold" not in mail.body
    price_moves.move_due(at=date)
    assert (vera.row.price.money, vera.row.next_price and vera.row.next_price.money) == (rub(599), rub(399))
    next_plans.begin_due(at=date)
    assert (codes(vera.row), vera.row.price.money) == (("basic", None, None), rub(399))


def test_a_move_that_was_told_is_off_when_another_plan_is_paid_for(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "gold", MORNING)
    price = prices.add(Plan.objects.get(code="gold"), rub(699), starts_at=MORNING, at=MORNING)
    wanted = price_moves.Proposal(price.plan, price, at("2026-03-15T00:00"), "dearer films")
    move = price_moves.propose(wanted, actor="user:boss", at=MORNING)
    price_moves.announce(move.pk, actor="user:boss", at=MORNING)
    vera.go(MORNING)
    next_plans.plan_next(vera.id, "basic", actor="test", at=SOON)
    vera.go(EARLY)
    price_moves.move_due(at=at("2026-03-15T00:00"))
    assert (move.movings.get().outcome, vera.row.price.money) == ("kept", rub(599))


def test_days_for_nothing_run_on_when_a_month_is_given_after_them(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "basic", MORNING, auto_renew=False)
    for gift in (grants.Gift("basic", days=10), grants.Gift("basic", months=1), grants.Gift("basic", months=1)):
        done = grants.extend(vera.id, gift, at=SOON, **STAFF)
        assert roles(vera, SOON) == ["cinema"] and done.has_access(SOON)
    assert done.valid_till == at("2026-05-10T12:00")
    assert right(SOON)


def test_of_what_has_not_begun_a_further_term_begins_no_access(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "prime", MORNING)
    first = cancellation.cancel(vera.id, actor="test", at=SOON).subscription
    begins = first.valid_till
    assert begins
    given = grants.give(vera.user.pk, grants.Gift("gold", days=3), at=SOON, **STAFF)
    vera.go(SOON)
    done = grants.extend(given.pk, grants.Gift("gold", months=1), at=SOON, **STAFF)
    assert (done.anchor_at, roles(vera, SOON)) == (begins, ["cinema", "gold", "prime"])
    assert not done.has_access(begins - SECOND) and done.has_access(begins)
