"""The event spine: facts are written with what they tell of, and handed to each handler exactly once in effect."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction

from billing import outcomes, sweeps, wake
from billing.context import request_id
from billing.models import Delivery, Event
from billing.models.state import StatefulModel

log = logging.getLogger(__name__)

__all__ = ["Event", "change", "deliver", "deliver_due", "emit", "emit_many", "on", "retry"]

Handler = Callable[[Event], None]
Many = Callable[[Sequence[Event]], Collection[int]]

LEASE = timedelta(minutes=1)
BACK_OFF = tuple(timedelta(seconds=s) for s in (1, 5, 15, 60, 300, 900, 3600))
PARK_AFTER = 12  # attempts
FEW = 2  # fewer deliveries are not worth a batch

COLUMNS = (
    "kind", "subject_type", "subject_id", "from_state", "to_state", "actor", "reason", "user_id", "request_id", "at",
)  # fmt: skip
WRITE = f"""
    WITH event AS (
        INSERT INTO billing_event ({", ".join(COLUMNS)}, data) VALUES ({"%s, " * len(COLUMNS)}%s) RETURNING id, at),
    deliveries AS (
        INSERT INTO billing_delivery (event_id, handler, status, attempts, next_attempt_at, error)
        SELECT event.id, handler, 'due', 0, event.at, '' FROM event, unnest(%s::text[]) AS handler)
    SELECT id FROM event"""  # noqa: S608  ours
# Ids are given out before, so that no part of the statement joins another.
WRITE_MANY = """
    WITH given AS MATERIALIZED (
        SELECT nextval('billing_event_id_seq') AS id, subject, customer, data
          FROM json_to_recordset(%s::json) AS fact (subject uuid, customer uuid, data jsonb)),
    events AS (
        INSERT INTO billing_event (id, subject_id, user_id, data, kind, subject_type, from_state, to_state, actor,
                                   reason, request_id, at)
        SELECT id, subject, customer, data, %s, %s, %s, %s, %s, %s, %s, %s FROM given)
    INSERT INTO billing_delivery (event_id, handler, status, attempts, next_attempt_at, error)
    SELECT id, handler, 'due', 0, %s::timestamptz, '' FROM given, unnest(%s::text[]) AS handler"""

_handlers: dict[str, dict[str, Handler]] = defaultdict(dict)
_many: dict[str, Many] = {}


def on(*kinds: str, many: Many | None = None) -> Callable[[Handler], Handler]:
    """Registers a handler of events of these kinds.

    It runs after the commit, in a transaction of its own, at least once: it must be idempotent (a state machine's
    guard or a unique key) and must not call out to the network.

    `many` does the same for several events, oldest first, in one transaction. It returns the ids of those it has seen
    to; the handler is asked about each of the others, and about all of them where `many` raises.
    """

    def register(handler: Handler) -> Handler:
        name = f"{handler.__module__}.{handler.__qualname__}"
        for kind in kinds:
            _handlers[kind][name] = handler
        if many is not None:
            _many[name] = many
        return handler

    return register


def emit(
    kind: str,
    row: Any,
    *,
    actor: str,
    at: datetime,
    reason: str = "",
    from_state: str = "",
    to_state: str = "",
    data: dict[str, Any] | None = None,
) -> Event:
    """Writes the event `kind` of `row`, and a delivery for each handler. Call it in the fact's own transaction."""
    event = Event(
        kind=kind,
        subject_type=row.noun,
        subject_id=row.pk,
        from_state=from_state,
        to_state=to_state,
        actor=actor,
        reason=reason,
        user_id=row.customer_id,
        data=data or {},
        request_id=request_id.get(),
        at=at,
    )
    handlers = list(_handlers.get(kind, ()))
    event.pk = _written(event, handlers)
    event._state.adding = False
    if handlers:
        wake.after_commit("billing.tasks.deliver_events")
    return event


def emit_many(
    kind: str,
    facts: Sequence[tuple[Any, dict[str, Any]]],
    *,
    actor: str,
    at: datetime,
    reason: str = "",
    from_state: str = "",
    to_state: str = "",
) -> None:
    """`emit` for many rows, each with its own data, in one statement however many they are."""
    if not facts:
        return
    handlers = list(_handlers.get(kind, ()))
    same = (kind, facts[0][0].noun, from_state, to_state, actor, reason, request_id.get(), at)
    given = [{"subject": str(row.pk), "customer": _text(row.customer_id), "data": data} for row, data in facts]
    with connection.cursor() as cursor:
        cursor.execute(WRITE_MANY, [json.dumps(given, cls=DjangoJSONEncoder), *same, at, handlers])
    if handlers:
        wake.after_commit("billing.tasks.deliver_events")


def _text(pk: object) -> str | None:
    return None if pk is None else str(pk)


