"""The merchant API: JSON over HTTP Basic. `Idempotency-Key` gives the first answer again for 24 hours."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, request

from acquiring.bank import acting
from acquiring.bank.acting import Answer, Body
from acquiring.bank.house import the_bank
from acquiring.bank.journal import parse_day
from acquiring.bank.records import Order, Payment, Refusal, stamp

CURRENCIES = frozenset({"RUB", "USD", "EUR", "JPY", "KZT"})
WINDOW = timedelta(hours=24)
LARGEST = 10**12  # minor units

api = Blueprint("api", __name__, url_prefix="/api")


@api.before_request
def _door() -> Response | None:
    """Who may come in: nobody while refusing, only the merchant, and slowly if so ordered."""
    acting.refuse()
    if not acting.is_merchant():
        return reply(401, _problem("unauthorized", "wrong merchant or secret"))
    acting.slow()
    return None


@api.errorhandler(Refusal)
def _refused(refusal: Refusal) -> Response:
    return reply(refusal.status, _problem(refusal.code, refusal.message))


@api.post("/payments")
def open_payment() -> Response:
    """A payment to be made on the page: 201, or 200 for one that is known."""
    return _acting(lambda body: _answer(*the_bank().desk.open(_order(body))))


@api.post("/charges")
def charge() -> Response:
    """A payment by saved card, final at once: 201, or 200 for one that is known."""
    return _acting(lambda body: _answer(*the_bank().desk.charge(_order(body), _text(body, "token", most=100))))


@api.post("/payments/<payment_id>/capture")
def capture(payment_id: str) -> Response:
    """Takes a held sum."""
    return _acting(lambda body: _answer(the_bank().desk.capture(payment_id, _amount(body)), False))


@api.post("/payments/<payment_id>/void")
def void(payment_id: str) -> Response:
    """Releases a hold or closes an unpaid page; answers with the payment's true state."""
    return _acting(lambda body: _answer(the_bank().desk.void(payment_id), False))


@api.post("/payments/void")
def void_order() -> Response:
    """As `void` by the merchant's own id; one never seen will be refused when it comes."""
    return _acting(lambda body: _answer(the_bank().desk.void_order(_text(body, "order_id")), False))


@api.post("/refunds")
def refund() -> Response:
    """Returns money: 201, or 200 for a refund that is known."""
    return _acting(_refund)


def _refund(body: Body) -> Answer:
    refund, new = the_bank().returns.refund(
        _text(body, "payment_id"),
        _amount(body),
        _currency(body),
        order_id=_text(body, "order_id"),
        reason=_text(body, "reason", required=False),
    )
    return 201 if new else 200, refund.as_json()


@api.get("/payments/<payment_id>")
def get_payment(payment_id: str) -> Response:
    """One payment by the bank's id."""
    return reply(*_answer(the_bank().desk.get(payment_id), False))


@api.get("/payments")
def find_payment() -> Response:
    """One payment by the merchant's id."""
    return reply(*_answer(the_bank().desk.by_order(request.args.get("order_id", "")), False))


@api.get("/refunds/<refund_id>")
def get_refund(refund_id: str) -> Response:
    """One refund by the bank's id."""
    return reply(200, the_bank().returns.get(refund_id).as_json())


@api.get("/refunds")
def find_refund() -> Response:
    """One refund by the merchant's id."""
    return reply(200, the_bank().returns.by_order(request.args.get("order_id", "")).as_json())


@api.get("/statement")
def statement() -> Response:
    """The operations of one day (UTC), 100 to a page."""
    page = request.args.get("page", "1")
    if not page.isdecimal() or not 1 <= int(page) <= 10**6:
        raise Refusal(422, "invalid", "page must be a whole number from 1")
    items, next_page = the_bank().journal.statement(parse_day(request.args.get("day", "")), int(page))
    return reply(200, {"items": items, "next_page": next_page})


def reply(status: int, body: Any) -> Response:
    """A JSON answer."""
    return Response(json.dumps(body, ensure_ascii=False), status, content_type="application/json")


def _problem(code: str, message: str) -> Body:
    return {"error": {"code": code, "message": message}}


def _answer(payment: Payment, new: bool) -> Answer:
    return 201 if new else 200, payment.as_json(the_bank().journal.public_url)


def _acting(act: Callable[[Body], Answer]) -> Response:
    """Acts once per idempotency key, with the ordered time-outs and errors around it."""
    body = _body()
    key = request.headers.get("Idempotency-Key", "")
    return reply(*acting.faulty(lambda: _once(key, body, act), (500, _problem("internal", "something went wrong"))))


def _once(key: str, body: Body, act: Callable[[Body], Answer]) -> Answer:
    def acted() -> Answer:
        try:
            return act(body)
        except Refusal as refusal:  # a refusal changes nothing, so this is no half-done act
            return refusal.status, _problem(refusal.code, refusal.message)

    mismatch = 422, _problem("idempotency_mismatch", "this key was used for another request")
    return acting.once(key, body, acted, window=WINDOW, mismatch=mismatch)


def _body() -> Body:
    if not request.get_data():
        return {}
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise Refusal(422, "invalid", "the body must be a JSON object")
    return body


def _order(body: Body) -> Order:
    return Order(
        order_id=_text(body, "order_id", most=100),
        amount=_amount(body),
        currency=_currency(body),
        description=_text(body, "description", required=False),
        customer=_text(body, "customer", required=False),
        email=_text(body, "email", required=False),
        return_url=_url(body, "return_url"),
        callback_url=_url(body, "callback_url"),
        save_card=_flag(body, "save_card", False),
        capture=_flag(body, "capture", True),
        expires_at=_time(body, "expires_at"),
    )


def _text(body: Body, name: str, *, required: bool = True, most: int = 2000) -> str:
    value = body.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or len(value) > most or (required and not value):
        raise Refusal(422, "invalid", f"{name} must be a text of at most {most} characters")
    return value


def _url(body: Body, name: str) -> str:
    value = _text(body, name, required=False)
    if value and not value.startswith(("http://", "https://")):
        raise Refusal(422, "invalid", f"{name} must be an http or https address")
    return value


def _amount(body: Body) -> int:
    value = body.get("amount")
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= LARGEST:
        raise Refusal(422, "invalid", "amount must be a whole number of minor units above 0")
    return value


def _currency(body: Body) -> str:
    value = _text(body, "currency")
    if value not in CURRENCIES:
        raise Refusal(422, "invalid", f"currency must be one of {', '.join(sorted(CURRENCIES))}")
    return value


def _flag(body: Body, name: str, default: bool) -> bool:
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise Refusal(422, "invalid", f"{name} must be true or false")
    return value


def _time(body: Body, name: str) -> str:
    value = _text(body, name, required=False)
    if not value:
        return ""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refusal(422, "invalid", f"{name} must be an ISO 8601 time with an offset")
    return stamp(moment)
