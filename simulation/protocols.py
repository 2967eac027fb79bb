"""The acquirers of a town: how our side is set up for each protocol, and what a payment is called on both sides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from acquiring.backends.tbank.mapping import our_id_of
from acquiring.bank.cloudpayments import model
from acquiring.bank.house import Bank
from acquiring.bank.records import Payment, Refund
from acquiring.bank.stripe import names as stripe
from acquiring.bank.tbank import shapes
from acquiring.bank.yookassa import names as yookassa

if TYPE_CHECKING:
    from simulation.world import World

BANK, SHOP = "http://bank.invalid", "http://shop.invalid"
OWN = ("sandbox", "held")  # the bank's own protocol; the second holds a sum first, and takes it when staff say so
BACKENDS = {
    "sandbox": "acquiring.backends.sandbox.Sandbox",
    "held": "acquiring.backends.sandbox.Sandbox",
    "cloudpayments": "acquiring.backends.cloudpayments.CloudPayments",
    "yookassa": "acquiring.backends.yookassa.YooKassa",
    "stripe": "acquiring.backends.stripe.Stripe",
    "tbank": "acquiring.backends.tbank.TBank",
}
ALL = tuple(BACKENDS)
FISCAL = frozenset({"cloudpayments", "yookassa", "tbank"})  # have a cash register; in some towns it is in use
RECEIPTS = {"tax_system": "usn_income", "vat": "none", "subject": "service", "mode": "full_payment"}
# What such an acquirer tells in no way, so that nobody can book it: a dispute, a payment of an order that is not ours,
# how much of a payment was given back in its cabinet, unless it was all of it.
TELLS_NO_DISPUTES = frozenset({"yookassa", "tbank"})
TELLS_NO_STRANGERS = TELLS_NO_PARTS = frozenset({"tbank"})


def callback_url(name: str) -> str:
    """Where a bank's callbacks go that come with no address of their payment; its own protocol always names one."""
    return "" if name in OWN else f"{SHOP}/{name}"


def options(name: str, bank: Bank, world: World) -> Mapping[str, Any]:
    """What the backend of this name is set up with, but for the way to its bank."""
    config = bank.config
    secrets = [config.callback_secret]
    match name:
        case "cloudpayments":
            return {
                "url": f"{BANK}/cloudpayments",
                "public_id": config.merchant,
                "api_secret": config.secret,
                "callback_secrets": secrets,
            }
        case "yookassa":
            return {
                "url": f"{BANK}/yookassa/v3",
                "shop_id": config.merchant,
                "secret_key": config.secret,
                "sleep": lambda seconds: world.pass_time(world.now + timedelta(seconds=seconds)),
            }
        case "stripe":
            return {
                "url": f"{BANK}/stripe",
                "secret_key": config.secret,
                "callback_secrets": secrets,
                "now": lambda: world.now,
            }
        case "tbank":
            return {
                "url": f"{BANK}/tbank/v2",
                "terminal_key": config.merchant,
                "passwords": [config.secret],
                "callback_url": f"{SHOP}/{name}",
                "repeat_refunds": True,  # nobody pays by SBP here
                "clock": lambda: world.now,
            }
    return {
        "url": BANK,
        "merchant": config.merchant,
        "secret": config.secret,
        "callback_secrets": secrets,
        "callback_url": f"{SHOP}/{name}",
    }


def payment_reference(bank: Bank, payment: Payment) -> str:
    """What the protocol calls a payment of the bank's books."""
    match payment.tongue:
        case "cloudpayments":
            return str(model.number(bank.books, payment.id))
        case "yookassa":
            return yookassa.theirs(payment.id)
        case "stripe":
            return stripe.rename(payment.id, "pi")
        case "tbank":
            return str(shapes.payment_number(bank.books, payment.id))
    return payment.id


def refund_reference(bank: Bank, refund: Refund, tongue: str) -> str:
    """What the protocol calls a refund; T-Bank gives it no name but ours."""
    match tongue:
        case "cloudpayments":
            return str(model.number(bank.books, refund.id))
        case "yookassa":
            return yookassa.theirs(refund.id)
        case "stripe":
            return stripe.rename(refund.id, "re")
    return refund.id


def payment_of(bank: Bank, name: str, reference: str) -> Payment | None:
    """The payment of the bank's books that the protocol calls so."""
    match name:
        case "cloudpayments":
            found = model.subject_of(bank.books, int(reference or 0))
            return found if isinstance(found, Payment) else None
        case "yookassa":
            reference = yookassa.in_books("pay", reference)
        case "stripe":
            reference = stripe.bank_id(reference, "pi")
        case "tbank":
            return shapes.payment_of(bank.books, reference)
    return bank.books.first(Payment, "id = ?", reference)


def ours(payment: Payment) -> str:
    """Our id of a payment in the bank's books: T-Bank's orders bear a number where they are tried again."""
    return our_id_of(payment.order_id) if payment.tongue == "tbank" else payment.order_id


def ours_of_refund(refund: Refund) -> str:
    """Our id of a refund in the bank's books, or that of a case; "" for the cabinet's.

    Where a protocol has no field for it, it stands in what that protocol keeps besides.
    """
    if refund.order_id or not refund.extra:
        return refund.order_id
    kept = json.loads(refund.extra)
    notes = kept.get("JsonData") or kept.get("metadata") or {}
    return str(notes.get("id") or notes.get("refund_id") or notes.get("order_id") or "")


def taken(bank: Bank, name: str, order: str) -> list[Payment]:
    """The payments of an order of ours for which the bank took money."""
    again = f"{order.replace('-', '')}-%" if name == "tbank" else order
    return bank.books.select(Payment, "(order_id = ? OR order_id LIKE ?) AND captured > 0 ORDER BY seq", order, again)
