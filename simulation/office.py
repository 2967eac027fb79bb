"""What staff do for customers beyond money: terms for nothing, personal discounts, new prices for old customers."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from django.conf import settings

from accounts.models import User
from billing import money
from simulation.world import World
from subscriptions import grants, price_moves, prices
from subscriptions.models import PersonalDiscount, Plan, PriceMove, Subscription

ACTOR = "user:staff"


class Office:
    """Does one of these now and then."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = world.chance("office")

    def turn(self) -> None:
        """One of them."""
        self._dice.choice([self._give, self._extend, self._favour, self._new_price, self._announce, self._withdraw])()

    def _somebody(self) -> User:
        return self._dice.choice(list(User.objects.order_by("email")))

    def _plan(self) -> Plan:
        return self._dice.choice(list(Plan.objects.filter(hourly=False).order_by("pk")))

    def _give(self) -> None:
        """A week or a month for nothing; twice by mistake, now and then."""
        gift = grants.Gift(self._plan().code, **self._dice.choice(({"days": 7}, {"months": 1})))
        verb = partial(
            grants.give, self._somebody().pk, gift, actor=ACTOR, at=self._world.now, reason="It stood still for a day"
        )
        self._world.act("staff", f"give {gift.plan}", verb)

    def _extend(self) -> None:
        """The same for somebody who has a subscription."""
        running = Subscription.objects.filter(status__in=(Subscription.Status.ACTIVE, Subscription.Status.PAST_DUE))
        if rows := list(running.order_by("created_at", "pk")):
            row, gift = self._dice.choice(rows), grants.Gift("", **self._dice.choice(({"days": 7}, {"months": 1})))
            verb = partial(grants.extend, row.pk, gift, actor=ACTOR, at=self._world.now, reason="It stood still")
            self._world.act("staff", f"extend {row.pk}", verb)

    def _favour(self) -> None:
        PersonalDiscount.objects.create(
            user=self._somebody(), percent=self._dice.choice((5, 50, 100)), valid_from=self._world.now
        )

    def _new_price(self) -> None:
        """A new price for those who come, and a move for those who are there, to be announced."""
        plan, at = self._plan(), self._world.now
        amount = money.from_minor(self._dice.randint(20_000, 300_000), "RUB")

        def verb() -> PriceMove:
            price = prices.add(plan, amount, starts_at=at, at=at)
            begins = at + settings.PRICE_NOTICE + timedelta(days=2)
            wanted = price_moves.Proposal(plan, price, begins, "Everything is dearer")
            return price_moves.propose(wanted, actor=ACTOR, at=at)

        self._world.act("staff", f"new price of {plan.code}", verb)

    def _announce(self) -> None:
        if move := self._some_move(PriceMove.Status.DRAFT):
            verb = partial(price_moves.announce, move.pk, actor=ACTOR, at=self._world.now)
            self._world.act("staff", f"announce {move.pk}", verb)

    def _withdraw(self) -> None:
        if move := self._some_move(PriceMove.Status.ANNOUNCED):
            verb = partial(price_moves.withdraw, move.pk, actor=ACTOR, at=self._world.now)
            self._world.act("staff", f"withdraw {move.pk}", verb)

    def _some_move(self, status: str) -> PriceMove | None:
        moves = list(PriceMove.objects.filter(status=status).order_by("created_at", "pk"))
        return self._dice.choice(moves) if moves else None
