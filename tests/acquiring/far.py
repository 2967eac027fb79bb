"""The other side of the contract, as a test moves it; the orders that a test gives; the first steps of every trip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import uuid4

import pytest
from moneyed import Money

from acquiring.base import NO_CLUE, Acquirer
from acquiring.types import Card, Charge, Clue, Decline, Outcome, RefundOrder, Status, Subject
from tests.acquiring.shop import Shop
from tests.local_bank import LocalBank

PRICE = Money("299.00", "RUB")
DECLINING = {  # the local bank's cards, by the group of their decline
    "retry_later": "4000000000009995",
    "another_card": "4000000000000002",
    "customer_action": "4000008400001629",
    "stop": "4000000000009979",
    "our_fault": "4000000000000101",
}


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

    def callback(self, number: int) -> tuple[str, dict[str, str], bytes]:
        """The callback with this number from 0: its kind (part of the address), headers and body."""


class BankFar:
    """The local bank and a listening shop as the contract moves them, whichever protocol is spoken."""

    declining: Mapping[str, str] = DECLINING

    def __init__(self, bank: LocalBank, shop: Shop) -> None:
        self.bank, self.shop = bank, shop
        self.secrets: tuple[str, ...] = (bank.secret, bank.callback_secret)

    def pay(self, outcome: Outcome, decline: str = "") -> None:
        self.bank.pay(outcome.redirect_url, self.declining[decline] if decline else "4242424242424242")

    def trouble(self, name: str, count: int = 1) -> None:
        if name == "calm":
            self.bank.clear_faults()
        else:
            self.bank.fault(name, count)

    def moved(self) -> list[tuple[str, str, int]]:
        done = [line for line in self.bank.operations() if line["state"] == "succeeded"]
        return [(line["kind"], line["order_id"], line["amount"]) for line in done]

    def forget(self) -> None:
        self.bank.forget_keys()


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
    return Clue(
        since=since,
        amount=order.amount,
        payment_our_id=order.payment_our_id,
        payment_reference=order.payment_reference,
    )


def clue(order: RefundOrder) -> Clue:
    """What we know of a refund besides its ids, as billing gives it."""
    return Clue(amount=order.amount, payment_our_id=order.payment_our_id, payment_reference=order.payment_reference)


class Trips:
    """How a test comes to a paid page and to a saved card; and in what honest acquirers differ from one another."""

    reference_at_checkout = True  # a page has the id of its payment before anybody pays there
    declined_page_is_final = True  # after a decline the page takes no other card
    tells_refunded = True  # a payment says how much of it went back
    shows_closed_pages = True  # a page that was closed unpaid can be looked up
    late_answer = Status.CANCELLED  # to an order that comes after its void; `fetch` says CANCELLED in any case
    keeps_errors = False  # an error that was answered is answered again to the same key; `fetch` tells the truth
    tells_time = True  # a lookup says when money moved
    tells_card = True  # a lookup tells the card; else only a callback does
    same_page = True  # an order given again is answered with the same page
    finds_by_our_id = True  # a payment is looked up by our id alone; else somebody must know since when to look
    keeps_orders = True  # an order is known for ever; else only as long as its key
    closes_pages = True  # a page that nobody paid can be closed; else it closes by itself
    remembers_voids = True  # an order that was voided before it came is refused when it comes
    signs = True  # its callbacks
    token_is_an_id = False  # a saved card goes by the id of the payment that saved it
    page_declines = frozenset(Decline) - {Decline.NOT_SENT}  # what its page tells apart
    names_refunds = True  # a refund can be looked up by its own id; else it is asked about by sending it again

    def hint(self) -> Clue:
        """What this acquirer must be told to look up a payment of a moment ago, as billing gives it."""
        return NO_CLUE if self.finds_by_our_id else Clue(since=datetime.now(UTC) - timedelta(minutes=1))

    def clue(self, of: Charge | RefundOrder | Outcome) -> Clue:
        """The same for this order, or for a payment that is known so far."""
        return clue(of) if isinstance(of, RefundOrder) else self.hint()

    def look(self, acquirer: Acquirer, of: Charge | RefundOrder | Outcome, reference: str = "") -> Outcome:
        """The acquirer's truth."""
        subject = Subject.REFUND if isinstance(of, RefundOrder) else Subject.PAYMENT
        return acquirer.fetch(subject, of.our_id, reference, self.clue(of))

    def troubled_charge(self, impatient: Acquirer, far: FarSide, order: Charge, trouble: str) -> Outcome:
        """The outcome of a charge whose request to move money meets this trouble."""
        far.trouble(trouble)
        return impatient.charge(order)

    def not_begun(self, truth: Outcome) -> bool:
        """Whether the truth of an order that met trouble is that nothing has moved, so that it can be sent again."""
        return truth.status is Status.UNKNOWN and truth.absent

    @pytest.fixture
    def paid(self, acquirer: Acquirer, far: FarSide) -> Outcome:
        return self.pay(acquirer, far)

    def pay(self, acquirer: Acquirer, far: FarSide, decline: str = "", **changes: object) -> Outcome:
        """Opens a page, pays on it and asks for the truth."""
        opened = acquirer.checkout(charge(**changes))
        far.pay(opened, decline)
        return self.look(acquirer, opened, opened.reference)

    def told_card(self, acquirer: Acquirer, far: FarSide, paid: Outcome) -> Card | None:
        """The card that a callback told of this payment."""
        return self.told(acquirer, far, paid.our_id, Status.SUCCEEDED).card

    def told(self, acquirer: Acquirer, far: FarSide, our_id: str, status: Status) -> Outcome:
        """What the first callback says of an order in this state."""
        for number in range(20):
            said = acquirer.parse(*far.callback(number)).outcome
            if (said.our_id, said.status) == (our_id, status):
                return said
        raise AssertionError("no callback tells of it")

    def token(self, acquirer: Acquirer, far: FarSide) -> str:
        paid = self.pay(acquirer, far, save_card=True)
        card = paid.card if self.tells_card else self.told_card(acquirer, far, paid)
        assert card is not None
        assert card.token
        return card.token
