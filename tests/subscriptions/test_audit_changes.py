"""B2: the audit finds what may be wrong with changes and rests, and nothing where they are right."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from billing import audit, payments
from subscriptions import changes, lifecycle, pauses
from tests import things
from tests.subscriptions.renewing import Renewing
from tests.subscriptions.terms import fake_bank

pytestmark = pytest.mark.django_db

CASES = {
    "change.made": "UPDATE subscriptions_change SET done_at = NULL",
    "change.credit": "UPDATE subscriptions_change SET credit = credit + 1",
    "subscription.rests": "UPDATE subscriptions_subscription SET access_until = paused_at + interval '1 hour'"
    " WHERE status = 'paused'",
}


@pytest.fixture
def changed(settings: Any) -> None:
    """One who has another plan now, one who rests."""
    things.plan("month", 1, 29_900)
    things.plan("year", 12, 269_900)
    bank, now = fake_bank(settings), things.now()
    vera, boris = Renewing(bank, "month", now - timedelta(days=3)), Renewing(bank, "month", now - timedelta(days=3))
    pauses.pause(boris.id, actor="test", at=now)
    order = lifecycle.Order(plan="year")
    asked = changes.upgrade(vera.id, order, actor="test", at=now - timedelta(hours=3))
    bank.pay(asked.payment.pk)
    payments.check(asked.payment.pk, at=now - timedelta(hours=3))
    vera.go(now - timedelta(hours=3))
    things.run_until_idle(now)


def broken() -> set[str]:
    return {finding.check.name for finding in audit.run(at=things.now()).breaches}


def test_B2_changes_that_are_right_break_nothing(changed: None) -> None:
    assert broken() == set()


@pytest.mark.parametrize("name", CASES)
def test_B2_each_thing_that_is_wrong_with_changes_is_found(name: str, changed: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(CASES[name])
        assert cursor.rowcount
    assert name in broken()
