"""The pages customers see: card form, code of the card's bank, result. They work without scripts."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from acquiring.bank.cards import DECLINES, TEST_CARDS, BadCard, Plastic, read, read_test_card
from acquiring.bank.desk import CODE_TRIES
from acquiring.bank.house import the_bank
from acquiring.bank.questions import refused
from acquiring.bank.records import OPEN, Payment, Refusal

pages = Blueprint("pages", __name__, template_folder="templates")

Page = Response | str | tuple[str, int]

_MONEY = {"RUB": (2, "₽"), "USD": (2, "$"), "EUR": (2, "€"), "JPY": (0, "¥"), "KZT": (2, "₸")}


@pages.app_template_filter("money")
def money(amount: int, currency: str) -> str:
    """Minor units as people write them: "1 299.00 ₽" (with no-break spaces)."""
    digits, sign = _MONEY.get(currency, (2, currency))
    whole, part = divmod(amount, 10**digits)
    grouped = f"{whole:,}".replace(",", "\u202f")
    return f"{grouped}.{part:0{digits}d}\u00a0{sign}" if digits else f"{grouped}\u00a0{sign}"


@pages.errorhandler(Refusal)
def _not_found(refusal: Refusal) -> Page:
    return render_template("trouble.html", title="No such payment", text="The link is wrong or too old."), 404


@pages.after_request
def _private(response: Any) -> Any:
    """A payment's page is nobody else's: not cached, not framed, no referrer (its address is its key)."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'"
    )
    return response


@pages.get("/pay/<payment_id>")
def show(payment_id: str) -> Page:
    """The card form, or what became of the payment."""
    payment = the_bank().desk.get(payment_id)
    if payment.status == "awaiting_3ds":
        return redirect(f"/pay/{payment.id}/3ds", 303)
    return _form(payment) if payment.status in OPEN else _result(payment)


@pages.post("/pay/<payment_id>")
def pay(payment_id: str) -> Page:
    """The card that was typed or picked, or the way back to the shop."""
    desk = the_bank().desk
    payment = desk.get(payment_id)
    if "leave" in request.form:
        return _lead_back(desk.leave(payment_id))
    if payment.status != "created":  # the second click, or the browser's way back
        return redirect(f"/pay/{payment.id}", 303)
    try:
        card = _card()
    except BadCard as bad:
        return _form(payment, bad.errors), 422
    return _tried(desk.pay(payment_id, card, refused(the_bank(), payment, card)))


@pages.get("/pay/<payment_id>/3ds")
def challenge(payment_id: str) -> Page:
    """Asks for the code of the card's bank."""
    payment = the_bank().desk.get(payment_id)
    if payment.status != "awaiting_3ds":
        return redirect(f"/pay/{payment.id}", 303)
    return _challenge(payment)


@pages.post("/pay/<payment_id>/3ds")
def answer_challenge(payment_id: str) -> Page:
    """The code, or a refusal to give it."""
    desk = the_bank().desk
    was = desk.get(payment_id)
    if was.status != "awaiting_3ds":
        return redirect(f"/pay/{was.id}", 303)
    if "cancel" in request.form:
        return _tried(desk.cancel_challenge(payment_id))
    payment = desk.confirm(payment_id, request.form.get("code", ""))
    if payment.status == "awaiting_3ds":
        left = CODE_TRIES - payment.challenge_tries
        tries = "One try is left." if left == 1 else f"{left} tries are left."
        return _challenge(payment, f"That is not the code. {tries}"), 422
    return _tried(payment)


def _card() -> Plastic:
    form = request.form
    if "test_card" in form:
        return read_test_card(form["test_card"], the_bank().journal.now())
    return read(form.get("number", ""), form.get("expiry", ""), form.get("cvc", ""))


def _tried(payment: Payment) -> Page:
    """Where a customer goes after a card was tried; or an error page where the ordered faults say so."""
    if payment.status == "awaiting_3ds":
        return redirect(f"/pay/{payment.id}/3ds", 303)
    faults = the_bank().faults
    if faults.take("timeout_after"):
        return _broken(payment, 504, "The bank took too long to answer")
    if faults.take("error_after"):
        return _broken(payment, 500, "Something went wrong at the bank")
    if payment.decline_code:  # the customer should read why before going back or trying another card
        return redirect(f"/pay/{payment.id}", 303)
    return _lead_back(payment)


def _lead_back(payment: Payment) -> Page:
    return redirect(payment.return_url or f"/pay/{payment.id}", 303)


def _broken(payment: Payment, status: int, title: str) -> Page:
    text = "We cannot say yet whether you have paid. Please return to the shop and look there before paying again."
    return render_template("trouble.html", title=title, text=text, payment=payment), status


def _form(payment: Payment, errors: dict[str, str] | None = None) -> str:
    # What was typed comes back except the security code. The number goes only into this answer, never into the books.
    typed = {"number": request.form.get("number", ""), "expiry": request.form.get("expiry", "")}
    shop = the_bank().config.shop_name
    if not errors and payment.decline_code:  # the card before
        errors = {"number": DECLINES[payment.decline_code].message}
    return render_template("pay.html", payment=payment, shop=shop, cards=TEST_CARDS, errors=errors or {}, typed=typed)


def _challenge(payment: Payment, error: str = "") -> str:
    return render_template("challenge.html", payment=payment, shop=the_bank().config.shop_name, error=error)


def _result(payment: Payment) -> str:
    decline, bank = DECLINES.get(payment.decline_code), the_bank()
    page = bank.books.first(Payment, "order_id = ? AND origin = 'page' AND status = 'created'", payment.order_id)
    again = page if payment.origin == "try" else None
    return render_template("result.html", payment=payment, shop=bank.config.shop_name, decline=decline, again=again)
