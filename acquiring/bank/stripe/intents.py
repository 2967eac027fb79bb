"""PaymentIntents: charges of saved cards, captures, cancellations."""

from __future__ import annotations

import json

from acquiring.bank.acting import Answer
from acquiring.bank.house import the_bank
from acquiring.bank.records import OPEN, Order, Payment, Refusal, Token
from acquiring.bank.stripe import forms
from acquiring.bank.stripe.forms import Body, Refused
from acquiring.bank.stripe.names import INTENT, SESSION, bank_id, extra
from acquiring.bank.stripe.sessions import TONGUE, endpoint_url
from acquiring.bank.stripe.shapes import Shapes

_KNOWN = (
    "amount currency customer payment_method off_session confirm capture_method description metadata "
    "error_on_requires_action receipt_email payment_method_types setup_future_usage return_url"
)
STATE = "payment_intent_unexpected_state"


def made(body: Body, expand: frozenset[str]) -> Answer:
    """A new PaymentIntent: 200, or 402 for a decline. Raises Refused, and then nothing has been made."""
    forms.known_only(body, _KNOWN)
    amount = forms.number(body, "amount")
    assert amount is not None
    confirm, method = forms.flag(body, "confirm"), forms.text(body, "payment_method", required=False)
    customer = forms.text(body, "customer", required=False)
    kept = {"kind": INTENT, "intent_metadata": forms.metadata(body), "payment_method": method or None}
    order = Order(
        order_id=str(forms.metadata(body).get("order_id", "")),
        amount=amount,
        currency=forms.currency(body),
        description=forms.text(body, "description", required=False, most=1000),
        customer=customer,
        callback_url=endpoint_url(),
        capture=forms.choice(body, "capture_method", "automatic automatic_async manual", "automatic") != "manual",
        tongue=TONGUE,
        extra=json.dumps(kept),
    )
    if not confirm:
        return 200, _shapes().intent(the_bank().desk.open(order, anew=True)[0], expand)
    token = _saved(method, customer)
    payment, _ = the_bank().desk.charge(order, token.token, anew=True)
    shape = _shapes().intent(payment, expand)
    if payment.status != "declined":
        return 200, shape
    return 402, {"error": shape["last_payment_error"] | {"payment_intent": shape}}


def by_id(intent_id: str) -> Payment:
    """The PaymentIntent with that id. Raises Refused (404)."""
    try:
        payment = the_bank().desk.get(bank_id(intent_id, "pi"))
    except Refusal:
        payment = None
    is_page = payment is not None and extra(payment).get("kind") == SESSION
    if payment is None or payment.tongue != TONGUE or (is_page and not payment.card):
        raise Refused(404, f"No such payment_intent: '{intent_id}'", "resource_missing", "intent")
    return payment


def captured(intent_id: str, body: Body, expand: frozenset[str]) -> Answer:
    """Takes a held sum. Raises Refused."""
    forms.known_only(body, "amount_to_capture final_capture metadata")
    payment = by_id(intent_id)
    amount = forms.number(body, "amount_to_capture", required=False) or payment.amount
    shape = _shapes().intent(payment)
    if payment.status != "authorized":
        message = f"This PaymentIntent could not be captured because it has a status of {shape['status']}."
        raise Refused(400, message, STATE, payment_intent=shape)
    if amount > payment.amount:
        raise Refused(400, "The amount to capture is greater than the amount capturable.", "amount_too_large")
    return 200, _shapes().intent(the_bank().desk.capture(payment.id, amount), expand)


def cancelled(intent_id: str, body: Body) -> Answer:
    """Gives a PaymentIntent up. Raises Refused, for one of an open page too."""
    forms.known_only(body, "cancellation_reason")
    payment = by_id(intent_id)
    shape = _shapes().intent(payment)
    if payment.status in OPEN and extra(payment).get("kind") == SESSION:
        message = "You cannot cancel this PaymentIntent: expire the Checkout Session that it was made by instead."
        raise Refused(400, message, STATE, payment_intent=shape)
    if shape["status"] in ("succeeded", "canceled"):
        message = f"You cannot cancel this PaymentIntent because it has a status of {shape['status']}."
        raise Refused(400, message, STATE, payment_intent=shape)
    return 200, _shapes().intent(the_bank().desk.void(payment.id))


def _saved(method: str, customer: str) -> Token:
    """The saved card that is to be charged. Raises Refused."""
    if not method:
        raise Refused(400, "A payment method is needed to confirm this PaymentIntent.", STATE)
    token = the_bank().books.first(Token, "token = ?", bank_id(method, "pm"))
    if token is None:
        raise Refused(400, f"No such PaymentMethod: '{method}'", "resource_missing", "payment_method")
    if token.customer != customer:
        message = "The payment method supplied does not belong to the customer that was supplied."
        raise Refused(400, message, param="payment_method")
    return token


def _shapes() -> Shapes:
    return Shapes(the_bank().journal)
