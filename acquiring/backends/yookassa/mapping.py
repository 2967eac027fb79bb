"""From YooKassa's JSON to outcomes: pure functions, tested without HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from moneyed import Money

from acquiring import asking
from acquiring.backends.yookassa import reasons
from acquiring.http import REDACTED, Response, redact
from acquiring.reading import Malformed, field, moment, money, one_of, text
from acquiring.types import Card, Decline, Notice, Outcome, ReceiptStatus, Status, Subject

Translate = Callable[[Any], Outcome]
OUR_ID = {Subject.PAYMENT: "order_id", Subject.REFUND: "refund_id"}  # our names in `metadata`
PRIVATE = frozenset({"phone", "fullname", "inn", "accountnumber", "login", "confirmationtoken"})
PAYMENT_STATUS = {
    "pending": Status.PENDING,
    "waiting_for_capture": Status.AUTHORIZED,
    "succeeded": Status.SUCCEEDED,
    "canceled": Status.CANCELLED,
}
REFUND_STATUS = {"pending": Status.PENDING, "succeeded": Status.SUCCEEDED, "canceled": Status.FAILED}
RECEIPT = {
    "pending": ReceiptStatus.PENDING,
    "succeeded": ReceiptStatus.REGISTERED,
    "canceled": ReceiptStatus.FAILED,
}
EVENTS = {
    "payment.waiting_for_capture": Subject.PAYMENT,
    "payment.succeeded": Subject.PAYMENT,
    "payment.canceled": Subject.PAYMENT,
    "refund.succeeded": Subject.REFUND,
}


def acted(answer: Response, translate: Translate) -> Outcome:
    """What a request to move money came to. Raises Malformed."""
    if not answer.ok:
        return refused(answer)
    if pause(answer) is not None:
        return Outcome.unknown("YooKassa has the request and works on it still")
    try:
        return translate(answer.body)
    except RecursionError:
        raise Malformed("nested too deep") from None


def refused(answer: Response) -> Outcome:
    """What a 4xx to a request to move money means."""
    if asking.is_unclear(answer, theirs=_is_error(answer.body)):
        return asking.unclear(answer)
    said = answer.body if _is_error(answer.body) else {}
    code, message = _text(said, "code") or f"http_{answer.status}", _text(said, "description") or "YooKassa refused"
    why, shut_out = _text(said, "parameter"), answer.status in asking.SHUT_OUT
    raw = redact(said, PRIVATE)
    if why.lower() == "idempotence-key":
        # It knows this key with other parameters, so it may well have moved money: only `fetch` can tell.
        return Outcome(Status.UNKNOWN, code=code, message=message, raw=raw)
    if why == "payment_method_id" and answer.status in (400, 404):
        return Outcome(Status.FAILED, decline=Decline.ANOTHER_CARD, code=code, message=message, raw=raw)
    return Outcome(Status.FAILED, decline=Decline.OUR_FAULT, code=code, message=message, shut_out=shut_out, raw=raw)


def pause(answer: Response) -> float | None:
    """Seconds after which to ask again, where the answer is that there is none yet ("processing", 202); else None."""
    processing = answer.ok and isinstance(answer.body, dict) and answer.body.get("type") == "processing"
    if not processing and answer.status != 202:
        return None
    said = answer.body.get("retry_after") if isinstance(answer.body, dict) else None
    known = isinstance(said, int) and not isinstance(said, bool) and 0 <= said < 10**9
    return max(said, 100) / 1000 if known and isinstance(said, int) else 1.0


def looked_up(answer: Response, translate: Translate) -> Outcome:
    """What a question for one object by its id came to."""
    if answer.status == 404:
        # Only YooKassa's own word counts: a wrong address answers 404 as well.
        known = _is_error(answer.body) and answer.body.get("code") == "not_found"
        return Outcome.not_found() if known else Outcome.unknown("no such page")
    return acted(answer, translate) if answer.ok else Outcome.unknown(f"YooKassa refused the lookup ({answer.status})")


def page(data: Any) -> tuple[list[Any], str]:
    """The items of one page of a list and the cursor of the next, "" on the last. Raises Malformed."""
    items: list[Any] = field(data, "items", list)
    return items, text(data, "next_cursor") if data.get("next_cursor") is not None else ""


def is_ours(item: Any, subject: Subject, our_id: str) -> bool:
    """Whether an object of a list bears our id."""
    return _ours(item, subject) == our_id


def payment_outcome(data: Any) -> Outcome:
    """What a Payment object says. Raises Malformed."""
    status = one_of(PAYMENT_STATUS, data, "status")
    decline, code, message = None, "", ""
    if status is Status.CANCELLED:
        status, decline, code, message = _cancelled(data)
    return Outcome(
        status,
        reference=_id(data),
        our_id=_ours(data, Subject.PAYMENT),
        amount=_amount(data, "amount"),
        refunded=_amount(data, "refunded_amount") if data.get("refunded_amount") is not None else None,
        redirect_url=_page_url(data) if status is Status.PENDING else "",
        card=_card(data.get("payment_method")),
        decline=decline,
        code=code,
        message=message,
        retry_after=_later(data, code),
        occurred_at=moment(data, "captured_at") if status is Status.SUCCEEDED else None,
        receipt=_receipt(data),
        raw=_kept(data),
    )


def refund_outcome(data: Any) -> Outcome:
    """What a Refund object says. Raises Malformed."""
    status = one_of(REFUND_STATUS, data, "status")
    decline, code, message = None, "", ""
    if status is Status.FAILED:
        code = _reason(data)
        decline, message = reasons.REFUNDS.get(code, reasons.REFUNDS[reasons.GENERAL])
    return Outcome(
        status,
        reference=_id(data),
        our_id=_ours(data, Subject.REFUND),
        amount=_amount(data, "amount"),
        decline=decline,
        code=code,
        message=message,
        occurred_at=moment(data, "created_at") if status is not Status.PENDING else None,
        receipt=_receipt(data),
        raw=_kept(data),
    )


MAPPING: Mapping[Subject, Translate] = {Subject.PAYMENT: payment_outcome, Subject.REFUND: refund_outcome}


def notice(data: Any, digest: str) -> Notice:
    """What a notification says; `digest` is of its bytes. Raises Malformed.

    Nobody signs them, so two that differ in one byte are two: a forged one must not stand in the way of the true one.
    """
    event = text(data, "event")
    subject = one_of(EVENTS, data, "event")
    content = field(data, "object", dict)
    outcome = MAPPING[subject](content)
    paid = text(content, "payment_id") if subject is Subject.REFUND else ""
    key = f"{event}:{outcome.reference}:{digest}"
    return Notice(key, subject, event, outcome, trusted=False, payment_reference=paid)


def _is_error(body: Any) -> bool:
    return isinstance(body, dict) and body.get("type") == "error"


def _text(body: Any, name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def _id(data: Any) -> str:
    said = text(data, "id")
    if not said:
        raise Malformed("id")
    return said


def _ours(data: Any, subject: Subject) -> str:
    notes = data.get("metadata") if isinstance(data, dict) else None
    said = notes.get(OUR_ID[subject]) if isinstance(notes, dict) else None
    return said if isinstance(said, str) else ""


def _amount(data: Any, name: str) -> Money:
    part = field(data, name, dict)
    value = text(part, "value")
    if not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,6})?", value):
        raise Malformed(f"{name}.value")
    units = Decimal(value) * money(0, text(part, "currency")).currency.sub_unit
    if units != int(units):
        raise Malformed(f"{name}.value")
    return money(int(units), text(part, "currency"))


def _reason(data: Any) -> str:
    details = data.get("cancellation_details")
    return (_text(details, "reason") if isinstance(details, dict) else "") or "unknown"


def _cancelled(data: Any) -> tuple[Status, Decline | None, str, str]:
    code = _reason(data)
    if code in reasons.CLOSED:
        return Status.CANCELLED, None, code, reasons.CLOSED[code]
    decline, message = reasons.PAYMENTS.get(code, reasons.PAYMENTS[reasons.GENERAL])
    return Status.FAILED, decline, code, message


def _later(data: Any, code: str) -> datetime | None:
    wait = reasons.TRY_AGAIN_AFTER.get(code)
    made = moment(data, "created_at") if wait else None
    try:
        return made + wait if made and wait else None
    except OverflowError:
        return None


def _page_url(data: Any) -> str:
    confirmation = data.get("confirmation")
    return _text(confirmation, "confirmation_url") if isinstance(confirmation, dict) else ""


def _card(method: Any) -> Card | None:
    """The card, if it is one. What cannot be read of it is left out: it must not keep money out of the books."""
    card = method.get("card") if isinstance(method, dict) else None
    if not isinstance(card, dict):
        return None
    last4, month, year = _text(card, "last4"), _text(card, "expiry_month"), _text(card, "expiry_year")
    if not re.fullmatch(r"[0-9]{4}", last4) or not re.fullmatch(r"0?[1-9]|1[0-2]", month):
        return None
    if not re.fullmatch(r"[0-9]{4}", year):
        return None
    usable = method.get("saved") is True and method.get("status") in (None, "active")
    brand = _text(card, "card_type") or "Card"
    return Card(_text(method, "id") if usable else "", f"•••• {last4}", brand[:30], int(month), int(year))


def _receipt(data: Any) -> ReceiptStatus | None:
    said = data.get("receipt_registration")
    return RECEIPT.get(said) if isinstance(said, str) else None


def _kept(data: Any) -> Mapping[str, Any]:
    """The object without what must not be kept: the id of a payment method is what charges it."""
    kept: dict[str, Any] = redact(data, PRIVATE)
    method = kept.get("payment_method")
    if isinstance(method, dict) and method.get("id"):
        kept["payment_method"] = method | {"id": REDACTED}
    return kept
