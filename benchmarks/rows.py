"""What the bare statements and the filled rows share: the columns that no trip is about."""

from __future__ import annotations

import json

from benchmarks.bank import PRICE

EVENT = {"actor": "'system'", "reason": "''", "user_id": "user_id", "request_id": "''", "at": "now()"}

AT_THE_BANK = {  # a payment that waits for the customer, as SQL
    "status": "'pending'",
    "amount": str(PRICE),
    "currency": "'RUB'",
    "captured": "0",
    "refunded": "0",
    "charged_back": "0",
    "surplus": "false",
    "acquirer": "'sandbox'",
    "acquirer_payment_id": "'pay_' || payment_id",
    "save_card": "false",
    "card": "''",
    "return_url": "'http://shop.invalid/payments/' || payment_id",
    "redirect_url": "'http://bank.invalid/pay/pay_' || payment_id",
    "decline": "''",
    "decline_code": "''",
    "decline_message": "''",
    "raw": "'{}'",
    "widget": "'{}'",
    "next_check_at": "now() + interval '1 hour'",
    "checks": "0",
    "parked": "''",
}


def told(description: str, **more: str) -> str:
    """What an event tells, as long as the product's."""
    data = {
        "amount": "299.00",
        "currency": "RUB",
        "spoken": "299 ₽",
        "invoice": "00000000-0000-0000-0000-000000000000",
        "invoice_number": "1",
        "purpose": "subscription",
        "description": description,
        "acquirer": "sandbox",
        "card": "Visa 4242",
        "decline": "",
        "decline_message": "",
    }
    return json.dumps(data | more)
