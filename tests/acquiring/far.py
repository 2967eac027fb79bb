"""The other side of the contract, as a test moves it; the orders that a test gives; the first steps of every trip."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import uuid4

import pytest
from moneyed import Money

from acquiring.base import Acquirer
from acquiring.types import Charge, Clue, Outcome, RefundOrder, Subject

PRICE = Money("299.00", "RUB")


class FarSide(Protocol):
    """The acquirer and its customers, as a test moves them."""

    secrets: tuple[str, ...]  # must appear in no log and no raw answer

    def pay(self, outcome: Outcome, decline: str = "") -> None:
        """A customer pays on the page that `outcome` leads to, or is declined with a reason of this group."""

    def trouble(self, name: str, count: int = 1) -> None:
        """`timeout_before`, `timeout_after`, `error_after`, `refuse` the next requests, or `calm`."""

    def moved(self) -> list[tuple[str, str, int]]:
        """(kind, our id, minor units) of every charge and refund that succeeded, in order."""

    def forget(self) -> None:
        """The time in which idempotency keys are known passes."""

    def signed(self, headers: dict[str, str], body: bytes) -> dict[str, str]:
        """The headers with which the acquirer itself would send this body."""

    def callback(self, number: int) -> tuple[str, dict[str, str], bytes]:
        """The callback with this number from 0: its kind (part of the address), headers and body."""


def charge(**changes: object) -> Charge:
    """An order for a month of films, of a customer who is present."""
    base = Charge(str(uuid4()), PRICE, "Films, one month", "customer-1", "ann@example.org", "https://shop.example/back")
    return replace(base, **changes)


def refund(paid: Outcome, amount: Money = PRICE) -> RefundOrder:
    return RefundOrder(str(uuid4()), paid.our_id, paid.reference, amount, "changed my mind")


def on_page(opened: Outcome) -> Clue:
    """What a shop knows of a checkout besides its ids."""
    return Clue(since=datetime.now(UTC) - timedelta(minutes=1), amount=opened.amount, page_url=opened.redirect_url)


def of(order: RefundOrder) -> Clue:
    """What a shop knows of a refund besides its ids."""
    since = datetime.now(UTC) - timedelta(minutes=1)
    return Clue(since, order.amount, "", order.payment_our_id, order.payment_reference)


class Trips:
    """How a test comes to a paid page and to a saved card, and what not every acquirer can say."""

    reference_at_checkout = True  # an unpaid page has an id of theirs already
    declined_page_is_final = True  # where not, another card may be tried on it
    stops_unseen_orders = True  # a void of what has not arrived yet keeps it from being paid later
    tells_refunded = True  # a payment says how much of it went back
    shows_closed_pages = True  # a page that was closed unpaid can be looked up

    @pytest.fixture
    def paid(self, acquirer: Acquirer, far: FarSide) -> Outcome:
        return self.pay(acquirer, far)

    def pay(self, acquirer: Acquirer, far: FarSide, decline: str = "", **changes: object) -> Outcome:
        """Opens a page, pays on it and asks for the truth."""
        opened = acquirer.checkout(charge(**changes))
        far.pay(opened, decline)
        return acquirer.fetch(Subject.PAYMENT, opened.our_id, opened.reference, on_page(opened))

    def token(self, acquirer: Acquirer, far: FarSide) -> str:
        card = self.pay(acquirer, far, save_card=True).card
        assert card is not None
        assert card.token
        return card.token
