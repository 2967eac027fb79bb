"""What subscribers make of their year: who pays at once, late or never, cancels, comes back, clicks twice."""

from __future__ import annotations

from datetime import timedelta

from billing.models import Payment
from simulation.shop import Visitor
from subscriptions.models import Subscription

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Subscriber(Visitor):
    """One life in the shop. Each visit looks where things stand, does one thing, and says when the next one is."""

    def live(self) -> None:
        """Comes for the first time within the first weeks."""
        self.later(self.visit, MINUTE, 90 * DAY)

    def visit(self) -> None:
        """One visit."""
        subscription = self.subscription()
        if subscription is None:
            self._choose()
        elif subscription.status == Subscription.Status.PENDING:
            self._at_checkout(subscription)
        else:
            self._watch_films(subscription)

    def _choose(self) -> None:
        if self.world.trouble(0.1):
            self.pay_old_page()
        if self.dice.random() < 0.3:
            self.later(self.visit, 20 * DAY, 150 * DAY)
            return
        key = f"{self.number}-{self.world.diary.step}" if self.dice.random() < 0.5 else None
        self.subscribe(self.order(key=key))
        self.later(self.visit, MINUTE / 6, 4 * MINUTE)

    def _at_checkout(self, subscription: Subscription) -> None:
        payment = self.payment()
        if payment is None or payment.invoice.period.subscription_id != subscription.pk:
            self.subscribe(self.order(subscription.plan.code))  # the process died; the customer clicks again
        elif payment.status == Payment.Status.PENDING:
            self._on_the_page(subscription, payment)
            return
        elif payment.is_live:
            self.look(payment)
        elif (card := self.card()) and self.dice.random() < 0.6:
            self.pay_by_saved_card(subscription, card)
        else:
            self.pay_again(subscription)
        waits = payment is not None and self.world.now - payment.created_at > HOUR
        if waits or self.world.result.startswith(("refused", "failed")):
            self.later(self.visit, HOUR, 2 * DAY)  # comes back when it works again
        else:
            self.later(self.visit, MINUTE / 3, 20 * MINUTE)

    def _on_the_page(self, subscription: Subscription, payment: Payment) -> None:
        draw = self.dice.random()
        if draw < 0.68:
            self.pay(payment)
            self.later(self._return, timedelta(seconds=2), MINUTE)
        elif draw < 0.74:
            self.leave(payment)
            self.later(self.visit, MINUTE, 30 * DAY)
        elif draw < 0.82:
            self.subscribe(self.order())  # perhaps another plan
            self.later(self.visit, MINUTE / 6, 10 * MINUTE)
        elif draw < 0.87:
            self.cancel(subscription)
            self.later(self.visit, HOUR, 40 * DAY)
        elif draw < 0.94:
            self.later(self.visit, 50 * MINUTE, 3 * HOUR)  # the page expires, or nearly
        else:
            self.later(self.visit, 2 * DAY, 60 * DAY)  # gives up

    def _return(self) -> None:
        """Back from the bank: the shop shows how the payment stands."""
        payment = self.payment()
        if payment and self.dice.random() < 0.7:
            self.look(payment)
        if self.world.trouble(0.2):
            self.pay_old_page()
        if self.dice.random() < 0.15:
            self.later(self.visit, 2 * MINUTE, 70 * MINUTE)  # regrets it, about within the hour
        else:
            self.later(self.visit, 20 * DAY, 160 * DAY)

    def _watch_films(self, subscription: Subscription) -> None:
        draw = self.dice.random()
        payment, card = self.payment(), self.card()
        if self.world.trouble(0.2):
            self.pay_old_page()
        recent = payment and payment.settled_at and self.world.now - payment.settled_at < 2 * HOUR
        if draw < (0.8 if recent else 0.3):
            self.cancel(subscription)
            self.later(self.visit, MINUTE, 90 * DAY)
            return
        if draw > 0.9:
            self.subscribe(self.order())  # has one already
        if card and self.dice.random() < 0.3:
            self.remove_card(card)
        self.later(self.visit, 25 * DAY, 160 * DAY)
