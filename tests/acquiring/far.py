"""The other side of the contract, as a test moves it; the orders that a test gives; the first steps of every trip."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol
from uuid import uuid4

import pytest
from moneyed import Money

from acquiring.base import NO_CLUE, Acquirer
from acquiring.types import Charge, Clue, Outcome, RefundOrder, Status, Subject

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

    def callback(self, number: int) -> tuple[str, dict[str, str], bytes]:
        """The callback with this number from 0: its kind (part of the address), headers and body."""

    def rewritten(self, number: int, old: bytes, new: bytes) -> tuple[str, dict[str, str], bytes]:
        """The same callback as the acquirer would have written and signed it with `new` instead of `old`."""

    def forget_keys(self) -> None:
        """The window of every idempotency key that was used so far is over."""


def charge(**changes: object) -> Charge:
    """An order for a month of films, of a customer who is present."""
    base = Charge(str(uuid4()), PRICE, "Films, one month", "customer-1", "ann@example.org", "https://shop.example/back")
    return replace(base, **changes)


def refund(paid: Outcome, amount: Money = PRICE) -> RefundOrder:
    return RefundOrder(str(uuid4()), paid.our_id, paid.reference, amount, "changed my mind")


class Trips:
    """How a test comes to a paid page and to a saved card; and what acquirers may do in more ways than one."""

    reference_at_checkout = True  # a page has the id of its payment before anybody pays there
    declined_page_is_final = True  # after a decline the page takes no other card
    late_answer = Status.CANCELLED  # to an order that comes after its void; `fetch` says CANCELLED in any case
    keeps_errors = False  # an error that was answered is answered again to the same key; `fetch` tells the truth
    knows_ids_for_ever = True  # an order sent again after its window is recognised all the same
    price_on_the_wire = b"29900"  # in callbacks

    def clue(self, of: Charge | RefundOrder | Outcome) -> Clue:
        """What we know besides the ids, as billing tells it. None is needed where our id alone finds everything."""
        return NO_CLUE

    def look(self, acquirer: Acquirer, of: Charge | RefundOrder | Outcome, reference: str = "") -> Outcome:
        """The acquirer's truth."""
        subject = Subject.REFUND if isinstance(of, RefundOrder) else Subject.PAYMENT
        return acquirer.fetch(subject, of.our_id, reference, self.clue(of))

    @pytest.fixture
    def paid(self, acquirer: Acquirer, far: FarSide) -> Outcome:
        return self.pay(acquirer, far)

    def pay(self, acquirer: Acquirer, far: FarSide, decline: str = "", **changes: object) -> Outcome:
        """Opens a page, pays on it and asks for the truth."""
        opened = acquirer.checkout(charge(**changes))
        far.pay(opened, decline)
        return self.look(acquirer, opened, opened.reference)

    def token(self, acquirer: Acquirer, far: FarSide) -> str:
        card = self.pay(acquirer, far, save_card=True).card
        assert card is not None
        assert card.token
        return card.token
