"""The same thing done by fifty at one moment, over real connections: a live server of ours and the real bank."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import requests
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import User
from billing import audit
from billing.models import Callback, Event, Invoice, Payment, Refund, Transfer
from subscriptions.models import Subscription
from tests.acquiring.shop import Shop
from tests.local_bank import LocalBank
from tests.things import now, run_until_idle, viewer


class Answer:
    """What one of the crowd got."""

    def __init__(self, status: int, told: Any) -> None:
        self.status, self.told = status, told

    @property
    def word(self) -> str:
        """The status, or the code of the refusal."""
        return str(self.told["code"]) if self.status >= 400 and isinstance(self.told, dict) else str(self.status)


class World:
    """One customer, one clerk, the shop and the bank. The bank's callbacks go to `post_box` and no further."""

    def __init__(self, url: str, bank: LocalBank, post_box: Shop) -> None:
        self.url, self.bank, self.post_box = url, bank, post_box
        self.customer = viewer()
        self.clerk = User.objects.create_superuser("clerk@example.com", "secret-enough")

    def post(self, path: str, body: dict[str, Any], key: str = "", by: User | None = None) -> Answer:
        """A request to the API by the customer, or somebody else."""
        headers = {"Authorization": f"Bearer {AccessToken.for_user(by or self.customer)}"}
        return self.send(
            f"{self.url}/api/v1/{path}", json=body, headers=headers | ({"Idempotency-Key": key} if key else {})
        )

    def send(self, url: str, **parts: Any) -> Answer:
        """A POST on a connection of its own."""
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(url, timeout=60, allow_redirects=False, **parts)
        is_json = "json" in answer.headers.get("Content-Type", "")
        return Answer(answer.status_code, answer.json() if is_json else answer.text)

    def chosen(self) -> dict[str, Any]:
        """A checkout that waits for the card."""
        begun = self.post("subscriptions/subscribe", {"plan": "month"})
        assert begun.status == 201, begun.told
        return dict(begun.told)

    def at_the_bank(self) -> dict[str, Any]:
        """A checkout that was paid, and nobody told us."""
        begun = self.chosen()
        self.bank.pay(begun["redirect_url"])
        return begun

    def bought(self) -> dict[str, Any]:
        """A subscription that runs."""
        begun = self.at_the_bank()
        assert self.post("payments/check", {"payment": begun["payment"]}).told["status"] == "succeeded"
        run_until_idle(now())
        return begun

    def effects(self) -> dict[str, int]:
        """How much of everything there is five minutes later, here and at the bank; nothing is left out but zeros."""
        run_until_idle(now() + timedelta(minutes=5))
        lines = [line["kind"] for line in self.bank.operations() if line["state"] == "succeeded"]
        counts = {
            "subscriptions": Subscription.objects.count(),
            "invoices": Invoice.objects.count(),
            "payments": Payment.objects.count(),
            "paid": Payment.objects.filter(status="succeeded").count(),
            "activated": Event.objects.filter(kind="subscription.activated").count(),
            "cancelled": Event.objects.filter(kind="subscription.cancelled").count(),
            "abandoned": Event.objects.filter(kind="subscription.abandoned").count(),
            "callbacks": Callback.objects.count(),
            "refunds": Refund.objects.count(),
            "transfers": Transfer.objects.count(),
            "charged at the bank": lines.count("charge"),
            "given back at the bank": lines.count("refund"),
        }
        return {name: count for name, count in counts.items() if count}

    @staticmethod
    def is_right() -> None:
        """The audit finds nothing."""
        assert [finding.check.name for finding in audit.run(at=now()).breaches] == []
