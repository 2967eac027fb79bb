"""The bank's troubles: every fault of its control API, at the run's rate."""

from __future__ import annotations

from datetime import timedelta

from acquiring.bank.cards import DECLINES
from simulation.world import World, friday

# Fault, and how often it strikes, times the rate.
CONSTANT = {
    "timeout_before": 0.3,
    "timeout_after": 0.3,
    "error_after": 0.2,
    "slow:20": 0.1,
    "callback_lost": 0.4,
    "callback_duplicate:2": 0.3,
    "callback_delayed:600": 0.2,
    "callback_delayed:86400": 0.1,
    "callback_reordered": 0.3,
    "callback_forged": 0.2,
    "refund_pending:5": 0.2,
    "refund_pending:7200": 0.2,
    "refund_declined": 0.1,
    "decline:insufficient_funds": 0.1,
    "processing": 0.2,
}
SLOW_NEWS = {"callback_delayed:600": 2.0}  # of T-Bank: it alone tells a card in its callback only
OUTAGES = (5, 60, 900, 21_600)  # seconds of a closed port
ON_FRIDAYS = (600, 3600)  # when all come together, and every bank of the town is away at once
# The shop's own refusals come from the shop: one acquirer asks it before each payment.
DECLINED = tuple(code for code in sorted(DECLINES) if code != "refund_declined" and not code.startswith("shop_"))


class Weather:
    """Troubles that last, and those that come and go."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = world.chance("weather")

    def begin(self) -> None:
        """Orders the faults that hold for the whole run."""
        if self._world.rate:
            refuses = self._world.chance("refusals").random() < 0.5  # of some towns the bank refuses many refunds
            for name, bank in self._world.banks.items():
                more = ({"refund_declined": 1.0} if refuses else {}) | (SLOW_NEWS if name == "tbank" else {})
                for title, likely in (CONSTANT | more).items():
                    bank.faults.add(title, rate=min(1.0, self._world.rate * likely), seed=self._dice.getrandbits(32))
            self.change()
            if self._world.crowded:
                self._world.schedule(friday(self._world.now, 4) + timedelta(minutes=2), self._fall_together)

    def change(self) -> None:
        """Now and then the bank's port closes for a while, or the next card is declined."""
        world = self._world
        if world.calm:
            return
        name = self._dice.choice(list(world.banks))
        faults = world.banks[name].faults
        if world.trouble(0.3):
            world.diary.fault("refuse")
            faults.add("refuse", count=self._dice.choice(OUTAGES))
            world.schedule(world.now + timedelta(seconds=3), lambda: world.give_back(name))  # now, of all times
        if world.trouble(0.3):
            faults.add(f"decline:{self._dice.choice(DECLINED)}", count=1)
        world.schedule(world.now + timedelta(hours=self._dice.uniform(1, 48)), self.change)

    def _fall_together(self) -> None:
        """In the midst of an evening on which everybody pays: the banks, or our own worker."""
        world = self._world
        if world.trouble(2.0):
            for bank in world.banks.values():
                world.diary.fault("refuse")
                bank.faults.add("refuse", count=self._dice.choice(ON_FRIDAYS))
        elif world.trouble(3.0):
            world.worker_away(world.now + timedelta(minutes=30))  # and then finds much at once
        if not world.calm:
            world.schedule(world.now + timedelta(weeks=4), self._fall_together)

    def end(self) -> None:
        """No more trouble."""
        self._world.calm = True
        for bank in self._world.banks.values():
            bank.faults.clear()
