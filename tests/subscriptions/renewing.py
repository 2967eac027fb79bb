"""A customer whose subscription renews by card, and a clock that only the test moves."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from acquiring.types import Card, Decline, Outcome, Status
from billing import payments
from billing.models import Event, Invoice, Payment, PaymentMethod
from subscriptions import entitlements, lifecycle
from subscriptions.models import Subscription
from tests.fake_acquirer import CARD, FakeAcquirer
from tests.things import run_until_idle, viewer

QUIET = ("invoice.issued", "payment.created")  # told of every try


def declined(group: Decline = Decline.RETRY_LATER, message: str = "Not enough money.") -> Outcome:
    """The bank's no."""
    return Outcome(Status.FAILED, decline=group, code=group.value, message=message)


class Renewing:
    """One customer's subscription. `at` is the time; `go` moves it and lets the sweeps run, and says what happened."""

    def __init__(self, bank: FakeAcquirer, plan: str, at: datetime, card: Card = CARD, **order: Any) -> None:
        self.bank, self.at, self.user = bank, at, viewer()
        self._seen = 0
        wanted = lifecycle.Order(plan=plan, **{"auto_renew": True, **order})
        begun = lifecycle.subscribe(self.user.pk, wanted, actor="test", at=at)
        self.id = begun.subscription.pk
        bank.pay(begun.payment.pk, card)
        payments.check(begun.payment.pk, at=at)
        self.go(at)

    def go(self, at: datetime) -> list[str]:
        """Moves the clock and lets the sweeps run. Returns the kinds of the events since the last look."""
        self.at = at
        run_until_idle(at)
        return self.news()

    def news(self) -> list[str]:
        rows = list(Event.objects.filter(pk__gt=self._seen).exclude(kind__in=QUIET).order_by("id"))
        self._seen = rows[-1].pk if rows else self._seen
        return [row.kind for row in rows]

    @property
    def row(self) -> Subscription:
        return Subscription.objects.select_related("plan", "price", "method").get(pk=self.id)

    @property
    def payments(self) -> list[Payment]:
        return list(Payment.objects.filter(user=self.user).order_by("created_at"))

    @property
    def invoices(self) -> list[str]:
        return list(Invoice.objects.filter(user=self.user).order_by("number").values_list("status", flat=True))

    @property
    def card(self) -> PaymentMethod:
        return PaymentMethod.objects.filter(user=self.user).latest("created_at")

    @property
    def taken(self) -> int:
        """Kopecks that the bank really holds for us."""
        rows = self.bank.operations.values()
        sums = ((1 if row.payment_our_id == "" else -1, row) for row in rows if row.status == Status.SUCCEEDED)
        return sum(sign * int(row.amount.amount * 100) for sign, row in sums if row.amount)

    def watches(self, after: timedelta = timedelta()) -> bool:
        return entitlements.may(self.user.pk, "cinema", at=self.at + after)
