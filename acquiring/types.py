"""What passes through the acquirer port: frozen values in money's own words, no model and no vendor's noun."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from moneyed import Money


class Status(StrEnum):
    """What an acquirer said of a charge or a refund.

    `UNKNOWN` is an answer too: the request may have left and nothing that can be believed came back.
    `AUTHORIZED` is a two-stage acquirer's "held, not taken".
    `CANCELLED` is a page closed or a hold released before money moved.
    """

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PENDING = "pending"
    AUTHORIZED = "authorized"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class Decline(StrEnum):
    """Why money did not move, in terms of what to do next."""

    RETRY_LATER = "retry_later"
    ANOTHER_CARD = "another_card"
    CUSTOMER_ACTION = "customer_action"
    STOP = "stop"
    OUR_FAULT = "our_fault"
    NOT_SENT = "not_sent"  # the acquirer certainly never saw the request


@dataclass(frozen=True, slots=True)
class Card:
    """A card as we may keep it: the acquirer's token and what a customer recognises. Never a number."""

    token: str = field(repr=False)
    mask: str
    brand: str
    exp_month: int
    exp_year: int


class ReceiptStatus(StrEnum):
    """Whether the tax office has the fiscal receipt of an operation yet."""

    PENDING = "pending"
    REGISTERED = "registered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ReceiptItem:
    """One line of a fiscal receipt (54-FZ): `amount` is what the line costs in all.

    `vat`: "none", "0", "5", "7", "10", "20", "22" percent, or "5/105", "7/107", "10/110", "20/120", "22/122".
    `subject` and `mode` are the terms of the format of fiscal data (FFD), such as "service" and "full_payment".
    """

    name: str
    quantity: Decimal
    amount: Money
    vat: str = "none"
    subject: str = "service"
    mode: str = "full_payment"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a fiscal receipt shall say; its items add up to the operation's amount. `tax_system`: "osn", ... (FFD)."""

    items: tuple[ReceiptItem, ...]
    email: str = ""
    phone: str = ""
    tax_system: str = ""


