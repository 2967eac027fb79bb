"""The sweep guard: a sweep that would move far more people's money than was forecast stops and asks a human.

A sweep calls `permit` with all that is due, before it moves any of it. Within `settings.SWEEP_GUARD` nothing is
written; above it the one open `Halt` of that sweep tells staff, who let it run or keep it stopped.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from moneyed import Money

from billing import events, money
from billing.errors import Conflict, NotFound
from billing.models import Halt

log = logging.getLogger(__name__)

LET_FOR = timedelta(days=1)  # a permission is for the run that was stopped, not for ever
Sums = dict[str, int]  # minor units by currency


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a sweep is expected to move in one run: customers, and sums (one for each currency, or several added up)."""

    people: int = 0
    amounts: tuple[Money, ...] = ()


class Stopped(Conflict):
    """The sweep must move no money now; the text says why."""

    code = "sweep_stopped"


def permit(
    sweep: str,
    *,
    people: int,
    amounts: Iterable[Money],
    forecast: Forecast | Callable[[], Forecast],
    at: datetime,
) -> None:
    """Lets `sweep` go on, about to move `amounts` of `people` customers at `at`; raises Stopped where it must not.

    `people` and `amounts` are of all that is due, not of one batch. `forecast` may be a function, asked only above
    the floor. Commits what it writes, so it is called outside transactions.
    """
    sums = _added(amounts)
    above = _above_the_floor(people, sums)
    if not above and not Halt.objects.filter(sweep=sweep, status__in=Halt.ACTIVE).exists():
        return
    expected = forecast() if callable(forecast) else forecast
    usual = _added(expected.amounts)
    above = above and not _within(people, sums, expected.people, usual)
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:  # one at a time, also where there is no row to lock yet
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"halt:{sweep}"])
        halt = Halt.objects.select_for_update().filter(sweep=sweep, status__in=Halt.ACTIVE).first()
        stopped = _decide(halt, above, sweep, people, sums, Forecast(expected.people, _monies(usual)), at)
    if stopped is not None:
        raise Stopped(stopped.sentence)


def within(people: int, amounts: Iterable[Money], forecast: Forecast) -> bool:
    """Whether `permit` would let so much go on by this forecast."""
    return _within(people, _added(amounts), forecast.people, _added(forecast.amounts))


def standing(sweep: str) -> bool:
    """Whether a sweep is stopped now."""
    return Halt.objects.filter(sweep=sweep, status__in=Halt.STANDING).exists()


def let_run(
    halt_id: uuid.UUID,
    *,
    people: int,
    actor: str,
    reason: str,
    at: datetime,
    decided_by: uuid.UUID | None = None,
) -> Halt:
    """Lets a stopped sweep do this run, up to the figures that were shown (`people` says which).

    Raises NotFound; Conflict `not_stopped`, `stale_figures`.
    """
    with transaction.atomic():
        halt = _lock(halt_id)
        if halt.status not in Halt.STANDING:
            raise Conflict("This sweep is not stopped any more.", "not_stopped")
        if halt.people != people:
            raise Conflict(f"It is about {halt.people} people now.", "stale_figures", people=halt.people)
        halt.let_until, halt.reason, halt.decided_by_id = at + LET_FOR, reason, decided_by
        saved = ["let_until", "reason", "decided_by"]
        events.change(halt, halt.let_run, actor=actor, at=at, reason=reason, save=saved, data=_told(halt))
    return halt


def keep_stopped(
    halt_id: uuid.UUID, *, actor: str, reason: str, at: datetime, decided_by: uuid.UUID | None = None
) -> Halt:
    """A human has looked, and the sweep stays stopped, until it grows or is let run. Raises NotFound; Conflict."""
    with transaction.atomic():
        halt = _lock(halt_id)
        if halt.status != Halt.Status.STOPPED:
            raise Conflict("This sweep does not wait for a decision any more.", "not_stopped")
        halt.reason, halt.decided_by_id = reason, decided_by
        saved = ["reason", "decided_by"]
        events.change(halt, halt.keep, actor=actor, at=at, reason=reason, save=saved, data=_told(halt))
    return halt


