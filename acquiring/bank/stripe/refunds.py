"""Stripe's refunds."""

from __future__ import annotations

import json

from acquiring.bank.house import the_bank
from acquiring.bank.records import Payment, Refund, Refusal
from acquiring.bank.stripe import forms
from acquiring.bank.stripe.forms import Body, Refused
from acquiring.bank.stripe.names import bank_id
from acquiring.bank.stripe.sessions import TONGUE
from acquiring.bank.stripe.shapes import Shapes

_CODES = {"over_refund": "amount_too_large", "not_captured": "payment_intent_unexpected_state"}


def made(body: Body) -> Body:
    """A new refund, of all that is left unless an amount is given. Raises Refused."""
    forms.known_only(body, "payment_intent amount reason metadata")
    bank = the_bank()
    payment_intent = forms.text(body, "payment_intent")
    payment = bank.books.first(Payment, "id = ? AND tongue = ?", bank_id(payment_intent, "pi"), TONGUE)
    if payment is None:
        raise Refused(400, f"No such payment_intent: '{payment_intent}'", "resource_missing", "payment_intent")
    left = payment.captured - payment.charged_back - _promised(payment)
    if payment.status == "succeeded" and left <= 0:
        raise Refused(400, f"Charge {payment.id} has already been refunded.", "charge_already_refunded")
    amount = forms.number(body, "amount", required=False) or max(left, 1)
    reason = forms.choice(body, "reason", "duplicate fraudulent requested_by_customer none", "none")
    metadata = forms.metadata(body)
    kept = {"metadata": metadata, "reason": None if reason == "none" else reason}
    order_id = str(metadata.get("order_id", ""))
    if order_id and bank.books.first(Refund, "order_id = ?", order_id):
        order_id = ""  # Stripe does not mind, the books do
    try:
        refund, _ = bank.returns.refund(
            payment.id, amount, payment.currency, order_id=order_id, reason=reason, extra=json.dumps(kept)
        )
    except Refusal as refusal:
        raise Refused(400, refusal.message, _CODES.get(refusal.code, refusal.code), "amount") from None
    return Shapes(bank.journal).refund(refund)


def by_id(refund_id: str) -> Refund:
    """The refund with that id. Raises Refused (404)."""
    refund = the_bank().books.first(Refund, "id = ?", bank_id(refund_id, "re"))
    if refund is None or not is_ours(refund):
        raise Refused(404, f"No such refund: '{refund_id}'", "resource_missing", "refund")
    return refund


def is_ours(refund: Refund) -> bool:
    """Whether its payment was made in this protocol."""
    return the_bank().books.first(Payment, "id = ? AND tongue = ?", refund.payment_id, TONGUE) is not None


def _promised(payment: Payment) -> int:
    made = the_bank().books.select(Refund, "payment_id = ? AND status <> 'declined'", payment.id)
    return sum(refund.amount for refund in made)