def change(
    row: StatefulModel,
    transition: Callable[[], None],
    *,
    actor: str,
    at: datetime,
    reason: str = "",
    save: Iterable[str] = (),
    data: dict[str, Any] | None = None,
) -> Event:
    """Makes one transition of a locked row, saves it (and the fields of `save`) by name, and tells it as an event.

    Raises django_fsm.TransitionNotAllowed.
    """
    before = row.status
    transition()
    changed = ["status", "updated_at", *save]
    row.save(update_fields=changed)
    return emit(
        row.event_kind, row, actor=actor, at=at, reason=reason, from_state=before, to_state=row.status, data=data
    )


def deliver_due(*, at: datetime, limit: int = 200) -> int:
    """Hands over the events that are due at `at`. Returns how many deliveries were taken up."""
    rows = sweeps.claim(
        Delivery.objects.filter(status=Delivery.Status.DUE),
        "next_attempt_at",
        at=at,
        lease=LEASE,
        limit=limit,
        counter="attempts",
    )
    done = _delivered_together(rows, at)
    sweeps.each([pk for pk in rows if pk not in done], lambda pk: deliver(pk, at=at))
    return len(rows)


def deliver(delivery_id: int, *, at: datetime) -> None:
    """Hands one event to one handler. A handler that fails is tried again with back-off, then parked."""
    try:
        with transaction.atomic():
            delivery = _lock_due(delivery_id)
            if delivery is None:
                return
            _handlers[delivery.event.kind][delivery.handler](delivery.event)
            delivery.status, delivery.done_at, delivery.error = Delivery.Status.DONE, at, ""
            delivery.save(update_fields=["status", "done_at", "error"])
    except Exception as error:  # the commit itself may refuse too: a deferred constraint is checked only there
        _failed(delivery_id, error, at)


def retry(delivery_id: int, *, at: datetime) -> Delivery:
    """Takes a parked delivery up again, from the first attempt."""
    with transaction.atomic():
        delivery = Delivery.objects.select_for_update().get(pk=delivery_id)
        if delivery.status == Delivery.Status.PARKED:
            delivery.status, delivery.attempts, delivery.next_attempt_at = Delivery.Status.DUE, 0, at
            delivery.save(update_fields=["status", "attempts", "next_attempt_at"])
            wake.after_commit("billing.tasks.deliver_events")
    return delivery


def _written(event: Event, handlers: list[str]) -> int:
    """Inserts an event and its deliveries, in one statement because every step of every trip does it."""
    with connection.cursor() as cursor:
        cursor.execute(
            WRITE,
            [*(getattr(event, name) for name in COLUMNS), json.dumps(event.data, cls=DjangoJSONEncoder), handlers],
        )
        return int(cursor.fetchone()[0])


def _delivered_together(delivery_ids: Sequence[int], at: datetime) -> set[int]:
    """Hands the events over to those handlers that take many at once. Returns the deliveries that are done."""
    if len(delivery_ids) < FEW:
        return set()
    by_handler: dict[str, list[int]] = defaultdict(list)
    found = Delivery.objects.filter(pk__in=delivery_ids, handler__in=list(_many)).order_by("pk")
    for pk, handler in found.values_list("pk", "handler"):
        by_handler[handler].append(pk)
    return {pk for handler, pks in by_handler.items() if len(pks) >= FEW for pk in _together(handler, pks, at)}


def _together(handler: str, delivery_ids: Sequence[int], at: datetime) -> list[int]:
    due = Delivery.objects.filter(pk__in=delivery_ids, status=Delivery.Status.DUE).order_by("pk")
    try:
        with transaction.atomic():
            rows = list(due.select_related("event__user").select_for_update(of=("self",), skip_locked=True))
            if not rows:  # another worker has them, or had them
                return []
            of_event = {row.event_id: row for row in rows}
            done = [of_event[pk].pk for pk in _many[handler]([row.event for row in of_event.values()])]
            Delivery.objects.filter(pk__in=done).update(status=Delivery.Status.DONE, done_at=at, error="")
    except Exception:  # nothing of it is written; one by one the culprit is found, and the others go on
        log.exception("%s failed for %s events together", handler, len(delivery_ids))
        return []
    return done


def _lock_due(delivery_id: int) -> Delivery | None:
    due = Delivery.objects.filter(pk=delivery_id, status=Delivery.Status.DUE)
    return due.select_for_update(of=("self",)).select_related("event__user").first()


def _failed(delivery_id: int, error: Exception, at: datetime) -> None:
    with transaction.atomic():
        delivery = _lock_due(delivery_id)
        if delivery is None:
            return
        log.error("event %s: %s failed", delivery.event_id, delivery.handler, exc_info=error)
        delivery.error = outcomes.storable(f"{type(error).__name__}: {error}"[:2000])
        delivery.next_attempt_at = at + sweeps.back_off(delivery.attempts - 1, *BACK_OFF)
        if delivery.attempts >= PARK_AFTER:
            delivery.status = Delivery.Status.PARKED
        delivery.save(update_fields=["status", "error", "next_attempt_at"])
