"""W4: what is paid by the hour has no terms: nothing of it renews by a card, is paid ahead, given or kept."""

from __future__ import annotations

from typing import Any

import pytest

from billing.errors import Refused
from billing.models import Invoice, Payment
from subscriptions import agreements, changes, favours, grants, lifecycle, next_plans, pauses, renewals
from subscriptions.models import Subscription
from tests.billing.desk import saved_card
from tests.subscriptions import hourly
from tests.subscriptions.hourly import AT, HOUR, begun, sweep, tariff
from tests.subscriptions.terms import fake_bank
from tests.things import plan

pytestmark = pytest.mark.django_db
STAFF: dict[str, Any] = {"actor": "user:1", "at": AT + HOUR, "reason": "ticket 7"}


@pytest.fixture
def mine(settings: Any) -> Subscription:
    fake_bank(settings)
    tariff("hourly", 1_000)
    plan("month", 1, 29_900)
    plan("year", 12, 269_900)
    subscription = begun(100_000)
    sweep(AT + HOUR)
    subscription.refresh_from_db()
    return subscription


def order(code: str) -> lifecycle.Order:
    return lifecycle.Order(plan=code, return_url="http://shop.example/")


DEEDS = {
    "agree": lambda row: agreements.agree(row.pk, method_id=saved_card(row.user_id).pk, actor="test", at=STAFF["at"]),
    "pay": lambda row: agreements.pay(row.pk, order("hourly"), actor="test", at=STAFF["at"]),
    "extend": lambda row: grants.extend(row.pk, grants.Gift("", days=7), **STAFF),
    "give": lambda row: grants.give(row.user_id, grants.Gift("hourly", months=1), **STAFF),
    "pause": lambda row: pauses.pause(row.pk, **STAFF),
    "favour": lambda row: favours.upgrade(row.pk, "year", **STAFF),
    "next plan": lambda row: next_plans.plan_next(row.pk, "month", actor="test", at=STAFF["at"]),
    "upgrade": lambda row: changes.upgrade(row.pk, order("year"), actor="test", at=STAFF["at"]),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_W4_a_subscription_by_the_hour_is_left_as_it_is_by_what_is_for_terms(mine: Subscription, deed: str) -> None:
    before = Subscription.objects.filter(pk=mine.pk).values().get()
    with pytest.raises(Refused) as refused:
        DEEDS[deed](mine)
    assert refused.value.code == ("not_pending" if deed == "pay" else "hourly")
    assert Subscription.objects.filter(pk=mine.pk).values().get() == before
    assert renewals.renew_due(at=STAFF["at"]) == 0
    assert not Invoice.objects.exists() and not Payment.objects.exists()
    hourly.right(STAFF["at"])
