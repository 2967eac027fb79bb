"""The people in the office: refunds, captures, and whatever was parked and waits for a human."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from uuid import UUID

from billing import (
    callbacks,
    events,
    guard,
    money,
    parking,
    payments,
    receipts,
    reconciliation,
    refund_retries,
    refunds,
    resolutions,
)
from billing.models import Callback, Case, Delivery, Halt, Payment, Receipt, Refund
from notifications import mailings
from notifications.models import Message
from simulation.office import Office
from simulation.protocols import ours, payment_of
from simulation.world import World

ACTOR = "user:staff"


class Staff:
    """Comes by about once a day for each hundred subscribers, and at the end once more."""

    def __init__(self, world: World, subscribers: int) -> None:
        self._world = world
        self._dice = world.chance("staff")
        self._office = Office(world)
        self._every = timedelta(days=100 / max(subscribers, 25))
        self._returned: set[UUID] = set()  # cases of disputes that were won, whose money the bank has returned

    def begin(self) -> None:
        """Takes up work."""
        self._world.held = self._hear_of_a_hold
        self._world.look_at_statements = self.reconcile
        self._world.give_back = self._refund_some
        self._world.schedule(self._world.now + self._every, self._turn)

    def _hear_of_a_hold(self) -> None:
        """Somebody's money is held for an hour: mostly it is taken in time."""
        if self._dice.random() < 0.75:
            self._world.schedule(self._world.now + timedelta(minutes=self._dice.uniform(1, 90)), self._capture)

    def _turn(self) -> None:
        draw = self._dice.random()
        if draw < 0.2:
            self._refund_some()
        elif draw < 0.25:
            self.reconcile()
        elif draw < 0.75:
            self._office.turn()
        else:
            self.tidy_up(limit=3)
        self._world.schedule(self._world.now + self._every * self._dice.uniform(0.2, 2), self._turn)

    def tidy_up(self, limit: int = 1000) -> None:
        """Deals with what waits for a human: the button that stands beside each row."""
        self._world.diary.line(self._world.now, "staff", "tidy up", "begun")
        for callback in Callback.objects.filter(status=Callback.Status.PARKED).order_by("pk")[:limit]:
            self._do(f"retry callback {callback.pk}", callbacks.retry, callback.pk)
            self._dismiss(callback)
        for delivery in Delivery.objects.filter(status=Delivery.Status.PARKED).order_by("pk")[:limit]:
            if not self._give_up(delivery):
                self._do(f"retry event {delivery.pk}", events.retry, delivery.pk)
        for message in Message.objects.filter(status=Message.Status.PARKED).order_by("created_at", "pk")[:limit]:
            self._deal_with_mail(message)
        for refund in self._refused()[:limit]:
            self._give_back(refund)
        for payment in Payment.objects.exclude(parked="").order_by("created_at", "pk")[:limit]:
            self._look_into(payment)
        for refund in Refund.objects.filter(status__in=Refund.LIVE).exclude(parked="").order_by("created_at", "pk"):
            self._unpark(Refund, refund)
        for halt in Halt.objects.filter(status__in=Halt.STANDING).order_by("created_at", "pk"):
            self._let_run(halt)
        self._make_receipts()
        for case in Case.objects.filter(status=Case.Status.OPEN).order_by("created_at", "pk")[:limit]:
            self._resolve(case)

    def _make_receipts(self) -> None:
        for receipt in Receipt.objects.exclude(parked="").order_by("created_at", "pk"):
            verb = partial(receipts.registered_by_hand, receipt.pk, actor=ACTOR, reason="By hand", at=self._world.now)
            self._world.act("staff", f"make receipt {receipt.pk}", verb)

    def _deal_with_mail(self, message: Message) -> None:
        """A mail of which nobody knows whether it went out is sent again, or told by telephone."""
        if message.pk.int % 4:
            self._world.watch.sent_again.add(f"<{message.pk}@boxoffice>")
            self._do(f"retry mail {message.pk}", mailings.retry, message.pk)
        else:
            verb = partial(mailings.dismiss, message.pk, by=ACTOR, reason="Told by telephone")
            self._world.act("staff", f"dismiss mail {message.pk}", verb)

    def _give_up(self, delivery: Delivery) -> bool:
        """Most mails that cannot be written are told by telephone. What moves money is never given up."""
        if delivery.pk % 4 == 0 or not delivery.handler.startswith("notifications."):
            return False
        verb = partial(parking.give_up, delivery.pk, actor=ACTOR, reason="Told by telephone", at=self._world.now)
        self._world.act("staff", f"give up event {delivery.pk}", verb)
        return True

    def _dismiss(self, callback: Callback) -> None:
        """What no second try makes good."""
        callback.refresh_from_db()
        if callback.status == Callback.Status.PARKED:
            self._world.act(
                "staff",
                f"dismiss callback {callback.pk}",
                lambda: parking.dismiss(callback.pk, actor=ACTOR, reason="Looked into", at=self._world.now),
            )

    def _look_into(self, payment: Payment) -> None:
        """Where the acquirer took another sum, its statement of that day makes it a case; the rest was looked into."""
        if "we asked for" in payment.parked and not self._world.calm:
            for day in self._days_of(payment):
                verb = partial(reconciliation.run, payment.acquirer, day, at=self._world.now)
                self._world.act("staff", f"reconcile {payment.acquirer} {day}", verb)
        else:
            self._unpark(Payment, payment)

    def _days_of(self, payment: Payment) -> list[date]:
        """On which its statement may tell of a payment: it was begun, the day after, and when the cabinet says."""
        days = [payment.created_at.date(), payment.created_at.date() + timedelta(days=1)]
        theirs = payment_of(self._world.banks[payment.acquirer], payment.acquirer, payment.acquirer_payment_id)
        if theirs and theirs.finished_at:
            days.append(date.fromisoformat(theirs.finished_at[:10]))
        return [day for day in dict.fromkeys(days) if day <= self._world.now.date()]

    def _unpark(self, model: type[Payment] | type[Refund], row: Payment | Refund) -> None:
        self._world.act(
            "staff",
            f"unpark {row.noun} {row.pk}",
            lambda: parking.unpark(model, row.pk, actor=ACTOR, reason="Looked into", at=self._world.now),
        )

    def _let_run(self, halt: Halt) -> None:
        """A sweep stopped itself: after a day without workers there is much to do. Most want to sleep on it first."""
        if halt.status == Halt.Status.STOPPED and not self._world.calm and halt.pk.int % 3:
            verb = partial(guard.keep_stopped, halt.pk, actor=ACTOR, reason="Not today", at=self._world.now)
            self._world.act("staff", f"keep {halt.sweep} stopped", verb)
            return
        self._world.act(
            "staff",
            f"let {halt.sweep} run",
            lambda: guard.let_run(
                halt.pk, people=halt.people, actor=ACTOR, reason="It was an outage", at=self._world.now
            ),
        )

    def _resolve(self, case: Case) -> None:
        """One of the buttons beside a case, the same whenever it is pressed. No case of money is waved away.

        Some ask the bank for its list of that day once more, before they believe that something is missing there.
        """
        if case.kind == Case.Kind.MISSING_THERE and case.day and case.pk.int % 3:
            verb = partial(reconciliation.run, case.acquirer, case.day, at=self._world.now)
            self._world.act("staff", f"reconcile {case.acquirer} {case.day}", verb)
            case.refresh_from_db()
            if case.status != Case.Status.OPEN:
                return
        never = ("dismiss", "won") if self._went_back(case) else ("dismiss", "won", "went_back")
        ways = [way for way in resolutions.ways(case) if way not in never]
        if case.kind == Case.Kind.CHARGEBACK and case.pk.int % 3 == 0:
            self._win(case)
            return
        if case.kind == Case.Kind.UNKNOWN_REFUND:
            self._resolve_by(case, "record")  # refused where more was promised than is left
            if self._world.result.startswith("refused") and not self._is_of_an_order_of_ours(case):
                self._resolve_by(case, "book")
        else:
            self._resolve_by(case, ways[case.pk.int % len(ways)])
            if self._world.result == "refused refund_not_made":
                self._resolve_by(case, "book")  # a part came back otherwise: the rest stays in suspense
            if self._world.result in ("refused given_back", "refused refund_in_progress"):
                self._resolve_by(case, "give_back")

    def _went_back(self, case: Case) -> bool:
        """Whether the cabinet shows that money of this payment went back."""
        theirs = payment_of(self._world.banks[case.acquirer], case.acquirer, case.reference)
        return theirs is not None and theirs.refunded > 0

    def _win(self, case: Case) -> None:
        """The customer's bank returns what it took back; then staff say so, as often as it needs."""
        bank = self._world.banks[case.acquirer]
        theirs = payment_of(bank, case.acquirer, case.reference)
        if theirs and case.pk not in self._returned:
            self._returned.add(case.pk)
            self._world.watch.won.add(ours(theirs))
            bank.books.save(replace(theirs, charged_back=theirs.charged_back - case.theirs))
        self._resolve_by(case, "won")

    def _is_of_an_order_of_ours(self, case: Case) -> bool:
        """Whether the cabinet shows an order of ours, of whose payment we have not heard yet: its news will come."""
        theirs = payment_of(self._world.banks[case.acquirer], case.acquirer, case.payment_reference)
        return case.payment_id is None and theirs is not None and theirs.order_id not in self._world.watch.strays

    def _resolve_by(self, case: Case, how: str) -> None:
        self._world.act(
            "staff",
            f"resolve {case.kind} {case.pk} {how}",
            lambda: resolutions.resolve(case.pk, how, actor=ACTOR, reason="Looked into", at=self._world.now),
        )

    def reconcile(self, days: Iterable[date] = ()) -> None:
        """The banks' statements are compared with ours: of the last days, or of these."""
        self._world.act("staff", "reconcile", lambda: reconciliation.run_lately(at=self._world.now))
        for day in days:
            for name in self._world.banks:
                verb = partial(reconciliation.run, name, day, at=self._world.now)
                self._world.act("staff", f"reconcile {name} {day}", verb)

    def _refused(self) -> list[Refund]:
        """Refunds that the acquirer refused and nobody made good yet."""
        return list(Refund.objects.filter(status=Refund.Status.FAILED).exclude(parked="").order_by("created_at", "pk"))

    def _give_back(self, refund: Refund) -> None:
        """Again what was refused; where a part came back otherwise meanwhile, only what the acquirer has left."""
        payment = Payment.objects.get(pk=refund.payment_id)
        theirs = payment_of(self._world.banks[payment.acquirer], payment.acquirer, payment.acquirer_payment_id)
        left = theirs.captured - theirs.refunded - theirs.charged_back if theirs else refund.amount
        if left < refund.amount:
            self._rest_of(payment, refund, left)
            return
        self._world.act(
            "staff",
            f"refund again {refund.pk}",
            lambda: refund_retries.again(refund.pk, reason="Refused", actor=ACTOR, at=self._world.now),
        )
        if self._world.result == "refused over_refund":
            self._rest_of(payment, refund, min(left, money.to_minor(payment.refundable)))

    def _rest_of(self, payment: Payment, refused: Refund, left: int) -> None:
        """What is left (minor units) of a payment that nobody owed goes to the customer; then the refusal is over."""
        amount = money.from_minor(left, payment.currency)
        if payment.surplus and left:
            key = f"rest of {refused.pk}"
            self._world.act(
                "staff",
                f"refund the rest of {payment.pk}",
                lambda: refunds.request(
                    payment.pk, amount=amount, reason="Nobody owed it", actor=ACTOR, at=self._world.now, request_key=key
                ),
            )
            if self._world.result not in ("done", "refused request_key_reused"):
                return  # it stays on the list
        self._unpark(Refund, refused)

    def _refund_some(self, acquirer: str = "") -> None:
        """A part of somebody's payment (of one at `acquirer`) comes back; now and then more than there is."""
        paid = Payment.objects.filter(status=Payment.Status.SUCCEEDED).order_by("-settled_at", "pk")
        rows = list((paid.filter(acquirer=acquirer) if acquirer else paid)[:40])
        if not rows:
            return
        payment = self._dice.choice(rows)
        amount = money.from_minor(self._dice.randint(1, payment.amount), payment.currency)
        key = f"staff:{self._world.diary.step}" if self._dice.random() < 0.7 else None

        def verb() -> Refund:
            return refunds.request(
                payment.pk,
                amount=amount,
                reason="Goodwill",
                actor=ACTOR,
                at=self._world.now,
                request_key=key,
            )

        self._world.act("staff", f"refund {payment.pk}", verb)
        if key and self._dice.random() < 0.3:
            self._world.act("staff", f"refund {payment.pk} (second click)", verb)

    def _capture(self) -> None:
        """What is held is taken, mostly."""
        for payment in Payment.objects.filter(status=Payment.Status.AUTHORIZED).order_by("created_at", "pk")[:5]:
            if self._dice.random() < 0.8:
                self._do(f"capture {payment.pk}", payments.capture, payment.pk)

    def _do(self, what: str, verb: object, pk: object) -> None:
        assert callable(verb)
        self._world.act("staff", what, lambda: verb(pk, at=self._world.now))