@dataclass(frozen=True, slots=True)
class Charge:
    """An order to collect money. `our_id` is the idempotency key of every try of it.

    `token` is set when the customer is absent (`scheduled` when the calendar asked for it, not a person);
    `return_url` when present.
    """

    our_id: str
    amount: Money
    description: str
    customer_id: str
    customer_email: str
    return_url: str = ""
    token: str = field(default="", repr=False)
    save_card: bool = False
    capture: bool = True
    expires_at: datetime | None = None
    scheduled: bool = True
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """An order to return money of one payment. `our_id` is the idempotency key of every try of it."""

    our_id: str
    payment_our_id: str
    payment_reference: str
    amount: Money
    reason: str
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True)
class Clue:
    """What helps to look an operation up at an acquirer that does not find it by our id alone.

    `since`: it was not sent before. `amount`: what we asked for. `page_url`: the page that its checkout was given,
    which therefore exists. The `payment_` ids are of a refund's payment. `customer_id` is set where the customer's card
    shall be kept.
    """

    since: datetime | None = None
    amount: Money | None = None
    page_url: str = ""
    customer_id: str = ""
    payment_our_id: str = ""
    payment_reference: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known of one charge or refund after asking.

    `reference` is the acquirer's own id. `absent` (only with UNKNOWN) says that the acquirer answered, and knows
    no such operation; `again` (only with UNKNOWN) that sending the same order again is the way to bring it to its end,
    and moves money once at most.
    `shut_out` (only with FAILED): the acquirer did not let the request in (wrong credentials, too many at once, a proxy
    before it): it says nothing of the order. `wait`: the pause that it asks for before it is called about this again.
    `decline`, `code` and `message` tell why it failed; `retry_after` when another try is welcome. `receipt` is what
    became of its fiscal receipt, where the acquirer said. `dispute`: the acquirer's id of the one dispute that
    `charged_back` is of; else that is all that was taken back.
    `raw` is the acquirer's answer with every secret removed.
    """

    status: Status
    reference: str = ""
    our_id: str = ""
    amount: Money | None = None
    refunded: Money | None = None
    charged_back: Money | None = None
    dispute: str = ""
    redirect_url: str = ""
    widget: Mapping[str, Any] = field(default_factory=dict)
    card: Card | None = None
    decline: Decline | None = None
    code: str = ""
    message: str = ""
    absent: bool = False
    again: bool = False
    shut_out: bool = False
    retry_after: datetime | None = None
    wait: timedelta | None = None
    occurred_at: datetime | None = None
    receipt: ReceiptStatus | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def unheard(self) -> bool:
        """Whether the acquirer certainly did not take the request up: it says nothing of what was asked."""
        return self.decline == Decline.NOT_SENT or self.shut_out

    @classmethod
    def unknown(cls, message: str) -> Outcome:
        """Nobody can say yet whether money moved."""
        return cls(Status.UNKNOWN, message=message)

    @classmethod
    def not_sent(cls, message: str) -> Outcome:
        """The acquirer certainly never saw the request; another try or another acquirer is safe."""
        return cls(Status.FAILED, decline=Decline.NOT_SENT, code="not_sent", message=message)

    @classmethod
    def not_found(cls) -> Outcome:
        """The acquirer answered a lookup, and knows no such operation."""
        return cls(Status.UNKNOWN, absent=True, message="the acquirer knows no such operation")


class Subject(StrEnum):
    """What a callback or a statement line speaks of."""

    PAYMENT = "payment"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Notice:
    """A verified callback, translated.

    `dedupe_key` is equal for two deliveries of one notice. Where `trusted` is False the acquirer does not sign:
    the notice is only a doorbell, and `fetch` tells the truth. `payment_reference` is set for refunds.
    `asks`: nothing has happened yet, the acquirer waits for our `Verdict` whether it may take the money.
    `only_receipt`: it tells of `outcome.receipt` and of nothing else. `ignorable`: of nothing that concerns us.
    """

    dedupe_key: str
    subject: Subject
    kind: str
    outcome: Outcome
    trusted: bool = True
    payment_reference: str = ""
    asks: bool = False
    only_receipt: bool = False
    ignorable: bool = False


class Verdict(StrEnum):
    """What we answer to a callback: that we have it, or (where it asks) whether the money may be taken."""

    ACCEPTED = "accepted"
    UNKNOWN_ORDER = "unknown_order"
    WRONG_AMOUNT = "wrong_amount"
    NOT_PAYABLE = "not_payable"  # paid already, closed, or somebody else's
    EXPIRED = "expired"
    NOT_TAKEN = "not_taken"  # we could not keep it: please send it again


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One operation in an acquirer's registry of a day. `payment_reference` is set for refunds."""

    subject: Subject
    outcome: Outcome
    payment_reference: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What an acquirer expects to read after a callback."""

    status: int = 200
    body: bytes = b'{"ok": true}'
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an acquirer can do. `idempotency_window` is how long a repeated key is certainly recognised.

    `works_within`: so long after a request was sent it may still be acted upon, though its answer was lost.
    `chargebacks_add_up`: what it says was taken back goes on counting what was won back since.
    `repeats_at_once`: an order that moves money, given again in that time, is certainly known for the same one.
    `calls_at_once` is how many calls it bears at the same time; 0 where it names no limit. `statements`: it lists the
    operations of a day; else it can only be asked about those that we know. `closes_pages`: a page that nobody paid can
    be closed; else it stays open until its time is over.
    """

    currencies: frozenset[str]
    idempotency_window: timedelta
    saved_cards: bool = False
    two_stage: bool = False
    partial_refund: bool = True
    receipts: bool = False
    calls_at_once: int = 0
    works_within: timedelta = timedelta(minutes=2)
    repeats_at_once: bool = True
    chargebacks_add_up: bool = False
    statements: bool = True
    closes_pages: bool = True
