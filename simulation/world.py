"""The simulated world: one clock, one bank, one shop's process at a time, and what each step came to."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any
from unittest.mock import patch

from django.conf import settings
from django.test.utils import override_settings

from acquiring.bank import journal
from acquiring.bank.house import Bank, Config
from acquiring.http import Unanswered
from billing import calls, events, wake
from billing.errors import Refused
from billing.models import Event
from simulation import chance, protocols, turns
from simulation.acquirer import Line
from simulation.crashes import Crashes
from simulation.diary import Diary
from simulation.errors import Died, Mishap
from simulation.protocols import SHOP
from simulation.temper import temper, turn
from simulation.watch import Watch

BEGIN = datetime(2031, 1, 1, 9, tzinfo=UTC)  # after every price began, before the test cards expire
NERVOUS: dict[str, Any] = {"factor": 1, "least": 1, "least_amounts": {"": 500}}
TRIES_AGAIN = (1, 10, 60, 600, 3600, 3 * 3600)  # seconds, of a callback that was not taken: as seldom as real ones
TWO_STAGE = 0.3  # of the acquirers of other protocols hold a sum first


def friday(at: datetime, weeks: int = 1) -> datetime:
    """The next Friday evening from `at` on; of every so many `weeks`."""
    first, every = BEGIN + timedelta(days=2, hours=11), timedelta(weeks=weeks)
    return first - (first - at) // every * every


class World:
    """Everything that one run shares. `schedule` puts deeds on the clock; `act` does one as a process of the shop."""

    def __init__(self, seed: int, town: int, rate: float, diary: Diary) -> None:
        self.seed, self.rate, self.diary = (seed, town), rate, diary
        self.now = BEGIN
        self.result = ""  # of the last deed
        self.calm = False  # no more trouble: the run is being brought to its end
        self.broken_until = BEGIN  # a bad release: handlers and acquirers' answers fail in our own code
        self.hidden: dict[str, datetime] = {}  # what the bank forgets to list and to know, and until when
        self.lies = 0  # callbacks that will be told once more, with a figure that is not true
        self.cabinet_captures = 0  # holds that will be taken in part in the acquirer's cabinet
        self.lies_of_refunds = 0  # the same of a refund
        self.held: Callable[[], None] = lambda: None  # a sum is held, and staff hear of it
        self.look_at_statements: Callable[[], None] = lambda: None
        self.worker_away: Callable[[datetime], None] = lambda till: None
        self.give_back: Callable[[str], None] = lambda name: None  # staff refund something paid at that acquirer
        self.dice = self.chance("world")
        kind = temper(seed, town)
        self.unhurried, self.crowded, self.of_all_protocols = kind.unhurried, kind.crowded, kind.of_all_protocols
        self.two_stage = {"held"}
        if self.of_all_protocols:
            others = [name for name in protocols.ALL if name not in protocols.OWN]
            draws = self.chance("temper")
            self.two_stage |= {name for name in others if draws.random() < TWO_STAGE}
        self.banks = {
            name: self._open_bank(name) for name in (protocols.ALL if self.of_all_protocols else protocols.OWN)
        }
        self.crashes = Crashes(self.chance("crashes"), rate, turn(seed, town))
        self.watch = Watch(self)
        self.woken: Callable[[], None] = lambda: None
        self.others: list[Callable[[], None]] = []  # processes that may run in the middle of another's
        self._heap: list[tuple[datetime, int, Callable[[], None]]] = []
        self._turns = count()
        self._deep = 0
        self.crashes.between = self._between

    def chance(self, *what: object) -> Random:
        """Dice of their own, from the run's seed."""
        return chance.dice(self.seed, *what)

    def home(self, number: int) -> str:
        """The acquirer at which a customer pays mostly."""
        return self.chance("home", number).choice(protocols.ALL) if self.of_all_protocols else protocols.OWN[0]

    def schedule(self, at: datetime, deed: Callable[[], None]) -> None:
        """Has `deed` done at a time; in the order asked where two are at the same."""
        heapq.heappush(self._heap, (at, next(self._turns), deed))

    @property
    def next_at(self) -> datetime | None:
        """When the next scheduled deed is due."""
        return self._heap[0][0] if self._heap else None

    def do_next(self) -> None:
        """Does the next scheduled deed."""
        heapq.heappop(self._heap)[2]()

    def evening(self, at: datetime, wait: timedelta, dice: Random) -> datetime:
        """When somebody comes who would come at `at`, after a `wait`: in a crowded town with all others, one evening.

        On the next Friday who was here lately, every fourth Friday who comes seldom.
        """
        if not self.crowded or wait < timedelta(days=2):
            return at
        weeks = 4 if wait > timedelta(days=20) else 1
        evening = friday(at, weeks)
        return evening + timedelta(minutes=4 * dice.random())

    def pass_time(self, till: datetime) -> None:
        """Moves the clock on; never back."""
        self.now = max(self.now, till)

    def trouble(self, likely: float = 1.0) -> bool:
        """Whether the dice bring trouble now; never where the rate is 0 or all is calm."""
        return not self.calm and self.dice.random() < self.rate * likely

    def release(self) -> None:
        """What our own code does first. Raises Mishap where the release is bad."""
        if self.now < self.broken_until and not self.calm:
            raise Mishap("a bad release")

    def act(self, who: str, what: str, verb: Callable[[], Any], *, counts: bool = True) -> Any:
        """One process of the shop does `verb`: to its end, to a refusal, or until it dies. Returns what it made.

        An operation that was begun `counts`. Raises Stopped when something broke.
        """
        self.diary.step += 1
        self.diary.operations += counts
        armed, self.crashes.armed, made = self.crashes.armed, not self.calm, None
        try:
            made = verb()
            result = "done"
        except Refused as refused:
            result = f"refused {refused.code}"
        except Died as died:
            result = f"died {died}"
            self.diary.fault("crash")
        except (Mishap, Unanswered) as mishap:  # whoever waits for a statement is told that nobody answers
            result = f"failed {mishap}"
        except Exception as error:
            result = f"broke {type(error).__name__}: {error}"
            self.watch.broken(f"{what} raised {type(error).__name__}: {error}")
        finally:
            self.crashes.armed = armed
        self.result = result
        self.diary.line(self.now, who, what, result)
        self.watch.after_step()
        return made

    @contextmanager
    def running(self) -> Iterator[None]:
        """The shop of this world: its settings, its acquirers, its clock, its ids."""
        with (
            chance.seeded(self.seed, lambda: self.now),
            override_settings(**self._settings()),
            self.watch.listening(),
            _no_broker(self),
            _releases(self),
            patch.object(journal, "BACKOFF", TRIES_AGAIN),
            self.crashes.watching(),
            turns.taken(),
            calls.one_connection(),  # what the watch keeps on it lives as long as the run
        ):
            yield
        for bank in self.banks.values():
            bank.close()

    def _between(self) -> None:
        """Another process runs while this one waits: a twin of it, a sweep, a callback; or the machine stands still."""
        if self._deep or not self.others:
            return
        self._deep += 1
        try:
            self.diary.fault("interleaved")
            if self.dice.random() < 0.3:
                self.pass_time(self.now + timedelta(seconds=self.dice.choice((1, 30, 150, 600))))
            self.dice.choice(self.others)()
        finally:
            self._deep -= 1

    def _open_bank(self, name: str) -> Bank:
        ids = self.chance("bank", name)
        bank = Bank(
            Config(callback_url=protocols.callback_url(name), now=lambda: self.now),
            ":memory:",
            public_url=protocols.BANK,
            now=lambda: self.now,
            new_id=lambda prefix: f"{prefix}_{ids.getrandbits(64):016x}",
            clock=lambda: (self.now - BEGIN).total_seconds(),  # noqa: PLW0108  the time of the call, not of now
            pause=lambda seconds: self.pass_time(self.now + timedelta(seconds=seconds)),
        )
        take = bank.faults.take

        def counted(name: str) -> Any:
            fault = take(name)
            if fault:
                self.diary.fault(name)
            return fault

        bank.faults.take = counted  # type: ignore[method-assign]  # this one bank is listened to
        return bank

    def _guard(self) -> dict[str, Any]:
        """Some towns have a nervous guard, that stops what waited together for a few hours; others for some weeks."""
        nervous = self.rate and self.chance("guard").random() < 0.5
        return dict(NERVOUS if nervous else settings.SWEEP_GUARD)

    def _settings(self) -> dict[str, Any]:
        def entry(name: str, bank: Bank) -> dict[str, Any]:
            watched = {"world": self, "backend": protocols.BACKENDS[name], "adapter": Line(bank)}
            options = watched | dict(protocols.options(name, bank, self))
            more = {"receipts": protocols.RECEIPTS} if fiscal and name in protocols.FISCAL else {}
            two_stage = name in self.two_stage
            return {"backend": "simulation.acquirer.Watched", "options": options, "two_stage": two_stage} | more

        fiscal = not self.unhurried and self.chance("receipts").random() < 0.8
        return {
            "ACQUIRER_ROUTES": [{"shares": dict.fromkeys(self.banks, 1)}],
            "ACQUIRER_HEALTH": settings.ACQUIRER_HEALTH | {"trip_after": self.chance("health").choice((2, 5))},
            "ACQUIRERS": {name: entry(name, bank) for name, bank in self.banks.items()},
            "EMAIL_BACKEND": "simulation.mail.Post",
            "SIMULATION": self,
            "DEBUG": False,
            "PUBLIC_URL": SHOP,
            "CHECKOUT_TTL": settings.CHECKOUT_TTL,
            "SWEEP_GUARD": self._guard(),
            "CHARGES_AT_ONCE": 8 if self.unhurried else 1,  # in turns, so that the same seed is the same run
            "METER_EVERY": timedelta(hours=120),  # fewer steps; the times themselves say what is due
        }


@contextmanager
def _no_broker(world: World) -> Iterator[None]:
    """Wake-ups go to the simulated worker; the broker is not asked."""
    with patch.object(wake, "now", lambda task: world.woken()):
        yield


@contextmanager
def _releases(world: World) -> Iterator[None]:
    """Every handler of an event is of the release that runs."""

    def of_the_release(handler: events.Handler) -> events.Handler:
        def handle(event: Event) -> None:
            world.release()
            handler(event)

        return handle

    handlers = {
        kind: {name: of_the_release(handler) for name, handler in named.items()}
        for kind, named in events._handlers.items()
    }
    with patch.object(events, "_handlers", handlers):
        yield
