"""Why YooKassa cancelled a payment or a refund, in our five groups and in a sentence."""

from __future__ import annotations

from datetime import timedelta

from acquiring.types import Decline

# Cancelled before money moved, and nobody declined anything.
CLOSED = {
    "canceled_by_merchant": "The payment was cancelled by the shop.",
    "expired_on_confirmation": "The time to pay is over.",
    "expired_on_capture": "The time to take the held sum is over.",
}
GENERAL = "general_decline"
PAYMENTS: dict[str, tuple[Decline, str]] = {
    "insufficient_funds": (Decline.RETRY_LATER, "There is not enough money on the card."),
    "payment_method_limit_exceeded": (Decline.RETRY_LATER, "The payment is over the card's limit."),
    "issuer_unavailable": (Decline.RETRY_LATER, "The card's bank did not answer."),
    "internal_timeout": (Decline.RETRY_LATER, "The payment could not be processed just now."),
    GENERAL: (Decline.RETRY_LATER, "The card's bank declined the payment and gave no reason."),
    "call_issuer": (Decline.ANOTHER_CARD, "The card's bank declined the payment: please ask it, or use another card."),
    "fraud_suspected": (Decline.ANOTHER_CARD, "The payment was declined: please use another card."),
    "payment_method_restricted": (Decline.ANOTHER_CARD, "The card does not allow such payments."),
    "country_forbidden": (Decline.ANOTHER_CARD, "Cards of that country are not accepted."),
    "card_expired": (Decline.ANOTHER_CARD, "The card has expired."),
    "invalid_card_number": (Decline.ANOTHER_CARD, "The card number is not right."),
    "invalid_csc": (Decline.ANOTHER_CARD, "The card's security code is not right."),
    "unsupported_mobile_operator": (Decline.ANOTHER_CARD, "That mobile operator is not supported."),
    "3d_secure_failed": (Decline.CUSTOMER_ACTION, "The payment was not confirmed with the card's bank."),
    "identification_required": (Decline.CUSTOMER_ACTION, "The wallet must be identified first."),
    "permission_revoked": (Decline.STOP, "You have withdrawn the permission to charge this card."),
    "deal_expired": (Decline.OUR_FAULT, "The deal of this payment is over."),
}
REFUNDS: dict[str, tuple[Decline, str]] = {
    GENERAL: (Decline.RETRY_LATER, "The refund was declined and no reason was given."),
    "insufficient_funds": (Decline.OUR_FAULT, "The shop's balance does not suffice for this refund."),
    "rejected_by_payee": (Decline.CUSTOMER_ACTION, "The customer did not accept the refund."),
    "rejected_by_timeout": (Decline.RETRY_LATER, "The customer did not accept the refund in time."),
    "yoo_money_account_closed": (Decline.ANOTHER_CARD, "The customer's wallet is closed."),
    "payment_basket_id_not_found": (Decline.OUR_FAULT, "The basket of this payment was not found."),
}
# "Not before tomorrow", counted from when the payment was made.
TRY_AGAIN_AFTER = {"payment_method_limit_exceeded": timedelta(days=1)}
