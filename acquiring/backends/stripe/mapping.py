"""From Stripe's objects to outcomes: pure functions, tested without HTTP. Each raises Malformed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from acquiring import asking
from acquiring.backends.stripe.amounts import amount_of
from acquiring.backends.stripe.declines import group_of
from acquiring.http import Response, redact
from acquiring.reading import Malformed, field, one_of, text, text_or_none, whole
from acquiring.types import Card, Decline, Outcome, StatementLine, Status, Subject

ORDER = "order_id"  # in the metadata: our id of the payment or refund
WAY = "way"  # in a PaymentIntent's metadata: how it came to be
PAGE, CARD, TOMBSTONE = "page", "card", "tombstone"

SECRETS = frozenset({"paymentmethod", "fingerprint", "receipturl", "name", "phone", "address", "line1", "postalcode"})
NO_CHARGEBACK = frozenset({"won", "prevented"})

INTENT_STATUS = {
    "requires_payment_method": Status.PENDING,
    "requires_confirmation": Status.PENDING,
    "requires_action": Status.PENDING,
    "processing": Status.PENDING,
    "requires_capture": Status.AUTHORIZED,
    "succeeded": Status.SUCCEEDED,
    "canceled": Status.CANCELLED,
}
SESSION_STATUS = {"open": Status.PENDING, "complete": Status.PENDING, "expired": Status.CANCELLED}
REFUND_STATUS = {
    "pending": Status.PENDING,
    "requires_action": Status.PENDING,
    "succeeded": Status.SUCCEEDED,
    "failed": Status.FAILED,
    "canceled": Status.CANCELLED,
}

Translate = Callable[[Any], Outcome]


def payment_outcome(intent: Any, session: Any = None) -> Outcome:
    """What a PaymentIntent says (its `latest_charge` may be an id or the charge), with the page it belongs to."""
    said = one_of(INTENT_STATUS, intent, "status")
    received = said is Status.SUCCEEDED and "amount_received" in intent  # the oldest versions of the API lack it
    units = whole(intent, "amount_received" if received else "amount")
    decline, code, message = _why(intent.get("last_payment_error"))
    status, url, way = said, "", metadata(intent, WAY)
    if text(intent, "status").startswith("requires_") and said is Status.PENDING:
        status = _unfinished(text(intent, "status"), way, bool(decline), session)
        url = text_or_none(session, "url") if status is Status.PENDING and isinstance(session, dict) else ""
    if status is Status.FAILED and decline is None:  # asks for somebody who is not there
        decline, code, message = Decline.CUSTOMER_ACTION, "authentication_required", "The card's bank wants a person."
    if status is not Status.FAILED:
        decline, code, message = None, "", ""
    charge = intent.get("latest_charge")
    charge = charge if isinstance(charge, dict) else {}
    currency = text(intent, "currency")
    return Outcome(
        status,
        reference=_id(intent),
        our_id=metadata(intent, ORDER),
        amount=amount_of(units, currency),
        refunded=amount_of(whole(charge, "amount_refunded"), currency) if charge else None,
        redirect_url=url,
        card=_card(intent, charge),
        decline=decline,
        code=code,
        message=message,
        occurred_at=moment(charge or intent, "created") if status is not Status.PENDING else None,
        raw=redact(intent, SECRETS),
    )


def session_outcome(session: Any) -> Outcome:
    """What a Checkout Session says, with its PaymentIntent where that is expanded."""
    if isinstance(session, dict) and isinstance(session.get("payment_intent"), dict):
        return payment_outcome(session["payment_intent"], session)
    status = one_of(SESSION_STATUS, session, "status")
    units, currency = session.get("amount_total"), text_or_none(session, "currency")
    return Outcome(
        status,
        our_id=text_or_none(session, "client_reference_id") or metadata(session, ORDER),
        amount=amount_of(whole(session, "amount_total"), currency) if units is not None else None,
        redirect_url=text_or_none(session, "url") if text(session, "status") == "open" else "",
        raw=redact(session, SECRETS),
    )


def refund_outcome(refund: Any) -> Outcome:
    """What a refund says."""
    status = one_of(REFUND_STATUS, refund, "status")
    reason = text_or_none(refund, "failure_reason")
    failed = status is Status.FAILED
    return Outcome(
        status,
        reference=_id(refund),
        our_id=metadata(refund, ORDER),
        amount=amount_of(whole(refund, "amount"), text(refund, "currency")),
        decline=Decline.RETRY_LATER if failed else None,
        code=(reason or "failed") if failed else "",
        message="The card's bank did not take the refund." if failed else "",
        occurred_at=moment(refund, "created") if status is Status.SUCCEEDED else None,
        raw=redact(refund, SECRETS),
    )


def charge_outcome(charge: Any) -> Outcome:
    """What a successful charge says of its payment."""
    currency = text(charge, "currency")
    taken = field(charge, "captured", bool) and field(charge, "paid", bool)
    return Outcome(
        Status.SUCCEEDED if taken else Status.AUTHORIZED,
        reference=one_id(charge, "payment_intent") or _id(charge),
        our_id=metadata(charge, ORDER),
        amount=amount_of(whole(charge, "amount_captured" if taken else "amount"), currency),
        refunded=amount_of(whole(charge, "amount_refunded"), currency),
        occurred_at=moment(charge, "created"),
        raw=redact(charge, SECRETS),
    )


def dispute_outcome(dispute: Any) -> Outcome:
    """What a dispute says of its payment: that it was made, and what the card's bank took back of it."""
    status = text(dispute, "status")
    taken = not status.startswith("warning_") and status not in NO_CHARGEBACK
    return Outcome(
        Status.SUCCEEDED,
        reference=one_id(dispute, "payment_intent"),
        charged_back=amount_of(whole(dispute, "amount"), text(dispute, "currency")) if taken else None,
        dispute=_id(dispute),
        raw=redact(dispute, SECRETS),
    )


