"""T-Bank's JSON as the tests of its translation give it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from moneyed import Money

from acquiring.backends.tbank import TBank, signing
from acquiring.types import (
    Charge,
    Notice,
    RefundOrder,
)

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PRICE = Money("299.00", "RUB")
OURS = "9a512a70-de71-4405-b983-1377e15ebc02"
ORDER = RefundOrder(
    "e0000000-0000-4000-8000-000000000001", OURS, "3093639567", Money("100.00", "RUB"), "changed my mind"
)
STATE = {
    "Success": True, "ErrorCode": "0", "Message": "OK", "TerminalKey": "T", "Status": "CONFIRMED",
    "PaymentId": "3093639567", "OrderId": OURS, "Amount": 29900, "Params": [{"Key": "Route", "Value": "ACQ"}],
}  # fmt: skip
NEWS = {
    "TerminalKey": "T", "OrderId": OURS, "Success": True, "Status": "CONFIRMED", "PaymentId": 3093639567,
    "ErrorCode": "0", "Amount": 29900, "RebillId": 3207469334, "CardId": 10452089, "Pan": "430000******0777",
    "ExpDate": "0229", "Data": {"Route": "TCB"},
}  # fmt: skip


def acquirer(**options: Any) -> TBank:
    return TBank("T", options.pop("passwords", ["pass"]), "https://shop.example/callbacks/tbank", **options)


def news(**changes: Any) -> bytes:
    told = {name: value for name, value in (NEWS | changes).items() if value is not ...}
    return json.dumps(told | {"Token": signing.token(told, "pass")}).encode()


def read(**changes: Any) -> Notice:
    return acquirer().parse("", {}, news(**changes))


def order(**changes: Any) -> Charge:
    given: dict[str, Any] = {"our_id": OURS, "amount": PRICE, "description": "Films " * 50, "customer_id": "7"}
    return Charge(**(given | {"customer_email": "a@b.c", "return_url": "https://shop.example/"} | changes))
