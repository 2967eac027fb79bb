"""What happens rarely, and behind the shop's back: a bad release, a bank that forgets, figures that are not true."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.conf import settings

from acquiring.bank.cards import read
from acquiring.bank.house import Bank
from acquiring.bank.records import Order, Refusal
from acquiring.bank.records import Payment as BankPayment
from billing import ledger
from billing.models import Payment, Refund
from simulation.courier import Courier
from simulation.protocols import OWN, TELLS_NO_DISPUTES, TELLS_NO_PARTS, TELLS_NO_STRANGERS, ours
from simulation.world import NERVOUS, World

BROKEN_HOURS = (1, 3, 9, 24, 200)  # in the last, and some of the ones before, what is handed over is parked


class Mishaps:
    """One of them now and then, at the run's rate."""

    def __init__(self, world: World, courier: Courier) -> None:
        self._world, self._courier = world, courier
        self._dice = world.chance("mishaps")
        self._calm = dict(settings.SWEEP_GUARD)
        self._deeds = [
            self.bad_release,
            self.bank_forgets,
            self.bank_lies,
            self.bank_lies_about_a_refund,
            self.guard_is_nervous,
            self.dispute,
            self.refund_in_the_cabinet,
            self.capture_in_the_cabinet,
            self.take_again,
            self.money_nobody_asked_for,
        ]

    def begin(self) -> None:
        """They may happen from now on."""
        self._world.schedule(self._world.now + timedelta(hours=self._dice.uniform(6, 48)), self._turn)

    def _turn(self) -> None:
        if self._world.trouble():
            self._dice.choice(self._deeds)()
        self.begin()

    def bad_release(self) -> None:
        """For hours or days our own code fails wherever an event or an acquirer's answer is handled."""
        self._world.diary.fault("bad_release")
        self._world.broken_until = self._world.now + timedelta(hours=self._dice.choice(BROKEN_HOURS))

    def bank_forgets(self) -> None:
        """The bank's statement and its interface do not know an operation that it made; later they do."""
        model = self._dice.choice((Payment, Refund))
        since = self._world.now - timedelta(days=2)  # older ones no statement is asked for any more
        made = model._default_manager.filter(status="succeeded", settled_at__gte=since).order_by("settled_at", "pk")
        at = "acquirer" if model is Payment else "payment__acquirer"
        rows = list(made.exclude(**{at: ledger.WALLET}).values_list("pk", flat=True))
        if not rows:  # the next one that it makes
            self._world.schedule(self._world.now + timedelta(hours=12), self.bank_forgets)
        else:
            self._world.diary.fault("bank_forgets")
            days = self._dice.uniform(2, 9)
            self._world.hidden[str(self._dice.choice(rows))] = self._world.now + timedelta(days=days)
            soon = self._world.now + timedelta(days=1.5)  # the day is over, and its statement is there
            self._world.schedule(soon, lambda: self._world.look_at_statements())  # noqa: PLW0108  of then, not of now

    def bank_lies(self) -> None:
        """The next callback comes a second time, well signed, and with another figure."""
        self._world.lies += 1

    def bank_lies_about_a_refund(self) -> None:
        """The same, of the next refund."""
        self._world.lies_of_refunds += 1

    def guard_is_nervous(self) -> None:
        """For a week or so the guard stops what waited together for a few hours."""
        self._world.diary.fault("guard_nervous")
        settings.SWEEP_GUARD.update(NERVOUS)
        self._world.schedule(self._world.now + timedelta(days=9), partial(settings.SWEEP_GUARD.update, self._calm))

    def dispute(self) -> None:
        """A card's holder has his bank take a payment back, in full or in part."""
        bank = self._bank(TELLS_NO_DISPUTES)
        payment = self._some(bank, "captured > refunded + charged_back")
        if payment and ours(payment) not in self._world.watch.won:
            self._world.diary.fault("chargeback")
            left = payment.captured - payment.refunded - payment.charged_back
            part = self._dice.randint(1, left) if self._dice.random() < 0.5 else None
            with suppress(Refusal):  # a refund of it is pending
                bank.returns.charge_back(payment.id, part)

    def refund_in_the_cabinet(self) -> None:
        """Somebody gives money back in the acquirer's cabinet, behind the shop's back."""
        bank = self._bank()
        if payment := self._some(bank, "captured > refunded + charged_back"):
            self._world.diary.fault("cabinet_refund")
            left = payment.captured - payment.refunded - payment.charged_back
            amount = self._dice.randint(1, left)
            if payment.tongue in TELLS_NO_PARTS:
                amount = left
            with suppress(Refusal):
                bank.returns.refund(payment.id, amount, payment.currency, reason="in the cabinet")

    def capture_in_the_cabinet(self) -> None:
        """The next sum that is held is taken in the cabinet, in part."""
        self._world.cabinet_captures += 1

    def take_again(self) -> None:
        """The bank takes the money of a paid order once more, under another id; or holds it."""
        bank = self._bank()
        if payment := self._some(bank, "captured > 0"):
            hold = self._dice.random() < 0.4
            self._world.diary.fault("held_again" if hold else "taken_again")
            self._world.watch.again.add(ours(payment))
            again = bank.desk.capture_again(payment.id, hold=hold)
            if hold or payment.tongue in TELLS_NO_STRANGERS:  # not every statement could tell it either
                self._courier.told_for_certain(bank, again.id)

    def money_nobody_asked_for(self) -> None:
        """A payment of an order that the shop never made: another shop's, on the wrong account."""
        name = self._name(TELLS_NO_STRANGERS)
        bank = self._world.banks[name]
        self._world.diary.fault("stray_payment")
        order = Order(str(UUID(int=self._dice.getrandbits(128), version=4)), self._dice.randint(100, 99_900), "RUB")
        order = replace(order, tongue="" if name in OWN else name)
        self._world.watch.strays.add(order.order_id)
        payment, _ = bank.desk.open(order)
        bank.desk.pay(payment.id, read("4242424242424242", "12/38", "123"))

    def _name(self, but: frozenset[str] = frozenset()) -> str:
        """One of the town's acquirers, `but` not these."""
        if self._world.of_all_protocols:
            return self._dice.choice([name for name in self._world.banks if name not in but])
        return "held" if self._dice.random() < 0.2 else "sandbox"

    def _bank(self, but: frozenset[str] = frozenset()) -> Bank:
        return self._world.banks[self._name(but)]

    def _some(self, bank: Bank, where: str) -> BankPayment | None:
        """One of the latest payments of this kind. What was taken in part, a human has in hand already: see docs."""
        latest = bank.books.select(BankPayment, f"{where} AND captured = amount ORDER BY seq DESC LIMIT 20")
        found = [payment for payment in latest if payment.order_id not in self._world.watch.strays]
        return self._dice.choice(found) if found else None