def statement_line(entry: Any) -> StatementLine | None:
    """What a balance transaction (its `source` expanded) says; None where it is no customer's money."""
    source = entry.get("source") if isinstance(entry, dict) else None
    kind = source.get("object") if isinstance(source, dict) else None
    if kind == "charge":
        return StatementLine(Subject.PAYMENT, charge_outcome(source))
    if kind == "refund":
        return StatementLine(Subject.REFUND, refund_outcome(source), one_id(source, "payment_intent"))
    if kind == "dispute":
        return StatementLine(Subject.PAYMENT, dispute_outcome(source))
    return None


def acted(answer: Response, translate: Translate) -> Outcome:
    """What a request to act came to."""
    if answer.ok:
        return translate(answer.body)
    error = error_of(answer)
    raw = redact(dict(error), SECRETS)
    code, message = said(error, "code"), said(error, "message") or "Stripe refused"
    if asking.is_unclear(answer, theirs=bool(error)) or said(error, "type") == "idempotency_error":
        # This key is known for something, perhaps for this very order in other words: only `fetch` can tell.
        return Outcome(Status.UNKNOWN, code=code or said(error, "type"), message=message, raw=raw)
    if answer.status == 402:
        group = group_of(said(error, "decline_code"), code, said(error, "advice_code"))
        reference = said(error.get("payment_intent"), "id")
        why = said(error, "decline_code") or code or "card_error"
        return Outcome(Status.FAILED, reference, decline=group, code=why, message=message, raw=raw)
    lost = said(error, "param") in ("payment_method", "customer")
    group = Decline.ANOTHER_CARD if lost else Decline.OUR_FAULT
    code = code or said(error, "type") or f"http_{answer.status}"
    shut_out = answer.status in asking.SHUT_OUT
    return Outcome(Status.FAILED, decline=group, code=code, message=message, shut_out=shut_out, raw=raw)


def error_of(answer: Response) -> Mapping[str, Any]:
    """The error object of a refusal, perhaps empty."""
    error = answer.body.get("error") if isinstance(answer.body, dict) else None
    return error if isinstance(error, dict) else {}


def said(data: Any, name: str) -> str:
    """A text of an object that need not be there."""
    value = data.get(name) if isinstance(data, dict) else None
    return value if isinstance(value, str) else ""


def metadata(data: Any, name: str) -> str:
    """One of the texts that we hung on an object; "" where it is not ours."""
    return said(data.get("metadata") if isinstance(data, dict) else None, name)


def one_id(data: Any, name: str) -> str:
    """The id in a field that may hold an id or the whole object; "" for null."""
    value = data.get(name) if isinstance(data, dict) else None
    return _id(value) if isinstance(value, dict) else text_or_none(data, name)


def moment(data: Any, name: str) -> datetime:
    """A unix time."""
    try:
        return datetime.fromtimestamp(whole(data, name), UTC)
    except (OverflowError, OSError, ValueError):
        raise Malformed(name) from None


def _id(data: Any) -> str:
    found = text(data, "id")
    if not found:
        raise Malformed("id")
    return found


def _unfinished(status: str, way: str, declined: bool, session: Any) -> Status:
    """What a PaymentIntent that nobody has paid yet means: on a page the next card may pay it."""
    if way == PAGE:
        return one_of(SESSION_STATUS, session, "status") if isinstance(session, dict) else Status.PENDING
    if way == TOMBSTONE:
        return Status.CANCELLED  # nobody but us could ever confirm it
    if declined or (way == CARD and status == "requires_action"):
        return Status.FAILED
    return Status.PENDING


def _why(error: Any) -> tuple[Decline | None, str, str]:
    if not isinstance(error, dict):
        return None, "", ""
    code, decline_code = said(error, "code"), said(error, "decline_code")
    group = group_of(decline_code, code, said(error, "advice_code"))
    return group, decline_code or code or "card_error", said(error, "message") or "The payment was declined."


def _card(intent: Any, charge: Mapping[str, Any]) -> Card | None:
    details = charge.get("payment_method_details")
    card = details.get("card") if isinstance(details, dict) else None
    if not isinstance(card, dict):
        return None
    token = ""
    if text_or_none(intent, "setup_future_usage") == "off_session":
        customer, method = one_id(intent, "customer"), one_id(intent, "payment_method")
        token = f"{customer}:{method}" if customer and method else ""
    return Card(
        token=token,
        mask=f"•••• {text_or_none(card, 'last4')}",
        brand=text_or_none(card, "brand").capitalize(),
        exp_month=whole(card, "exp_month"),
        exp_year=whole(card, "exp_year"),
    )
