"""A customer's story, told by the real verbs against the real bank, with a clock that only the story moves."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from moneyed import Money

from accounts.models import User
from billing import ledger
from billing.models import Payment, Refund
from subscriptions import cancellation, entitlements, lifecycle
from subscriptions.models import Subscription
from tests.local_bank import LocalBank
from tests.things import now, run_until_idle, viewer


class Story:
    """One customer; `acquirer` is our name of the bank. `wait` moves the story's time `at` and lets the sweeps run."""

    acquirer = "sandbox"

    def __init__(self, bank: LocalBank) -> None:
        self.bank = bank
        self.at: datetime = now()
        self.user: User = viewer()
        self.payment_id: uuid.UUID | None = None
        self.subscription_id: uuid.UUID | None = None

    def subscribe(self, plan: str = "month", **order: object) -> Payment:
        """Chooses a plan and comes to the bank's page."""
        begun = lifecycle.subscribe(
            self.user.pk,
            lifecycle.Order(plan=plan, return_url="http://shop.example/payments/{payment}/", **order),
            actor=f"user:{self.user.pk}",
            at=self.at,
        )
        self.payment_id, self.subscription_id = begun.payment.pk, begun.subscription.pk
        return begun.payment

    def pay(self, card: str = "4242424242424242") -> str:
        """Types a card on the bank's page; returns where the bank leads back to."""
        return self.bank.pay(self.payment.redirect_url, card)

    def cancel(self, expected: str | None = None) -> cancellation.Cancelled:
        """Cancels, as the customer does."""
        assert self.subscription_id
        return cancellation.cancel(
            self.subscription_id,
            actor=f"user:{self.user.pk}",
            at=self.at,
            expected_refund=Money(expected, "RUB") if expected else None,
        )

    def wait(self, **step: float) -> None:
        """Lets time pass; then worker and beat do what is due."""
        self.at += timedelta(**step)
        run_until_idle(self.at)

    @property
    def payment(self) -> Payment:
        return Payment.objects.get(pk=self.payment_id)

    @property
    def subscription(self) -> Subscription:
        return Subscription.objects.get(pk=self.subscription_id)

    @property
    def refund(self) -> Refund:
        return Refund.objects.get(payment__user=self.user)

    @property
    def watches(self) -> bool:
        """Whether films play for the customer now."""
        return entitlements.may(self.user.pk, "cinema", at=self.at)

    def charges(self) -> list[dict[str, object]]:
        """The charges in which the bank really took money."""
        return [o for o in self.bank.operations() if o["kind"] == "charge" and o["state"] == "succeeded"]

    def agree(self) -> None:
        """Bank, payments and ledger agree to the kopeck."""
        done = [o for o in self.bank.operations() if o["state"] == "succeeded"]
        in_bank = sum(int(o["amount"]) * (1 if o["kind"] == "charge" else -1) for o in done)
        ours = sum(payment.captured for payment in Payment.objects.all())
        back = sum(refund.amount for refund in Refund.objects.filter(status="succeeded"))
        cash = ledger.balance(ledger.cash(self.acquirer, "RUB"))
        assert in_bank == ours - back == int(cash.amount * 100)
