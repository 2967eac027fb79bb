"""Looks after each step whether anything broke, at the customers and bank orders that the step touched."""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from acquiring.bank.journal import Journal
from acquiring.bank.records import Payment as BankPayment
from acquiring.bank.records import Refund as BankRefund
from acquiring.http import Unanswered
from billing.errors import Refused
from billing.models import Case, Payment, Refund
from simulation import database
from simulation.errors import Mishap, Stopped
from simulation.protocols import ours, ours_of_refund, taken

if TYPE_CHECKING:
    from simulation.world import World

# Each gives the rows of some customers that break a promise.
PROMISES = {
    "A payment and its transfer disagree": """
        SELECT payment.id FROM billing_payment payment
          LEFT JOIN billing_transfer transfer ON transfer.reference = 'payment:' || payment.id
         WHERE payment.user_id = ANY(%(users)s::uuid[])
           AND ((payment.status = 'succeeded') <> (transfer.id IS NOT NULL) OR transfer.amount <> payment.captured)""",
    "A refund and its transfer disagree": """
        SELECT refund.id FROM billing_refund refund JOIN billing_payment payment ON payment.id = refund.payment_id
          LEFT JOIN billing_transfer transfer ON transfer.reference = 'refund:' || refund.id
         WHERE payment.user_id = ANY(%(users)s::uuid[])
           AND ((refund.status = 'succeeded') <> (transfer.id IS NOT NULL) OR transfer.amount <> refund.amount)""",
    "More than one payment paid an invoice": """
        SELECT invoice_id FROM billing_payment
         WHERE user_id = ANY(%(users)s::uuid[]) AND status = 'succeeded' AND NOT surplus
         GROUP BY invoice_id HAVING count(*) > 1""",
    "An invoice is paid without money, or money came for one that is not": """
        SELECT invoice.id FROM billing_invoice invoice
         WHERE invoice.user_id = ANY(%(users)s::uuid[]) AND (invoice.status = 'paid' AND invoice.total > 0) <> EXISTS (
               SELECT FROM billing_payment payment
                WHERE payment.invoice_id = invoice.id AND payment.status = 'succeeded' AND NOT payment.surplus)""",
    "More was promised back than was taken": """
        SELECT payment.id FROM billing_payment payment
         WHERE payment.user_id = ANY(%(users)s::uuid[]) AND payment.captured < (
               SELECT coalesce(sum(refund.amount), 0) FROM billing_refund refund
                WHERE refund.payment_id = payment.id AND refund.status <> 'failed')""",
    "A subscription runs that nobody paid for": """
        SELECT subscription.id FROM subscriptions_subscription subscription
         WHERE subscription.user_id = ANY(%(users)s::uuid[]) AND subscription.status NOT IN ('pending', 'abandoned')
           AND NOT EXISTS (SELECT FROM subscriptions_meter meter WHERE meter.subscription_id = subscription.id)
           AND NOT EXISTS (SELECT FROM subscriptions_period period
                             JOIN billing_invoice invoice ON invoice.id = period.invoice_id
                            WHERE period.subscription_id = subscription.id AND invoice.status = 'paid')""",
    "A customer has two subscriptions at once": """
        SELECT user_id FROM subscriptions_subscription
         WHERE user_id = ANY(%(users)s::uuid[]) AND status IN ('pending', 'active', 'past_due', 'paused', 'suspended')
         GROUP BY user_id HAVING count(*) > 1""",
    "A promo code was used more often than it may be": """
        SELECT redemption.user_id FROM subscriptions_redemption redemption
          JOIN subscriptions_promocode code ON code.id = redemption.promo_code_id
         WHERE redemption.user_id = ANY(%(users)s::uuid[]) AND code.total_limit < (
               SELECT count(*) FROM subscriptions_redemption live
                WHERE live.promo_code_id = code.id AND live.released_at IS NULL AND NOT live.renews)""",
    "Somebody rests and has access": """
        SELECT id FROM subscriptions_subscription
         WHERE user_id = ANY(%(users)s::uuid[]) AND status = 'paused' AND access_until > paused_at""",
    "A wallet holds less than nothing": """
        SELECT user_id FROM billing_account WHERE user_id = ANY(%(users)s::uuid[]) AND balance < 0""",
    "A term begins before the one before it ends": """
        SELECT one.subscription_id FROM subscriptions_period one
          JOIN subscriptions_period two ON two.subscription_id = one.subscription_id AND two.number > one.number
          JOIN subscriptions_subscription subscription ON subscription.id = one.subscription_id
         WHERE subscription.user_id = ANY(%(users)s::uuid[]) AND two.starts_at < one.ends_at""",
    "Somebody has watched hours for which nothing was taken, or paid for hours without access": """
        SELECT subscription.id FROM subscriptions_subscription subscription
          JOIN subscriptions_meter meter ON meter.subscription_id = subscription.id
         WHERE subscription.user_id = ANY(%(users)s::uuid[]) AND subscription.status = 'active'
           AND meter.billed_to > subscription.access_until""",
    "Two terms of a customer overlap": """
        SELECT one.id FROM subscriptions_subscription one
          JOIN subscriptions_period first ON first.subscription_id = one.id
          JOIN subscriptions_subscription two ON two.user_id = one.user_id AND two.id > one.id
          JOIN subscriptions_period second ON second.subscription_id = two.id
         WHERE one.user_id = ANY(%(users)s::uuid[]) AND first.starts_at IS NOT NULL AND second.starts_at IS NOT NULL
           AND greatest(first.starts_at, second.starts_at)
             < least(first.ends_at, second.ends_at, one.valid_till, two.valid_till)""",
}
ALL = " UNION ALL ".join(
    f"SELECT {number}, found.* FROM ({sql}) AS found"  # noqa: S608  texts of this file
    for number, sql in enumerate(PROMISES.values())
)


