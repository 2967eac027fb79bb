"""A fifth acquirer, the worked example of docs/acquirers.md: all of it is this file and one entry in the settings.

"Piggy" is a little bank that speaks the local bank's own JSON. Above is the talk, below the translation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any, ClassVar

from acquiring import asking, reading
from acquiring import types as port
from acquiring.base import NO_CLUE, BadCallback
from acquiring.http import Client, NotSent, Response, Unanswered, redact

WHERE = {port.Subject.PAYMENT: "/api/payments", port.Subject.REFUND: "/api/refunds"}
STATUS = {
    "created": port.Status.PENDING, "awaiting_3ds": port.Status.PENDING, "pending": port.Status.PENDING,
    "authorized": port.Status.AUTHORIZED, "succeeded": port.Status.SUCCEEDED, "declined": port.Status.FAILED,
    "voided": port.Status.CANCELLED, "expired": port.Status.CANCELLED,
}  # fmt: skip


class Piggy:
    """`url`, `merchant`, `secret`: of the contract with them. `callback_secret`: signs. `callback_url`: where to."""

    capabilities: ClassVar[port.Capabilities] = port.Capabilities(
        frozenset({"RUB"}), idempotency_window=timedelta(hours=24), saved_cards=True, two_stage=True
    )

    def __init__(
        self, url: str, merchant: str, secret: str, callback_secret: str, callback_url: str, timeout: int = 10
    ):
        self._client = Client(url, (merchant, secret), timeout)
        self._callback_secret, self._callback_url = callback_secret, callback_url

    def checkout(self, charge: port.Charge) -> port.Outcome:
        page = {"return_url": charge.return_url, "save_card": charge.save_card}
        return self._act("/api/payments", self._order(charge) | page, charge.our_id)

    def charge(self, charge: port.Charge) -> port.Outcome:
        return self._act("/api/charges", self._order(charge) | {"token": charge.token}, charge.our_id)

    def capture(self, our_id: str, reference: str, charge: port.Charge) -> port.Outcome:
        return self._act(f"/api/payments/{reference}/capture", {"amount": reading.minor(charge.amount)})

    def void(self, our_id: str, reference: str, clue: port.Clue = NO_CLUE) -> port.Outcome:
        path = "/api/payments/void" if our_id else f"/api/payments/{reference}/void"
        said = self._act(path, {"order_id": our_id})
        # That this request was not sent says nothing of the payment.
        unheard = said.decline is port.Decline.NOT_SENT or said.shut_out
        return port.Outcome.unknown(said.message) if unheard else said

    def refund(self, order: port.RefundOrder) -> port.Outcome:
        body = {"order_id": order.our_id, "payment_id": order.payment_reference, "reason": order.reason}
        body |= {"amount": reading.minor(order.amount), "currency": order.amount.currency.code}
        return self._act("/api/refunds", body, order.our_id)

    def fetch(self, subject: port.Subject, our_id: str, reference: str = "", clue: port.Clue = NO_CLUE) -> port.Outcome:
        return asking.looked_up(lambda: self._found(WHERE[subject], our_id, reference))

    def statement(self, day: date) -> Iterator[port.StatementLine]:
        page: int | None = 1
        while page is not None:
            try:
                answer = self._client.request("GET", f"/api/statement?day={day}&page={page}")
                lines = [line(item) for item in reading.field(answer.body, "items", list)]
                page = answer.body.get("next_page")
            except (NotSent, reading.Malformed) as problem:
                raise Unanswered(str(problem)) from problem
            yield from lines

    def parse(self, kind: str, headers: Mapping[str, str], body: bytes) -> port.Notice:
        if not reading.signed([self._callback_secret], headers.get("x-bank-signature", ""), body):
            raise BadCallback("the signature is missing or wrong")
        try:
            news = json.loads(body)
            said, dedupe = line(reading.field(news, "object", dict)), reading.text(news, "id")
            return port.Notice(dedupe, said.subject, kind, said.outcome, payment_reference=said.payment_reference)
        except (reading.Malformed, ValueError, RecursionError) as problem:
            raise BadCallback(f"signed, but cannot be read: {problem}") from problem

    def reply(self, notice: port.Notice | None, verdict: port.Verdict) -> port.Reply:
        return port.Reply() if verdict is port.Verdict.ACCEPTED else port.Reply(status=400)

    def _order(self, charge: port.Charge) -> dict[str, Any]:
        return {
            "order_id": charge.our_id, "amount": reading.minor(charge.amount), "capture": charge.capture,
            "currency": charge.amount.currency.code, "description": charge.description, "customer": charge.customer_id,
            "callback_url": self._callback_url, "expires_at": charge.expires_at and charge.expires_at.isoformat(),
        }  # fmt: skip

    def _act(self, path: str, body: dict[str, Any], key: str | None = None) -> port.Outcome:
        request = self._client.request
        return asking.told(lambda: said(request("POST", path, json=body, idempotency_key=key)))

    def _found(self, path: str, our_id: str, reference: str) -> port.Outcome:
        answer = self._client.request("GET", f"{path}/{reference}") if reference else None
        if answer is None or (answer.status == 404 and our_id):
            answer = self._client.request("GET", path, params={"order_id": our_id})
        absent = answer.status == 404 and code_of(answer.body) == "not_found"
        return port.Outcome.not_found() if absent else said(answer)


def said(answer: Response) -> port.Outcome:
    """What an answer comes to. Raises Malformed."""
    return line(answer.body).outcome if answer.ok else refused(answer)


def refused(answer: Response) -> port.Outcome:
    if (code := code_of(answer.body)) == "voided":
        return port.Outcome(port.Status.CANCELLED, code=code)
    unclear = asking.is_unclear(answer, theirs=bool(code))
    if unclear or code == "idempotency_mismatch":  # known in another shape: it may have moved money
        return port.Outcome.unknown(code)
    fault, shut_out = port.Decline.OUR_FAULT, answer.status in asking.SHUT_OUT  # shut out: nothing is said of the order
    return port.Outcome(port.Status.FAILED, code=code, message=code, decline=fault, shut_out=shut_out)


def code_of(body: Any) -> str:
    return str(body.get("error", {}).get("code", "")) if isinstance(body, dict) else ""


def line(data: Any) -> port.StatementLine:
    """A payment or refund of theirs. Raises Malformed."""
    subject = port.Subject(data["kind"]) if isinstance(data, dict) and data.get("kind") in WHERE else None
    if subject is None:
        raise reading.Malformed("kind")
    status, currency = reading.one_of(STATUS, data, "status"), reading.text(data, "currency")
    paid = subject is port.Subject.PAYMENT
    units = reading.whole(data, "captured" if paid and status is port.Status.SUCCEEDED else "amount")
    why, card = data.get("decline") or {}, (data.get("card") if paid else None)
    outcome = port.Outcome(
        status,
        reference=reading.text(data, "id"),
        our_id=reading.text(data, "order_id"),
        amount=reading.money(units, currency) if currency else None,
        refunded=reading.money(reading.whole(data, "refunded"), currency) if paid and currency else None,
        charged_back=reading.money(data["charged_back"], currency) if data.get("charged_back") else None,
        redirect_url=reading.text_or_none(data, "payment_url") if status is port.Status.PENDING else "",
        card=card and port.Card(**card | {"token": card["token"] or ""}),
        decline=port.Decline(why["group"]) if why else None,
        code=why.get("code", ""),
        message=why.get("message", ""),
        occurred_at=reading.moment(data, "updated_at") if status is not port.Status.PENDING else None,
        raw=redact(data),
    )
    return port.StatementLine(subject, outcome, "" if paid else reading.text(data, "payment_id"))
