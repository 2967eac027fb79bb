"""P12: old subscribers are moved on purpose only: looked at, told in time, moved once; a billed term is left alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connections

from billing.errors import Refused
from billing.models import Event, Invoice
from subscriptions import agreements, cancellation, metering, price_moves, prices
from subscriptions.lifecycle import Order
from subscriptions.models import Moving, Plan, Price, PriceMove, Subscription
from tests import things
from tests.fake_acquirer import FakeAcquirer
from tests.rows import changed, refused
from tests.subscriptions import hourly
from tests.subscriptions.renewing import Renewing
from tests.subscriptions.terms import at, fake_bank, rub

pytestmark = pytest.mark.django_db
MORNING = at("2026-01-31T12:00")
DAY = timedelta(days=1)
DATE = at("2026-04-10T00:00")


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    things.plan("month", 1, 29_900, name="Monthly")
    things.plan("year", 12, 269_900)
    return fake_bank(settings)


def dearer(code: str = "month", amount: str = "399", since: datetime = MORNING) -> Price:
    return prices.add(Plan.objects.get(code=code), rub(amount), starts_at=since, at=since)


def proposed(price: Price, moment: datetime = MORNING, date: datetime = DATE, **more: Any) -> PriceMove:
    wanted = price_moves.Proposal(price.plan, price, date, more.pop("reason", "dearer films"), **more)
    return price_moves.propose(wanted, actor="user:boss", at=moment)


def announced(price: Price, moment: datetime = MORNING, date: datetime = DATE) -> PriceMove:
    move = proposed(price, moment, date)
    return price_moves.announce(move.pk, actor="user:boss", at=moment)


def refusal(call: Any) -> str:
    with pytest.raises(Refused) as caught:
        call()
    return caught.value.code


def letters(word: str) -> list[str]:
    return [letter.subject for letter in mail.outbox if word in letter.subject]


def test_P12_a_proposal_tells_who_would_move_and_changes_nothing(bank: FakeAcquirer) -> None:
    vera, other = Renewing(bank, "month", MORNING), Renewing(bank, "year", MORNING)
    move = proposed(dearer())
    newer = Renewing(bank, "month", MORNING)  # has the new price already
    assert [row.pk for row in price_moves.candidates(move)] == [vera.id]
    assert price_moves.first_at(vera.row, DATE) == at("2026-04-30T12:00")
    assert price_moves.first_at(vera.row, at("2026-04-30T12:00")) == at("2026-04-30T12:00")
    assert price_moves.first_at(vera.row, at("2026-04-30T12:01")) == at("2026-05-31T12:00")
    vera.go(MORNING + DAY)
    assert (vera.row.price.money, other.row.price.money, newer.row.price.money) == (rub(299), rub(2699), rub(399))
    assert not letters("on 10 April") and not letters("from") and not Moving.objects.exists()


def test_P12_told_in_time_then_the_next_renewal_costs_the_new_price(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    announced(dearer())
    assert "subscription.price_announced" in vera.go(MORNING)
    assert letters("399") == ["Monthly costs 399.00\xa0₽ from 10 April on"]
    text = str(mail.outbox[-1].body)
    assert "299.00" in text and "charged on 30 April" in text and "dearer films" not in text
    vera.go(at("2026-02-28T12:00"))
    vera.go(at("2026-03-31T12:00"))
    assert vera.row.price.money == rub(299) and vera.taken == 3 * 29_900
    assert vera.go(DATE - timedelta(microseconds=1)) == []
    assert vera.go(DATE) == ["subscription.price_changed", "price_move.done"]
    assert vera.row.price.money == rub(399)
    vera.go(at("2026-04-30T12:00"))
    assert vera.taken == 3 * 29_900 + 39_900
    assert PriceMove.objects.get().status == "done"


def test_P12_a_term_billed_at_the_very_date_costs_the_new_price(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    announced(dearer(), date=at("2026-03-31T12:00"))
    vera.go(MORNING)
    vera.go(at("2026-02-28T12:00"))
    vera.go(at("2026-03-31T12:00"))
    assert vera.taken == 2 * 29_900 + 39_900


def test_P12_a_next_term_that_is_billed_keeps_its_price(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING, auto_renew=False)
    end = at("2026-02-28T12:00")
    announced(dearer(since=MORNING), date=MORNING + 30 * DAY)
    vera.go(MORNING)
    when = end - DAY
    Moving.objects.update(due_at=when)
    attempt = agreements.pay(vera.id, Order(plan="month"), actor="vera", at=when)
    assert "subscription.price_changed" not in vera.go(when)
    assert vera.row.price.money == rub(299)
    assert Invoice.objects.get(pk=attempt.invoice_id).money == rub(299)
    bank.pay(attempt.pk)
    news = vera.go(when + DAY / 2)
    assert news.index("subscription.renewed") < news.index("subscription.price_changed")
    assert vera.taken == 2 * 29_900
    assert vera.row.price.money == rub(399) and vera.row.valid_till == at("2026-03-31T12:00")


def test_P12_running_twice_changes_nothing(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    move = announced(dearer())
    price_moves.announce(move.pk, actor="user:boss", at=MORNING)
    assert price_moves.tell_due(at=MORNING) == 1 and price_moves.tell_due(at=MORNING) == 0
    assert price_moves.move_due(at=DATE) == 1 and price_moves.move_due(at=DATE) == 0
    kinds = list(Event.objects.filter(subject_id=vera.id, kind__contains="price").values_list("kind", flat=True))
    assert kinds == ["subscription.price_announced", "subscription.price_changed"]


def test_P12_the_cancelled_and_those_with_another_price_are_passed_over(bank: FakeAcquirer) -> None:
    gone, early, other, kept = (Renewing(bank, "month", MORNING) for _ in range(4))
    price = dearer()
    announced(price)
    cancellation.cancel(early.id, actor="early", at=MORNING)
    price_moves.tell_due(at=MORNING)
    cancellation.cancel(gone.id, actor="gone", at=MORNING + DAY)
    Subscription.objects.filter(pk=other.id).update(price=dearer(amount="349", since=MORNING + DAY))
    price_moves.move_due(at=DATE)
    outcomes = {row.subscription_id: (row.outcome, row.told_at is None) for row in Moving.objects.all()}
    assert outcomes == {
        gone.id: ("kept", False), early.id: ("kept", True), other.id: ("kept", False), kept.id: ("moved", False),
    }  # fmt: skip
    assert (gone.row.price.money, other.row.price.money, kept.row.price.money) == (rub(299), rub(349), rub(399))
    assert PriceMove.objects.get().status == "done"


def test_P12_who_is_told_late_moves_late(bank: FakeAcquirer, settings: Any) -> None:
    vera = Renewing(bank, "month", MORNING)
    announced(dearer(), date=MORNING + 30 * DAY)
    price_moves.tell_due(at=MORNING + 5 * DAY)  # the scheduler was off
    assert price_moves.move_due(at=MORNING + 34 * DAY) == 0
    assert price_moves.move_due(at=MORNING + 35 * DAY) == 1
    assert vera.row.price.money == rub(399)


def test_P12_who_comes_after_the_announcement_is_not_moved(bank: FakeAcquirer) -> None:
    Renewing(bank, "month", MORNING)
    move = announced(dearer(since=DATE), moment=MORNING)  # the new price itself begins only then
    later = Renewing(bank, "month", MORNING + DAY)
    later.go(DATE + DAY)
    assert later.row.price.money == rub(299) and move.movings.count() == 1


def test_P12_a_withdrawn_move_keeps_everybody_s_price_and_says_so(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    move = announced(dearer())
    vera.go(MORNING)
    price_moves.withdraw(move.pk, actor="user:boss", at=MORNING + DAY, reason="second thoughts")
    price_moves.withdraw(move.pk, actor="user:boss", at=MORNING + DAY)
    vera.go(MORNING + DAY)
    assert letters("stays") == ["Monthly stays at 299.00\xa0₽"]
    assert vera.row.price.money == rub(299)
    again = announced(Price.objects.get(amount=39_900), moment=MORNING + DAY)
    assert again.movings.count() == 1 and price_moves.move_due(at=DATE) == 0


def test_P12_by_the_hour_the_old_rate_is_charged_to_the_date(bank: FakeAcquirer) -> None:
    hourly.tariff(kopecks=1_000)
    drop = hourly.begun(10_000_000, at=MORNING)
    announced(dearer("hourly", "20"))
    price_moves.tell_due(at=MORNING)
    metering.tick(drop.pk, at=DATE - DAY)
    price_moves.move_due(at=DATE)
    metering.tick(drop.pk, at=DATE + 2 * hourly.HOUR)
    assert hourly.charged(drop) == 1_000 * ((DATE - MORNING) // hourly.HOUR) + 2 * 2_000


def test_P12_a_rate_that_cannot_be_changed_keeps_nobody_else_waiting(
    bank: FakeAcquirer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hourly.tariff(kopecks=1_000)
    stuck, vera = hourly.begun(10_000_000, at=MORNING), Renewing(bank, "month", MORNING)
    announced(dearer("hourly", "20"))
    announced(dearer())
    price_moves.tell_due(at=MORNING)
    with monkeypatch.context() as broken:
        broken.setattr(metering, "reprice", lambda *args, **kwargs: 1 // 0)
        assert price_moves.move_due(at=DATE) == 2 and price_moves.move_due(at=DATE) == 0
    assert vera.row.price.money == rub(399)
    assert Subscription.objects.get(pk=stuck.pk).price.money == rub(10)
    assert price_moves.move_due(at=DATE + price_moves.LOOK_AGAIN) == 1
    assert Subscription.objects.get(pk=stuck.pk).price.money == rub(20)


def test_P12_two_sweeps_at_once_move_each_once(transactional_db: None, settings: Any) -> None:
    bank = fake_bank(settings)
    things.plan("month", 1, 29_900)
    people = [Renewing(bank, "month", MORNING) for _ in range(4)]
    announced(dearer())
    with ThreadPoolExecutor(4) as pool:

        def beside(sweep: Any, moment: datetime) -> int:
            try:
                return int(sweep(at=moment))
            finally:
                connections.close_all()

        for sweep, moment in ((price_moves.tell_due, MORNING), (price_moves.move_due, DATE)):
            done = list(pool.map(lambda _, s=sweep, m=moment: beside(s, m), range(4)))
            assert sum(done) == len(people)
    for kind in ("subscription.price_announced", "subscription.price_changed"):
        assert Event.objects.filter(kind=kind).count() == len(people)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"date": MORNING + 30 * DAY - timedelta(seconds=1)}, "too_soon"),
        ({"date": MORNING + 4 * 365 * DAY}, "too_late"),
        ({"reason": "  "}, "reason_missing"),
    ],
)
def test_P12_a_proposal_that_cannot_be_is_refused(bank: FakeAcquirer, changes: dict[str, Any], code: str) -> None:
    price = dearer()
    assert refusal(lambda: proposed(price, **changes)) == code
    assert not PriceMove.objects.exists()


def test_P12_prices_of_other_plans_currencies_and_times_are_refused(bank: FakeAcquirer) -> None:
    price, year = dearer(), Plan.objects.get(code="year")
    kzt = Price.objects.create(plan=price.plan, amount=5, currency="KZT", starts_at=MORNING)
    assert refusal(lambda: proposed(price, from_price=year.prices.get())) == "other_plan"
    assert refusal(lambda: proposed(price, from_price=price)) == "same_price"
    assert refusal(lambda: proposed(price, from_price=kzt)) == "wrong_currency"
    assert refusal(lambda: proposed(dearer(amount="499", since=DATE + DAY))) == "price_begins_later"


def test_P12_a_stale_preview_an_empty_and_a_late_one_are_refused(bank: FakeAcquirer) -> None:
    price = dearer()
    move = proposed(price)
    announce = price_moves.announce
    assert refusal(lambda: announce(move.pk, actor="boss", at=MORNING)) == "nobody_moves"
    first = price.plan.prices.order_by("starts_at")[0]
    vera = Renewing(bank, "month", MORNING)
    Subscription.objects.filter(pk=vera.id).update(price=first)
    assert refusal(lambda: announce(move.pk, actor="boss", at=MORNING, expected_people=2)) == "stale_preview"
    assert refusal(lambda: announce(move.pk, actor="boss", at=DATE)) == "too_soon"
    assert not Moving.objects.exists()
    announce(move.pk, actor="boss", at=MORNING, expected_people=1)
    assert list(price_moves.candidates(proposed(price))) == []  # one move at a time
    price_moves.withdraw(move.pk, actor="boss", at=MORNING)
    assert refusal(lambda: announce(move.pk, actor="boss", at=MORNING)) == "not_a_draft"


def test_P12_the_database_guards_moves_too(bank: FakeAcquirer) -> None:
    Renewing(bank, "month", MORNING)
    move = announced(dearer())
    row = move.movings.get()
    other = proposed(Price.objects.get(amount=39_900))
    refused("moving_one_open", Moving, move=other, subscription=row.subscription, from_price=row.from_price)
    changed("moving_told_first", row, outcome="moved", settled_at=MORNING)
    changed("moving_settled_has_an_outcome", row, outcome="kept")
    changed("moving_due_after_the_notice", row, due_at=MORNING)
    changed("price_frozen", move.to_price, amount=1)  # somebody was told this figure
    changed("price_move_goes_somewhere", move, from_price=move.to_price)


@pytest.mark.parametrize("extra", [10, 60])
def test_P12_a_batch_costs_the_same_statements_however_many_they_are(
    bank: FakeAcquirer, extra: int, django_assert_max_num_queries: Any
) -> None:
    plan = Plan.objects.get(code="month")
    price = plan.prices.get()
    terms = {"anchor_at": MORNING, "valid_till": DATE + DAY, "access_until": DATE + DAY, "created_at": MORNING}
    for _ in range(extra):
        Subscription.objects.create(user=things.viewer(), plan=plan, price=price, status="active", **terms)
    announced(dearer())
    with django_assert_max_num_queries(12):
        assert price_moves.tell_due(at=MORNING) == extra
    with django_assert_max_num_queries(20):
        assert price_moves.move_due(at=DATE) == extra
    assert Subscription.objects.filter(price__amount=39_900).count() == extra
