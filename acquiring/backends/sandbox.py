"""The local bank as an acquirer: protocol above, pure mapping below."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from acquiring import asking, options
from acquiring.base import NO_CLUE, BadCallback
from acquiring.http import Adapter, Client, NotSent, Response, Unanswered, redact
from acquiring.reading import Malformed, field, minor, moment, money, one_of, signed, text, text_or_none, whole
from acquiring.types import (
    Capabilities,
    Card,
    Charge,
    Clue,
    Decline,
    Notice,
    Outcome,
    RefundOrder,
    Reply,
    StatementLine,
    Status,
    Subject,
    Verdict,
)

LARGEST_CALLBACK = 64 * 1024  # bytes
PATHS = {Subject.PAYMENT: "/api/payments", Subject.REFUND: "/api/refunds"}
PAYMENT_STATUS = {
    "created": Status.PENDING,
    "awaiting_3ds": Status.PENDING,
    "authorized": Status.AUTHORIZED,
    "succeeded": Status.SUCCEEDED,
    "declined": Status.FAILED,
    "voided": Status.CANCELLED,
    "expired": Status.CANCELLED,
}
REFUND_STATUS = {"pending": Status.PENDING, "succeeded": Status.SUCCEEDED, "declined": Status.FAILED}


class Sandbox:
    """The local bank (`python -m acquiring.bank`).

    `url`: where its API answers. `merchant` and `secret`: our name there. `callback_secrets`: every one of them
    verifies callbacks, so that one can be changed in peace. `callback_url`: where the bank shall send them.
    `timeout`: seconds to wait for an answer. Raises ValueError when a secret is missing.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(
        currencies=frozenset({"RUB", "USD", "EUR", "JPY", "KZT"}),
        idempotency_window=timedelta(hours=24),
        saved_cards=True,
        two_stage=True,
        partial_refund=True,
    )

    def __init__(
        self,
        url: str,
        merchant: str,
        secret: str,
        callback_secrets: Sequence[str],
        callback_url: str,
        timeout: float = 10.0,
        adapter: Adapter | None = None,
    ) -> None:
        options.needed("the sandbox acquirer", url=url, merchant=merchant, secret=secret)
        self._client = Client(url, (merchant, secret), timeout, adapter=adapter)
        self._callback_secrets = options.several("the sandbox acquirer", callback_secrets=callback_secrets)
        self._callback_url = callback_url

    def checkout(self, charge: Charge) -> Outcome:
        """Opens the bank's page."""
        body = _order(charge, self._callback_url) | {"return_url": charge.return_url, "save_card": charge.save_card}
        return self._act("/api/payments", body, payment_outcome, key=charge.our_id)

    def charge(self, charge: Charge) -> Outcome:
        """Charges a saved token, customer absent."""
        body = _order(charge, self._callback_url) | {"token": charge.token}
        return self._act("/api/charges", body, payment_outcome, key=charge.our_id)

    def capture(self, our_id: str, reference: str, charge: Charge) -> Outcome:
        """Takes an authorized sum, in full or less."""
        # No key: a repeat is recognised by the payment's state, whose truth of today is worth more than an old answer.
        return self._act(
            f"/api/payments/{quote(reference, safe='')}/capture", {"amount": minor(charge.amount)}, payment_outcome
        )

    def void(self, our_id: str, reference: str, clue: Clue = NO_CLUE) -> Outcome:
        """Releases a hold or closes an unpaid page; a charge still on its way will be refused."""
        path = "/api/payments/void" if our_id else f"/api/payments/{quote(reference, safe='')}/void"
        outcome = self._act(path, {"order_id": our_id}, payment_outcome)
        if outcome.unheard:  # says nothing of the payment itself
            return Outcome.unknown(outcome.message)
        return outcome

    def refund(self, order: RefundOrder) -> Outcome:
        """Returns money of one payment, in full or part."""
        body = {
            "order_id": order.our_id,
            "payment_id": order.payment_reference,
            "amount": minor(order.amount),
            "currency": order.amount.currency.code,
            "reason": order.reason,
        }
        return self._act("/api/refunds", body, refund_outcome, key=order.our_id)

    def fetch(self, subject: Subject, our_id: str, reference: str = "", clue: Clue = NO_CLUE) -> Outcome:
        """The bank's truth, by its own id and else by ours."""
        return asking.looked_up(lambda: self._found(PATHS[subject], MAPPING[subject], our_id, reference))

    def statement(self, day: date) -> Iterator[StatementLine]:
        """Every charge and refund of one day (UTC). Raises Unanswered."""
        page: int | None = 1
        while page is not None:
            params = {"day": day.isoformat(), "page": str(page)}
            try:
                answer = self._client.request("GET", "/api/statement", params=params)
                if not answer.ok:
                    raise Unanswered(f"the bank refused its statement ({answer.status})")
                lines, page = statement_page(answer.body)
            except (NotSent, Malformed) as problem:
                raise Unanswered(str(problem)) from problem
            yield from lines

    def parse(self, kind: str, headers: Mapping[str, str], body: bytes) -> Notice:
        """Verifies the signature first, then translates. Raises BadCallback."""
        if len(body) > LARGEST_CALLBACK:
            raise BadCallback("larger than any callback of this bank")
        if not signed(self._callback_secrets, headers.get("x-bank-signature", ""), body):
            raise BadCallback("the signature is missing or wrong")
        try:
            return notice(json.loads(body))
        except (Malformed, ValueError, RecursionError) as problem:
            raise BadCallback(f"signed, but cannot be read: {problem}") from problem

    def reply(self, notice: Notice | None, verdict: Verdict) -> Reply:
        """200 when accepted; anything else makes the bank try again later."""
        return Reply() if verdict is Verdict.ACCEPTED else Reply(status=400, body=b'{"ok": false}')

    def _found(self, path: str, translate: Translate, our_id: str, reference: str) -> Outcome:
        if reference:
            answer = self._client.request("GET", f"{path}/{quote(reference, safe='')}")
            if answer.status != 404 or not our_id:
                return _looked_up(answer, translate)
        return _looked_up(self._client.request("GET", path, params={"order_id": our_id}), translate)

    def _act(self, path: str, body: dict[str, Any], translate: Translate, key: str | None = None) -> Outcome:
        request = self._client.request
        return asking.told(lambda: acted(request("POST", path, json=body, idempotency_key=key), translate))


