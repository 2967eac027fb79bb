from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from accounts.models import User
from tests import fake_acquirer
from tests.api.client import Api, tell
from tests.fake_acquirer import FakeAcquirer
from tests.things import now, plan, run_until_idle, viewer


@pytest.fixture
def acquirer(settings: Any) -> FakeAcquirer:
    settings.ACQUIRERS = fake_acquirer.SETTING
    return fake_acquirer.installed()


@pytest.fixture
def plans(db: None) -> None:
    plan("month", 1, 29_900, name="One month", position=0)
    plan("year", 12, 269_900, name="One year", position=1)


@pytest.fixture
def anna(plans: None, acquirer: FakeAcquirer) -> Api:
    """A customer."""
    return Api(viewer())


@pytest.fixture
def boris(plans: None, acquirer: FakeAcquirer) -> Api:
    """Another customer, who has no business with the first."""
    return Api(viewer())


@pytest.fixture
def staff(plans: None, acquirer: FakeAcquirer) -> Callable[..., Api]:
    """Makes a member of staff with permissions such as "billing.refund_payment"."""

    def make(*permissions: str, is_staff: bool = True) -> Api:
        user: User = viewer(is_staff=is_staff)
        for permission in permissions:
            app, codename = permission.split(".")
            user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
        return Api(user)

    return make


@pytest.fixture
def paid(anna: Api, acquirer: FakeAcquirer) -> dict[str, Any]:
    """What Anna was told when she subscribed for a year; she has paid since, and the term has begun."""
    subscribed: dict[str, Any] = anna.subscribe("year")
    acquirer.pay(subscribed["payment"])
    assert tell(acquirer, subscribed["payment"]).status_code == 200
    run_until_idle(now())
    return subscribed
