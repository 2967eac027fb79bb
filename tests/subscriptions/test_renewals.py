"""Renewals by saved card: when, how much, once; and what never happens without consent."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from acquiring.types import Card
from billing import cards, payments
from billing.errors import Conflict, NotFound
from billing.models import Invoice, Payment
from subscriptions import agreements, charging, endings, lifecycle, renewals, terms
from subscriptions.models import Period, Plan, Subscription
from tests import rows, things
from tests.fake_acquirer import CARD, FakeAcquirer, Fault
from tests.subscriptions.renewing import Renewing
from tests.subscriptions.terms import at, fake_bank

pytestmark = pytest.mark.django_db
MORNING = at("2026-01-31T12:00")
END = at("2026-02-28T12:00")
RENEWED = ["invoice.paid", "payment.succeeded", "subscription.renewed"]


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    things.plan("month", 1, 29_900, name="Monthly")
    things.plan("early", 1, 29_900, renewal_lead_hours=24)
    things.plan("strict", 1, 29_900, grace_days=0)
    return fake_bank(settings)


def test_M10_a_term_renews_at_its_end_by_the_card_that_paid_it(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    assert vera.go(END - timedelta(seconds=1)) == ["subscription.reminded"]
    assert sorted(vera.go(END)) == sorted(RENEWED)
    assert (vera.row.status, vera.row.valid_till) == ("active", at("2026-03-31T12:00"))
    assert [c.order.token for c in bank.called("charge")] == [CARD.token]
    assert vera.taken == 2 * 29_900
    period = Period.objects.get(subscription=vera.id, number=2)
    assert (period.starts_at, period.ends_at) == (END, at("2026-03-31T12:00"))


def test_M10_a_year_of_renewals_keeps_the_day_and_leaves_no_gap(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    while vera.row.valid_till and vera.row.valid_till < at("2027-02-01T00:00"):
        vera.go(vera.row.valid_till)
    periods = list(Period.objects.filter(subscription=vera.id).order_by("number"))
    assert [p.ends_at.astimezone(terms_zone(vera)).day for p in periods if p.ends_at] == [
        28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, 28,
    ]  # fmt: skip
    assert all(a.ends_at == b.starts_at for a, b in pairwise(periods))
    assert vera.taken == 13 * 29_900


def test_M3_a_charge_late_in_a_long_sweep_is_counted_from_its_own_beginning(
    bank: FakeAcquirer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the poll would take it up, and an acquirer that may not know the repeat be asked twice at once."""
    vera = Renewing(bank, "month", MORNING)
    vera.go(END - timedelta(seconds=1))
    monkeypatch.setattr(charging, "late", lambda began: timedelta(minutes=5))
    bank.program("charge", Fault.LOSE_REQUEST)
    renewals.renew_due(at=END)
    payment = Payment.objects.get(status="unknown")
    assert payment.created_at >= END + timedelta(minutes=5)
    assert payment.next_check_at and payment.next_check_at > END + timedelta(minutes=5)


def terms_zone(vera: Renewing) -> Any:
    return vera.row.plan.zone


def test_M10_a_lead_charges_before_the_end_and_the_term_goes_on_from_the_end(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "early", MORNING)
    vera.go(END - timedelta(hours=24, seconds=1))
    assert len(vera.payments) == 1
    vera.go(END - timedelta(hours=24))
    assert vera.row.valid_till == at("2026-03-31T12:00")
    assert Period.objects.get(subscription=vera.id, number=2).starts_at == END


def test_M10_without_consent_nothing_is_ever_charged_though_the_card_is_saved(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING, auto_renew=False, save_card=True)
    vera.go(END)
    vera.go(END + timedelta(days=3))
    assert vera.card.mask == CARD.mask
    assert (vera.row.status, len(vera.payments), vera.row.method) == ("expired", 1, None)