def spoken(sums: Sums) -> str:
    """Sums by currency, for people."""
    return " and ".join(money.spoken(each) for each in _monies(sums)) or "nothing"


def _decide(
    halt: Halt | None, above: bool, sweep: str, people: int, sums: Sums, expected: Forecast, at: datetime
) -> Halt | None:
    """Moves the sweep's halt on; returns it where the sweep must stop."""
    if not above:
        if halt is not None:
            reason = "What is due is within the forecast again"
            events.change(halt, halt.end, actor="system", at=at, reason=reason, data=_told(halt))
        return None
    if halt is None:
        halt = Halt(sweep=sweep, created_at=at)
        _note(halt, people, sums, expected)
        halt.save(force_insert=True)
        log.error("%s stopped: %s", sweep, halt.sentence)
        told, why = _told(halt), halt.sentence
        events.emit("halt.stopped", halt, actor="system", at=at, reason=why, to_state=halt.status, data=told)
        return halt
    grown = people > halt.people or any(minor > halt.sums.get(currency, 0) for currency, minor in sums.items())
    if halt.status == Halt.Status.LET and not grown and halt.let_until is not None and at < halt.let_until:
        return None
    if halt.status == Halt.Status.STOPPED or grown:
        saved = _note(halt, people, sums, expected)
        halt.save(update_fields=[*saved, "updated_at"])
    if halt.status == Halt.Status.LET or (halt.status == Halt.Status.KEPT and grown):
        log.error("%s stopped: %s", sweep, halt.sentence)
        events.change(halt, halt.stop, actor="system", at=at, reason=halt.sentence, data=_told(halt))
    return halt


def _note(halt: Halt, people: int, sums: Sums, expected: Forecast) -> list[str]:
    halt.people, halt.sums = people, sums
    halt.expected_people, halt.expected_sums = expected.people, _added(expected.amounts)
    halt.sentence = (
        f"The sweep of {halt.sweep} stopped itself: {spoken(sums)} of {people} people are due at once, and no more "
        f"than {spoken(halt.expected_sums)} of {expected.people} people were expected. Nothing of it moves until "
        "somebody lets it run."
    )
    return ["people", "sums", "expected_people", "expected_sums", "sentence"]


def _above_the_floor(people: int, sums: Sums) -> bool:
    return people > settings.SWEEP_GUARD["least"] or any(minor > _least(currency) for currency, minor in sums.items())


def _within(people: int, sums: Sums, expected: int, usual: Sums) -> bool:
    factor = settings.SWEEP_GUARD["factor"]
    return people <= max(factor * expected, settings.SWEEP_GUARD["least"]) and all(
        minor <= max(factor * usual.get(currency, 0), _least(currency)) for currency, minor in sums.items()
    )


def _least(currency: str) -> int:
    floors = settings.SWEEP_GUARD["least_amounts"]
    return money.to_minor(Money(floors.get(currency, floors[""]), currency))


def _added(amounts: Iterable[Money]) -> Sums:
    sums: Sums = {}
    for amount in amounts:
        code = amount.currency.code
        sums[code] = sums.get(code, 0) + money.to_minor(amount)
    return sums


def _monies(sums: Sums) -> tuple[Money, ...]:
    return tuple(money.from_minor(minor, currency) for currency, minor in sorted(sums.items()))


def _told(halt: Halt) -> dict[str, object]:
    return {"sweep": halt.sweep, "people": halt.people, "sums": halt.sums, "expected_people": halt.expected_people}


def _lock(halt_id: uuid.UUID) -> Halt:
    halt = Halt.objects.select_for_update().filter(pk=halt_id).first()
    if halt is None:
        raise NotFound("There is no such halt.", "halt_not_found")
    return halt
