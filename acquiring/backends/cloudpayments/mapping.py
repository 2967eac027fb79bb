"""From CloudPayments' JSON to outcomes: pure functions, tested without HTTP. All raise Malformed and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from moneyed import Money

from acquiring.backends.cloudpayments import declines
from acquiring.http import redact
from acquiring.reading import Malformed, field, moment, money, one_of, text, text_or_none
from acquiring.types import Card, Outcome, Status

STATUSES = {
    "AwaitingAuthentication": Status.PENDING,
    "Authorized": Status.AUTHORIZED,
    "Completed": Status.SUCCEEDED,
    "Cancelled": Status.CANCELLED,
    "Declined": Status.FAILED,
}
KNOWN_BY = frozenset({Status.AUTHORIZED, Status.SUCCEEDED, Status.CANCELLED})  # a failed try's id is not the payment's
PRIVATE = frozenset({"phone", "name", "ipaddress", "iplatitude", "iplongitude", "jsondata", "data", "customfields"})
LARGEST = 15  # digits of an amount

# What an order of ours says of itself in its JsonData; they give it back in lookups and callbacks (as `Data`).
PAGE, TOKEN, REFUND = "page", "token", "refund"


def payment_outcome(model: Any, *, final: bool = False, page_url: str = "") -> Outcome:
    """What a transaction says of a payment.

    A declined try on a page is no end of the payment, for the customer may try another card there; of a saved card
    it is (`final`, or the transaction's own JsonData says so).
    """
    if is_refund(model):
        raise Malformed("OriginalTransactionId")  # money that went back is no capture of its order
    status = one_of(STATUSES, model, "Status")
    why = decline(model) if status is Status.FAILED else {}
    if status is Status.FAILED and not final and kind(model) != TOKEN:
        status = Status.PENDING
    return Outcome(
        status,
        reference=number(model, "TransactionId") if status in KNOWN_BY else "",
        our_id=word(model, "InvoiceId"),
        amount=amount(model),
        redirect_url=page_url if status is Status.PENDING else "",
        card=card(model),
        occurred_at=_first_moment(model, "ConfirmDateIso", "AuthDateIso", "CreatedDateIso"),
        raw=kept(model),
        **why,
    )


def refund_outcome(model: Any) -> Outcome:
    """What a transaction says of a refund; one that is not through yet is PENDING."""
    status = one_of(STATUSES, model, "Status")
    status = Status.PENDING if status is Status.AUTHORIZED else status
    return Outcome(
        Status.FAILED if status is Status.CANCELLED else status,
        reference=number(model, "TransactionId"),
        our_id=word(marks(model), "id") if kind(model) == REFUND else "",
        amount=amount(model),
        occurred_at=_first_moment(model, "ConfirmDateIso", "AuthDateIso", "CreatedDateIso"),
        raw=kept(model),
        **(decline(model) if status is Status.FAILED else {}),
    )


def is_refund(model: Any) -> bool:
    """Whether a transaction gives the money of another one back."""
    return isinstance(model, dict) and model.get("OriginalTransactionId") not in (None, "", 0)


def number(data: Any, name: str) -> str:
    """A transaction's id, a number or a text of digits. Raises Malformed."""
    value = data.get(name) if isinstance(data, dict) else None
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return str(value)
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,20}", value):
        return value
    raise Malformed(name)


def word(data: Any, name: str) -> str:
    """A text that they sometimes print as a number; "" where it is null or missing. Raises Malformed."""
    value = data.get(name) if isinstance(data, dict) else None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text_or_none(data, name)


def amount(data: Any, currency: str = "") -> Money:
    """`Amount` and `Currency` (`currency` where it names none), a whole number of minor units. Raises Malformed."""
    units = _decimal(data, "Amount")
    one = money(1, text_or_none(data, "Currency") or currency)
    minor = units * one.currency.sub_unit
    if minor != int(minor):
        raise Malformed("Amount")
    return money(int(minor), one.currency.code)


def card(data: Any) -> Card | None:
    """The card that was tried, with its token if there is one; None where no card is told."""
    last = text_or_none(data, "CardLastFour")
    expiry = re.fullmatch(r"(0[1-9]|1[0-2])/([0-9]{2})", text_or_none(data, "CardExpDate"))
    if not last or not expiry:
        return None
    token, brand = text_or_none(data, "Token"), text_or_none(data, "CardType")
    return Card(token, f"•••• {last}", brand, int(expiry[1]), 2000 + int(expiry[2]))


def marks(data: Any) -> Mapping[str, Any]:
    """Our own JsonData (`Data` in callbacks), an object or its text; empty where it is nothing of the kind."""
    value = (data.get("JsonData") or data.get("Data")) if isinstance(data, dict) else None
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def kind(data: Any) -> Any:
    """What our order was: PAGE, TOKEN or REFUND; None where it does not say."""
    return marks(data).get("kind")


def kept(data: Mapping[str, Any]) -> dict[str, Any]:
    """What may be kept of their answer."""
    kept: dict[str, Any] = redact(data, PRIVATE)
    return kept


def decline(data: Any) -> dict[str, Any]:
    """Why a try failed, as fields of an Outcome. Raises Malformed."""
    code = _code(data)
    return {
        "decline": declines.group(code),
        "code": str(code),
        "message": text_or_none(data, "CardHolderMessage") or text_or_none(data, "Reason") or "The payment failed.",
        "retry_after": moment(data, "RetryAfter"),
    }


def _code(data: Any) -> int:
    value = data.get("ReasonCode")
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,6}", value):  # a form has only texts
        return int(value)
    code: int = field(data, "ReasonCode", int)
    return code


def _decimal(data: Any, name: str) -> Decimal:
    value = data.get(name) if isinstance(data, dict) else None
    if isinstance(value, bool) or not isinstance(value, (int, str, float)) or len(str(value)) > LARGEST:
        raise Malformed(name)
    try:
        read = Decimal(str(value))  # the shortest text of a float is what they wrote, up to fifteen digits
    except InvalidOperation:
        raise Malformed(name) from None
    if not read.is_finite() or read < 0 or abs(read.adjusted()) > LARGEST:
        raise Malformed(name)
    return read


def _first_moment(data: Any, *names: str) -> datetime | None:
    return next((at for name in names if (at := moment(data, name))), None)


def refusal(answer: Any) -> str:
    """Why they would not act upon a request, in their words; "" where they did act. Raises Malformed."""
    if field(answer, "Success", bool) or answer.get("Model") is not None:
        return ""
    return text(answer, "Message") or "refused without a word"
