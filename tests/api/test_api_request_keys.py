"""M3: idempotency keys are kept for the days that the guide names, and deleted by a daily sweep."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django_celery_beat.models import PeriodicTask

from billing import request_keys, tasks
from billing.models import RequestKey
from billing.request_keys import KEPT
from tests.api.client import Api
from tests.fake_acquirer import FakeAcquirer
from tests.things import now

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


def keys(anna: Api, *ages: timedelta, **more: Any) -> None:
    """Anna's keys of these ages, each with its age as its name."""
    at: datetime = now()
    for age in ages:
        row = RequestKey.objects.create(
            user=anna.user, key=str(age), path="/", body_digest="", leased_until=more.get("leased_until", at - age),
            status=201, answer={},
        )  # fmt: skip
        RequestKey.objects.filter(pk=row.pk).update(created_at=at - age)


def left() -> set[str]:
    return set(RequestKey.objects.values_list("key", flat=True))


def test_M3_a_key_is_kept_as_long_as_the_guide_says_and_then_deleted(anna: Api, acquirer: FakeAcquirer) -> None:
    first = anna.post("subscriptions/subscribe", {"plan": "year"}, key="a-key")
    born = RequestKey.objects.get().created_at
    assert request_keys.prune(at=born + KEPT) == 0
    again = anna.post("subscriptions/subscribe", {"plan": "year"}, key="a-key")
    assert again["Idempotent-Replayed"] == "true" and again.json() == first.json()
    assert request_keys.prune(at=born + KEPT + SECOND) == 1 and not RequestKey.objects.exists()
    anew = anna.post("subscriptions/subscribe", {"plan": "year"}, key="a-key")  # the verb finds what waits
    assert "Idempotent-Replayed" not in anew and anew.json() == first.json()


def test_M3_old_keys_go_in_batches_oldest_first(anna: Api) -> None:
    keys(anna, *(KEPT + n * SECOND for n in range(1, 6)), timedelta(hours=1))
    at = now()
    assert request_keys.prune(at=at, limit=2) == 2
    assert left() == {str(KEPT + n * SECOND) for n in range(1, 4)} | {"1:00:00"}
    assert [request_keys.prune(at=at, limit=2) for _ in range(3)] == [2, 1, 0]
    assert left() == {"1:00:00"}


def test_M3_a_request_in_flight_keeps_its_key(anna: Api) -> None:
    keys(anna, KEPT * 2, leased_until=now() + timedelta(minutes=1))
    assert request_keys.prune(at=now()) == 0 and len(left()) == 1


def test_M3_the_sweep_runs_daily(anna: Api) -> None:
    keys(anna, KEPT * 2, timedelta(days=1))
    row = PeriodicTask.objects.select_related("interval").get(task="billing.tasks.prune_request_keys")
    assert row.enabled and row.interval and (row.interval.every, row.interval.period) == (24 * 3600, "seconds")
    tasks.prune_request_keys()
    assert left() == {"1 day, 0:00:00"}
