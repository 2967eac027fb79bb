"""P13, A.6: another plan at once, when the difference is paid; or from the next term on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import checkouts, money, payments, refunds
from billing.errors import Conflict, NotFound
from billing.models import Event, Invoice, Payment, Refund
from subscriptions import cancellation, changes, lifecycle, next_plans, pauses, pricing
from subscriptions.models import Change, Period, Plan, Subscription
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.terms import MOSCOW, at, bought, fake_bank, news, right, rub, told
from tests.things import plan, run_until_idle

day = datetime.fromisoformat
pytestmark = pytest.mark.django_db
MORNING = at("2026-01-31T12:00")
LATER = at("2026-03-10T12:00")  # 38 days on: the second month has begun, on 28 February


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    plan("month", 1, 29_900)
    plan("quarter", 3, 79_900)
    plan("year", 12, 269_900)
    plan("prime", 12, 499_900, roles=["cinema", "prime"])
    return fake_bank(settings)


def asked(sold: Subscription, code: str, moment: datetime, **order: Any) -> changes.Upgrade:
    return changes.upgrade(sold.pk, lifecycle.Order(plan=code, **order), actor="test", at=moment)


def paid(bank: FakeAcquirer, payment: Payment, moment: datetime) -> None:
    bank.pay(payment.pk)
    payments.check(payment.pk, at=moment)
    news(moment)


def upgraded(bank: FakeAcquirer, sold: Subscription, code: str, moment: datetime) -> Subscription:
    paid(bank, asked(sold, code, moment).payment, moment)
    return Subscription.objects.get(pk=sold.pk)


def test_an_upgrade_costs_the_difference_and_is_shown_before(bank: FakeAcquirer) -> None:
    sold = bought(bank, "quarter", MORNING)
    seen = changes.preview(sold, "year", at=LATER)
    assert (seen.price, seen.credit, seen.to_pay) == (rub(2699), rub("532.66"), rub("2166.34"))
    assert (seen.counts_from, seen.ends_at) == (at("2026-02-28T12:00"), at("2027-02-28T12:00"))
    assert "2 months are left" in seen.explanation and "28 February" in seen.explanation


def test_an_upgrade_happens_when_the_money_has_come_and_not_before(bank: FakeAcquirer) -> None:
    sold = bought(bank, "quarter", MORNING)
    begun = asked(sold, "prime", LATER, expected_total=changes.preview(sold, "prime", at=LATER).to_pay)
    news(LATER)
    sold.refresh_from_db()
    assert (sold.plan.code, sold.valid_till) == ("quarter", at("2026-04-30T12:00"))
    paid(bank, begun.payment, LATER)
    paid(bank, begun.payment, LATER)
    sold = Subscription.objects.get(pk=sold.pk)
    assert (sold.plan.code, sold.valid_till, sold.anchor_at) == ("prime", at("2027-02-28T12:00"), MORNING)
    assert told(sold) == [
        "subscription.created", "subscription.activated", "subscription.change_asked", "subscription.changed"
    ]  # fmt: skip
    spans = list(Period.objects.order_by("number").values_list("starts_at", "ends_at"))
    assert spans == [(MORNING, LATER), (LATER, at("2027-02-28T12:00"))]
    invoice = Invoice.objects.get(purpose="change")
    assert invoice.money == rub("4466.34") and invoice.lines.get().discount == 53_266
    assert right(LATER)


def test_the_anchor_never_drifts(bank: FakeAcquirer) -> None:
    sold = upgraded(bank, bought(bank, "month", MORNING), "quarter", at("2026-02-10T12:00"))
    assert sold.valid_till == at("2026-04-30T12:00")
    sold = upgraded(bank, sold, "year", at("2026-03-05T12:00"))
    assert (sold.valid_till, sold.anchor_at) == (at("2027-02-28T12:00"), MORNING)
    sold = upgraded(bank, sold, "prime", at("2026-05-31T12:00"))
    assert sold.valid_till == at("2027-05-31T12:00")


def test_a_declined_card_leaves_the_old_plan_untouched(bank: FakeAcquirer) -> None:
    sold = bought(bank, "quarter", MORNING)
    before = Subscription.objects.filter(pk=sold.pk).values().get()
    begun = asked(sold, "year", LATER)
    from acquiring.types import Status

    bank.settle(begun.payment.pk, Status.FAILED)
    payments.check(begun.payment.pk, at=LATER)
    news(LATER)
    assert Subscription.objects.filter(pk=sold.pk).values().get() == before
    again = asked(sold, "year", LATER)
    assert again.change == begun.change and again.payment != begun.payment
    paid(bank, again.payment, LATER)
    assert Subscription.objects.get(pk=sold.pk).plan.code == "year"


def test_an_upgrade_that_nobody_pays_is_closed(bank: FakeAcquirer, settings: Any) -> None:
    sold = bought(bank, "quarter", MORNING)
    asked(sold, "year", LATER)
    over = LATER + settings.CHECKOUT_TTL
    checkouts.close_due(at=over)
    news(over)
    assert Change.objects.get().closed_at == over
    assert told(sold)[-1] == "subscription.change_closed"
    assert asked(sold, "year", over).payment.is_live
    assert right(over)


def test_a_stale_figure_is_refused_with_the_new_one(bank: FakeAcquirer) -> None:
    sold = bought(bank, "quarter", MORNING)
    shown = changes.preview(sold, "year", at=MORNING).to_pay
    with pytest.raises(Conflict) as refused:
        asked(sold, "year", LATER, expected_total=shown)
    assert (refused.value.code, refused.value.facts) == ("stale_total", {"total": "2166.34"})
    assert not Change.objects.exists()


def test_the_same_upgrade_asked_twice_is_one_and_another_takes_its_place(bank: FakeAcquirer) -> None:
    sold = bought(bank, "month", MORNING)
    first, again = asked(sold, "year", MORNING), asked(sold, "year", MORNING)
    assert first == again
    other = asked(sold, "prime", MORNING)
    assert other.change != first.change
    first.payment.refresh_from_db()
    assert first.payment.status == "cancelled" and Change.objects.filter(closed_at=None).count() == 1


@pytest.mark.parametrize(
    ("code", "refusal"), [("quarter", "same_plan"), ("month", "not_an_upgrade"), ("nothing", "plan_not_found")]
)
def test_what_is_no_upgrade_is_refused(code: str, refusal: str, bank: FakeAcquirer) -> None:
    sold = bought(bank, "quarter", MORNING)
    with pytest.raises((Conflict, NotFound)) as refused:
        asked(sold, code, MORNING)
    assert refused.value.code == refusal
    assert not Change.objects.exists() and Invoice.objects.count() == 1


def test_a_finished_subscription_is_not_changed(bank: FakeAcquirer) -> None:
    sold = bought(bank, "month", MORNING)
    run_until_idle(at("2026-03-10T12:00"))
    for deed in (asked, lambda *args: next_plans.plan_next(args[0].pk, args[1], actor="test", at=args[2])):
        with pytest.raises(Conflict) as refused:
            deed(sold, "year", at("2026-03-10T12:00"))
        assert refused.value.code == "not_running"


@pytest.mark.parametrize("deed", ["cancelled", "paused"])
def test_money_that_comes_after_the_subscription_stopped_goes_back(deed: str, bank: FakeAcquirer) -> None:
    sold = bought(bank, "quarter", MORNING)
    begun = asked(sold, "year", LATER)
    if deed == "cancelled":
        cancellation.cancel(sold.pk, actor="test", at=LATER)
    else:
        pauses.pause(sold.pk, actor="test", at=LATER)
    paid(bank, begun.payment, LATER)
    refunds.poll_due(at=LATER)
    news(LATER)
    sold = Subscription.objects.get(pk=sold.pk)
    assert (sold.plan.code, sold.status) == ("quarter", deed)
    assert bank.returned(begun.payment.pk) == [begun.payment.money]
    assert told(sold)[-1] == "subscription.change_closed"
    assert right(LATER)


def test_a_cancelled_upgrade_gives_back_what_both_payments_paid_for(bank: FakeAcquirer) -> None:
    sold = bought(bank, "quarter", MORNING)
    old = sold.periods.get().invoice.payments.get()
    alone = cancellation.preview(sold, at=LATER).refund
    assert alone == rub("266.33")
    sold = upgraded(bank, sold, "prime", LATER)
    done = cancellation.cancel(sold.pk, actor="test", at=LATER + timedelta(minutes=5))
    assert [refund.payment.money for refund in done.refunds] == [rub("4466.34"), rub(799)]
    assert [refund.money for refund in done.refunds] == [rub("4466.34"), alone]
    assert done.total == rub("4732.67")
    assert bank.returned(old.pk) == [alone]
    assert right(LATER)


def test_an_upgraded_term_is_refunded_by_its_whole_worth(bank: FakeAcquirer) -> None:
    sold = upgraded(bank, bought(bank, "year", MORNING), "prime", LATER)
    seen = cancellation.preview(sold, at=at("2026-04-10T12:00"))  # the second month, begun on 31 March
    assert seen.refund == sum(money.split(rub(4999), 12)[2:], start=rub(0))
    assert seen.access_until == at("2026-04-30T12:00")


def test_a_plan_for_the_next_term_is_kept_and_can_be_withdrawn(bank: FakeAcquirer) -> None:
    sold = bought(bank, "year", MORNING)
    later = next_plans.plan_next(sold.pk, "month", actor="test", at=LATER, expected_price=rub(299))
    next_plans.plan_next(sold.pk, "month", actor="test", at=LATER)
    assert (later.plan.code, later.next_plan.code, later.next_price.money) == ("year", "month", rub(299))
    next_plans.keep_plan(sold.pk, actor="test", at=LATER, reason="changed my mind")
    sold.refresh_from_db()
    assert (sold.next_plan, sold.next_price) == (None, None)
    assert told(sold)[2:] == ["subscription.change_planned", "subscription.change_withdrawn"]
    with pytest.raises(Conflict, match="No other plan"):
        next_plans.keep_plan(sold.pk, actor="test", at=LATER)


def test_a_stale_price_of_the_next_term_is_refused(bank: FakeAcquirer) -> None:
    sold = bought(bank, "year", MORNING)
    with pytest.raises(Conflict) as refused:
        next_plans.plan_next(sold.pk, "month", actor="test", at=LATER, expected_price=rub(1))
    assert refused.value.code == "stale_total"
    with pytest.raises(Conflict, match="already"):
        next_plans.plan_next(sold.pk, "year", actor="test", at=LATER)


@given(
    kopecks=st.integers(1, 10**9),
    gone=st.integers(0, 10**9),
    months=st.integers(1, 36),
    start=st.datetimes(min_value=day("2020-01-01"), max_value=day("2030-01-01")),
    seconds=st.integers(0, 36 * 31 * 86_400),
    more=st.integers(0, 400 * 86_400),
)
@pytest.mark.django_db(transaction=False)
def test_the_credit_is_never_above_what_is_left_and_never_grows(
    kopecks: int, gone: int, months: int, start: datetime, seconds: int, more: int
) -> None:
    begin = start.replace(tzinfo=MOSCOW)
    end = pricing.anniversary(begin, months, MOSCOW)
    paid_sum, back = money.from_minor(kopecks, "RUB"), money.from_minor(min(gone, kopecks), "RUB")
    term = pricing.Term(
        Plan.RefundPolicy.UNUSED_MONTHS, paid_sum, back, months, begin, end, begin, MOSCOW, timedelta(hours=1)
    )
    moment = min(begin + timedelta(seconds=seconds), end - timedelta(seconds=1))
    later = min(moment + timedelta(seconds=more), end - timedelta(seconds=1))
    now, then = pricing.credit(term, moment), pricing.credit(term, later)
    assert rub(0) <= then.amount <= now.amount <= paid_sum - back
    assert begin <= now.counts_from <= moment and now.months >= 1
    if moment > term.paid_at + term.cooling_off:
        assert pricing.unused(term, moment).refund <= now.amount


@pytest.mark.parametrize(
    ("first", "share", "then", "more"),
    [
        ("month", 0.01, 0, 3_600),
        ("month", 0.9, 60, 40 * 86_400),
        ("quarter", 0.5, 3_599, 2),
        ("year", 0.31, 35 * 86_400, 90 * 86_400),
        ("year", 0.999, 366 * 86_400, 86_400),
    ],
)
def test_cancelling_after_an_upgrade_never_returns_more_than_was_paid_nor_more_later(
    first: str, share: float, then: int, more: int, bank: FakeAcquirer
) -> None:
    sold = bought(bank, first, MORNING)
    assert sold.valid_till
    moment = MORNING + (sold.valid_till - MORNING) * share
    alone = cancellation.preview(sold, at=moment).refund
    seen = changes.preview(sold, "prime", at=moment)
    assert rub(0) <= seen.credit <= seen.credit + seen.to_pay == seen.price
    asked_for = asked(sold, "prime", moment, expected_total=seen.to_pay)
    assert asked_for.change.invoice.money == seen.to_pay
    paid(bank, asked_for.payment, moment)
    sold = Subscription.objects.get(pk=sold.pk)
    assert sold.valid_till == seen.ends_at
    soon = min(moment + timedelta(seconds=then), seen.ends_at - timedelta(seconds=2))
    late = min(soon + timedelta(seconds=more), seen.ends_at - timedelta(seconds=1))
    early = cancellation.preview(sold, at=soon).refund
    assert rub(0) <= cancellation.preview(sold, at=late).refund <= early
    assert cancellation.preview(sold, at=moment).refund <= seen.to_pay + alone  # changing first never returns more
    done = cancellation.cancel(sold.pk, actor="test", at=soon, expected_refund=early)
    assert (done.total or rub(0)) == early
    assert all(refund.money <= refund.payment.money for refund in done.refunds)


def test_the_guards_of_a_change(bank: FakeAcquirer) -> None:
    from tests.rows import changed

    sold = bought(bank, "quarter", MORNING)
    change = asked(sold, "year", LATER).change
    changed("change_credit_sane", change, returnable=change.credit + 1)
    changed("change_credit_sane", change, credit=-1)
    changed("change_done_or_closed", change, done_at=LATER, closed_at=LATER)


def test_every_event_of_an_upgrade(bank: FakeAcquirer) -> None:
    sold = bought(bank, "quarter", MORNING)
    before = Event.objects.count()
    upgraded(bank, sold, "year", LATER)
    assert list(Event.objects.order_by("id").values_list("kind", flat=True))[before:] == [
        "invoice.issued", "subscription.change_asked", "payment.created", "payment.pending", "payment.succeeded",
        "invoice.paid", "subscription.changed",
    ]  # fmt: skip
    assert not Refund.objects.exists()
