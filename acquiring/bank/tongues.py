"""The protocols that the bank speaks: how each writes and signs its callbacks, and what it takes for "received".

A payment is told of in the protocol that it was ordered in. The HTTP half of each is a blueprint of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from acquiring.bank import signing
from acquiring.bank.cloudpayments.tongue import CloudPayments
from acquiring.bank.letters import Letter as Letter
from acquiring.bank.records import Payment, Refund, stamp
from acquiring.bank.stripe.news import StripeNews
from acquiring.bank.tbank.news import TBank
from acquiring.bank.yookassa.tongue import YooKassa

if TYPE_CHECKING:
    from acquiring.bank.house import Config
    from acquiring.bank.journal import Journal


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


@runtime_checkable
class Sealing(Protocol):
    """A protocol whose signature stands in the body."""

    def sealed(self, config: Config, body: bytes, forged: bool) -> bytes:
        """The body of a delivery with its signature (a wrong one where it is forged)."""
        ...


class Own:
    """The bank's own protocol."""

    def letters(self, journal: Journal, kind: str, payment: Payment, refund: Refund | None) -> list[Letter]:
        """One letter for each piece of news."""
        note_id = journal.new_id("ntc")
        content = refund.as_json() if refund else payment.as_json(journal.public_url)
        news = {"id": note_id, "type": kind, "created_at": stamp(journal.now()), "object": content}
        return [Letter(note_id, kind, content["id"], json.dumps(news, ensure_ascii=False))]

    def headers(self, config: Config, body: bytes, forged: bool) -> dict[str, str]:
        """The signature is base64 of HMAC-SHA256 over the raw body."""
        secret = "not the secret" if forged else config.callback_secret
        return {"Content-Type": "application/json", signing.HEADER: signing.sign(secret, body)}

    def received(self, status: int, answer: bytes) -> bool:
        """Any 2xx."""
        return 200 <= status < 300


TONGUES: Mapping[str, Tongue] = {
    "": Own(),
    "cloudpayments": CloudPayments(),
    "stripe": StripeNews(),
    "tbank": TBank(),
    "yookassa": YooKassa(),
}
