"""B2: the audit finds what may be wrong with price moves, and nothing where they are right."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from billing import audit
from subscriptions import price_moves, prices
from subscriptions.models import Plan
from tests import things
from tests.subscriptions.renewing import Renewing
from tests.subscriptions.terms import fake_bank, rub

pytestmark = pytest.mark.django_db

CASES = {
    "price.moves_on": "UPDATE subscriptions_moving SET due_at = told_at + interval '1 second' WHERE settled_at IS NULL",
    "price.told": "UPDATE subscriptions_moving SET outcome = 'kept' WHERE outcome = 'moved'",
    "price_move.state_told": "UPDATE subscriptions_pricemove SET status = 'withdrawn' WHERE status = 'done'",
}


@pytest.fixture
def moves(settings: Any) -> None:
    """Somebody who was moved and renewed since, and somebody who has been told."""
    plan: Plan = things.plan("month", 1, 29_900)
    bank, now = fake_bank(settings), things.now()
    begun = now - timedelta(days=40)
    vera = Renewing(bank, "month", begun)
    price = prices.add(plan, rub(399), starts_at=begun, at=begun)
    _announce(plan, price, begun, begun + timedelta(days=31))
    vera.go(begun)
    vera.go(begun + timedelta(days=31, hours=1))
    dearer = prices.add(plan, rub(499), starts_at=now - timedelta(hours=3), at=now)
    _announce(plan, dearer, now - timedelta(hours=3), now + timedelta(days=31))
    vera.go(now - timedelta(hours=3))
    things.run_until_idle(now)


def _announce(plan: Plan, price: Any, at: Any, date: Any) -> None:
    move = price_moves.propose(price_moves.Proposal(plan, price, date, "a test"), actor="test", at=at)
    price_moves.announce(move.pk, actor="test", at=at)


def broken() -> set[str]:
    return {finding.check.name for finding in audit.run(at=things.now()).breaches}


def test_B2_prices_that_were_moved_break_nothing(moves: None) -> None:
    assert broken() == set()


@pytest.mark.parametrize("name", CASES)
def test_B2_each_thing_that_is_wrong_with_a_price_move_is_found(name: str, moves: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(CASES[name])
    assert broken() == {name}
