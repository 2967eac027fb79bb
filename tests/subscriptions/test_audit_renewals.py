# ruff: noqa: S608  the statements are the test's own
"""B2: the audit finds what may be wrong with renewals, and nothing where they are right."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from billing import audit
from tests import things
from tests.subscriptions.renewing import Renewing, declined
from tests.subscriptions.terms import fake_bank

pytestmark = pytest.mark.django_db

LATER = "WHERE id IN (SELECT subscription_id FROM subscriptions_period WHERE number = 2 AND starts_at IS NOT NULL)"
CASES = {
    "subscription.charged": f"UPDATE subscriptions_subscription SET next_charge_at = now() - interval '1 day' {LATER}",
    "subscription.waits": "UPDATE subscriptions_period SET closed_at = now() WHERE number = 2 AND starts_at IS NULL",
    "subscription.agreed": "UPDATE subscriptions_subscription SET auto_renew = false, renewal_consent_at = NULL,"
    f" next_charge_at = NULL {LATER}",
    "card.removed": "UPDATE billing_paymentmethod SET removed_at = created_at - interval '1 day'",
}


@pytest.fixture
def renewals(settings: Any) -> None:
    """One whose renewal was paid, one whose renewal was declined a moment ago."""
    things.plan("month", 1, 29_900)
    bank = fake_bank(settings)
    now = things.now()
    begun = now - timedelta(days=31)
    good = Renewing(bank, "month", begun)
    good.go(good.row.valid_till or now)
    bank.program("charge", declined())
    bad = Renewing(bank, "month", begun)
    bad.go(bad.row.valid_till or now)
    things.run_until_idle(now)


def broken() -> set[str]:
    return {finding.check.name for finding in audit.run(at=things.now()).breaches}


def test_B2_renewals_that_are_right_break_nothing(renewals: None) -> None:
    assert broken() == set()


@pytest.mark.parametrize("name", CASES)
def test_B2_each_thing_that_is_wrong_with_renewals_is_found(name: str, renewals: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(CASES[name])
    assert broken() == {name}
