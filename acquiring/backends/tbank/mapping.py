"""What T-Bank's JSON says, in the port's words: pure functions, tested without HTTP."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from moneyed import Money

from acquiring.backends.tbank import codes
from acquiring.http import redact
from acquiring.reading import Malformed, field, minor, money, one_of, text, text_or_none, whole
from acquiring.types import Card, Decline, Outcome, RefundOrder, Status

RUB = "RUB"
UNPAID = frozenset({"NEW", "FORM_SHOWED", "3DS_CHECKING", "3DS_CHECKED", "PREAUTHORIZING"})
UNDER_WAY = frozenset({"AUTHORIZING", "PAY_CHECKING", "CONFIRMING", "CONFIRM_CHECKING", "CHECKING", "CHECKED"})
RETURNING = frozenset({"REFUNDING", "ASYNC_REFUNDING"})
RETURNED = frozenset({"PARTIAL_REFUNDED", "REFUNDED"})
STATUS: dict[str, Status] = {
    **dict.fromkeys(UNPAID | UNDER_WAY | {"REVERSING"}, Status.PENDING),
    **dict.fromkeys(("AUTHORIZED", "PARTIAL_REVERSED"), Status.AUTHORIZED),
    **dict.fromkeys(("CONFIRMED", "PARTIAL_REFUNDED"), Status.SUCCEEDED),
    **dict.fromkeys(("REJECTED", "AUTH_FAIL", "ATTEMPTS_EXPIRED"), Status.FAILED),
    **dict.fromkeys(("CANCELED", "REVERSED", "DEADLINE_EXPIRED"), Status.CANCELLED),
    # T-Bank does not say whether a refund or a Cancel gives it back. Whoever has the payment as made hears no news in
    # this; and whoever has not must not take for made what is not there any more.
    **dict.fromkeys(RETURNING, Status.PENDING),
    "REFUNDED": Status.CANCELLED,
}
TAKEN = frozenset({"CONFIRMED"}) | RETURNING | RETURNED  # money of it moved, perhaps both ways
_BRANDS = (("4", "Visa"), ("220", "Mir"), ("5", "Mastercard"), ("2", "Mastercard"), ("6", "Maestro"))
_HIDDEN = frozenset({"cardid", "accounttoken", "customerkey", "phone", "infoemail"})
_ANOTHER_TRY = re.compile(r"([0-9a-f]{32})-([2-9])")
_NO_WORD = "T-Bank does not say why."


@dataclass(frozen=True, slots=True)
class Found:
    """A payment as T-Bank knows it: its status in T-Bank's own word, and what it comes to."""

    state: str
    outcome: Outcome


class Refused(Malformed):
    """T-Bank would not look up what became of an order; so far nothing was sent. `data` is its answer."""

    def __init__(self, data: Any) -> None:
        super().__init__(f"the lookup was refused ({error_code(data)})")
        self.data = data


def order_id(our_id: str, number: int) -> str:
    """The OrderId of a further try (2 to 9): T-Bank takes none twice. At most 36 characters, as it wants."""
    if number == 1:
        return our_id
    try:
        return f"{uuid.UUID(our_id).hex}-{number}"
    except ValueError:
        return f"{our_id}-{number}"


def our_id_of(order: str) -> str:
    """Our id of an OrderId."""
    again = _ANOTHER_TRY.fullmatch(order)
    return str(uuid.UUID(again[1])) if again else order


def number(data: Any, name: str) -> str:
    """An id of theirs, which is a text in answers and a number in notifications. Raises Malformed."""
    value = data.get(name) if isinstance(data, dict) else None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return str(value)
    if isinstance(value, str) and value:
        return value
    raise Malformed(name)


def error_code(data: Any) -> str:
    """The error code; "0" where all went well. Raises Malformed."""
    return codes.OK if isinstance(data, dict) and data.get("ErrorCode") is None else number(data, "ErrorCode")


def accepted(data: Any) -> bool:
    """Whether T-Bank did what it was asked. Raises Malformed."""
    return field(data, "Success", bool) is True and error_code(data) == codes.OK


