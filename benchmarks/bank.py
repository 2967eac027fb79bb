"""The local bank without a wire: the real backend and its HTTP client, answered inside the process at once.

Of a payment it knows nothing but its id, so its answers are right for the trips measured here and for nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import BaseAdapter

from acquiring.backends.sandbox import Sandbox

KEY = "benchmark"
PRICE = 29_900  # kopecks
TAKES = 0.3  # seconds to charge a saved card
AT = "2026-01-01T00:00:00+00:00"


def at_once() -> Sandbox:
    """The backend that `settings.ACQUIRERS` names."""
    return Sandbox("http://bank.invalid", "shop", KEY, [KEY], "http://shop.invalid/callback", adapter=_AtOnce())


def reference(payment_id: uuid.UUID | str) -> str:
    """The bank's id of a payment of ours."""
    return f"pay_{payment_id}"


def paid(payment_id: uuid.UUID) -> tuple[bytes, dict[str, str]]:
    """The callback that tells of a payment made: body and headers."""
    note = {
        "id": f"evt_{payment_id}",
        "type": "payment.succeeded",
        "object": _payment(str(payment_id), PRICE, "succeeded"),
    }
    body = json.dumps(note).encode()
    signature = base64.b64encode(hmac.new(KEY.encode(), body, hashlib.sha256).digest()).decode()
    return body, {"X-Bank-Signature": signature}


def _payment(order: str, amount: int, status: str) -> dict[str, Any]:
    made = status == "succeeded"
    card = {"token": None, "mask": "4242", "brand": "visa", "exp_month": 12, "exp_year": 2038}
    return {
        "id": reference(order),
        "order_id": order,
        "kind": "payment",
        "amount": amount,
        "captured": amount if made else 0,
        "refunded": 0,
        "charged_back": 0,
        "currency": "RUB",
        "description": "Monthly",
        "customer": "",
        "status": status,
        "decline": None,
        "card": card if made else None,
        "payment_url": f"http://bank.invalid/pay/{reference(order)}",
        "created_at": AT,
        "updated_at": AT,
        "finished_at": AT if made else None,
        "expires_at": None,
    }


def _refund(order: Mapping[str, Any]) -> dict[str, Any]:
    more = {"kind": "refund", "status": "succeeded", "decline": None, "created_at": AT, "updated_at": AT}
    return {**order, "id": f"ref_{order['order_id']}", **more}


class _AtOnce(BaseAdapter):
    """`TAKES` seconds to charge a saved card; everything else at once."""

    def send(self, request: requests.PreparedRequest, *args: object, **kwargs: object) -> requests.Response:
        answer = requests.Response()
        answer.status_code, answer.request, answer.url = 200, request, str(request.url)
        order = json.loads(request.body or "{}")
        is_refund = str(request.url).endswith("/refunds")
        if is_refund:
            told = _refund(order)
        elif order.get("token"):
            time.sleep(TAKES)
            told = _payment(order["order_id"], order["amount"], "succeeded")
        else:
            told = _payment(order["order_id"], order["amount"], "created")
        answer._content = json.dumps(told).encode()
        return answer

    def close(self) -> None:
        """Nothing is open."""
