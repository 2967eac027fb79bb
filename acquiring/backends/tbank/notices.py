"""T-Bank's notifications, verified before: pure functions."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from acquiring.backends.tbank.mapping import (
    RETURNED,
    RETURNING,
    STATUS,
    accepted,
    card,
    found,
    hidden,
    number,
    our_id_of,
    unsure,
)
from acquiring.reading import Malformed, text
from acquiring.types import Notice, Outcome, ReceiptStatus, Status, Subject


def notice(data: Any) -> Notice:
    """What a verified notification says. Raises Malformed.

    Only good news are believed as they come, each is true for ever; any other is a doorbell, since it may be of a page
    that nobody was given, and come after the good ones. Of refunds it does not say which one it is.
    """
    state, order, reference = text(data, "Status"), text(data, "OrderId"), number(data, "PaymentId")
    key = f"{reference}:{state}:{hashlib.sha256(text(data, 'Token').lower().encode(errors='replace')).hexdigest()[:32]}"
    if state == "RECEIPT":
        return _receipt_notice(data, key, our_id_of(order), reference)
    if state in RETURNED | RETURNING:
        return Notice(
            key, Subject.REFUND, state, unsure("a refund", hidden(data)), trusted=False, payment_reference=reference
        )
    if STATUS.get(state) not in (Status.SUCCEEDED, Status.AUTHORIZED):
        rings = Outcome(Status.UNKNOWN, reference, our_id_of(order), raw=hidden(data))
        return Notice(key, Subject.PAYMENT, state, rings, trusted=False)
    said = found(data).outcome
    if said.amount is None:
        raise Malformed("Amount")
    return Notice(key, Subject.PAYMENT, state, replace(said, card=card(data) if data.get("Pan") else None))


def _receipt_notice(data: Any, key: str, our_id: str, reference: str) -> Notice:
    """A fiscal receipt was made, or could not be. One of a refund does not say of which."""
    status = ReceiptStatus.REGISTERED if accepted(data) else ReceiptStatus.FAILED
    said = Outcome(Status.UNKNOWN, reference, our_id, receipt=status, raw=hidden(data))
    if data.get("Type") == "IncomeReturn":
        said = replace(said, reference="", our_id="")
        return Notice(key, Subject.REFUND, "RECEIPT", said, payment_reference=reference, only_receipt=True)
    return Notice(key, Subject.PAYMENT, "RECEIPT", said, only_receipt=True)