# --- Mapping: pure functions, tested without HTTP ---


Translate = Callable[[Any], Outcome]


def acted(answer: Response, translate: Translate) -> Outcome:
    """What a request to act came to. Raises Malformed."""
    if answer.ok:
        return translate(answer.body)
    code, message = _error(answer.body)
    raw = redact(answer.body) if isinstance(answer.body, dict) else {}
    if code == "voided":
        return Outcome(Status.CANCELLED, code=code, message=message, raw=raw)
    if asking.is_unclear(answer, theirs=bool(code)) or code == "idempotency_mismatch":
        # The bank knows this id in another shape or state. It may well have moved money: only `fetch` can tell.
        return Outcome(Status.UNKNOWN, code=code, message=message, raw=raw)
    shut_out = answer.status in asking.SHUT_OUT
    return Outcome(Status.FAILED, decline=Decline.OUR_FAULT, code=code, message=message, shut_out=shut_out, raw=raw)


def payment_outcome(data: Any) -> Outcome:
    """What the bank's payment object says. Raises Malformed."""
    status = one_of(PAYMENT_STATUS, data, "status")
    asked, captured = whole(data, "amount"), whole(data, "captured")
    units = captured if status is Status.SUCCEEDED else asked
    currency = text(data, "currency")
    decline, code, message = _decline(data)
    return Outcome(
        status,
        reference=text(data, "id"),
        our_id=text(data, "order_id"),
        amount=money(units, currency) if currency else None,  # a tombstone has neither
        refunded=money(whole(data, "refunded"), currency) if currency else None,
        charged_back=money(data["charged_back"], currency) if currency and data.get("charged_back") else None,
        redirect_url=text_or_none(data, "payment_url") if status is Status.PENDING else "",
        card=_card(data),
        decline=decline,
        code=code,
        message=message,
        occurred_at=moment(data, "finished_at"),
        raw=redact(data),
    )


def refund_outcome(data: Any) -> Outcome:
    """What the bank's refund object says. Raises Malformed."""
    status = one_of(REFUND_STATUS, data, "status")
    decline, code, message = _decline(data)
    return Outcome(
        status,
        reference=text(data, "id"),
        our_id=text(data, "order_id"),
        amount=money(whole(data, "amount"), text(data, "currency")),
        decline=decline,
        code=code,
        message=message,
        occurred_at=moment(data, "updated_at") if status is not Status.PENDING else None,
        raw=redact(data),
    )


MAPPING: dict[Subject, Translate] = {Subject.PAYMENT: payment_outcome, Subject.REFUND: refund_outcome}


def notice(data: Any) -> Notice:
    """What a verified callback says. Raises Malformed."""
    content = field(data, "object", dict)
    subject = one_of({each.value: each for each in Subject}, content, "kind")
    if not (key := text(data, "id")):
        raise Malformed("id")
    return Notice(
        key,
        subject,
        text(data, "type"),
        MAPPING[subject](content),
        payment_reference=str(content.get("payment_id", "")),
    )


def statement_page(data: Any) -> tuple[list[StatementLine], int | None]:
    """One page of a statement and the number of the next. Raises Malformed."""
    lines = []
    for item in field(data, "items", list):
        subject = one_of({each.value: each for each in Subject}, item, "kind")
        reference = text(item, "payment_id") if subject is Subject.REFUND else ""
        lines.append(StatementLine(subject, MAPPING[subject](item), reference))
    return lines, whole(data, "next_page") if data.get("next_page") is not None else None


def _order(charge: Charge, callback_url: str) -> dict[str, Any]:
    return {
        "order_id": charge.our_id,
        "amount": minor(charge.amount),
        "currency": charge.amount.currency.code,
        "description": charge.description,
        "customer": charge.customer_id,
        "email": charge.customer_email,
        "callback_url": callback_url,
        "capture": charge.capture,
        "expires_at": charge.expires_at.isoformat() if charge.expires_at else None,
    }


def _looked_up(answer: Response, translate: Translate) -> Outcome:
    if answer.status == 404:
        # Only the bank's own word counts: a wrong address answers 404 as well.
        return Outcome.not_found() if _error(answer.body)[0] == "not_found" else Outcome.unknown("no such page")
    if not answer.ok:
        return Outcome.unknown(f"the bank refused the lookup ({answer.status})")
    return acted(answer, translate)


def _error(body: Any) -> tuple[str, str]:
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return "", "the bank refused"
    return str(error.get("code", "")), str(error.get("message", ""))


def _decline(data: Any) -> tuple[Decline | None, str, str]:
    if data.get("decline") is None:
        return None, "", ""
    why = field(data, "decline", dict)
    groups = {each.value: each for each in Decline if each is not Decline.NOT_SENT}
    return one_of(groups, why, "group"), text(why, "code"), text(why, "message")


def _card(data: Any) -> Card | None:
    if data.get("card") is None:
        return None
    card = field(data, "card", dict)
    return Card(
        token=text_or_none(card, "token"),
        mask=text(card, "mask"),
        brand=text(card, "brand").capitalize(),
        exp_month=whole(card, "exp_month"),
        exp_year=whole(card, "exp_year"),
    )
