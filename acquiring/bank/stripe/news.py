"""Stripe's events: what it writes of each piece of news, and how it signs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from acquiring.bank.letters import Letter
from acquiring.bank.records import Payment, Refund
from acquiring.bank.stripe import signing
from acquiring.bank.stripe.names import SESSION, extra
from acquiring.bank.stripe.shapes import Shapes

if TYPE_CHECKING:
    from acquiring.bank.house import Config
    from acquiring.bank.journal import Journal

API_VERSION = "2026-10-28.endive"
CHARGE, INTENT, PAGE, REFUND, DISPUTE = "charge", "intent", "page", "refund", "dispute"

# news -> (event, what it holds); those of a page only where there is one
_EVENTS = {
    "payment.succeeded": (
        ("charge.succeeded", CHARGE), ("payment_intent.succeeded", INTENT), ("checkout.session.completed", PAGE),
    ),
    "payment.authorized": (
        ("charge.succeeded", CHARGE), ("payment_intent.amount_capturable_updated", INTENT),
        ("checkout.session.completed", PAGE),
    ),
    "payment.captured": (("charge.captured", CHARGE), ("payment_intent.succeeded", INTENT)),
    "payment.declined": (("charge.failed", CHARGE), ("payment_intent.payment_failed", INTENT)),
    "payment.released": (("charge.refunded", CHARGE), ("payment_intent.canceled", INTENT)),
    "payment.cancelled": (("payment_intent.canceled", INTENT),),
    "payment.expired": (("checkout.session.expired", PAGE),),
    "refund.succeeded": (("charge.refunded", CHARGE), ("refund.created", REFUND), ("refund.updated", REFUND)),
    "refund.declined": (("refund.updated", REFUND), ("refund.failed", REFUND)),
    "chargeback.created": (("charge.dispute.created", DISPUTE), ("charge.dispute.funds_withdrawn", DISPUTE)),
}  # fmt: skip


class StripeNews:
    """Stripe's protocol."""

    def letters(self, journal: Journal, kind: str, payment: Payment, refund: Refund | None) -> list[Letter]:
        """An event for every object that changed."""
        shapes = Shapes(journal)
        page = extra(payment).get("kind") == SESSION
        letters = []
        for event, holds in _EVENTS[_news(kind, payment, shapes, page)]:
            if holds == PAGE and (not page or _taken_again(payment)):
                continue
            content = _content(shapes, holds, payment, refund)
            letters.append(_letter(journal, event, content, refund.id if refund else payment.id))
        return letters

    def headers(self, config: Config, body: bytes, forged: bool) -> dict[str, str]:
        """Signed anew for each delivery, as its time is part of the signature."""
        secret = "not the secret" if forged else config.callback_secret
        signature = signing.sign(secret, body, int(config.now().timestamp()))
        return {"Content-Type": "application/json; charset=utf-8", signing.HEADER: signature}

    def received(self, status: int, answer: bytes) -> bool:
        """Any 2xx."""
        return 200 <= status < 300


def _news(kind: str, payment: Payment, shapes: Shapes, page: bool) -> str:
    if kind == "payment.succeeded" and not payment.capture:
        return "payment.captured"
    if kind == "payment.voided":
        if shapes.was_released(payment):
            return "payment.released"
        return "payment.expired" if page else "payment.cancelled"
    return kind


def _taken_again(payment: Payment) -> bool:
    """A page is never paid in the instant in which it is opened: this is a second capture of its order."""
    return payment.created_at == payment.finished_at


def _content(shapes: Shapes, holds: str, payment: Payment, refund: Refund | None) -> dict[str, Any]:
    if holds == REFUND and refund:
        return shapes.refund(refund)
    makers = {CHARGE: shapes.charge, INTENT: shapes.intent, PAGE: shapes.session, DISPUTE: shapes.dispute}
    return makers[holds](payment)


def _letter(journal: Journal, event: str, content: dict[str, Any], about: str) -> Letter:
    event_id = journal.new_id("evt")
    news = {
        "id": event_id,
        "object": "event",
        "api_version": API_VERSION,
        "created": int(journal.now().timestamp()),
        "data": {"object": content},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": event,
    }
    return Letter(event_id, event, about, json.dumps(news, ensure_ascii=False))
