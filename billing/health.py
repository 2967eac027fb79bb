"""Whether an acquirer is well, from what its calls really came to: closed, open, half-open, or off by hand.

It decides where *new* pages are opened; of an acquirer that is down the sweeps ask once in a while, not row by row.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from acquiring import asking, registry
from acquiring.types import Decline, Outcome, Status
from billing import events
from billing.errors import Conflict, NotFound
from billing.models import AcquirerHealth

log = logging.getLogger(__name__)

LONGEST = timedelta(minutes=15)  # between two tries of one that stays down
SAVED = ("failures", "trips", "retry_at", "sentence")


def note(name: str, outcome: Outcome, *, at: datetime) -> None:
    """Counts what a call that opens a page or charges a card came to. A decline is an answer like any other.

    The last of `settings.ACQUIRER_HEALTH["trip_after"]` failures in a row finds the acquirer down. The parameters of
    a widget count for nothing where nobody was called for them, nor does what stood in our own queue.
    """
    if (outcome.widget and not outcome.raw) or outcome.code == asking.CROWDED:
        return
    failed = outcome.decline == Decline.OUR_FAULT or not _answered(outcome)
    if not failed and not AcquirerHealth.objects.filter(name=name).exclude(status="closed", failures=0).exists():
        return
    if failed:
        AcquirerHealth.objects.bulk_create([AcquirerHealth(name=name, created_at=at)], ignore_conflicts=True)
    with transaction.atomic():
        row = _lock(name)
        if failed:
            _failed(row, outcome, at)
        elif row.status in AcquirerHealth.DOWN:
            _recover(row, at)
        elif row.failures:
            row.failures = 0
            row.save(update_fields=["failures", "updated_at"])


def looked_up(name: str, outcome: Outcome, *, at: datetime) -> None:
    """What a question to an acquirer that is down, a refund or the closing of a page there, came to.

    It answers again, or is left alone for another while. What stood in our own queue counts for nothing here either.
    """
    if outcome.code == asking.CROWDED:
        return
    if not AcquirerHealth.objects.filter(name=name, status__in=AcquirerHealth.DOWN).exists():
        return
    if _answered(outcome):
        with transaction.atomic():
            row = _lock(name)
            if row.status in AcquirerHealth.DOWN:
                _recover(row, at)
    else:
        pause = settings.ACQUIRER_HEALTH["pause"]
        pause = min(max(pause, outcome.wait or pause), LONGEST)
        rows = AcquirerHealth.objects.filter(name=name, status__in=AcquirerHealth.DOWN, retry_at__lt=at + pause)
        rows.update(retry_at=at + pause, updated_at=at)


def willing(names: Sequence[str], *, at: datetime) -> list[str]:
    """Those of the acquirers at which a page may be opened: the well ones in the order given, then the ones down.

    One that is down and whose time has come takes its place in front, for one caller; none that is switched off.
    """
    rows = {row.name: row for row in AcquirerHealth.objects.filter(name__in=names)}
    well: list[str] = []
    down: list[str] = []
    for name in names:
        row = rows.get(name)
        if row is None or row.status == AcquirerHealth.Status.CLOSED:
            well.append(name)
        elif row.status in AcquirerHealth.DOWN:
            (well if not well and _probe(row, at) else down).append(name)
    return well + down


def switched_off(name: str) -> bool:
    """Whether staff have switched the acquirer off."""
    return AcquirerHealth.objects.filter(name=name, status=AcquirerHealth.Status.OFF).exists()


def askable(rows: QuerySet[Any], acquirer: str, *, at: datetime) -> QuerySet[Any]:
    """Those of `rows` that a sweep may ask their acquirers about at `at`; `acquirer`: the path to its name.

    Of an acquirer that is down: none; once its pause is over, the one that has been due the longest, for one caller in
    each pause. It may answer nobody yet, and each call of a batch would wait as long as a call may.
    """
    ailing = list(AcquirerHealth.objects.filter(status__in=AcquirerHealth.DOWN))
    if not ailing:
        return rows
    first = [_first(row, rows.filter(**{acquirer: row.name}), at) for row in ailing]
    well = ~Q(**{f"{acquirer}__in": [row.name for row in ailing]})
    return rows.filter(well | Q(pk__in=[pk for pk in first if pk is not None]))


def all_rows(*, at: datetime) -> None:
    """Makes a row for each acquirer in use that has none, for staff to see and to switch."""
    rows = [AcquirerHealth(name=name, created_at=at) for name in registry.names()]
    AcquirerHealth.objects.bulk_create(rows, ignore_conflicts=True)


def switch_off(name: str, *, actor: str, reason: str, at: datetime) -> AcquirerHealth:
    """Opens no new page there until it is switched on. Raises NotFound; Conflict `switched_off`."""
    with transaction.atomic():
        row = _lock(name)
        if row.status == AcquirerHealth.Status.OFF:
            raise Conflict("It is switched off already.", "switched_off")
        row.retry_at = None
        events.change(row, row.switch_off, actor=actor, at=at, reason=reason, save=SAVED, data=_told(row))
    return row


def switch_on(name: str, *, actor: str, reason: str, at: datetime) -> AcquirerHealth:
    """Lets it take part again, as one that is well. Raises NotFound; Conflict `not_switched_off`."""
    with transaction.atomic():
        row = _lock(name)
        if row.status != AcquirerHealth.Status.OFF:
            raise Conflict("It is not switched off.", "not_switched_off")
        row.failures, row.trips, row.sentence = 0, 0, ""
        events.change(row, row.switch_on, actor=actor, at=at, reason=reason, save=SAVED, data=_told(row))
    return row


def _answered(outcome: Outcome) -> bool:
    """That it knows no such operation, or wants the order again, is an answer."""
    if outcome.unheard:
        return False
    return outcome.status != Status.UNKNOWN or outcome.absent or outcome.again


def _recover(row: AcquirerHealth, at: datetime) -> None:
    row.failures, row.trips, row.retry_at = 0, 0, None
    reason = "It answers again"
    events.change(row, row.recover, actor="system", at=at, reason=reason, save=SAVED, data=_told(row))


def _failed(row: AcquirerHealth, outcome: Outcome, at: datetime) -> None:
    sentence = outcome.message
    row.failures, row.sentence = row.failures + 1, sentence[:300]
    rules = settings.ACQUIRER_HEALTH
    enough = row.failures >= rules["trip_after"] and row.status == AcquirerHealth.Status.CLOSED
    if enough or row.status == AcquirerHealth.Status.HALF_OPEN:
        longer = rules["pause"] * 2 ** min(row.trips, 10)
        row.retry_at = at + min(max(longer, outcome.wait or longer), LONGEST)
        row.trips += 1
        log.error("acquirer %s is down: %s", row.name, sentence)
        events.change(row, row.trip, actor="system", at=at, reason=sentence, save=SAVED, data=_told(row))
    else:
        row.save(update_fields=["failures", "sentence", "updated_at"])


def _probe(seen: AcquirerHealth, at: datetime) -> bool:
    """Whether this caller is the one who tries it now."""
    if seen.retry_at is None or seen.retry_at > at:
        return False
    with transaction.atomic():
        row = _lock(seen.name)
        if row.status not in AcquirerHealth.DOWN or row.retry_at is None or row.retry_at > at:
            return False
        row.retry_at = at + settings.ACQUIRER_HEALTH["pause"]  # whoever tries it may die
        events.change(row, row.probe, actor="system", at=at, save=SAVED, data=_told(row))
    return True


def _first(seen: AcquirerHealth, rows: QuerySet[Any], at: datetime) -> Any:
    """The one of an ailing acquirer's `rows` that this caller asks about, where its pause is over; else None."""
    if seen.retry_at is None or seen.retry_at > at:
        return None
    first = rows.filter(next_check_at__lte=at).order_by("next_check_at", "pk").values_list("pk", flat=True).first()
    mine = AcquirerHealth.objects.filter(pk=seen.pk, status__in=AcquirerHealth.DOWN, retry_at=seen.retry_at)
    taken = first is not None and mine.update(retry_at=at + settings.ACQUIRER_HEALTH["pause"], updated_at=at)
    return first if taken else None


def _told(row: AcquirerHealth) -> dict[str, object]:
    return {"acquirer": row.name, "failures": row.failures}


def _lock(name: str) -> AcquirerHealth:
    row = AcquirerHealth.objects.select_for_update().filter(name=name).first()
    if row is None:
        raise NotFound("There is no such acquirer.", "unknown_acquirer")
    return row
