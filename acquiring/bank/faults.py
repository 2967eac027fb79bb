"""Trouble on order: what the bank can be told to do wrong. Kept in memory, so a restart ends every fault."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from acquiring.bank.cards import ORDERED

# name -> (what its argument is, a sentence for the control page)
KINDS: dict[str, tuple[str, str]] = {
    "decline": ("code", "The next attempt to move money, on the page or by token, is declined with this code."),
    "timeout_before": ("", "An API request is not acted upon and never answered."),
    "timeout_after": ("", "An API request is acted upon and never answered. On the page: money moves, then a 504."),
    "error_after": ("", "The request is acted upon, the answer is a 500. On the page too."),
    "refuse": ("", "The API port is closed: connections are refused. The count is in seconds."),
    "slow": ("seconds", "An API request waits this long first."),
    "callback_lost": ("", "A callback is written down and never sent."),
    "callback_duplicate": ("count", "This many more copies of a callback are sent, all at once."),
    "callback_delayed": ("seconds", "A callback is sent this much later."),
    "callback_reordered": ("", "A callback is held back until the next one was delivered, or for 3 seconds."),
    "callback_forged": ("", "A copy with other contents and a bad signature is sent first, then the true callback."),
    "captured_twice": ("", "Money is taken a second time for the same order, as a payment with an id of its own."),
    "refund_pending": ("seconds", "A refund is pending and succeeds this much later."),
    "processing": ("", "YooKassa: a request is acted upon, and first answered 202: it is being processed."),
    "receipt_failed": ("", "YooKassa: the fiscal receipt of an operation cannot be registered."),
    "refund_declined": ("", "A refund is declined by the card's bank."),
}


class BadFault(ValueError):
    """No such fault, or its parameters make no sense. The text says why."""


@dataclass(slots=True)
class Fault:
    """One order: for the next `left` uses, or for each use with probability `rate` (drawn from `seed`)."""

    name: str
    argument: str
    left: int | None
    rate: float | None
    seed: int
    since: float
    random: Random = field(repr=False)
    second: int = -1
    drawn: bool = False

    @property
    def title(self) -> str:
        """The name as it is ordered, for example `decline:do_not_honor`."""
        return f"{self.name}:{self.argument}" if self.argument else self.name

    @property
    def number(self) -> float:
        """The argument as a number (seconds or copies)."""
        return float(self.argument)

    def as_json(self) -> dict[str, Any]:
        """The fault as the control page lists it."""
        return {"fault": self.title, "left": self.left, "rate": self.rate, "seed": self.seed}


class Faults:
    """The switchboard. `clock` is a monotonic clock in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self.on_change: Callable[[], None] = lambda: None

    def add(self, title: str, count: object = None, rate: object = None, seed: object = 0) -> Fault:
        """Orders a fault, `count` times or at a `rate` between 0 and 1. Raises BadFault."""
        name, _, argument = title.partition(":")
        _check_argument(name, argument)
        if (count is None) == (rate is None):
            raise BadFault('give either "count" (a whole number from 1) or "rate" (from 0 to 1)')
        if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
            raise BadFault('"count" must be a whole number from 1')
        if rate is not None and (not isinstance(rate, (int, float)) or isinstance(rate, bool) or not 0 <= rate <= 1):
            raise BadFault('"rate" must be a number from 0 to 1')
        if not isinstance(seed, int) or isinstance(seed, bool):
            raise BadFault('"seed" must be a whole number')
        left = count if isinstance(count, int) else None
        chance = float(rate) if isinstance(rate, (int, float)) else None  # a likelihood, no money
        fault = Fault(name, argument, left, chance, seed, self._clock(), Random(seed))
        with self._lock:
            self._faults.append(fault)
        self.on_change()
        return fault

    def take(self, name: str) -> Fault | None:
        """Uses one fault of that name, if one is ordered and the dice agree. One count is used once, ever."""
        with self._lock:
            for fault in self._faults:
                if fault.name != name:
                    continue
                if fault.left is None:
                    if fault.random.random() < (fault.rate or 0):
                        return fault
                    continue
                fault.left -= 1
                if fault.left == 0:
                    self._faults.remove(fault)
                return fault
        return None

    def refusing(self) -> bool:
        """Whether the API port must be closed now. A count is seconds; a rate is drawn once a second."""
        with self._lock:
            now = self._clock()
            self._faults = [fault for fault in self._faults if not _refuse_is_over(fault, now)]
            return any(_refuses(fault, now) for fault in self._faults if fault.name == "refuse")

    def listed(self) -> list[Fault]:
        """Every fault in force."""
        with self._lock:
            return list(self._faults)

    def clear(self) -> None:
        """Ends every fault at once."""
        with self._lock:
            self._faults = []
        self.on_change()


def _check_argument(name: str, argument: str) -> None:
    if name not in KINDS:
        raise BadFault(f"no fault is called {name!r}; there are: {', '.join(KINDS)}")
    needs = KINDS[name][0]
    if not needs:
        if argument:
            raise BadFault(f"{name} takes no argument")
    elif needs == "code":
        if argument not in ORDERED:
            raise BadFault(f"{name} needs one of these codes, as {name}:<code>: {', '.join(ORDERED)}")
    elif needs == "count":
        if not argument.isdecimal() or not 1 <= int(argument) <= 50:
            raise BadFault(f"{name} needs a whole number from 1 to 50, as {name}:2")
    else:
        try:
            good = 0 < float(argument) <= 86_400
        except ValueError:
            good = False
        if not good:
            raise BadFault(f"{name} needs seconds (above 0, at most a day), as {name}:1.5")


def _refuse_is_over(fault: Fault, now: float) -> bool:
    return fault.name == "refuse" and fault.left is not None and now >= fault.since + fault.left


def _refuses(fault: Fault, now: float) -> bool:
    if fault.rate is None:
        return True
    second = int(now - fault.since)
    while fault.second < second:  # one draw per second, so that a seed always gives the same pattern
        fault.second += 1
        fault.drawn = fault.random.random() < fault.rate
    return fault.drawn
