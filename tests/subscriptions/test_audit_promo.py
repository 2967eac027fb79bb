"""B2: the audit finds what may be wrong with promo codes, and nothing where they are right."""

from __future__ import annotations

from typing import Any

import pytest

from billing import audit
from tests.billing.test_audit import do
from tests.subscriptions.promo import promo
from tests.subscriptions.terms import bought, chosen, fake_bank
from tests.things import HOUR, now, plan, run_until_idle

pytestmark = pytest.mark.django_db

LONG_AGO = "UPDATE billing_invoice SET updated_at = now() - interval '60 days'"
CASES = {
    "promo.counted": ["UPDATE subscriptions_promocode SET taken = taken + 1"],
    "promo.counted+": ["UPDATE subscriptions_promocode SET total_limit = taken - 1"],
    "promo.used": [LONG_AGO, "UPDATE subscriptions_redemption SET used_at = NULL WHERE used_at IS NOT NULL"],
    "promo.used+": [LONG_AGO, "UPDATE subscriptions_redemption SET used_at = now() WHERE used_at IS NULL"],
    "promo.used++promo.counted": [
        LONG_AGO, "UPDATE subscriptions_redemption SET released_at = NULL WHERE released_at IS NOT NULL",
    ],
    "promo.saved": ["UPDATE subscriptions_redemption SET saved = saved + 1"],
}  # fmt: skip


@pytest.fixture(autouse=True)
def codes(settings: Any) -> None:
    """One code used, one waiting, one given back."""
    plan("month", 1, 29_900)
    bank = fake_bank(settings)
    promo(total_limit=10)
    chosen("month", now() - 3 * HOUR, promo_code="SPRING")
    run_until_idle(now() - HOUR)
    bought(bank, "month", now(), promo_code="SPRING")
    chosen("month", now(), promo_code="SPRING")


def broken() -> set[str]:
    return {finding.check.name for finding in audit.run(at=now()).breaches}


def test_B2_codes_that_are_right_break_nothing() -> None:
    assert broken() == set()


@pytest.mark.parametrize("names", CASES)
def test_B2_each_thing_that_is_wrong_with_codes_is_found(names: str) -> None:
    do(*CASES[names])
    assert broken() == set(names.split("+")) - {""}
