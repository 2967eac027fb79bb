"""What subscribers make of their year: who pays at once, late or never, cancels, comes back, clicks twice."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from billing.models import Payment
from simulation.changing import Changes
from simulation.purse import Purse
from simulation.shop import Visitor
from subscriptions import agreements, lifecycle
from subscriptions.models import Subscription

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Subscriber(Visitor):
    """One life in the shop. Each visit looks where things stand, does one thing, and says when the next one is."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.purse = Purse(self)
        self.changes = Changes(self)
        self.restless = self.number % 25 == 7  # looks in every week or two, and always changes something

    def live(self) -> None:
        """Comes for the first time within the first weeks."""
        self.later(self.visit, MINUTE, 200 * DAY)

    def visit(self) -> None:
        """One visit."""
        subscription = self.subscription()
        if subscription is None:
            self._choose()
        elif subscription.status == Subscription.Status.PENDING:
            self._at_checkout(subscription)
        elif subscription.plan.hourly:
            self._by_the_hour(subscription)
        elif subscription.status == Subscription.Status.PAST_DUE:
            self._in_grace(subscription)
        elif subscription.status == Subscription.Status.PAUSED:
            self.changes.resume(subscription)
            self._come_again(subscription)
        else:
            self._watch_films(subscription)

    def _choose(self) -> None:
        if self.world.trouble(0.2):
            self.pay_old_page()
        holds = self.purse.holds()
        if self.restless and not holds and self.dice.random() < 0.4:
            self._pay_soon(self.purse.top_up(), 2 * DAY)
            return
        draw = self.dice.random()
        if draw < 0.3:
            if holds and self.dice.random() < 0.6:
                self.purse.close()
            self.later(self.visit, *((DAY, 16 * DAY) if self.restless else (60 * DAY, 300 * DAY)))
            return
        if draw < 0.36:
            self._pay_soon(self.purse.buy(), 5 * DAY)
            return
        if draw < (0.62 if holds else 0.46):
            self._begin_by_the_hour()
            return
        if draw < (0.66 if holds else 0.52):
            self.changes.try_out()
            self.later(self.visit, HOUR, 8 * DAY)
            return
        key = f"{self.number}-{self.world.diary.step}" if self.dice.random() < 0.5 else None
        self.subscribe(self.order(key=key))
        self.later(self.visit, MINUTE / 6, 4 * MINUTE)

    def _at_checkout(self, subscription: Subscription) -> None:
        payment = self.payment_of(subscription)
        if self.purse.holds() and self.dice.random() < 0.8:
            self.purse.pay(lifecycle.first_invoice(subscription))
        elif payment is None:
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
            same = self.dice.random() < 0.5
            self.subscribe(self.order(subscription.plan.code if same else None))
            self.later(self.visit, MINUTE / 6, 10 * MINUTE)
        elif draw < 0.88:
            self.cancel(subscription)
            self.later(self.visit, HOUR, 40 * DAY)
        elif draw < 0.94:
            self.later(self.visit, 50 * MINUTE, 3 * HOUR)  # the page expires, or nearly
        else:
            self.later(self.visit, 2 * DAY, 60 * DAY)  # gives up

    def _return(self) -> None:
        """Back from the bank: the shop shows how the payment stands."""
        payment = self.payment()
        if payment and self.dice.random() < (0.3 if self.world.unhurried else 0.7):  # else a batch would find it done
            self.look(payment)
        if self.world.trouble(0.4):
            self.pay_old_page()
        if self.dice.random() < 0.15:
            self.later(self.visit, 2 * MINUTE, 70 * MINUTE)  # regrets it, about within the hour
        else:
            self._come_again(self.subscription())

    def _come_again(self, subscription: Subscription | None) -> None:
        """After some months, or about when the term ends."""
        till = subscription.valid_till if subscription else None
        if self.restless:
            self.later(self.visit, DAY, 16 * DAY)
        elif till and till > self.world.now and self.dice.random() < 0.3:
            self.later(self.visit, till - self.world.now - 2 * DAY, till - self.world.now + 2 * DAY, alone=True)
        else:
            self.later(self.visit, 60 * DAY, 330 * DAY)

    def _pay_soon(self, payment: Payment | None, then: timedelta) -> None:
        """Pays on the bank's page for something that is no subscription, mostly; visits again within `then`."""
        if payment and self.dice.random() < 0.85:
            self.later(partial(self._pay_page, payment), MINUTE / 6, 4 * MINUTE)
        self.later(self.visit, 5 * MINUTE, then)

    def _pay_page(self, payment: Payment) -> None:
        payment.refresh_from_db()
        if payment.status == Payment.Status.PENDING:
            self.pay(payment)

    def _begin_by_the_hour(self) -> None:
        if self.purse.holds() and self.dice.random() < 0.9:
            self.purse.start_tariff()
            self.later(self.visit, HOUR, 6 * DAY)
        else:
            self._pay_soon(self.purse.top_up(), HOUR)

    def _by_the_hour(self, subscription: Subscription) -> None:
        """Watches while the money lasts: puts more in before or after it is gone, changes the tariff, or leaves."""
        draw = self.dice.random()
        if draw < 0.35:
            self._pay_soon(self.purse.top_up(), 9 * DAY)
            return
        if draw < 0.6:
            self.purse.change_tariff(subscription)
        elif draw < 0.65:
            self.purse.close()  # a clock runs on it
        elif draw < 0.7 and (card := self.card()):
            self.agree(subscription, card)  # it has no terms that could renew
        elif draw < 0.85:
            self.cancel(subscription)
            if self.dice.random() < 0.6:
                self.purse.close()
            self.later(self.visit, DAY, 60 * DAY)
            return
        self.later(self.visit, HOUR, 20 * DAY)

    def _in_grace(self, subscription: Subscription) -> None:
        """The term is over and the next one is not paid: by another card, on the bank's page, anew, or not at all."""
        draw, card = self.dice.random(), self.card()
        if draw < 0.3 and card:
            self.agree(subscription, card)
        elif draw < 0.7:
            self._pay_soon(self.pay_next_term(subscription), 2 * DAY)
            return
        elif draw < 0.8:
            self.cancel(subscription)
        elif draw < 0.9:
            self.subscribe(self.order())
        self.later(self.visit, HOUR, 3 * DAY)

    def _watch_films(self, subscription: Subscription) -> None:
        if self.restless and self.dice.random() < 0.9:
            self._fidget(subscription)
            return
        draw = self.dice.random()
        payment, card = self.payment(), self.card()
        if self.world.trouble(0.4):
            self.pay_old_page()
        recent = payment and payment.settled_at and self.world.now - payment.settled_at < 2 * HOUR
        if draw < (0.8 if recent else 0.3):
            self.cancel(subscription)
            self.later(self.visit, MINUTE, 200 * DAY)
            return
        if draw > 0.9:
            self.subscribe(self.order())  # has one already
        self._arrange(subscription)
        if card and self.dice.random() < 0.15:
            self.remove_card(card)
        self._come_again(subscription)

    def _fidget(self, subscription: Subscription) -> None:
        """Changes something that was well."""
        draw, card = self.dice.random(), self.card()
        if draw < 0.5:
            self._pay_soon(self.changes.wish(subscription), 16 * DAY)
            return
        if draw < 0.58:
            self._pay_soon(self.purse.top_up(), 2 * DAY)
            return
        if draw < 0.65:
            self.purse.close()
        elif draw < 0.7 and card:
            self.remove_card(card)
        elif subscription.auto_renew:
            self.switch_off(subscription)
        elif card:
            self.agree(subscription, card)
        self.later(self.visit, DAY, 16 * DAY)

    def _arrange(self, subscription: Subscription) -> None:
        """Has the next term charged, or not any more; pays it by hand in its last days; sees to the wallet."""
        draw, card = self.dice.random(), self.card()
        if agreements.may_pay(subscription, at=self.world.now) and draw < 0.6:
            if draw < 0.35:
                self.changes.think_ahead(subscription)
            self._pay_soon(self.pay_next_term(subscription), DAY)
        elif subscription.auto_renew:
            if draw < 0.15:
                self.switch_off(subscription)
        elif card and draw < 0.4:
            self.agree(subscription, card)
        elif draw > 0.9:
            self.purse.close()
        elif draw > 0.55:
            self._pay_soon(self.changes.wish(subscription), 40 * DAY)
