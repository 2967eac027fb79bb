"""Stripe's API: forms in, objects out. An `Idempotency-Key` gives the first answer again for 24 hours, a 500 too."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import timedelta

from flask import Blueprint, Response, request

from acquiring.bank import acting
from acquiring.bank.acting import Answer
from acquiring.bank.api import reply
from acquiring.bank.house import the_bank
from acquiring.bank.records import Operation, Payment, Refund, Refusal
from acquiring.bank.stripe import forms, intents, listing, sessions
from acquiring.bank.stripe import refunds as returned
from acquiring.bank.stripe.forms import Body, Refused
from acquiring.bank.stripe.names import INTENT, SESSION, bank_id, extra
from acquiring.bank.stripe.shapes import Shapes

WINDOW = timedelta(hours=24)
NEWEST = "ORDER BY created_at DESC, seq DESC"

stripe = Blueprint("stripe", __name__, url_prefix="/stripe/v1")


@stripe.before_request
def _door() -> Response | None:
    """Who may come in: nobody while refusing, only the merchant, and slowly if so ordered."""
    acting.refuse()
    if not _known():
        return reply(401, {"error": {"type": "invalid_request_error", "message": "Invalid API Key provided"}})
    acting.slow()
    return None


@stripe.errorhandler(Refusal)
def _refused(refusal: Refusal) -> Response:
    return reply(refusal.status, {"error": _error(refusal)})


@stripe.post("/checkout/sessions")
def open_session() -> Response:
    """A page to pay on."""
    return _acting(lambda body: _session(sessions.opened(body)))


@stripe.get("/checkout/sessions/<session_id>")
def get_session(session_id: str) -> Response:
    """One page."""
    return reply(*_session(sessions.by_id(session_id)))


@stripe.post("/checkout/sessions/<session_id>/expire")
def expire_session(session_id: str) -> Response:
    """Closes an open page."""
    return _acting(lambda body: _session(sessions.expired(session_id)))


@stripe.get("/checkout/sessions")
def list_sessions() -> Response:
    """Pages, newest first; `payment_intent` names one."""
    where, values = listing.window(request.args, "created_at")
    if "payment_intent" in request.args:
        where, values = f"{where} AND id = ?", [*values, bank_id(request.args["payment_intent"], "pi")]
    rows = [row for row in _payments(where, *values) if extra(row).get("kind") == SESSION]
    shape = _shapes().session
    return reply(200, _page(rows, lambda row: shape(row, _expand()), "payment_intent"))


@stripe.post("/payment_intents")
def make_intent() -> Response:
    """A PaymentIntent; with `confirm`, it is paid or declined (402) at once."""
    return _acting(lambda body: intents.made(body, _expand()))


@stripe.get("/payment_intents/<intent_id>")
def get_intent(intent_id: str) -> Response:
    """One PaymentIntent."""
    return reply(200, _shapes().intent(intents.by_id(intent_id), _expand()))


@stripe.get("/payment_intents")
def list_intents() -> Response:
    """PaymentIntents, newest first; `customer` names one."""
    where, values = listing.window(request.args, "created_at")
    if "customer" in request.args:
        where, values = f"{where} AND customer = ?", [*values, request.args["customer"]]
    # The intent of a page comes into being with the first card that is tried there.
    rows = [row for row in _payments(where, *values) if row.card or extra(row).get("kind") == INTENT]
    shape = _shapes().intent
    return reply(200, _page(rows, lambda row: shape(row, _expand()), "customer"))


@stripe.post("/payment_intents/<intent_id>/capture")
def capture_intent(intent_id: str) -> Response:
    """Takes a held sum, in full or less."""
    return _acting(lambda body: intents.captured(intent_id, body, _expand()))


@stripe.post("/payment_intents/<intent_id>/cancel")
def cancel_intent(intent_id: str) -> Response:
    """Releases a hold or gives an intent up."""
    return _acting(lambda body: intents.cancelled(intent_id, body))


@stripe.post("/refunds")
def make_refund() -> Response:
    """Returns money of one payment."""
    return _acting(lambda body: (200, returned.made(body)))


@stripe.get("/refunds/<refund_id>")
def get_refund(refund_id: str) -> Response:
    """One refund."""
    return reply(200, _shapes().refund(returned.by_id(refund_id)))


@stripe.get("/refunds")
def list_refunds() -> Response:
    """Refunds, newest first; `payment_intent` names a payment."""
    where, values = listing.window(request.args, "created_at")
    if "payment_intent" in request.args:
        where, values = f"{where} AND payment_id = ?", [*values, bank_id(request.args["payment_intent"], "pi")]
    rows = [row for row in the_bank().books.select(Refund, f"{where} {NEWEST}", *values) if returned.is_ours(row)]
    return reply(200, _page(rows, _shapes().refund, "payment_intent"))


@stripe.get("/balance_transactions")
def list_entries() -> Response:
    """The money that moved, newest first."""
    where, values = listing.window(request.args, "at")
    done = f"{where} AND state = 'succeeded' ORDER BY at DESC, seq DESC"
    rows = [row for row in the_bank().books.select(Operation, done, *values) if _is_ours(row)]
    shape = _shapes().entry
    return reply(200, _page(rows, lambda row: shape(row, _expand())))


@stripe.get("/charges/<charge_id>")
def get_charge(charge_id: str) -> Response:
    """One charge."""
    payment = the_bank().desk.get(bank_id(charge_id, "ch"))
    return reply(200, _shapes().charge(payment))


@stripe.get("/disputes/<dispute_id>")
def get_dispute(dispute_id: str) -> Response:
    """One dispute."""
    payment = the_bank().desk.get(bank_id(dispute_id, "du"))
    if not payment.charged_back:
        raise Refused(404, f"No such dispute: '{dispute_id}'", "resource_missing", "id")
    return reply(200, _shapes().dispute(payment))


@stripe.post("/webhook_endpoints")
def make_endpoint() -> Response:
    """Where events go from now on: one endpoint, which gets every kind of event that the bank writes."""
    return _acting(lambda body: (200, sessions.endpoint(body)))


def _known() -> bool:
    given, secret = request.authorization, the_bank().config.secret
    if given is None:
        return False
    key = given.token if given.type == "bearer" else given.username if given.type == "basic" else None
    return hmac.compare_digest((key or "").encode(), secret.encode())


def _shapes() -> Shapes:
    return Shapes(the_bank().journal)


def _expand() -> frozenset[str]:
    return forms.expand([*request.args.items(multi=True), *request.form.items(multi=True)])


def _session(payment: Payment) -> Answer:
    return 200, _shapes().session(payment, _expand())


def _payments(where: str, *values: str) -> list[Payment]:
    return the_bank().books.select(Payment, f"{where} AND tongue = 'stripe' {NEWEST}", *values)


def _is_ours(line: Operation) -> bool:
    payment = the_bank().books.first(Payment, "id = ?", line.payment_id)
    return payment is not None and payment.tongue == "stripe"


def _page(rows: list[listing.Row], shape: Callable[[listing.Row], Body], known: str = "") -> Body:
    return listing.page(request.args, request.path.removeprefix("/stripe"), rows, shape, known)


def _error(refusal: Refusal) -> Body:
    if isinstance(refusal, Refused):
        return refusal.error
    code = "resource_missing" if refusal.status == 404 else refusal.code
    return {"type": "invalid_request_error", "code": code, "message": refusal.message, "param": "id"}


def _acting(act: Callable[[Body], Answer]) -> Response:
    """Acts once per idempotency key, with the ordered time-outs and errors around it.

    What comes of an act is kept, a decline (402) and an ordered 500 too; a request that is refused for what it says
    is not, nor is anything of it done.
    """
    bank, key = the_bank(), request.headers.get("Idempotency-Key", "")
    if len(key) > 255:
        raise Refused(400, "Idempotency keys are at most 255 characters.", type="idempotency_error")
    if bank.faults.take("timeout_before"):
        bank.hang(request.environ)
    pairs = sorted(request.form.items(multi=True))
    body = forms.nested((name, value) for name, value in pairs if not name.startswith("expand["))
    replayed = True

    def acted() -> Answer:
        nonlocal replayed
        replayed = False
        status, answer = act(body)
        if status < 400 and bank.faults.take("error_after"):
            return 500, {"error": {"type": "api_error", "message": "Something went wrong on Stripe's end."}}
        return status, answer

    message = (
        "Keys for idempotent requests can only be used with the same parameters they were first used with. "
        f"Try using a key other than '{key}' if you meant to execute a different request."
    )
    mismatch = 400, {"error": {"type": "idempotency_error", "message": message}}
    status, answer = acting.once(key, {"form": pairs}, acted, window=WINDOW, mismatch=mismatch)
    if status < 400 and bank.faults.take("timeout_after"):
        bank.hang(request.environ)
    response = reply(status, answer)
    if replayed and (status, answer) != mismatch:
        response.headers["Idempotent-Replayed"] = "true"
    return response