def found(data: Any, order: str = "", asked: Money | None = None) -> Found:
    """What an answer, a line of CheckOrder or a notification says of a payment. Raises Malformed.

    `order`: the OrderId, where the line does not name it. `asked`: what we asked to collect, where we know it.
    """
    status = one_of(STATUS, data, "Status")
    state = text(data, "Status")
    order = order or text(data, "OrderId")
    decline, code, message = _declined(data, state, status)
    outcome = Outcome(
        status,
        reference=number(data, "PaymentId"),
        our_id=our_id_of(order),
        # After a refund it is not confirmed which sum this is: the first, or what is left.
        amount=None if state in RETURNED | RETURNING else _amount(data),
        refunded={"CONFIRMED": Money(0, RUB), "REFUNDED": asked}.get(state),
        decline=decline,
        code=code,
        message=message,
        raw=hidden(data),
    )
    return Found(state, outcome)


def opened(data: Any, asked: Money) -> Outcome:
    """What an accepted Init says: where the page is. Raises Malformed."""
    return replace(found(data, asked=asked).outcome, amount=asked, redirect_url=text(data, "PaymentURL"))


def orders(data: Any, asked: Money | None = None) -> list[Found] | None:
    """The payments that CheckOrder lists; None where none was ever made. Raises Malformed."""
    if not accepted(data):
        if error_code(data) in codes.NOTHING_CREATED:
            return None
        raise Refused(data)
    order = text(data, "OrderId")
    return [found(line, order, asked) for line in field(data, "Payments", list)] or None


def best(each: Sequence[Found]) -> Found | None:
    """The one of an order's payments that tells most: money moved, held, on its way, asked for last, or given up."""
    ranks = (Status.SUCCEEDED, Status.AUTHORIZED, Status.PENDING, Status.CANCELLED, Status.FAILED)

    def rank(one: Found) -> tuple[int, bool, bool]:
        return ranks.index(one.outcome.status), one.state in UNPAID, one.state == "NEW"

    return min(reversed(each), key=rank, default=None)


def same_order(known: Found, asked: Money) -> Outcome:
    """What is told of an order that T-Bank has already, when it is given again."""
    amount = known.outcome.amount
    if known.outcome.status is not Status.CANCELLED and amount is not None and amount != asked:
        return Outcome(Status.UNKNOWN, code="20", message="T-Bank has this order with another amount")
    return known.outcome


def refused(data: Any) -> Outcome:
    """What it comes to that a request about a payment was refused. Raises Malformed."""
    code, raw = error_code(data), hidden(data)
    if code in codes.TROUBLE | codes.CONFLICT:
        return Outcome(Status.UNKNOWN, code=code, message=_message(data), raw=raw)
    return _refusal(code, data)


def charged(data: Any) -> Outcome | None:
    """What Charge came to; None where only the payment's state can tell. Raises Malformed."""
    if accepted(data) or (isinstance(data, dict) and STATUS.get(str(data.get("Status"))) is Status.FAILED):
        return found(data).outcome
    code = error_code(data)
    known = code in codes.GROUP or _is_shut_out(code)
    return None if not known or code in codes.TROUBLE | codes.CONFLICT else refused(data)


def refund_outcome(data: Any, order: RefundOrder, before: str) -> Outcome:
    """What Cancel, asked to give money back, came to. `before` was the payment's state. Raises Malformed."""
    raw = hidden(data)
    if accepted(data):
        state = text(data, "Status")
        given = Outcome(Status.SUCCEEDED, order.our_id, order.our_id, order.amount, raw=raw)
        if state in RETURNED:
            return given
        # Only where nothing had gone back before will the payment's state tell what becomes of this one.
        taken = replace(given, status=Status.PENDING, reference=order.our_id if before == "CONFIRMED" else "")
        return taken if state in RETURNING else unsure(f"the payment is {state}", raw)
    code, message = error_code(data), _message(data)
    if code == "330" or (code in codes.CONFLICT and before in {"REFUNDED", "REVERSED", "CANCELED"}):
        # The refund's own refusal, also of a repeat: one that T-Bank had made it would have answered with the state.
        return Outcome(Status.FAILED, code=code, message=message, raw=raw)
    known = code in codes.GROUP or _is_shut_out(code)
    if not known or code in codes.TROUBLE | codes.CONFLICT | codes.WAIT.keys():
        return Outcome(Status.UNKNOWN, code=code, message=message, raw=raw)
    return _refusal(code, data)


