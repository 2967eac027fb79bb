"""Stripe's webhooks: the signature with its time, and what each event tells. Pure functions."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from acquiring.backends.stripe import mapping
from acquiring.backends.stripe.mapping import CARD, WAY, metadata, moment, one_id, said
from acquiring.base import BadCallback
from acquiring.reading import Malformed, field, text
from acquiring.types import Notice, Outcome, Status, Subject

Read = Callable[[Any], Notice]


def verify(secrets: Sequence[str], header: str, body: bytes, *, at: datetime, tolerance: timedelta) -> None:
    """Checks `Stripe-Signature`: one v1 by one of the secrets, made no longer than `tolerance` before `at`.

    A time that is ahead of ours is no reproach, as in Stripe's own libraries. Raises BadCallback.
    """
    parts = [part.partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name.strip() == "t"]
    given = [value.encode(errors="replace") for name, _, value in parts if name.strip() == "v1"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdecimal()) or len(times[0]) > 12 or not given:
        raise BadCallback("the signature is missing or cannot be read")
    payload = times[0].encode() + b"." + body
    made = [hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest().encode() for secret in secrets]
    matches = [hmac.compare_digest(one, other) for one in made for other in given]  # all of them, in equal time
    if not any(matches):
        raise BadCallback("the signature is wrong")
    if int(times[0]) < at.timestamp() - tolerance.total_seconds():
        raise BadCallback("the signature is too old: somebody may be sending an old callback again")


def notice(event: Any) -> Notice:
    """What a verified event says; one that tells of nothing that we follow is `ignorable`. Raises Malformed."""
    key, kind = text(event, "id"), text(event, "type")
    content = field(field(event, "data", dict), "object", dict)
    if not key:
        raise Malformed("id")
    read = _READERS.get(kind)
    if read is None:
        return Notice(key, Subject.PAYMENT, kind, Outcome.unknown("not followed"), ignorable=True)
    told = replace(read(content), dedupe_key=key, kind=kind)
    if told.outcome.status in (Status.SUCCEEDED, Status.AUTHORIZED) and kind.startswith("payment_intent."):
        told = replace(told, outcome=replace(told.outcome, occurred_at=moment(event, "created")))
    return told


def _of_payment(outcome: Outcome, trusted: bool = True) -> Notice:
    return Notice("", Subject.PAYMENT, "", outcome, trusted)


def _intent(data: Any) -> Notice:
    """Signed, so believed; but a card to keep is only in the charge, which must be asked for."""
    outcome = mapping.payment_outcome(data)
    keeps = said(data, "setup_future_usage") == "off_session" and outcome.status is Status.SUCCEEDED
    # Of a page it is not known here whether it is still open, so news that are not final only ring.
    final = outcome.status in (Status.SUCCEEDED, Status.AUTHORIZED, Status.CANCELLED) or metadata(data, WAY) == CARD
    return _of_payment(outcome, final and not keeps)


def _session(data: Any) -> Notice:
    """Says that a page was paid, and not with which card."""
    outcome = mapping.session_outcome(data)
    paid = said(data, "payment_status") == "paid"
    reference = one_id(data, "payment_intent")
    if paid:
        outcome = replace(outcome, status=Status.SUCCEEDED)
    return _of_payment(replace(outcome, reference=reference), trusted=outcome.status is Status.CANCELLED)


def _charge(data: Any) -> Notice:
    return _of_payment(mapping.charge_outcome(data), trusted=False)


def _refund(data: Any) -> Notice:
    return Notice(
        "", Subject.REFUND, "", mapping.refund_outcome(data), payment_reference=one_id(data, "payment_intent")
    )


def _dispute(data: Any) -> Notice:
    return _of_payment(mapping.dispute_outcome(data))


_READERS: dict[str, Read] = {
    **dict.fromkeys(
        (
            "payment_intent.processing", "payment_intent.requires_action", "payment_intent.amount_capturable_updated",
            "payment_intent.succeeded", "payment_intent.payment_failed", "payment_intent.canceled",
        ),
        _intent,
    ),
    **dict.fromkeys(
        (
            "checkout.session.completed", "checkout.session.async_payment_succeeded",
            "checkout.session.async_payment_failed", "checkout.session.expired",
        ),
        _session,
    ),
    "charge.refunded": _charge,
    **dict.fromkeys(("refund.created", "refund.updated", "refund.failed", "charge.refund.updated"), _refund),
    **dict.fromkeys(
        (
            "charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed",
            "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated",
        ),
        _dispute,
    ),
}  # fmt: skip
