"""Who may watch, and until when: one indexed query."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from subscriptions.models import Subscription


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A role owed to somebody until a time."""

    role: str
    until: datetime


def of(user_id: uuid.UUID, *, at: datetime) -> list[Entitlement]:
    """The roles owed to a user at `at`, each until its latest end.

    A term that begins later owes nothing yet; where it begins at the end of one with the same role, that role goes on.
    """
    rows = (
        Subscription.objects.filter(user_id=user_id, access_until__gt=at, anchor_at__isnull=False)
        .order_by("anchor_at")
        .values_list("anchor_at", "access_until", "plan__roles")
    )
    latest: dict[str, datetime] = {}
    for begins, until, roles in rows:
        for role in roles:
            if begins and until and begins <= latest.get(role, at):
                latest[role] = max(until, latest.get(role, until))
    return [Entitlement(role, until) for role, until in sorted(latest.items())]


def may(user_id: uuid.UUID, role: str, *, at: datetime) -> bool:
    """Whether `role` is owed to a user at `at`."""
    return any(entitlement.role == role for entitlement in of(user_id, at=at))
