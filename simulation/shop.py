"""Who comes to the shop: one subscriber's rows, verbs and bank pages. What they make of them stands in `habits`."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from moneyed import Money

from acquiring.bank.cards import read
from acquiring.bank.house import Bank
from acquiring.bank.questions import refused
from acquiring.bank.records import Payment as BankPayment
from acquiring.bank.records import Refusal, stamp
from billing import cards, payments
from billing.models import Payment, PaymentMethod
from simulation.courier import Courier
from simulation.protocols import ours
from simulation.world import World
from subscriptions import agreements, cancellation, lifecycle
from subscriptions.models import Subscription

GOOD = ("4242424242424242", "5555555555554444", "2200000000000004", "4000000000000341")
CODES = ("SPRING", "ALWAYS", "ALWAYS", "ALWAYS", "FREE", "LESS", "nonsense")
ASKS = ("4000000000003220", "4000008400001629")
BAD = ("4000000000000002", "4000000000009995", "4000000000000069", "4000000000009979", "4000000000000119")


class Visitor:
    """One person with two hands: every deed is one process of the shop."""

    def __init__(self, world: World, courier: Courier, number: int, user_id: uuid.UUID, plans: list[str]) -> None:
        self.world, self.number, self.user_id = world, number, user_id
        self.dice = world.chance("visitor", number)
        self.plans = plans
        self.home = world.home(number)
        self._courier = courier
        self.name = f"visitor {number}"
        self.pages: dict[str, Bank] = {}  # every page ever opened

    # --- What is there -------------------------------------------------------------------------------------------

    @property
    def actor(self) -> str:
        return f"user:{self.user_id}"

    def subscription(self) -> Subscription | None:
        """The newest one that lives."""
        mine = Subscription.objects.filter(user_id=self.user_id, status__in=Subscription.LIVE)
        return mine.order_by("-created_at", "pk").first()

    def payment(self) -> Payment | None:
        """The newest one."""
        return Payment.objects.filter(user_id=self.user_id).order_by("-created_at", "pk").first()

    def payment_of(self, subscription: Subscription) -> Payment | None:
        """The newest one for a subscription."""
        mine = Payment.objects.filter(invoice__period__subscription=subscription)
        return mine.order_by("-created_at", "pk").first()

    def card(self) -> PaymentMethod | None:
        """A saved one."""
        return PaymentMethod.objects.filter(user_id=self.user_id, removed_at=None).order_by("created_at", "pk").first()

    def acquirer(self) -> str:
        """Where the next page shall be: mostly where it was the last time, now and then elsewhere or wherever."""
        draw = self.dice.random()
        if draw < 0.6:
            return self.home
        others = [name for name in self.world.banks if name != self.home]
        return self.dice.choice(others) if draw < 0.8 else ""  # the routes choose

    # --- What is done in the shop --------------------------------------------------------------------------------

    def order(self, plan: str | None = None, *, key: str | None = None) -> lifecycle.Order:
        """What is asked for, by a plan or by the dice."""
        return lifecycle.Order(
            plan=plan or (self.plans[0] if self.dice.random() < 0.3 else self.dice.choice(self.plans)),
            acquirer=self.acquirer(),
            return_url="http://shop.invalid/payments/{payment}/",
            save_card=self.dice.random() < (0.2 if self.world.unhurried else 0.5),
            auto_renew=self.dice.random() < 0.5,
            expected_total=Money("1.00", "RUB") if self.dice.random() < 0.02 else None,
            request_key=key,
            promo_code=self.dice.choice(CODES) if self.dice.random() < 0.3 else "",
        )

    def subscribe(self, order: lifecycle.Order) -> None:
        """Chooses a plan and comes to the bank's page; perhaps clicks twice."""
        begun = self.act(
            f"subscribe {order.plan}",
            lambda: lifecycle.subscribe(self.user_id, order, actor=self.actor, at=self.world.now),
            twin=self.dice.random() < 0.3,
        )
        if begun and begun.payment:
            self._see(begun.payment)

    def pay_again(self, subscription: Subscription) -> None:
        """Another attempt at the same subscription."""
        order = self.order(subscription.plan.code)
        payment = self.act(
            "pay again",
            lambda: lifecycle.pay_again(subscription.pk, order, actor=self.actor, at=self.world.now),
            twin=self.dice.random() < 0.2,
        )
        self._see(payment)

    def pay_by_saved_card(self, subscription: Subscription, card: PaymentMethod) -> None:
        """Pays what is open with a card that the shop keeps."""
        invoice = lifecycle.first_invoice(subscription)
        self.act(
            "pay by saved card",
            lambda: payments.start(invoice.pk, actor=self.actor, at=self.world.now, method_id=card.pk),
            twin=self.dice.random() < 0.2,
        )

    def cancel(self, subscription: Subscription) -> None:
        """Cancels; sometimes with the figure that the page showed, sometimes twice at once."""
        expected = self._shown(subscription) if self.dice.random() < 0.5 else None
        key = f"cancel {self.number}-{self.world.diary.step}" if self.dice.random() < 0.6 else None
        self.act(
            "cancel",
            lambda: cancellation.cancel(
                subscription.pk, actor=self.actor, at=self.world.now, expected_refund=expected, request_key=key
            ),
            twin=self.dice.random() < 0.3,
        )
        if self.dice.random() < 0.15:
            self.act("cancel again", lambda: cancellation.cancel(subscription.pk, actor=self.actor, at=self.world.now))

    def agree(self, subscription: Subscription, card: PaymentMethod) -> None:
        """Has each next term charged to a saved card."""
        self.act(
            "agree to renewals",
            lambda: agreements.agree(subscription.pk, method_id=card.pk, actor=self.actor, at=self.world.now),
            twin=self.dice.random() < 0.2,
        )

    def switch_off(self, subscription: Subscription) -> None:
        """Has nothing charged any more."""
        self.act(
            "switch renewals off",
            lambda: agreements.switch_off(subscription.pk, actor=self.actor, at=self.world.now),
            twin=self.dice.random() < 0.2,
        )

    def pay_next_term(self, subscription: Subscription) -> Payment | None:
        """Comes to the bank's page for the next term: while the last days run, or in the days of grace."""
        order = self.order(subscription.plan.code)
        payment: Payment | None = self.act(
            "pay the next term",
            lambda: agreements.pay(subscription.pk, order, actor=self.actor, at=self.world.now),
            twin=self.dice.random() < 0.2,
        )
        self._see(payment)
        return payment

    def remove_card(self, card: PaymentMethod) -> None:
        """Takes a saved card away."""
        self.act("remove card", lambda: cards.remove(card.pk, self.user_id, at=self.world.now))

    def look(self, payment: Payment) -> None:
        """Waits on the page that shows the state of a payment; sometimes presses "check now"."""
        self.act("look", lambda: payments.hurry(payment.pk, at=self.world.now))
        if self.dice.random() < 0.3:
            self.act("check", lambda: payments.check(payment.pk, at=self.world.now))

    def act(self, what: str, verb: Any, *, twin: bool = False) -> Any:
        """One click. With a `twin`, the same click comes once more while the first is being worked on, or after."""

        def again() -> None:
            self.world.act(self.name, f"{what} (second click)", verb)

        if twin:
            self.world.others.append(again)
        made = self.world.act(self.name, what, verb)
        if twin:
            self.world.others.remove(again)
            again()
        return made

    def _shown(self, subscription: Subscription) -> Money | None:
        if subscription.status not in (Subscription.Status.ACTIVE, Subscription.Status.PAST_DUE):
            return None
        return cancellation.preview(subscription, at=self.world.now).refund

    def _see(self, payment: Payment | None) -> None:
        if payment and payment.redirect_url:
            self.pages[_page(payment)] = self.world.banks[payment.acquirer]

    # --- What is done at the bank --------------------------------------------------------------------------------

    def pay(self, payment: Payment) -> None:
        """Types a card on the bank's page."""
        if not payment.redirect_url:
            self.look(payment)
            return
        self._see(payment)
        card = self.dice.choice(GOOD if self.dice.random() < 0.75 else ASKS if self.dice.random() < 0.6 else BAD)
        self._at_the_bank(_page(payment), card)

    def leave(self, payment: Payment) -> None:
        """Goes back to the shop without paying."""
        if payment.redirect_url:
            self._note("leave the page", self.world.banks[payment.acquirer].desk.leave(_page(payment)))

    def pay_old_page(self) -> None:
        """An old page is still open in another tab, and the bank takes money there after all.

        It told us that this page is closed; real banks do. The news of it comes for certain: without it only a
        statement could tell.
        """
        for page, bank in self.pages.items():
            payment = bank.books.first(BankPayment, "id = ?", page)
            if payment and payment.amount and payment.status in ("declined", "voided", "expired"):
                try:
                    bank.desk.open_again(page, stamp(self.world.now + timedelta(hours=1)))
                except Refusal:  # its hold was released
                    continue
                self.world.diary.fault("page_reopened")
                self.world.watch.reopened.add(ours(payment))
                paid = bank.desk.pay(page, read(GOOD[0], "12/38", "123"))
                self._courier.told_for_certain(bank, page)
                self._note("pay an old page", paid)
                if paid.status == "authorized" and not self.world.calm and self.dice.random() < 0.5:
                    self._take_a_part(page, paid)
                return

    def _at_the_bank(self, page: str, card: str) -> None:
        bank, plastic = self.pages[page], read(card, "12/38", "123")
        desk = bank.desk
        payment = desk.pay(page, plastic, refused(bank, desk.get(page), plastic))
        while payment.status == "awaiting_3ds":
            draw = self.dice.random()
            if draw < 0.8:
                payment = desk.confirm(page, "1234" if draw < 0.7 else "4321")
            elif draw < 0.95:
                payment = desk.cancel_challenge(page)
            else:
                break
        if payment.status == "authorized":
            self._hold(page, payment)
        self._note("pay", payment)

    def _hold(self, page: str, payment: BankPayment) -> None:
        """Staff hear of the hold, or somebody takes a part of it in the cabinet; the bank may hold the sum twice."""
        if self.world.cabinet_captures and not self.world.calm:
            self.world.cabinet_captures -= 1
            self._take_a_part(page, payment)
            return
        if self.world.trouble():
            bank = self.pages[page]
            self.world.diary.fault("held_twice")
            self.world.watch.again.add(ours(payment))
            self._courier.told_for_certain(bank, bank.desk.capture_again(page, hold=True).id)
        self.world.held()

    def _take_a_part(self, page: str, payment: BankPayment) -> None:
        self.world.diary.fault("cabinet_capture")
        self.pages[page].desk.capture(page, self.dice.randint(1, payment.amount))

    def _note(self, what: str, payment: BankPayment) -> None:
        self.world.diary.step += 1
        self.world.diary.operations += 1
        self.world.diary.line(self.world.now, self.name, f"{what} {payment.order_id}", f"bank: {payment.status}")
        self.world.watch.after_step()

    def later(self, deed: Any, low: timedelta, high: timedelta | None = None, *, alone: bool = False) -> None:
        """Comes back after `low`, or at some time until `high`; in a crowded town, unless `alone`, with the others."""
        wait = low if high is None else low + (high - low) * self.dice.random()
        at: datetime = self.world.now + wait
        self.world.schedule(at if alone else self.world.evening(at, wait, self.dice), deed)


def _page(payment: Payment) -> str:
    """The bank's own id, as it stands in the address of its page."""
    return urlsplit(payment.redirect_url).path.rsplit("/", 1)[1]
