"""The merchant's end of the bank's API, bare: what the sandbox acquirer would hide."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import requests

from tests.local_bank import LocalBank


class Wire:
    """Speaks to a bank's public port as its merchant."""

    def __init__(self, bank: LocalBank) -> None:
        self.bank = bank
        self.auth = (bank.merchant, bank.secret)

    def order(self, **changes: Any) -> dict[str, Any]:
        base = {"order_id": str(uuid4()), "amount": 29900, "currency": "RUB", "description": "Films, one month"}
        return base | {"return_url": "https://shop.example/back"} | changes

    def post(self, path: str, body: Any, key: str = "", timeout: float = 10, url: str = "") -> requests.Response:
        headers = {"Idempotency-Key": key} if key else {}
        address = (url or self.bank.url) + path
        return self.bank.http.post(address, json=body, headers=headers, auth=self.auth, timeout=timeout)

    def get(self, path: str, **params: str) -> requests.Response:
        return self.bank.http.get(self.bank.url + path, params=params, auth=self.auth, timeout=10)

    def open(self, **changes: Any) -> dict[str, Any]:
        answer = self.post("/api/payments", self.order(**changes))
        assert answer.status_code == 201, answer.text
        return answer.json()

    def payment(self, payment: dict[str, Any]) -> dict[str, Any]:
        return self.get(f"/api/payments/{payment['id']}").json()

    def paid(self, **changes: Any) -> dict[str, Any]:
        payment = self.open(**changes)
        self.bank.pay(payment["payment_url"])
        return self.payment(payment)

    def submit(self, payment: dict[str, Any], **form: str) -> requests.Response:
        # Its own connection: several of these run at once in a test of two clicks.
        return requests.post(payment["payment_url"], data=form, allow_redirects=False, timeout=10)

    def code(self, payment: dict[str, Any], **form: str) -> requests.Response:
        return requests.post(f"{payment['payment_url']}/3ds", data=form, allow_redirects=False, timeout=10)
