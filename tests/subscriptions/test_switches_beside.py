"""P13: favours, rests, gifts and moves of prices beside a plan whose term is paid ahead."""

from __future__ import annotations

from typing import Any

import pytest

from billing.errors import Conflict
from notifications.models import Message
from subscriptions import cancellation, explain, favours, grants, next_plans, pauses, price_moves, prices
from subscriptions.models import Plan
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.ahead import DAY, EARLY, END, MORNING, SECOND, SOON, THEN, ahead, codes, plans, roles
from tests.subscriptions.renewing import Renewing
from tests.subscriptions.terms import at, news, right, rub

pytestmark = pytest.mark.django_db
STAFF: dict[str, Any] = {"actor": "user:1", "reason": "ticket 7"}


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    return plans(settings)


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
