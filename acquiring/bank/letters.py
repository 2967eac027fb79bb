"""What a protocol has to say about callbacks: the letters that are sent, and the tongue that writes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from acquiring.bank.records import Payment, Refund

if TYPE_CHECKING:
    from acquiring.bank.house import Config
    from acquiring.bank.journal import Journal


@dataclass(frozen=True, slots=True)
class Letter:
    """One callback as it will be sent. `about` is the id of what it tells of; `path` comes after the shop's address."""

    id: str
    type: str
    about: str
    body: str = field(repr=False)
    path: str = ""


class Tongue(Protocol):
    """One protocol's way to write to merchants."""

    def letters(self, journal: Journal, kind: str, payment: Payment, refund: Refund | None) -> list[Letter]:
        """What is written of this news (`payment.succeeded`, `refund.succeeded`, `chargeback.created`, ...)."""
        ...

    def headers(self, config: Config, body: bytes, forged: bool) -> dict[str, str]:
        """The headers of a delivery, its signature among them (a wrong one where it is forged)."""
        ...

    def received(self, status: int, answer: bytes) -> bool:
        """Whether the merchant's answer ends the tries."""
        ...
