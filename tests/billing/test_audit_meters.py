"""B2: the audit finds each thing that may be wrong with a subscription by the hour."""

from __future__ import annotations

import pytest

from billing import audit
from subscriptions import metering
from subscriptions.models import Subscription
from tests.billing.meters import METERS
from tests.billing.test_audit import broken, do
from tests.subscriptions.hourly import HOUR, begun, tariff
from tests.things import now

pytestmark = pytest.mark.django_db


@pytest.fixture
def running(db: None) -> Subscription:
    """One that was charged an hour ago."""
    tariff()
    subscription = begun(10_000, at=now() - 2 * HOUR)
    return metering.tick(subscription.pk, at=now() - HOUR)


def test_B2_a_meter_that_is_right_is_called_right(running: Subscription) -> None:
    assert broken() <= {"transfer.explained", "delivery.delivered"}  # the money came from nowhere, no sweep ran


@pytest.mark.parametrize("name", METERS)
def test_B2_each_thing_that_is_wrong_with_a_meter_is_found(name: str, running: Subscription) -> None:
    do(*METERS[name])

    assert name in audit.names() and name in broken()
