"""The HTTP half: payments, captures, cancellations, refunds and lists, each act once per `Idempotence-Key`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

from flask import Blueprint, Response, request

from acquiring.bank import acting
from acquiring.bank.acting import Answer, Body
from acquiring.bank.house import the_bank
from acquiring.bank.records import Order, Payment, Refund, Refusal, stamp
from acquiring.bank.yookassa import lists, reading
from acquiring.bank.yookassa.names import in_books
from acquiring.bank.yookassa.objects import Object, payment_object, refund_object
from acquiring.bank.yookassa.reading import Bad

WINDOW = timedelta(hours=24)  # in which a key gives the first answer again
PAGE_OPEN = timedelta(hours=1)  # for which a page waits for its customer
RETRY_AFTER = 200  # milliseconds

yookassa = Blueprint("yookassa", __name__, url_prefix="/yookassa/v3")


@yookassa.before_request
def _door() -> Response | None:
    acting.refuse()
    if not acting.is_merchant():
        return _reply(401, _error("invalid_credentials", "Login has illegal format or is wrong"))
    acting.slow()
    return None


@yookassa.errorhandler(Refusal)
def _refused(refusal: Refusal) -> Response:
    return _reply(*_refusal(refusal))


@yookassa.post("/payments")
def create_payment() -> Response:
    """A payment on the page, or by a saved method, final at once."""
    return _acting(_create)


@yookassa.post("/payments/<payment_id>/capture")
def capture(payment_id: str) -> Response:
    """Takes a held sum, in full or less."""
    return _acting(lambda body: _capture(_payment(payment_id), body))


@yookassa.post("/payments/<payment_id>/cancel")
def cancel(payment_id: str) -> Response:
    """Releases a held sum. Nothing else can be cancelled, a page that nobody paid neither."""
    return _acting(lambda body: _cancel(_payment(payment_id)))


@yookassa.get("/payments/<payment_id>")
def get_payment(payment_id: str) -> Response:
    """One payment."""
    return _reply(200, _shown(_payment(payment_id)))


@yookassa.get("/payments")
def list_payments() -> Response:
    """Payments, newest first."""
    rows, cursor = lists.payments(the_bank().books, request.args)
    return _list([_shown(the_bank().desk.get(row.id)) for row in rows], cursor)


@yookassa.post("/refunds")
def create_refund() -> Response:
    """Returns money."""
    return _acting(_refund)


@yookassa.get("/refunds/<refund_id>")
def get_refund(refund_id: str) -> Response:
    """One refund."""
    return _reply(200, refund_object(the_bank().journal, the_bank().returns.get(in_books("ref", refund_id))))


@yookassa.get("/refunds")
def list_refunds() -> Response:
    """Refunds, newest first."""
    rows, cursor = lists.refunds(the_bank().books, request.args)
    return _list([refund_object(the_bank().journal, row) for row in rows], cursor)


# --- Acts ---------------------------------------------------------------------------------------------------------


def _create(body: Body) -> Object:
    bank, amount = the_bank(), reading.units(body)
    notes = reading.metadata(body)
    kept: Object = {"metadata": notes} | _receipt(body, amount)
    method = reading.text(body, "payment_method_id", 100)
    token, customer = "", reading.text(body, "merchant_customer_id", 200)
    if method:
        token, customer = _saved(method)
        kept["payment_method_id"] = method
    order = Order(
        order_id=notes.get("order_id", ""),
        amount=amount,
        currency="RUB",
        description=reading.text(body, "description", 128),
        customer=customer,
        return_url="" if method else reading.return_url(body),
        save_card=not method and reading.flag(body, "save_payment_method"),
        capture=reading.flag(body, "capture"),
        expires_at="" if method else stamp(bank.journal.now() + PAGE_OPEN),
        tongue="yookassa",
        extra=json.dumps(kept),
    )
    made = bank.desk.charge(order, token, anew=True) if method else bank.desk.open(order, anew=True)
    return _shown(made[0])


def _saved(method: str) -> tuple[str, str]:
    """The token behind a saved method and whose it is. Raises Bad."""
    payment = the_bank().books.first(Payment, "id = ? AND token <> ''", in_books("pay", method))
    if payment is None:
        raise Bad("Payment method doesn't exist", "payment_method_id")
    return payment.token, payment.customer


def _capture(payment: Payment, body: Body) -> Object:
    amount = reading.units(body) if body.get("amount") is not None else payment.amount
    _receipt(body, amount)
    if payment.status != "authorized":
        raise Bad("Incorrect payment status: it must be waiting_for_capture")
    return _shown(the_bank().desk.capture(payment.id, amount))


def _cancel(payment: Payment) -> Object:
    if payment.status != "authorized":
        raise Bad("Incorrect payment status: it must be waiting_for_capture")
    return _shown(the_bank().desk.void(payment.id))


def _refund(body: Body) -> Object:
    bank, amount, notes = the_bank(), reading.units(body), reading.metadata(body)
    payment = in_books("pay", reading.text(body, "payment_id", 100, required=True))
    kept: Object = {"metadata": notes} | _receipt(body, amount)
    ours = notes.get("refund_id", "")
    if bank.books.first(Refund, "order_id = ?", ours):
        ours = ""  # the merchant's own notes mean nothing: the books know one refund by each, and no more
    made, _ = bank.returns.refund(
        payment,
        amount,
        "RUB",
        order_id=ours,
        reason=reading.text(body, "description", 250),
        extra=json.dumps(kept),
    )
    return refund_object(bank.journal, made)


def _receipt(body: Body, amount: int) -> Object:
    if not reading.has_receipt(body, amount):
        return {}
    return {"receipt_fails": bool(the_bank().faults.take("receipt_failed"))}


def _acting(act: Callable[[Body], Object]) -> Response:
    """Acts once per key, with the ordered time-outs and errors around it."""
    body, key = _body(), request.headers.get("Idempotence-Key", "")
    if not re.fullmatch(r"[0-9a-zA-Z+\-_.:]{1,64}", key):
        return _reply(*_refusal(Bad("Idempotence key is missing or has illegal format", "Idempotence-Key")))
    broken = (500, _error("internal_server_error", "Internal server error"))
    status, answer = acting.faulty(lambda: _once(key, body, act), broken)
    if status == 200 and the_bank().faults.take("processing"):
        waiting = {"type": "processing", "description": "Request accepted, but not processed yet"}
        return _reply(202, waiting | {"retry_after": RETRY_AFTER})
    return _reply(status, answer)


def _once(key: str, body: Body, act: Callable[[Body], Object]) -> Answer:
    def acted() -> Answer:
        try:
            return 200, act(body)
        except Refusal as refusal:  # a refusal changes nothing, so this is no half-done act
            return _refusal(refusal)

    mismatch = _refusal(Bad("Idempotence key duplicated", "Idempotence-Key"))
    return acting.once(f"yookassa:{key}", body, acted, window=WINDOW, mismatch=mismatch)


# --- Requests and answers -----------------------------------------------------------------------------------------


def _body() -> Body:
    if not request.get_data():
        return {}
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise Bad("The body must be a JSON object")
    return body


def _payment(payment_id: str) -> Payment:
    payment = the_bank().desk.get(in_books("pay", payment_id))
    if payment.tongue != "yookassa":
        raise Refusal(404, "not_found", "no such payment")
    return payment


def _shown(payment: Payment) -> Object:
    return payment_object(the_bank().journal, payment, the_bank().config.merchant)


def _list(items: list[Object], cursor: str) -> Response:
    return _reply(200, {"type": "list", "items": items} | ({"next_cursor": cursor} if cursor else {}))


def _refusal(refusal: Refusal) -> Answer:
    missing = refusal.status == 404
    parameter = getattr(refusal, "parameter", "")
    code = "not_found" if missing else "invalid_request"
    return 404 if missing else 400, _error(code, refusal.message, parameter)


def _error(code: str, description: str, parameter: str = "") -> Body:
    said = {"type": "error", "id": str(uuid4()), "code": code, "description": description}
    return said | ({"parameter": parameter} if parameter else {})


def _reply(status: int, body: Any) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), status, content_type="application/json")
