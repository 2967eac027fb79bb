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
    """The roles owed to a user at `at`, each until its latest end."""
    rows = Subscription.objects.filter(user_id=user_id, access_until__gt=at).values_list("access_until", "plan__roles")
    latest: dict[str, datetime] = {}
    for until, roles in rows:
        latest.update({role: max(until, latest.get(role, until)) for role in roles if until})
    return [Entitlement(role, until) for role, until in sorted(latest.items())]


def may(user_id: uuid.UUID, role: str, *, at: datetime) -> bool:
    """Whether `role` is owed to a user at `at`."""
    return any(entitlement.role == role for entitlement in of(user_id, at=at))