@dataclass(frozen=True, slots=True)
class Breach:
    """A promise that was broken, and where."""

    step: int
    what: str


class Watch:
    """The witness of one run. Raises Stopped at the first breach."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._event = 0  # the last one seen
        self._told_before = 0  # as many statements as had told something then
        self._moved: list[BankPayment | BankRefund] = []
        self._told: list[str] = []
        self.breaches: list[Breach] = []
        self.double_charges = 0
        self.mails: Counter[str] = Counter()
        self.sent_again: set[str] = set()  # by a human, who knows what he does
        self.strays: set[str] = set()  # orders that the shop never made
        self.again: set[str] = set()  # orders whose money the bank took once more, of its own accord
        self._returned: dict[str, str] = {}  # refunds of ours, and what the bank made of each
        self.won: set[str] = set()  # orders about which a dispute was won: see docs/simulator.md
        self.reopened: set[str] = set()  # orders whose page the bank opened again
        self._listen_to_the_bank()

    @property
    def news(self) -> int:
        """A number that grows with every event."""
        return self._event

    def broken(self, what: str) -> None:
        """Something broke. Raises Stopped."""
        self.note(what)
        raise Stopped(what)

    def note(self, what: str) -> None:
        """Something broke; the run goes on."""
        self.breaches.append(Breach(self._world.diary.step, what))

    def after_step(self) -> None:
        """The cheap invariants, of what the step touched. Raises Stopped."""
        if self._told:
            self.broken(self._told[0])
        self._look_at(self._touched())
        moved, self._moved = self._moved, []
        for subject in moved:
            self._look_at_the_bank(subject)

    def _look_at(self, users: list[uuid.UUID]) -> None:
        if not users:
            return
        for number, row in database.rows(ALL, users=users)[:1]:
            self.broken(f"{list(PROMISES)[number]}: {row}")

    def _touched(self) -> list[uuid.UUID]:
        """Whom the events since the last step concern."""
        if self._told_before == self._world.crashes.told:
            return []
        self._told_before = self._world.crashes.told
        rows = database.rows("SELECT id, user_id FROM billing_event WHERE id > %(seen)s ORDER BY id", seen=self._event)
        if rows:
            self._event = rows[-1][0]
        return list(dict.fromkeys(user for _, user in rows if user))

    def _look_at_the_bank(self, subject: BankPayment | BankRefund) -> None:
        if isinstance(subject, BankRefund):
            self._look_at_a_refund(subject)
            return
        if subject.order_id in self.strays:
            return
        payment = Payment.objects.filter(pk=ours(subject)).first()
        if payment is None or payment.amount != subject.amount or payment.currency != subject.currency:
            self.broken(f"The bank took {subject.amount} that we did not ask for: {subject.order_id}")
        elif subject.captured:
            self._once(payment)

    def _look_at_a_refund(self, made: BankRefund) -> None:
        """The bank gives back what we asked for, or what a case of ours did; the cabinet's refunds have no order."""
        order = ours_of_refund(made)
        refund = Refund.objects.filter(pk=order).first() if order else None
        asked = not order or Case.objects.filter(pk=order).exists()
        if not asked and (refund is None or refund.amount != made.amount):
            self.broken(f"The bank gave back {made.amount} that we did not ask for: {order}")
        if order and self._returned.setdefault(order, made.id) != made.id:
            self.broken(f"The bank gave back {made.amount} twice: {order}")

    def _once(self, payment: Payment) -> None:
        """The bank took money for an invoice once, beside surplus and what it took at a page long closed."""
        attempts = Payment.objects.filter(invoice_id=payment.invoice_id, surplus=False).values_list("pk", "acquirer")
        at_banks = {
            str(pk): name for pk, name in attempts if name in self._world.banks and str(pk) not in self.reopened
        }
        # What was taken in part in the cabinet is a case: a human gives it back, and its order is not waited for.
        times = {
            order: sum(each.captured == each.amount for each in taken(self._world.banks[name], name, order))
            for order, name in at_banks.items()
        }
        paid = [order for order, count in times.items() for _ in range(min(count, 1) if order in self.again else count)]
        if len(paid) > 1:
            self.double_charges += 1
            self.broken(f"Charged twice for one invoice: {', '.join(sorted(paid))}")

    def _listen_to_the_bank(self) -> None:
        for bank in self._world.banks.values():
            self._listen_to(bank.journal)

    def _listen_to(self, journal: Journal) -> None:
        record = journal.record

        def recorded(subject: Any, kind: str, amount: int, state: str) -> None:
            record(subject, kind, amount, state)
            if state == "succeeded":
                self._moved.append(subject)

        journal.record = recorded  # type: ignore[method-assign]  # this one journal is listened to

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hears the errors that sweeps catch and log: our own code failed there. The log itself is silent."""
        root, ear = logging.getLogger(), _Ear(self._told)
        handlers, level = root.handlers, root.level
        root.handlers, root.level = [ear], logging.ERROR
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            root.handlers, root.level = handlers, level
            logging.disable(logging.NOTSET)


class _Ear(logging.Handler):
    """Keeps the errors that come with an exception; a refusal is none."""

    def __init__(self, told: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not isinstance(error, Refused | Mishap | Unanswered):
            self._told.append(f"{record.getMessage()}: {type(error).__name__}: {error}")
