"""Who may watch, and until when: one indexed query."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from django.db import connection

# By hand, because every play of every film asks it. Of a person without a term there is one row, of nulls.
LOOK = """
    SELECT person.is_active, term.anchor_at, term.access_until, plan.roles, term.switches_at, coming.roles
      FROM accounts_user person
      LEFT JOIN subscriptions_subscription term
             ON term.user_id = person.id AND term.access_until > %s AND term.anchor_at IS NOT NULL
      LEFT JOIN subscriptions_plan plan ON plan.id = term.plan_id
      LEFT JOIN subscriptions_plan coming ON coming.id = term.next_plan_id AND term.switches_at IS NOT NULL
     WHERE person.id = %s
     ORDER BY term.anchor_at"""


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A role owed to somebody until a time."""

    role: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, and the roles owed to them."""

    is_active: bool
    entitlements: list[Entitlement]


def look(user_id: uuid.UUID, *, at: datetime) -> Person | None:
    """A person and the roles owed to them at `at`; None where there is no such person."""
    with connection.cursor() as cursor:
        cursor.execute(LOOK, [at, user_id])
        rows = cursor.fetchall()
    return Person(rows[0][0], _owed((row[1:] for row in rows), at)) if rows else None


def of(user_id: uuid.UUID, *, at: datetime) -> list[Entitlement]:
    """The roles owed to a user at `at`, each until its latest end.

    A term that begins later owes nothing yet; where it begins at the end of one with the same role, that role goes on.
    One of another plan that is paid ahead is such a term, whether or not the sweep has begun that plan.
    """
    person = look(user_id, at=at)
    return person.entitlements if person else []


def may(user_id: uuid.UUID, role: str, *, at: datetime) -> bool:
    """Whether `role` is owed to a user at `at`."""
    return any(entitlement.role == role for entitlement in of(user_id, at=at))


def _owed(terms: Iterable[tuple[Any, ...]], at: datetime) -> list[Entitlement]:
    latest: dict[str, datetime] = {}
    parts = [part for term in terms for part in _parts(*term)]
    for begins, until, roles in sorted(parts, key=itemgetter(0)) if len(parts) > 1 else parts:
        if until <= at:
            continue
        for role in roles or ():
            if begins <= latest.get(role, at):
                latest[role] = max(until, latest.get(role, until))
    return [Entitlement(role, until) for role, until in sorted(latest.items())]


def _parts(begins: Any, until: Any, roles: Any, switches_at: Any, coming: Any) -> list[tuple[Any, Any, Any]]:
    """A subscription's time, in two where another plan begins within it; none where there is no subscription."""
    if until is None:
        return []
    if switches_at is None or switches_at >= until:
        return [(begins, until, roles)]
    return [(begins, switches_at, roles), (switches_at, until, coming)]
