"""The control page: books laid open, switches for faults. For a developer's machine: it asks for no password."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from acquiring.bank.api import reply
from acquiring.bank.cards import ORDERED
from acquiring.bank.faults import KINDS, BadFault
from acquiring.bank.house import the_bank
from acquiring.bank.records import Note, Operation, Payment, Refund, Refusal, stamp

SHOWN = 50

control = Blueprint("control", __name__, template_folder="templates")

Page = Response | str | tuple[str, int]


@control.before_request
def _same_site() -> Response | None:
    """No other site's page may press these buttons from a developer's browser."""
    origin = request.headers.get("Origin")
    if origin and request.method != "GET" and origin != request.host_url.rstrip("/"):
        return reply(403, {"error": {"code": "cross_site", "message": "this button belongs to the bank's own page"}})
    return None


@control.errorhandler(Refusal)
def _refused(refusal: Refusal) -> Response:
    return reply(refusal.status, {"error": {"code": refusal.code, "message": refusal.message}})


@control.get("/")
def root() -> Page:
    """The way to the control page."""
    return redirect("/control/", 303)


@control.get("/control/")
def home(error: str = "") -> str:
    """The books and the switches."""
    bank = the_bank()
    latest = f"1 ORDER BY seq DESC LIMIT {SHOWN}"
    return render_template(
        "control.html",
        error=error,
        typed=request.form if error else {},
        kinds=KINDS,
        codes=ORDERED,
        faults=bank.faults.listed(),
        refusing=bank.faults.refusing(),
        operations=bank.books.select(Operation, latest),
        payments=bank.books.select(Payment, latest),
        refunds=bank.books.select(Refund, latest),
        notes=bank.books.select(Note, latest),
        api_port=bank.api_port,
        shown=SHOWN,
    )


@control.get("/control/health")
def health() -> Response:
    """Says that the bank is up, and where its API port is."""
    return reply(200, {"ok": True, "api_port": the_bank().api_port})


@control.get("/control/operations")
def operations() -> Response:
    """Every operation in which money moved or was tried, oldest first."""
    return reply(200, [line.as_json() for line in the_bank().journal.operations()])


@control.get("/control/callbacks")
def callbacks() -> Response:
    """Every callback and every attempt to deliver it, oldest first, without its contents."""
    bank = the_bank()
    attempts: dict[str, list[dict[str, str]]] = {}
    for row in bank.books.query("SELECT note_id, at, result FROM attempts ORDER BY seq"):
        attempts.setdefault(row["note_id"], []).append({"at": row["at"], "result": row["result"]})
    notes = bank.books.select(Note, "1 ORDER BY seq")
    return reply(200, [_note_json(note, attempts.get(note.id, [])) for note in notes])


def _note_json(note: Note, attempts: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "id": note.id,
        "type": note.type,
        "object_id": note.object_id,
        "state": note.state,
        "forged": note.forged,
        "created_at": note.created_at,
        "next_at": note.next_at if note.state == "pending" else None,
        "attempts": attempts,
    }


@control.get("/control/faults")
def list_faults() -> Response:
    """The faults in force."""
    return reply(200, [fault.as_json() for fault in the_bank().faults.listed()])


@control.post("/control/faults")
def order_fault() -> Page:
    """Orders a fault, by JSON (201, 422) or by the page's form (back to the page)."""
    faults = the_bank().faults
    try:
        if not request.is_json:
            faults.add(*_form_fault())
            return redirect("/control/", 303)
        body = request.get_json(silent=True)
        if not isinstance(body, dict) or not isinstance(body.get("fault"), str):
            raise BadFault('the body must be {"fault": name, "count": n} or {"fault": name, "rate": 0..1, "seed": n}')
        fault = faults.add(body["fault"], body.get("count"), body.get("rate"), body.get("seed", 0))
    except BadFault as bad:
        if not request.is_json:
            return home(str(bad)), 422
        return reply(422, {"error": {"code": "bad_fault", "message": str(bad)}})
    return reply(201, fault.as_json())


