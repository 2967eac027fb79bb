"""The local bank as Stripe, for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import stripe

from acquiring.backends.stripe import Stripe
from tests.acquiring.far import BankFar
from tests.acquiring.shop import Delivery, Shop
from tests.local_bank import LocalBank, eventually

# The event that tells of the payment, and then the one that tells of its refund.
TELLING = ("payment_intent.succeeded", "refund.created")


def backend(bank: LocalBank, timeout: float = 10.0, **options: object) -> Stripe:
    """The backend under test, talking to a bank's API port."""
    return Stripe(bank.secret, [bank.callback_secret], f"{bank.api_url}/stripe", timeout, **options)


def sdk(bank: LocalBank) -> stripe.StripeClient:
    """Stripe's own client, pointed at the bank."""
    address = {"api": f"{bank.api_url}/stripe"}
    return stripe.StripeClient(bank.secret, base_addresses=address, max_network_retries=0)


class StripeFar(BankFar):
    """The local bank as the contract moves it."""

    def __init__(self, bank: LocalBank, shop: Shop) -> None:
        super().__init__(bank, shop)
        sdk(bank).v1.webhook_endpoints.create({"url": shop.url, "enabled_events": ["*"]})

    def callback(self, number: int) -> tuple[str, dict[str, str], bytes]:
        delivery = self.event(TELLING[number])
        return "", delivery.headers, delivery.body

    def event(self, kind: str) -> Delivery:
        """The first event of this kind, as soon as it is here."""
        return eventually(lambda: [each for each in self.shop.deliveries if each.data["type"] == kind])[0]


def lately() -> datetime:
    """Before anything that this test has sent."""
    return datetime.now(UTC) - timedelta(minutes=1)
