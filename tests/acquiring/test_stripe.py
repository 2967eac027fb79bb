"""Stripe's protocol against the local bank: the shared contract, and what is its own."""

from __future__ import annotations

import pytest

from acquiring.backends.stripe import Stripe
from acquiring.types import Charge, Clue, Outcome, RefundOrder, Status
from tests.acquiring.contract import AcquirerContract
from tests.acquiring.shop import Shop
from tests.acquiring.stripe_far import StripeFar, backend, lately
from tests.local_bank import LocalBank


@pytest.fixture
def far(bank: LocalBank, shop: Shop) -> StripeFar:
    return StripeFar(bank, shop)


@pytest.fixture
def acquirer(bank: LocalBank, far: StripeFar) -> Stripe:
    return backend(bank)


@pytest.fixture
def impatient(bank: LocalBank, far: StripeFar) -> Stripe:
    return backend(bank, timeout=0.3)


@pytest.fixture
def stranger(bank: LocalBank) -> Stripe:
    return Stripe("wrong", ["x"], f"{bank.api_url}/stripe")


class TestStripe(AcquirerContract):
    """Every promise of the contract, as Stripe keeps it."""

    reference_at_checkout = False
    declined_page_is_final = False
    late_answer = Status.UNKNOWN
    keeps_errors = True
    finds_by_our_id = False
    keeps_orders = False

    def clue(self, of: Charge | RefundOrder | Outcome) -> Clue:
        if isinstance(of, RefundOrder):
            ids = {"payment_our_id": of.payment_our_id, "payment_reference": of.payment_reference}
            return Clue(since=lately(), amount=of.amount, **ids)
        page = of.redirect_url if isinstance(of, Outcome) else ""
        return Clue(since=lately(), amount=of.amount, page_url=page)