def test_M10_a_second_sweep_charges_nobody_again(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    for _ in range(3):
        renewals.renew_due(at=END)
        vera.go(END)
    assert (vera.taken, vera.invoices) == (2 * 29_900, ["paid", "paid"])


def test_M10_a_scheduler_that_slept_for_a_day_renews_from_the_old_end(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    assert sorted(vera.go(END + timedelta(days=1))) == sorted(RENEWED)  # too late to remind, and past due is no news
    assert vera.row.valid_till == at("2026-03-31T12:00")


def test_M10_one_that_died_between_the_invoice_and_the_charge_is_charged_once_after_the_lease(
    bank: FakeAcquirer, monkeypatch: Any
) -> None:
    vera = Renewing(bank, "month", MORNING)
    with monkeypatch.context() as dying:
        dying.setattr(renewals.charging, "each_at_once", lambda *_, **__: None)
        renewals.renew_due(at=END)
    assert (vera.invoices, len(vera.payments)) == (["paid", "open"], 1)
    assert renewals.renew_due(at=END) == 0
    vera.go(END + renewals.LEASE)
    assert (vera.invoices, vera.taken) == (["paid", "paid"], 2 * 29_900)


def test_M3_an_unknown_charge_waits_for_the_bank_and_is_never_sent_under_another_key(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    bank.program("charge", Fault.LOSE_ANSWER)
    bank.program("fetch", *[Fault.LOSE_ANSWER] * 30)
    vera.go(END)
    assert vera.payments[-1].status == "unknown"
    vera.go(END + timedelta(hours=1))
    assert (vera.row.status, len(vera.payments)) == ("past_due", 2)
    bank._steps["fetch"].clear()
    vera.go(END + timedelta(hours=30))
    assert (vera.row.status, vera.row.valid_till) == ("active", at("2026-03-31T12:00"))
    assert len(bank.called("charge")) == 1


def test_M10_the_price_that_one_began_with_stays(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    month = Plan.objects.get(code="month")
    month.prices.create(amount=39_900, currency="RUB", starts_at=at("2026-02-10T00:00"))
    vera.go(END)
    assert vera.payments[-1].amount == 29_900


def test_M10_switching_off_is_one_call_and_final(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    agreements.switch_off(vera.id, actor="vera", at=MORNING + timedelta(days=2))
    agreements.switch_off(vera.id, actor="vera", at=MORNING + timedelta(days=3))
    assert vera.news() == ["subscription.renewal_off"]
    vera.go(END)
    assert (vera.row.status, len(vera.payments)) == ("past_due", 1)
    assert vera.watches()
    vera.go(END + timedelta(days=2))
    assert (vera.row.status, vera.watches()) == ("expired", False)


def test_M10_switching_off_while_a_charge_is_unknown_gives_late_money_back(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    bank.program("charge", Fault.LOSE_ANSWER)
    renewals.renew_due(at=END)
    agreements.switch_off(vera.id, actor="vera", at=END + timedelta(minutes=1))
    vera.go(END + timedelta(minutes=5))
    vera.go(END + timedelta(days=1))
    assert (vera.taken, vera.invoices) == (29_900, ["paid", "uncollectible"])
    assert vera.row.valid_till == END


def test_M10_a_removed_card_is_never_charged_and_another_is_asked_for(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    cards.remove(vera.card.pk, vera.user.pk, at=MORNING + timedelta(days=1))
    assert vera.go(END - timedelta(days=3)) == ["subscription.reminded"]
    told = things.last_event("subscription.reminded").data
    assert (told["renews"], told["card_needed"]) == (False, True)
    assert "subscription.card_needed" in vera.go(END)
    vera.go(END + timedelta(days=2))
    assert (vera.row.status, len(bank.called("charge"))) == ("expired", 0)


def test_M10_a_card_that_will_have_expired_is_asked_for_in_time(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING, Card("tok_old", "•••• 1111", "Visa", 1, 2026))
    vera.go(END - timedelta(days=3))
    told = things.last_event("subscription.reminded").data
    assert (told["renews"], told["card_needed"], told["card_expires"]) == (False, True, True)


def test_M10_a_plan_without_grace_is_charged_before_its_end(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "strict", MORNING)
    vera.go(END - timedelta(hours=3))
    assert vera.row.valid_till == at("2026-03-31T12:00")


def test_M10_what_is_charged_next_is_told_as_it_will_be(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "early", MORNING)
    seen = agreements.next_charge(vera.row, at=MORNING)
    assert seen
    assert (seen.at, seen.amount.amount, seen.card, seen.good) == (END - timedelta(days=1), 299, vera.card, True)
    agreements.switch_off(vera.id, actor="vera", at=MORNING)
    assert agreements.next_charge(vera.row, at=MORNING) is None


def test_M10_agreeing_again_charges_the_card_that_was_chosen(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING, auto_renew=False, save_card=True)
    agreements.agree(vera.id, method_id=vera.card.pk, actor="vera", at=MORNING + timedelta(days=1))
    agreements.agree(vera.id, method_id=vera.card.pk, actor="vera", at=MORNING + timedelta(days=2))
    assert vera.news() == ["subscription.renewal_on"]
    vera.go(END)
    assert vera.row.valid_till == at("2026-03-31T12:00")


def test_M10_somebody_elses_card_is_no_card(bank: FakeAcquirer) -> None:
    vera, other = Renewing(bank, "month", MORNING), Renewing(bank, "month", MORNING)
    with pytest.raises(NotFound):
        agreements.agree(vera.id, method_id=other.card.pk, actor="vera", at=MORNING)


def test_M10_the_next_term_can_be_paid_on_the_banks_page_in_grace_and_then_renews(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING, auto_renew=False)
    vera.go(END + timedelta(days=1))
    order = lifecycle.Order(plan="month", save_card=True)
    payment = agreements.pay(vera.id, order, actor="vera", at=vera.at)
    assert agreements.pay(vera.id, order, actor="vera", at=vera.at) == payment
    bank.pay(payment.pk)
    payments.check(payment.pk, at=vera.at)
    vera.go(vera.at)
    assert (vera.row.status, vera.row.valid_till) == ("active", at("2026-03-31T12:00"))
    assert (vera.row.method, vera.row.next_charge_at) == (vera.card, at("2026-03-31T12:00"))


def test_M10_a_page_that_was_left_does_not_stand_in_the_way_of_the_card(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    left = agreements.pay(vera.id, lifecycle.Order(plan="month"), actor="vera", at=END - timedelta(hours=2))
    for hours in range(5):
        vera.go(END + timedelta(hours=hours))
    assert Payment.objects.get(pk=left.pk).status == "cancelled"
    assert (vera.row.valid_till, vera.taken) == (at("2026-03-31T12:00"), 2 * 29_900)


def test_M10_long_before_the_end_the_next_term_cannot_be_paid(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    with pytest.raises(Conflict) as refused:
        agreements.pay(vera.id, lifecycle.Order(plan="month"), actor="vera", at=MORNING + timedelta(days=5))
    assert refused.value.code == "not_pending"


def test_P10_an_invoice_of_a_next_term_that_staff_void_is_not_billed_again(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING, auto_renew=False)
    payment = agreements.pay(vera.id, lifecycle.Order(plan="month"), actor="vera", at=END - timedelta(days=1))
    things.voided(payment.invoice_id, at=END - timedelta(hours=12))
    vera.go(END - timedelta(hours=11))
    assert terms.waiting(vera.row) is None
    assert vera.row.next_charge_at is None


def test_M3_one_term_is_never_billed_twice(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    renewals.bill([vera.row], actor="test", at=END)
    rows.refused(
        "period_one_waits", Period,
        subscription_id=vera.id, number=3, months=1, invoice=rows.invoice(user=vera.user), created_at=END,
    )  # fmt: skip


def test_M10_nobody_renews_without_consent(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING, auto_renew=False)
    rows.changed("subscription_renews_with_consent", vera.row, auto_renew=True)
    rows.changed("subscription_charged_while_it_renews", vera.row, next_charge_at=END)


def test_P9_one_renewal_that_cannot_be_billed_does_not_keep_the_others(bank: FakeAcquirer, monkeypatch: Any) -> None:
    vera, ivan, anna = (Renewing(bank, "month", MORNING) for _ in range(3))
    renewal = renewals.offers.renewal

    def broken(subscription: Subscription, **more: Any) -> Any:
        return 1 / 0 if subscription.pk == ivan.id else renewal(subscription, **more)

    with monkeypatch.context() as hurt:
        hurt.setattr(renewals.offers, "renewal", broken)
        renewals.renew_due(at=END)
    things.run_until_idle(END)
    assert [each.row.valid_till == END for each in (vera, ivan, anna)] == [False, True, False]
    ivan.go(END + renewals.LEASE)
    assert ivan.row.valid_till == at("2026-03-31T12:00")


def test_M10_a_term_paid_in_the_last_moment_goes_on_though_its_news_is_slow(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    renewals.renew_due(at=END)  # paid; nobody has delivered the news
    assert Invoice.objects.filter(user=vera.user, status="paid").count() == 2
    endings.end_due(at=END + timedelta(days=5))
    assert (vera.row.status, vera.row.valid_till) == ("active", at("2026-03-31T12:00"))
    vera.go(END + timedelta(days=5))
    assert Period.objects.filter(subscription=vera.id).count() == 2
