"""YooKassa's words for what is in the bank's books: ids, times, sums, reasons."""

from __future__ import annotations

import re
from uuid import UUID

from acquiring.bank.records import Payment

SHORT = 16  # hexadecimal digits of an id of a simulator

REASONS = {
    "do_not_honor": "general_decline",
    "insufficient_funds": "insufficient_funds",
    "limit_exceeded": "payment_method_limit_exceeded",
    "issuer_unavailable": "issuer_unavailable",
    "processing_error": "internal_timeout",
    "expired_card": "card_expired",
    "unknown_token": "payment_method_restricted",
    "authentication_required": "3d_secure_failed",
    "3ds_failed": "3d_secure_failed",
    "3ds_cancelled": "3d_secure_failed",
    "stolen_card": "fraud_suspected",
    "lost_card": "payment_method_restricted",
    "merchant_misconfigured": "country_forbidden",
    "refund_declined": "general_decline",
}
THEIRS = frozenset({"internal_timeout", "permission_revoked", "country_forbidden"})  # decided by YooKassa itself


def theirs(books_id: str) -> str:
    """An id of the books as they write it: "pay_<hex>" becomes a UUID of the same digits."""
    return str(UUID(books_id.rpartition("_")[2].rjust(32, "0")))


def in_books(prefix: str, given: str) -> str:
    """The books' id behind one of theirs; "" where it cannot be one."""
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", given):
        return ""
    digits = given.replace("-", "")
    return f"{prefix}_{digits[SHORT:] if digits.startswith('0' * SHORT) else digits}"


def moment(stamp: str) -> str:
    """A time of the books in milliseconds."""
    return f"{stamp[:-4]}Z"


def amount(units: int, currency: str) -> dict[str, str]:
    """A sum: a text with two digits after the dot."""
    return {"value": f"{units // 100}.{units % 100:02d}", "currency": currency}


def why_cancelled(payment: Payment) -> dict[str, str]:
    """Who cancelled a payment, and why."""
    if payment.status == "expired":
        return {"party": "yoo_money", "reason": "expired_on_confirmation"}
    if payment.status == "voided":
        return {"party": "merchant", "reason": "canceled_by_merchant"}
    reason = REASONS[payment.decline_code]
    if payment.origin == "token" and payment.decline_code == "stolen_card":
        reason = "permission_revoked"  # nobody may charge that saved card any more
    return {"party": "yoo_money" if reason in THEIRS else "payment_network", "reason": reason}
