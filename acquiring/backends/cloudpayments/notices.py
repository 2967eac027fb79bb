"""CloudPayments' callbacks: verified first, then translated. Their kind stands in our address, not in their body."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from acquiring.backends.cloudpayments import mapping
from acquiring.base import BadCallback
from acquiring.reading import Malformed, moment, one_of, signed, text_or_none
from acquiring.types import Notice, Outcome, ReceiptStatus, Status, Subject, Verdict

LARGEST = 64 * 1024  # bytes
MOST_FIELDS = 200
PAID = {"Completed": Status.SUCCEEDED, "Authorized": Status.AUTHORIZED}
VERDICTS = {
    Verdict.ACCEPTED: 0,
    Verdict.UNKNOWN_ORDER: 10,
    Verdict.WRONG_AMOUNT: 12,
    Verdict.NOT_PAYABLE: 13,
    Verdict.EXPIRED: 20,
    Verdict.NOT_TAKEN: 13,
}


def read(kind: str, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], currency: str) -> Notice:
    """The notice of a callback. `currency` is that of sums which name none. Raises BadCallback.

    Only Content-HMAC counts, which is over the bytes as they came. X-Content-HMAC is over the decoded body, and two
    bodies may decode alike: a customer called "A&Amount=1" could make a second one of them.
    """
    if len(body) > LARGEST:
        raise BadCallback("larger than any callback of theirs")
    if not signed(secrets, headers.get("content-hmac", ""), body):
        raise BadCallback("the signature is missing or wrong")
    try:
        translate = one_of(KINDS, {"kind": kind}, "kind")
        return translate(_fields(headers.get("content-type", ""), body), currency)
    except (Malformed, ValueError, RecursionError) as problem:
        raise BadCallback(f"signed, but cannot be read: {problem}") from problem


def _fields(content_type: str, body: bytes) -> dict[str, Any]:
    if "json" in content_type.lower():
        data = json.loads(body)
        if not isinstance(data, dict):
            raise Malformed("body")
        return data
    pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=MOST_FIELDS)
    data = dict(pairs)
    if len(data) != len(pairs):
        raise Malformed("body")  # which of the two would it be?
    return data


def _check(data: Any, currency: str) -> Notice:
    """May this be paid? (Asked of a refund as well: that one we asked for ourselves.)"""
    refund = text_or_none(data, "OperationType") == "Refund"
    asked = Outcome(Status.PENDING, our_id=mapping.word(data, "InvoiceId"), amount=mapping.amount(data, currency))
    return Notice(_key("check", data), Subject.REFUND if refund else Subject.PAYMENT, "check", asked, asks=True)


def _pay(data: Any, currency: str) -> Notice:
    """Taken or held. Only this kind names the gateway: without it, it may be a `check` that came to a wrong address."""
    _no_other(data)
    said = _told(data, currency, one_of(PAID, data, "Status"))
    return Notice(_key("pay", data), Subject.PAYMENT, "pay", said, trusted=bool(text_or_none(data, "GatewayName")))


def _confirm(data: Any, currency: str) -> Notice:
    """A hold was taken. Nothing tells its body from that of a `check`, so it only rings."""
    _no_other(data)
    said = _told(data, currency, one_of(PAID, data, "Status"))
    return Notice(_key("confirm", data), Subject.PAYMENT, "confirm", said, trusted=False)


def _fail(data: Any, currency: str) -> Notice:
    """A try was declined: the end of a saved card's charge, but not of a page."""
    if text_or_none(data, "OperationType") == "Refund":
        return Notice(_key("fail", data), Subject.REFUND, "fail", _given_back(data, currency), trusted=False)
    status = Status.FAILED if mapping.kind(data) == mapping.TOKEN else Status.PENDING
    said = _told(data, currency, status, **mapping.decline(data))
    return Notice(_key("fail", data), Subject.PAYMENT, "fail", said)


def _cancel(data: Any, currency: str) -> Notice:
    """A hold was released. Its few fields are those of every other kind too, so it only rings."""
    _no_other(data)
    said = _told(data, currency, Status.CANCELLED)
    return Notice(_key("cancel", data), Subject.PAYMENT, "cancel", said, trusted=False)


def _refund(data: Any, currency: str) -> Notice:
    """Money went back, by our order or in the cabinet."""
    payment = mapping.number(data, "PaymentTransactionId")
    said = _given_back(data, currency)
    return Notice(_key("refund", data), Subject.REFUND, "refund", said, payment_reference=payment)


def _receipt(data: Any, currency: str) -> Notice:
    """The tax office has a fiscal receipt."""
    key = f"receipt:{mapping.word(data, 'Id')}"
    returned = "return" in text_or_none(data, "Type").lower()
    told = Outcome(
        Status.UNKNOWN,
        reference=mapping.word(data, "TransactionId") if returned else "",
        our_id="" if returned else mapping.word(data, "InvoiceId"),
        receipt=ReceiptStatus.REGISTERED,
        raw=mapping.kept(data),
    )
    return Notice(key, Subject.REFUND if returned else Subject.PAYMENT, "receipt", told, only_receipt=True)


def _recurrent(data: Any, currency: str) -> Notice:
    """A plan of theirs has changed. We have none there: somebody may be charged twice, so a human should look."""
    said = Outcome(Status.UNKNOWN, our_id=mapping.word(data, "Id"), raw=mapping.kept(data))
    return Notice(f"recurrent:{said.our_id}:{text_or_none(data, 'Status')}", Subject.PAYMENT, "recurrent", said)


KINDS: dict[str, Callable[[Any, str], Notice]] = {
    "check": _check,
    "pay": _pay,
    "confirm": _confirm,
    "fail": _fail,
    "cancel": _cancel,
    "refund": _refund,
    "receipt": _receipt,
    "recurrent": _recurrent,
}


def _no_other(data: Any) -> None:
    """What another kind's fields would make of a payment, were it sent to a wrong address."""
    for name in ("PaymentTransactionId", "Reason"):
        if text_or_none(data, name):
            raise Malformed(f"a callback with {name} is of another kind")


def _key(kind: str, data: Any) -> str:
    return f"{kind}:{mapping.number(data, 'TransactionId')}"


def _told(data: Any, currency: str, status: Status, **why: Any) -> Outcome:
    return Outcome(
        status,
        reference=mapping.number(data, "TransactionId") if status in mapping.KNOWN_BY else "",
        our_id=mapping.word(data, "InvoiceId"),
        amount=mapping.amount(data, currency),
        card=mapping.card(data),
        occurred_at=moment(data, "DateTime"),
        raw=mapping.kept(data),
        **why,
    )


def _given_back(data: Any, currency: str) -> Outcome:
    ours = mapping.kind(data) == mapping.REFUND
    return Outcome(
        Status.SUCCEEDED,
        reference=mapping.number(data, "TransactionId"),
        our_id=mapping.word(mapping.marks(data), "id") if ours else "",
        amount=mapping.amount(data, currency),
        occurred_at=moment(data, "DateTime"),
        raw=mapping.kept(data),
    )
