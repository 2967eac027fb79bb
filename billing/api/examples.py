"""True examples for the OpenAPI page; a test compares them with real answers."""

from __future__ import annotations

from typing import Any

SUBSCRIPTION = "0d4f2c6e-3b0a-4f57-9a67-6a1f0a9c2b11"
INVOICE = "5b0f3a7e-8d1c-4c1a-b0f4-2f6f9b1d7c22"
PAYMENT = "9e107d9d-372b-4b6a-8f5f-3c7e5a8d1e33"
REFUND = "c1a5298f-939e-4f5b-bf2a-8e2f7d6c4a44"

REFUND_JSON: dict[str, Any] = {
    "id": REFUND,
    "payment": PAYMENT,
    "status": "succeeded",
    "amount": "224.00",
    "currency": "RUB",
    "reason": "The film did not start",
    "explanation": "224.00\u00a0₽ of the 2\u00a0699.00\u00a0₽ paid on 20 November 2026, 20:03 MSK (invoice 1007) goes "
    "back the way it came, to Visa •••• 4242 through sandbox. Made on 21 November 2026, 12:30 MSK. "
    "It was given back by us. Of that payment, 224.00\u00a0₽ goes back in all and 2\u00a0475.00\u00a0₽ is left.",
    "created_at": "2026-11-21T09:30:00Z",
    "settled_at": "2026-11-21T09:30:01Z",
}
PAYMENT_JSON: dict[str, Any] = {
    "id": PAYMENT,
    "status": "succeeded",
    "amount": "2699.00",
    "currency": "RUB",
    "captured": "2699.00",
    "refunded": "224.00",
    "acquirer": "sandbox",
    "acquirer_payment_id": "pay_7Kd2",
    "subscription": SUBSCRIPTION,
    "invoice": INVOICE,
    "card": "Visa •••• 4242",
    "redirect_url": None,
    "widget": None,
    "decline": None,
    "refunds": [REFUND_JSON],
    "created_at": "2026-11-20T17:02:11Z",
    "settled_at": "2026-11-20T17:03:40Z",
    "explanation": "2\u00a0699.00\u00a0₽ for One year, 12 months (invoice 1007), by Visa •••• 4242 through sandbox. "
    "Paid on 20 November 2026, 20:03 MSK. It pays for term 1 of One year: 12 months, from 20 November 2026, 20:03 MSK "
    "to 20 November 2027, 20:03 MSK. The price of 2\u00a0699.00\u00a0₽ for 12 months counts since 1 January 2026. "
    "Given back: 224.00\u00a0₽ (made).",
}
WAITING_JSON = PAYMENT_JSON | {
    "status": "pending",
    "captured": "0.00",
    "refunded": "0.00",
    "card": "",
    "redirect_url": "https://bank.example/pay/pay_7Kd2",
    "refunds": [],
    "settled_at": None,
    "explanation": "2\u00a0699.00\u00a0₽ for One year, 12 months (invoice 1007), through sandbox. "
    "Waiting for the customer on the bank's page. It pays for term 1 of One year: 12 months, which begins when it is "
    "paid. The price of 2\u00a0699.00\u00a0₽ for 12 months counts since 1 January 2026.",
}
INVOICE_JSON: dict[str, Any] = {
    "id": INVOICE,
    "number": 1007,
    "status": "open",
    "purpose": "subscription",
    "subscription": SUBSCRIPTION,
    "total": "2699.00",
    "currency": "RUB",
    "lines": [
        {
            "product": "plan:year",
            "description": "One year, 12 months",
            "quantity": 1,
            "unit_price": "2699.00",
            "discount": "0.00",
            "amount": "2699.00",
        }
    ],
    "created_at": "2026-11-20T17:02:11Z",
    "expires_at": "2026-11-20T18:02:11Z",
    "paid_at": None,
}
WALLET_JSON: dict[str, Any] = {
    "balance": "500.00",
    "currency": "RUB",
    "wallets": [{"balance": "500.00", "currency": "RUB"}],
}
LINE_JSON: dict[str, Any] = {
    "id": 4711,
    "at": "2026-11-20T17:03:40Z",
    "amount": "500.00",
    "currency": "RUB",
    "balance": "500.00",
    "description": "Payment of invoice 1008",
    "reference": f"payment:{PAYMENT}",
}
TOP_UP_JSON: dict[str, Any] = {
    "invoice": INVOICE,
    "payment": PAYMENT,
    "confirmation_url": "https://bank.example/pay/pay_7Kd2",
}
ORDERED_JSON: dict[str, Any] = {
    "redirect_url": "https://bank.example/pay/pay_7Kd2",
    "invoice_guid": INVOICE,
    "payment": PAYMENT,
}
ORDER_JSON: dict[str, Any] = {
    "invoice_guid": INVOICE,
    "user_guid": "3f2a1b0c-5d4e-4f6a-8b7c-9d0e1f2a3b44",
    "number": 1009,
    "status": "paid",
    "product": {"id": 7, "code": "popcorn", "name": "Popcorn", "count": 2},
    "price": {"amount": "298.00", "currency": "RUB"},
    "from": "2026-11-20T17:03:40Z",
    "to": None,
    "refunded": "0.00",
    "created_at": "2026-11-20T17:02:11Z",
}


def page(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"results": list(rows), "next": None, "previous": None}
