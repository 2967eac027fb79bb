"""YooKassa's notifications: four events, no signature, and 200 is the only answer that ends them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from acquiring.bank.letters import Letter
from acquiring.bank.records import Payment, Refund
from acquiring.bank.yookassa.objects import payment_object, refund_object

if TYPE_CHECKING:
    from acquiring.bank.house import Config
    from acquiring.bank.journal import Journal

# A refund that is cancelled and a chargeback are told of by nobody.
EVENTS = {
    "payment.succeeded": "payment.succeeded",
    "payment.authorized": "payment.waiting_for_capture",
    "payment.declined": "payment.canceled",
    "payment.voided": "payment.canceled",
    "payment.expired": "payment.canceled",
    "refund.succeeded": "refund.succeeded",
}
MERCHANT = "100500"  # what a notification says of its recipient


class YooKassa:
    """YooKassa's way to write to merchants."""

    def letters(self, journal: Journal, kind: str, payment: Payment, refund: Refund | None) -> list[Letter]:
        """One notification, or none."""
        event = EVENTS.get(kind)
        if event is None:
            return []
        content = refund_object(journal, refund) if refund else payment_object(journal, payment, MERCHANT)
        news = {"type": "notification", "event": event, "object": content}
        about = refund.id if refund else payment.id
        return [Letter(journal.new_id("ntc"), event, about, json.dumps(news, ensure_ascii=False))]

    def headers(self, config: Config, body: bytes, forged: bool) -> dict[str, str]:
        """Nothing tells a forged one from a true one."""
        return {"Content-Type": "application/json"}

    def received(self, status: int, answer: bytes) -> bool:
        """200, and nothing else."""
        return status == 200
