"""The port: what every acquirer must be able to say. Adapters have no memory, no tables and know nothing of us."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Protocol

from acquiring.types import (
    Capabilities,
    Charge,
    Clue,
    Notice,
    Outcome,
    RefundOrder,
    Reply,
    StatementLine,
    Subject,
    Verdict,
)

NO_CLUE = Clue()
# Among a callback's headers: the ISO 8601 time at which we first took it, also when it is read anew later. Never comes
# from outside.
RECEIVED_AT = ":received-at"


class BadCallback(Exception):
    """A callback that is forged, unsigned or cannot be read. The text says why, for our log only."""


class Acquirer(Protocol):
    """One acquirer. No method raises for what the network or the acquirer did: that is an `Outcome`.

    `checkout`, `charge` and `refund` may be called again with the same order: the order's `our_id` is the
    idempotency key, so within `capabilities.idempotency_window` money moves once however often they are called.

    `Outcome.reference` names what moved the money and never changes once it is given: it stays empty while a customer
    may still try another card under another id of theirs.
    """

    capabilities: Capabilities

    def checkout(self, charge: Charge) -> Outcome:
        """Opens the acquirer's page for a customer who is present. PENDING with `redirect_url` (or `widget`)."""
        ...

    def charge(self, charge: Charge) -> Outcome:
        """Charges a saved token, customer absent."""
        ...

    def capture(self, our_id: str, reference: str, charge: Charge) -> Outcome:
        """Takes an authorized sum (`charge.amount`, in full or less)."""
        ...

    def void(self, our_id: str, reference: str, clue: Clue = NO_CLUE) -> Outcome:
        """Releases a hold, or closes a page that nobody paid. SUCCEEDED when it was paid after all.

        Without `our_id` it releases what bears `reference` and touches nothing else of the same order.
        Also makes sure that a charge with `our_id` still on its way can never succeed, where the acquirer can.
        """
        ...

    def refund(self, order: RefundOrder) -> Outcome:
        """Returns money of one payment, in full or part, to the instrument that paid."""
        ...

    def fetch(self, subject: Subject, our_id: str, reference: str = "", clue: Clue = NO_CLUE) -> Outcome:
        """The acquirer's truth on one charge or refund; `absent` only when it certainly knows none under either id."""
        ...

    def statement(self, day: date) -> Iterator[StatementLine]:
        """Every operation of one day (the acquirer's time zone). Raises `acquiring.http.Unanswered`."""
        ...

    def parse(self, kind: str, headers: Mapping[str, str], body: bytes) -> Notice:
        """Verifies first, then translates. Header names come in lower case. Raises BadCallback."""
        ...

    def reply(self, notice: Notice | None, verdict: Verdict) -> Reply:
        """What this acquirer expects to read back."""
        ...
