"""What the acquirer in memory knows of one charge or refund, and how it tells it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from moneyed import Money

from acquiring.types import Card, Decline, Outcome, Status, Subject
from billing import money

CARD = Card(token="tok_fake_4242", mask="•••• 4242", brand="Visa", exp_month=12, exp_year=2030)
FINAL = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)


@dataclass(slots=True)
class Operation:
    """The truth about one charge or refund."""

    subject: Subject
    our_id: str
    reference: str
    amount: Money | None
    status: Status
    card: Card | None = None
    payment_our_id: str = ""
    of: str = ""  # the reference of the payment that a refund returns
    charged_back: Money | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


def wire(operation: Operation) -> dict[str, Any]:
    return {
        "reference": operation.reference,
        "status": operation.status.value,
        "amount": money.to_minor(operation.amount) if operation.amount else None,
        "currency": operation.amount.currency.code if operation.amount else None,
    }


def told(operation: Operation) -> Outcome:
    outcome = Outcome(
        operation.status,
        reference=operation.reference,
        our_id=operation.our_id,
        amount=operation.amount,
        charged_back=operation.charged_back,
        card=operation.card,
        occurred_at=operation.at if operation.status in FINAL else None,
        raw=wire(operation),
    )
    if operation.status == Status.FAILED:
        return replace(outcome, decline=Decline.ANOTHER_CARD, code="insufficient_funds", message="Not enough money.")
    if operation.status == Status.PENDING and operation.subject == Subject.PAYMENT:
        return replace(outcome, redirect_url=f"https://bank.example/pay/{operation.reference}")
    return outcome
