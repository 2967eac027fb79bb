from __future__ import annotations

from typing import Any

import pytest
from moneyed import Money

from billing import reconciliation
from billing.models import Case
from tests import fake_acquirer
from tests.billing.desk import AT, paid
from tests.fake_acquirer import FakeAcquirer


@pytest.fixture
def acquirer(settings: Any) -> FakeAcquirer:
    """An acquirer in memory, the only one, with empty books."""
    settings.ACQUIRERS = fake_acquirer.SETTING
    return fake_acquirer.installed()


@pytest.fixture
def case(acquirer: FakeAcquirer) -> Case:
    """The acquirer took 399 for an order of 299."""
    return too_much(acquirer)


def too_much(acquirer: FakeAcquirer) -> Case:
    payment = paid(acquirer)
    acquirer.operations["payment", str(payment.pk)].amount = Money("399.00", "RUB")
    [found] = reconciliation.run("fake", AT.date(), at=AT).opened
    return found
