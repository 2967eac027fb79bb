"""What staff do for customers beyond money: terms for nothing, new prices for old customers, roles, switches."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from django.conf import settings

from accounts.models import User
from billing import health, money, staff
from billing.models import AcquirerHealth, RequestKey
from simulation.marketing import Marketing
from simulation.patience import insist
from simulation.world import World
from subscriptions import favours, grants, price_moves, prices
from subscriptions.models import Plan, PriceMove, Subscription

ACTOR = "user:staff"


class Office:
    """Does one of these now and then."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = world.chance("office")
        self._deck: list[Callable[[], None]] = []  # what is still to be done until each thing was done once
        self._deeds = [
            self._give,
            self._extend,
            self._favour,
            self._favour,
            self._new_price,
            self._new_price,
            self._hire,
            self._switch,
            self._ask,
            *Marketing(world).deeds,
        ]

    def turn(self) -> None:
        """One of them; each as often as the others."""
        if not self._deck:
            self._deck = self._dice.sample(self._deeds, len(self._deeds))
        self._deck.pop()()

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
        insist(self._world, "staff", f"give {gift.plan}", verb)

    def _extend(self) -> None:
        """The same for somebody who has a subscription."""
        running = Subscription.objects.filter(status__in=(Subscription.Status.ACTIVE, Subscription.Status.PAST_DUE))
        if rows := list(running.order_by("created_at", "pk")):
            row, gift = self._dice.choice(rows), grants.Gift("", **self._dice.choice(({"days": 7}, {"months": 1})))
            verb = partial(grants.extend, row.pk, gift, actor=ACTOR, at=self._world.now, reason="It stood still")
            insist(self._world, "staff", f"extend {row.pk}", verb)

    def _favour(self) -> None:
        """A dearer plan for nothing, to the end of what is paid; perhaps clicked twice."""
        running = Subscription.objects.filter(status=Subscription.Status.ACTIVE, plan__hourly=False)
        if rows := list(running.order_by("created_at", "pk")):
            row, plan, at = self._dice.choice(rows), self._plan(), self._world.now
            key = f"favour:{self._world.diary.step}"
            verb = partial(
                favours.upgrade, row.pk, plan.code, actor=ACTOR, at=at, reason="It stood still", request_key=key
            )
            insist(self._world, "staff", f"upgrade {row.pk} for nothing", verb)

    def _new_price(self) -> None:
        """A new price for those who come, and a move for those who are there, to be announced."""
        plan, at = self._plan_in_use(), self._world.now
        least, most = (500, 5_000) if plan.hourly else (20_000, 300_000)
        amount = money.from_minor(self._dice.randint(least, most), "RUB")

        def verb() -> PriceMove:
            price = prices.add(plan, amount, starts_at=at, at=at)
            begins = at + settings.PRICE_NOTICE + timedelta(days=2)
            wanted = price_moves.Proposal(plan, price, begins, "Everything is dearer")
            return price_moves.propose(wanted, actor=ACTOR, at=at)

        move = insist(self._world, "staff", f"new price of {plan.code}", verb)
        if move is not None:
            self._world.schedule(at + timedelta(days=1), partial(self._announce, move.pk))

    def _plan_in_use(self) -> Plan:
        """A plan that somebody has, as often by the hour as not; where nobody has one, any."""
        for hourly in self._dice.sample((True, False), 2):
            running = Plan.objects.filter(hourly=hourly, subscriptions__status__in=Subscription.LIVE)
            if rows := list(running.order_by("pk").distinct()):
                return self._dice.choice(rows)
        return self._plan()

    def _announce(self, move_id: uuid.UUID) -> None:
        """After a night's sleep; some think better of it, before or after."""
        insist(
            self._world,
            "staff",
            f"announce {move_id}",
            partial(price_moves.announce, move_id, actor=ACTOR, at=self._world.now),
        )
        if self._dice.random() < 0.25:
            later = self._world.now + timedelta(days=self._dice.uniform(0, 40))
            self._world.schedule(later, partial(self._withdraw, move_id))

    def _withdraw(self, move_id: uuid.UUID) -> None:
        insist(
            self._world,
            "staff",
            f"withdraw {move_id}",
            partial(price_moves.withdraw, move_id, actor=ACTOR, at=self._world.now),
        )

    def _ask(self) -> None:
        """Somebody asked for something over the API: its key is kept for a while."""
        user, at = self._somebody(), self._world.now
        kept = {"path": "/api/v1/top-ups", "body_digest": "0" * 64, "status": 201, "answer": {}, "leased_until": at}
        RequestKey.objects.get_or_create(user=user, key=f"day-{at:%j}", defaults=kept)

    def _hire(self) -> None:
        """Somebody becomes staff, or is no more."""
        roles = self._dice.choice(([], ["support"], ["support", "marketing"]))
        verb = partial(staff.set_roles, self._somebody().pk, roles, by=self._boss(), at=self._world.now)
        insist(self._world, "staff", f"roles {roles}", verb)

    def _boss(self) -> User:
        boss, _ = User.objects.get_or_create(
            email="boss@example.com", defaults={"is_staff": True, "is_superuser": True, "date_joined": self._world.now}
        )
        return boss

    def _switch(self) -> None:
        """An acquirer opens no new pages for some hours."""
        name, at = self._dice.choice(sorted(self._world.banks)), self._world.now

        def verb() -> AcquirerHealth:
            health.all_rows(at=at)
            return health.switch_off(name, actor=ACTOR, reason="It is slow today", at=at)

        insist(self._world, "staff", f"switch off {name}", verb)
        self._world.schedule(at + timedelta(hours=self._dice.uniform(1, 8)), partial(self._switch_on, name))

    def _switch_on(self, name: str) -> None:
        verb = partial(health.switch_on, name, actor=ACTOR, reason="It is well again", at=self._world.now)
        insist(self._world, "staff", f"switch on {name}", verb)