def _form_fault() -> tuple[str, object, object, object]:
    """The form's fields as `Faults.add` wants them; a rate stands instead of the count. Raises BadFault."""
    form = request.form
    name, argument = form.get("fault", ""), form.get("argument", "").strip()
    try:
        rate = float(form["rate"]) if form.get("rate", "").strip() else None  # a likelihood, no money
        count = int(form["count"]) if form.get("count", "").strip() and rate is None else None
        seed = int(form.get("seed", "").strip() or 0)
    except ValueError:
        raise BadFault("count, rate and seed must be numbers") from None
    return (f"{name}:{argument}" if argument else name), count, rate, seed


@control.delete("/control/faults")
def clear_faults() -> Response:
    """Ends every fault; a closed API port opens at once."""
    the_bank().faults.clear()
    return reply(200, [])


@control.post("/control/faults/clear")
def clear_faults_by_form() -> Page:
    """The page's button for the same."""
    the_bank().faults.clear()
    return redirect("/control/", 303)


@control.post("/control/reset")
def reset() -> Page:
    """Empties the books and ends every fault. For tests only: a bank does not forget."""
    the_bank().books.empty()
    the_bank().faults.clear()
    return redirect("/control/", 303) if request.form else reply(200, {"ok": True})


@control.post("/control/forget")
def forget() -> Response:
    """The time of every idempotency key is over: requests that bear one are acted upon anew. For tests."""
    the_bank().books.query("DELETE FROM answers")
    return reply(200, {"ok": True})


@control.post("/control/payments/<payment_id>/expire")
def expire(payment_id: str) -> Response:
    """The time of a page is over now. For tests."""
    bank = the_bank()
    payment = bank.desk.get(payment_id)
    bank.books.save(replace(payment, expires_at=stamp(bank.journal.now())))
    bank.desk.expire_due()
    return reply(200, {"ok": True})


@control.post("/control/payments/<payment_id>/refund")
def cabinet_refund(payment_id: str) -> Response:
    """A refund made in the acquirer's cabinet, behind the shop's back: {"amount": minor units}."""
    amount, bank = _amount(), the_bank()
    currency = bank.desk.get(payment_id).currency
    refund, _ = bank.returns.refund(payment_id, amount, currency, reason="made in the cabinet")
    return reply(201, refund.as_json())


@control.post("/control/payments/<payment_id>/chargeback")
def charge_back(payment_id: str) -> Response:
    """The card's holder disputed the payment: {"amount": minor units} of it, or all that is left, is taken back."""
    bank = the_bank()
    amount = _amount() if request.get_data() else None
    return reply(201, bank.returns.charge_back(payment_id, amount).as_json(bank.journal.public_url))


@control.post("/control/payments/<payment_id>/capture")
def cabinet_capture(payment_id: str) -> Response:
    """A hold taken in the acquirer's cabinet, in full or less: {"amount": minor units}."""
    bank = the_bank()
    return reply(201, bank.desk.capture(payment_id, _amount()).as_json(bank.journal.public_url))


@control.post("/control/payments/<payment_id>/again")
def capture_again(payment_id: str) -> Response:
    """Takes the money of a paid order once more, under another id, as a bank must not."""
    bank = the_bank()
    return reply(201, bank.desk.capture_again(payment_id).as_json(bank.journal.public_url))


@control.post("/control/payments/<payment_id>/open")
def open_again(payment_id: str) -> Response:
    """Opens a page that was closed unpaid for another hour, as a bank must not."""
    bank = the_bank()
    till = stamp(bank.journal.now() + timedelta(hours=1))
    return reply(200, bank.desk.open_again(payment_id, till).as_json(bank.journal.public_url))


def _amount() -> int:
    body = request.get_json(silent=True)
    amount = body.get("amount") if isinstance(body, dict) else None
    if not isinstance(amount, int) or isinstance(amount, bool) or amount < 1:
        raise Refusal(422, "invalid", "amount must be a whole number of minor units above 0")
    return amount
