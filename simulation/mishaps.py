"""What happens rarely, and behind the shop's back: a bad release, a bank that forgets, figures that are not true."""

from __future__ import annotations

from datetime import timedelta

from billing.models import Payment, Refund
from simulation.world import World

BROKEN_HOURS = (1, 9, 24)


class Mishaps:
    """One of them now and then, at the run's rate."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = world.chance("mishaps")
        self._deeds = [self.bad_release, self.bank_forgets, self.bank_lies]

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
        since = self._world.now - timedelta(days=4)
        made = model._default_manager.filter(status="succeeded", settled_at__gte=since).order_by("settled_at", "pk")
        if rows := list(made.values_list("pk", flat=True)):
            self._world.diary.fault("bank_forgets")
            days = self._dice.uniform(1, 9)
            self._world.hidden[str(self._dice.choice(rows))] = self._world.now + timedelta(days=days)

    def bank_lies(self) -> None:
        """The next callback comes a second time, well signed, and with another figure."""
        self._world.lies += 1
