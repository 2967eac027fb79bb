from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from subscriptions.models import Plan
from tests import fake_acquirer, things


@pytest.fixture
def till(settings: Any) -> fake_acquirer.FakeAcquirer:
    """The acquirer in memory, as the only one."""
    settings.ACQUIRERS = fake_acquirer.SETTING
    return fake_acquirer.installed()


@pytest.fixture
def vera(db: None) -> User:
    return things.viewer("vera@example.com", name="Vera")


@pytest.fixture
def shop(till: fake_acquirer.FakeAcquirer, db: None) -> dict[str, Plan]:
    """A month for 299, a year for 2699."""
    return {
        "month": things.plan("month", 1, 29_900, name="One month"),
        "year": things.plan("year", 12, 269_900, name="One year", position=1),
    }


@pytest.fixture
def browser(client: Client, vera: User, shop: dict[str, Plan]) -> Client:
    """Vera's browser, logged in."""
    client.force_login(vera)
    return client
