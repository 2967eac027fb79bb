"""A.6, M10: another plan, a rest, a gift and a trial beside renewals by card. Nothing is ever charged twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from billing import guard, payments
from billing.errors import Conflict
from billing.models import Payment, Refund
from subscriptions import agreements, changes, grants, lifecycle, next_plans, pauses, renewals, trials
from subscriptions.models import Change, Period, Subscription
from tests import things
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.renewing import Renewing, declined
from tests.subscriptions.terms import at, fake_bank, right, rub

pytestmark = pytest.mark.django_db
MORNING = at("2026-01-31T12:00")
END = at("2026-02-28T12:00")
SOON = at("2026-02-10T12:00")


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    things.plan("month", 1, 29_900, name="Monthly", trial_days=7)
    things.plan("early", 1, 29_900, renewal_lead_hours=24)
    things.plan("year", 12, 269_900)
    return fake_bank(settings)


def ask(vera: Renewing, code: str, moment: Any, **more: Any) -> changes.Upgrade:
    return changes.upgrade(vera.id, lifecycle.Order(plan=code), actor="test", at=moment, **more)


def test_an_upgrade_by_the_saved_card_and_the_renewal_after_it(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    ask(vera, "year", SOON, by_saved_card=True)
    assert sorted(vera.go(SOON)) == [
        "invoice.paid", "payment.succeeded", "subscription.change_asked", "subscription.changed",
    ]  # fmt: skip
    assert (vera.row.plan.code, vera.row.valid_till) == ("year", at("2027-01-31T12:00"))
    assert (vera.row.next_charge_at, vera.taken) == (vera.row.valid_till, 269_900)
    assert not [kind for kind in vera.go(END) if kind != "subscription.reminded"]
    vera.go(at("2027-01-31T12:00"))
    assert (vera.taken, vera.row.valid_till) == (2 * 269_900, at("2028-01-31T12:00"))
    assert right(vera.at)


def test_a_declined_card_leaves_plan_term_and_renewal_as_they_were(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    before = Subscription.objects.filter(pk=vera.id).values().get()
    bank.program("charge", declined())
    ask(vera, "year", SOON, by_saved_card=True)
    vera.go(SOON)
    assert Subscription.objects.filter(pk=vera.id).values().get() == before
    vera.go(END)
    assert (vera.row.plan.code, vera.row.valid_till) == ("month", at("2026-03-31T12:00"))


def test_without_a_saved_card_none_is_charged(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING, auto_renew=False)
    with pytest.raises(Conflict) as refused:
        ask(vera, "year", SOON, by_saved_card=True)
    assert refused.value.code == "no_card" and not Change.objects.exists()


def test_while_the_next_term_is_charged_no_other_plan_is_sold(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "early", MORNING)
    moment = END - timedelta(hours=23)
    agreements.pay(vera.id, lifecycle.Order(plan="early"), actor="test", at=moment)
    for deed in (
        lambda: ask(vera, "year", moment),
        lambda: next_plans.plan_next(vera.id, "year", actor="test", at=moment),
    ):
        with pytest.raises(Conflict) as refused:
            deed()
        assert refused.value.code == "renewal_in_progress"
    assert not Change.objects.exists()


def test_while_another_plan_is_paid_the_next_term_is_not_charged(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "early", MORNING)
    moment = END - timedelta(hours=24)
    asked = ask(vera, "year", moment)
    renewals.renew_due(at=moment)
    assert not bank.called("charge")
    bank.pay(asked.payment.pk)
    payments.check(asked.payment.pk, at=moment)
    vera.go(moment)
    assert (vera.row.plan.code, vera.taken) == ("year", 269_900)
    assert not Period.objects.filter(starts_at=None, closed_at=None).exists()
    assert right(moment)


def test_a_next_term_paid_in_the_same_moment_wins_and_the_difference_goes_back(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "early", MORNING)
    moment = END - timedelta(hours=24)
    asked = ask(vera, "year", moment - timedelta(minutes=1))
    page = Payment.objects.get(pk=asked.payment.pk)
    Change.objects.update(created_at=moment)  # the sweep did not see it: it looked before
    [invoice_id] = renewals.bill([lifecycle.lock(vera.id)], actor="system", at=moment)
    payments.start(invoice_id, actor="system", at=moment, method_id=vera.row.method_id)
    bank.pay(page.pk)
    payments.check(page.pk, at=moment)
    vera.go(moment)
    vera.go(moment + timedelta(minutes=30))
    assert (vera.row.plan.code, vera.row.valid_till) == ("early", at("2026-03-31T12:00"))
    assert vera.taken == 2 * 29_900 and Refund.objects.get().money == page.money
    assert right(vera.at)


def test_the_plan_chosen_for_the_next_term_is_what_renews(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "year", MORNING)
    next_plans.plan_next(vera.id, "month", actor="test", at=SOON)
    seen = agreements.next_charge(vera.row, at=SOON)
    assert seen and (seen.at, seen.amount) == (at("2027-01-31T12:00"), rub(299))
    vera.go(at("2027-01-31T12:00"))
    assert (vera.row.plan.code, vera.row.valid_till) == ("month", at("2027-02-28T12:00"))
    assert (vera.row.next_plan, vera.taken) == (None, 269_900 + 29_900)
    vera.go(at("2027-02-28T12:00"))
    assert vera.row.valid_till == at("2027-03-31T12:00")


def test_a_plan_chosen_after_the_next_term_was_billed_is_billed_instead(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "early", MORNING)
    bank.program("charge", declined())
    vera.go(END - timedelta(hours=24))
    next_plans.plan_next(vera.id, "year", actor="test", at=END - timedelta(hours=20))
    vera.go(END)
    assert (vera.row.plan.code, vera.taken) == ("year", 29_900 + 269_900)
    assert right(END)


def test_nothing_is_charged_or_reminded_in_a_rest(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "early", MORNING)
    pauses.pause(vera.id, actor="test", at=SOON)
    assert vera.go(at("2026-06-10T12:00")) == ["subscription.paused"]
    pauses.resume(vera.id, actor="test", at=at("2026-06-10T12:00"))
    assert vera.row.valid_till == at("2026-06-28T12:00")
    assert vera.row.next_charge_at == at("2026-06-27T12:00")
    vera.go(at("2026-06-27T12:00"))
    assert (vera.row.valid_till, vera.taken) == (at("2026-07-28T12:00"), 2 * 29_900)


def test_a_gift_puts_the_next_charge_off_and_the_day_stays(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    grants.extend(vera.id, grants.Gift("month", months=1), actor="staff", at=SOON, reason="sorry")
    vera.go(END)
    assert (vera.row.next_charge_at, vera.taken) == (at("2026-03-31T12:00"), 29_900)
    vera.go(at("2026-03-31T12:00"))
    assert (vera.row.valid_till, vera.taken) == (at("2026-04-30T12:00"), 2 * 29_900)


def test_a_trial_renews_by_a_card_and_its_day_never_drifts(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", at("2025-06-01T12:00"), auto_renew=False, save_card=True)
    vera.go(at("2025-12-01T12:00"))
    begin = at("2026-01-24T12:00")
    tried = trials.begin(vera.user.pk, "month", actor="test", at=begin)
    vera.id = tried.pk
    vera.go(begin)
    assert (vera.row.status, vera.row.valid_till) == ("active", MORNING)
    agreements.agree(tried.pk, method_id=vera.card.pk, actor="test", at=begin)
    ends = []
    for _ in range(3):
        vera.go(vera.row.next_charge_at)
        ends.append(vera.row.valid_till)
    assert ends == [END, at("2026-03-31T12:00"), at("2026-04-30T12:00")]
    assert vera.taken == 4 * 29_900
    assert trials.begin(vera.user.pk, "month", actor="test", at=vera.at).pk == tried.pk  # a second click


def test_a_trial_nobody_agreed_to_renew_ends_and_costs_nothing(bank: FakeAcquirer) -> None:
    user = things.viewer()
    tried = trials.begin(user.pk, "month", actor="test", at=MORNING)
    things.run_until_idle(MORNING)
    things.run_until_idle(at("2026-02-20T12:00"))
    tried.refresh_from_db()
    assert tried.status == "expired" and not Payment.objects.exists()
    with pytest.raises(Conflict) as refused:
        trials.begin(user.pk, "month", actor="test", at=at("2026-02-20T12:00"))
    assert refused.value.code == "trial_used"


def test_the_guard_of_renewals_counts_what_the_next_plan_costs(
    bank: FakeAcquirer, monkeypatch: pytest.MonkeyPatch
) -> None:
    vera, told = Renewing(bank, "month", MORNING), []
    next_plans.plan_next(vera.id, "year", actor="vera", at=SOON)
    monkeypatch.setattr(guard, "permit", lambda sweep, **more: told.append(more))
    renewals.renew_due(at=END)
    assert (told[0]["people"], told[0]["amounts"], told[0]["forecast"]().amounts) == (1, (rub(2699),), (rub(2699),))
