"""The bank's nouns: frozen rows of its books and how they look in JSON. Times are ISO 8601 texts in UTC."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from acquiring.bank.cards import DECLINES, Behaviour, Plastic

OPEN = frozenset({"created", "awaiting_3ds"})


def stamp(moment: datetime) -> str:
    """A time as the books keep it: UTC, of one width, so that texts compare as times do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def now(clock: str = "") -> datetime:
    """The wall clock, ahead by as many seconds as the file `clock` says, where there is one."""
    ahead = Path(clock).read_text() if clock and Path(clock).exists() else "0"
    return datetime.now(UTC) + timedelta(seconds=int(ahead))


class Refusal(Exception):
    """A request that the bank will not act upon; nothing has changed."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass(frozen=True, slots=True)
class Order:
    """What a merchant asks to collect. `amount` is in minor units."""

    order_id: str
    amount: int
    currency: str
    description: str = ""
    customer: str = ""
    email: str = ""
    return_url: str = ""
    callback_url: str = ""
    save_card: bool = False
    capture: bool = True
    expires_at: str = ""
    tongue: str = ""
    extra: str = ""


@dataclass(frozen=True, slots=True)
class Payment:
    """One order to collect and all that became of it. `origin` is page, token or tombstone (voided unseen)."""

    id: str
    order_id: str
    amount: int
    currency: str
    description: str
    customer: str
    email: str
    return_url: str
    callback_url: str
    save_card: bool
    capture: bool
    expires_at: str
    origin: str
    status: str
    created_at: str
    updated_at: str
    finished_at: str = ""
    captured: int = 0
    refunded: int = 0
    charged_back: int = 0
    decline_code: str = ""
    challenge_tries: int = 0
    card: str = ""  # JSON of a Plastic
    token: str = field(default="", repr=False)
    tongue: str = ""  # the protocol it was ordered in; "" is our own
    extra: str = ""  # JSON of what that protocol keeps besides

    @property
    def plastic(self) -> Plastic | None:
        """The card that was tried."""
        return plastic_from(self.card) if self.card else None

    def as_json(self, public_url: str) -> dict[str, Any]:
        """The payment as the merchant sees it."""
        card = self.plastic
        return {
            "id": self.id,
            "order_id": self.order_id,
            "kind": "payment",
            "amount": self.amount,
            "captured": self.captured,
            "refunded": self.refunded,
            "charged_back": self.charged_back,
            "currency": self.currency,
            "description": self.description,
            "customer": self.customer,
            "status": self.status,
            "decline": decline_json(self.decline_code),
            "card": card and {
                "token": self.token or None,
                "mask": card.mask,
                "brand": card.brand,
                "exp_month": card.exp_month,
                "exp_year": card.exp_year,
            },
            "payment_url": f"{public_url}/pay/{self.id}" if self.origin == "page" else None,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "finished_at": self.finished_at or None,
            "expires_at": self.expires_at or None,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refund:
    """Money returned. `order_id` is the merchant's id of the refund, "" when it was made in the cabinet."""

    id: str
    order_id: str
    payment_id: str
    amount: int
    currency: str
    reason: str
    status: str  # pending, succeeded, declined
    created_at: str
    updated_at: str
    settle_at: str = ""
    extra: str = ""

    def as_json(self) -> dict[str, Any]:
        """The refund as the merchant sees it."""
        return {
            "id": self.id,
            "order_id": self.order_id,
            "kind": "refund",
            "payment_id": self.payment_id,
            "amount": self.amount,
            "currency": self.currency,
            "reason": self.reason,
            "status": self.status,
            "decline": decline_json("refund_declined" if self.status == "declined" else ""),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }


@dataclass(frozen=True, slots=True)
class Token:
    """A saved card of one customer."""

    token: str = field(repr=False)
    customer: str
    card: str
    created_at: str


@dataclass(frozen=True, slots=True)
class Operation:
    """Money that moved or was tried: one line of the registry. `kind` is charge, refund or chargeback."""

    id: str
    order_id: str
    payment_id: str
    kind: str
    amount: int
    currency: str
    state: str
    at: str

    def as_json(self) -> dict[str, Any]:
        """The line as the control page gives it."""
        line = asdict(self)
        del line["payment_id"]
        return line


@dataclass(frozen=True, slots=True)
class Note:
    """A callback to deliver. `state` is pending, delivered, lost, given_up; `copies` come on top of the first."""

    id: str
    type: str
    object_id: str
    url: str
    body: str = field(repr=False)
    created_at: str
    next_at: str
    state: str = "pending"
    tries: int = 0
    copies: int = 0
    held: bool = False
    forged: bool = False
    last_status: str = ""
    tongue: str = ""


def decline_json(code: str) -> dict[str, str] | None:
    """A decline as the merchant sees it; None for no code."""
    return asdict(DECLINES[code]) if code else None


def plastic_text(card: Plastic) -> str:
    """A card as the books keep it."""
    return json.dumps(asdict(card))


def plastic_from(text: str) -> Plastic:
    """The card that `plastic_text` wrote."""
    data = json.loads(text)
    return Plastic(**{**data, "behaviour": Behaviour(**data["behaviour"])})
