"""B1: towns whose customers pay at any acquirer; what a broken backend of a foreign protocol does is found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest

from acquiring.backends.cloudpayments import mapping as cloudpayments
from acquiring.types import Status
from billing.models import Payment
from simulation import database, plans, protocols
from simulation.running import Result, Run, simulate

pytestmark = pytest.mark.django_db(transaction=True)

BUSY = 22  # even seeds begin with a town of all acquirers; in this one eight customers go to many of them


def lived(seed: int, years: int, faults: float = 0.3, **more: Any) -> Result:
    return simulate(Run(years, faults, seed, plans.read(plans.DEMO)), **more)


def test_B1_a_town_pays_at_every_acquirer_and_the_same_seed_is_the_same_run() -> None:
    logs: list[list[str]] = [[], []]
    for log in logs:
        with database.simulated():
            result = lived(BUSY, 8, tell=log.append)
            used = set(Payment.objects.values_list("acquirer", flat=True))
        assert (result.breaches, result.double_charges, result.lost_operations) == ([], 0, 0)
        assert len(used & (set(protocols.ALL) - set(protocols.OWN))) > 2
    assert logs[0] == logs[1]


def test_B1_other_towns_pay_at_the_bank_s_own() -> None:
    with database.simulated():
        assert lived(1, 4, faults=0.2).breaches == []
        assert set(Payment.objects.values_list("acquirer", flat=True)) <= {*protocols.OWN, "wallet"}


@contextmanager
def a_refused_payment_is_made() -> Iterator[None]:
    """What CloudPayments declines is taken for made."""
    with patch.dict(cloudpayments.STATUSES, {"Declined": Status.SUCCEEDED}):
        yield


def test_B1_a_backend_that_breaks_its_protocol_is_found() -> None:
    with a_refused_payment_is_made(), database.simulated():
        assert any(lived(seed, 6, faults=0.6).breaches for seed in (2, 4, 10, 20, 22, 28))  # nearly half of them do