def refund_found(payment: Found, our_id: str, reference: str, again: bool) -> Outcome:
    """What a payment's state says of one of its refunds: T-Bank keeps no refunds, only what they did to the payment.

    `reference` is set once T-Bank has made this refund, or has taken it as the first of its payment; `again`: it would
    recognise it, were it sent again.
    """
    raw = payment.outcome.raw
    if reference and payment.state in RETURNED | RETURNING:
        status = Status.PENDING if payment.state in RETURNING else Status.SUCCEEDED
        return Outcome(status, reference, our_id, raw=raw)
    if payment.state in RETURNED | RETURNING:
        why = "money of this payment went back; whether this refund was it, T-Bank can only say when asked for it again"
        return replace(unsure(why, raw), again=again)
    return replace(Outcome.not_found(), raw=raw)


def unsure(why: str, raw: Mapping[str, Any]) -> Outcome:
    """Nobody can say yet."""
    return Outcome(Status.UNKNOWN, message=why, raw=raw)


def card(data: Any) -> Card:
    """The card of a notification or of GetCardList. Raises Malformed."""
    pan, date = text(data, "Pan"), re.fullmatch(r"(0[1-9]|1[0-2])([0-9]{2})", text_or_none(data, "ExpDate"))
    return Card(
        token=number(data, "RebillId") if data.get("RebillId") else "",
        mask=f"•••• {pan[-4:]}",
        brand=next((brand for first, brand in _BRANDS if pan.startswith(first)), "Card"),
        exp_month=int(date[1]) if date else 0,
        exp_year=2000 + int(date[2]) if date else 0,
    )


def only_card(data: Any) -> Card | None:
    """The one card in force that GetCardList tells of and that can be charged; None where there are several."""
    if not isinstance(data, list):
        return None
    usable = [line for line in data if isinstance(line, dict) and line.get("Status") == "A" and line.get("RebillId")]
    return card(usable[0]) if len(usable) == 1 else None


def with_card(outcome: Outcome, data: Any) -> Outcome:
    """The outcome of a payment with the card that GetCardList tells of. Raises Malformed."""
    return replace(outcome, card=only_card(data))


def retry_at(outcome: Outcome, at: datetime) -> Outcome:
    """The outcome with the time from which another try is welcome, where the code tells."""
    wait = codes.WAIT.get(outcome.code)
    return replace(outcome, retry_after=at + wait) if wait and outcome.status is not Status.SUCCEEDED else outcome


def hidden(data: Any) -> dict[str, Any]:
    """The answer as it may be kept."""
    kept = redact(data, _HIDDEN)
    return kept if isinstance(kept, dict) else {}


def _amount(data: Any) -> Money | None:
    return money(whole(data, "Amount"), RUB) if data.get("Amount") is not None else None


def _declined(data: Any, state: str, status: Status) -> tuple[Decline | None, str, str]:
    if status is not Status.FAILED:
        return None, "", ""
    code = error_code(data)
    default = Decline.CUSTOMER_ACTION if state == "AUTH_FAIL" else Decline.RETRY_LATER
    return codes.group(code, default), state if code == codes.OK else code, _message(data)


def _refusal(code: str, data: Any) -> Outcome:
    group = codes.group(code, Decline.OUR_FAULT)
    shut_out = _is_shut_out(code)
    return Outcome(Status.FAILED, decline=group, code=code, message=_message(data), shut_out=shut_out, raw=hidden(data))


def _is_shut_out(code: str) -> bool:
    """T-Bank, or what stands before it, did not let the request in."""
    return code in codes.SHUT_OUT or code.startswith("http_")


def _message(data: Any) -> str:
    return " ".join(filter(None, (text_or_none(data, "Message"), text_or_none(data, "Details")))) or _NO_WORD


def kopecks(amount: Money) -> int:
    """The sum as T-Bank takes it. Raises ValueError for another currency or a part of a kopeck."""
    if amount.currency.code != RUB:
        raise ValueError(f"T-Bank takes roubles, not {amount.currency.code}")
    return minor(amount)
