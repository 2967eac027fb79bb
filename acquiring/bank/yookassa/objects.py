"""Payments and refunds of the bank's books as YooKassa writes them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from acquiring.bank.records import OPEN, Payment, Refund
from acquiring.bank.yookassa.names import amount, moment, theirs, why_cancelled

if TYPE_CHECKING:
    from acquiring.bank.journal import Journal

RECEIPT_TAKES = timedelta(seconds=1)  # to be registered
HOLD = timedelta(days=7)
GATEWAY = "100700"
FEE = 35  # thousandths
FIRST6 = {"visa": "424242", "mastercard": "555555", "mir": "220000"}
CARD_TYPES = {"visa": "Visa", "mastercard": "MasterCard", "mir": "Mir"}

Object = dict[str, Any]


def status(payment: Payment) -> str:
    """A payment's state in their words."""
    if payment.status in OPEN:
        return "pending"
    return {"authorized": "waiting_for_capture", "succeeded": "succeeded"}.get(payment.status, "canceled")


def payment_object(journal: Journal, payment: Payment, merchant: str) -> Object:
    """A Payment."""
    kept, state = kept_of(payment.extra), status(payment)
    units = payment.captured if state == "succeeded" else payment.amount
    said: Object = {
        "id": theirs(payment.id),
        "status": state,
        "paid": state in ("succeeded", "waiting_for_capture"),
        "amount": amount(units, payment.currency),
        "created_at": moment(payment.created_at),
        "description": payment.description,
        "metadata": kept.get("metadata", {}),
        "payment_method": _method(payment, kept),
        "recipient": {"account_id": merchant, "gateway_id": GATEWAY},
        "refundable": state == "succeeded" and payment.refunded < payment.captured,
        "test": True,
    }
    if payment.customer:
        said["merchant_customer_id"] = payment.customer
    if state == "pending" and payment.origin == "page":
        said["confirmation"] = {
            "type": "redirect",
            "return_url": payment.return_url,
            "confirmation_url": f"{journal.public_url}/pay/{payment.id}",
        }
    return said | _ended(payment, state) | _receipt(journal, kept, state, payment.finished_at)


def refund_object(journal: Journal, refund: Refund) -> Object:
    """A Refund."""
    kept = kept_of(refund.extra)
    state = "canceled" if refund.status == "declined" else refund.status
    said: Object = {
        "id": theirs(refund.id),
        "payment_id": theirs(refund.payment_id),
        "status": state,
        "amount": amount(refund.amount, refund.currency),
        "created_at": moment(refund.created_at),
        "metadata": kept.get("metadata", {}),
    }
    if refund.reason:
        said["description"] = refund.reason
    if state == "canceled":
        said["cancellation_details"] = {"party": "refund_network", "reason": "general_decline"}
    ended = refund.updated_at if state != "pending" else ""
    return said | _receipt(journal, kept, state, ended)


def kept_of(extra: str) -> Object:
    """What this protocol keeps of a payment or refund besides."""
    kept: Object = json.loads(extra) if extra else {}
    return kept


def _ended(payment: Payment, state: str) -> Object:
    if state == "canceled":
        return {"cancellation_details": why_cancelled(payment)}
    if state == "pending":
        return {}
    card = payment.plastic
    secure = {"applied": bool(card and card.behaviour.challenge)}
    said: Object = {
        "authorization_details": {"rrn": "10000000000", "auth_code": "000000", "three_d_secure": secure},
    }
    if state == "waiting_for_capture":
        until = datetime.fromisoformat(payment.finished_at) + HOLD
        return said | {"expires_at": until.isoformat(timespec="milliseconds").replace("+00:00", "Z")}
    return said | {
        "captured_at": moment(payment.finished_at),
        "income_amount": amount(payment.captured - payment.captured * FEE // 1000, payment.currency),
        "refunded_amount": amount(payment.refunded, payment.currency),
    }


def _method(payment: Payment, kept: Object) -> Object:
    saved_before = kept.get("payment_method_id", "")
    saved = bool(saved_before or payment.token)
    said: Object = {
        "type": "bank_card",
        "id": saved_before or theirs(payment.id),
        "saved": saved,
        "status": "active" if saved else "inactive",
    }
    card = payment.plastic
    if card is None:
        return said
    last4 = card.mask[-4:]
    return said | {
        "title": f"Bank card *{last4}",
        "card": {
            "first6": FIRST6.get(card.brand, "400000"),
            "last4": last4,
            "expiry_month": f"{card.exp_month:02d}",
            "expiry_year": str(card.exp_year),
            "card_type": CARD_TYPES.get(card.brand, "Unknown"),
            "issuer_country": "RU",
        },
    }


def _receipt(journal: Journal, kept: Object, state: str, ended: str) -> Object:
    """How far the fiscal receipt is: it is registered a moment after the money has moved."""
    if "receipt_fails" not in kept:
        return {}
    if state == "canceled":
        return {"receipt_registration": "canceled"}
    if not ended or journal.now() < datetime.fromisoformat(ended) + RECEIPT_TAKES:
        return {"receipt_registration": "pending"}
    return {"receipt_registration": "canceled" if kept["receipt_fails"] else "succeeded"}
