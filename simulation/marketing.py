"""What marketing does: discounts for some, codes for many, and an offer of a dearer plan by mail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from accounts.models import User
from simulation.patience import insist
from simulation.world import World
from subscriptions import campaigns, changes
from subscriptions.models import PersonalDiscount, Plan, PromoCode, Subscription

ACTOR = "user:marketing"


class Marketing:
    """`deeds` are what it does now and then."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = world.chance("marketing")
        self.deeds = (self._favour, self._change, self._remove, self._code, self._offer)

    def _act(self, what: str, verb: Callable[..., Any], *args: Any) -> None:
        insist(self._world, "marketing", what, partial(verb, *args))

    def _favour(self) -> None:
        user = self._dice.choice(list(User.objects.order_by("email")))
        percent = self._dice.choice((5, 50, 100))
        row = PersonalDiscount(user=user, percent=percent, valid_from=self._world.now)
        self._act(f"discount of {percent} %", campaigns.make, row)

    def _code(self) -> None:
        """One that nobody hears of: it is there to be changed and removed."""
        number = self._dice.randint(1, 5)
        row = PromoCode(code=f"SECRET{number}", percent=10, valid_from=self._world.now)
        self._act(f"code {row.code}", campaigns.make, row, Plan.objects.order_by("pk")[:number])

    def _change(self) -> None:
        """A code or a discount ends sooner than it would have; a limit may be too low by now."""
        till = self._world.now + timedelta(days=self._dice.randint(1, 90))
        kind, pk = self._some()
        if pk is not None:
            limits = {"total_limit": self._dice.choice((1, 50))} if kind is PromoCode else {}
            self._act(f"change {kind.__name__} {pk}", campaigns.change, kind, pk, {"valid_until": till} | limits)

    def _remove(self) -> None:
        kind, pk = self._some()
        if pk is not None:
            self._act(f"remove {kind.__name__} {pk}", campaigns.remove, kind, pk)

    def _offer(self) -> None:
        longest = Plan.objects.filter(hourly=False).order_by("-months", "pk")[0]
        running = Subscription.objects.filter(status=Subscription.Status.ACTIVE, plan__hourly=False)
        if rows := list(running.exclude(plan=longest).order_by("created_at", "pk")):
            row, plan = self._dice.choice(rows), longest
            verb = partial(changes.offer, row.pk, plan.code, actor=ACTOR, at=self._world.now, reason="A dearer plan")
            self._act(f"offer {plan.code} to {row.pk}", verb)

    def _some(self) -> tuple[type[PersonalDiscount] | type[PromoCode], int | None]:
        """Codes that customers know are left to them, but for the tries of `campaigns` to refuse."""
        kind = self._dice.choice((PersonalDiscount, PromoCode))
        rows = list(kind._default_manager.order_by("pk").values_list("pk", flat=True))
        return kind, self._dice.choice(rows) if rows else None
