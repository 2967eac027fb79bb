"""A subscription's end: the instant, the grace, and schedulers that slept or died."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from billing import audit
from billing.models import Event
from subscriptions import endings
from subscriptions.models import Subscription
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.terms import at, bought, fake_bank, told
from tests.things import plan

pytestmark = pytest.mark.django_db
MORNING = at("2026-01-31T12:00")


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    plan("month", 1, 29_900)
    return fake_bank(settings)


@pytest.mark.parametrize(
    ("moment", "status"),
    [
        ("2026-02-28T11:59:59", "active"),
        ("2026-02-28T12:00", "past_due"),
        ("2026-03-02T11:59:59", "past_due"),
        ("2026-03-02T12:00", "expired"),
        ("2026-07-01T12:00", "expired"),  # a scheduler that slept for months
    ],
)
def test_T6_a_term_ends_at_its_instant_and_the_grace_two_days_later(
    bank: FakeAcquirer, moment: str, status: str
) -> None:
    sold = bought(bank, "month", MORNING)
    for _ in range(3):
        endings.end_due(at=at(moment))
    sold.refresh_from_db()
    assert sold.status == status
    assert (sold.next_action_at is None) == (status == "expired")
    assert sold.valid_till == at("2026-02-28T12:00")


def test_T9_a_scheduler_that_slept_tells_every_step(bank: FakeAcquirer) -> None:
    sold = bought(bank, "month", MORNING)
    endings.end_due(at=at("2026-07-01T12:00"))
    assert told(sold)[2:] == ["subscription.past_due", "subscription.expired"]
    assert endings.end_due(at=at("2027-07-01T12:00")) == 0


@pytest.mark.parametrize("dies_in", ["_make", "end"])
def test_T9_a_sweep_that_died_with_a_subscription_in_hand_leaves_it_to_the_next(
    bank: FakeAcquirer, monkeypatch: Any, dies_in: str
) -> None:
    sold = bought(bank, "month", MORNING)
    over = at("2026-02-28T12:00")
    if dies_in == "end":  # two steps at once are not made in the batch
        over = at("2026-03-05T12:00")
    with monkeypatch.context() as dying:
        dying.setattr(endings, dies_in, lambda *_, **__: 1 / 0)
        with suppress(ZeroDivisionError):
            endings.end_due(at=over)
    assert endings.end_due(at=over) == (dies_in == "_make")  # the other is leased
    endings.end_due(at=over + endings.LEASE)
    sold.refresh_from_db()
    assert sold.status == ("past_due" if dies_in == "_make" else "expired")


def test_T9_many_ends_ask_the_database_as_often_as_one(bank: FakeAcquirer, django_assert_max_num_queries: Any) -> None:
    for _ in range(12):
        bought(bank, "month", MORNING)
    with django_assert_max_num_queries(12):
        assert endings.end_due(at=at("2026-02-28T12:00")) == 12
    assert set(Subscription.objects.values_list("status", flat=True)) == {"past_due"}
    assert Event.objects.filter(kind="subscription.past_due").count() == 12
    broken = [each.check.name for each in audit.run(at=at("2026-02-28T12:00")).breaches]
    assert not [name for name in broken if name.startswith(("subscription", "period"))]


def test_T6_a_plan_without_grace_ends_at_once(bank: FakeAcquirer) -> None:
    plan("strict", 1, 29_900, grace_days=0)
    sold = bought(bank, "strict", MORNING)
    endings.end_due(at=at("2026-02-28T12:00"))
    sold.refresh_from_db()
    assert (sold.status, sold.access_until) == ("expired", at("2026-02-28T12:00"))
