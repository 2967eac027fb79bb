"""What happened to a row, in order: when, what, from which state to which, who, why."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Model, Q, QuerySet
from django.urls import reverse

from accounts.models import User
from billing.models import Event, Payment, Refund
from billing.models.state import StatefulModel

LATEST = 100


@dataclass(frozen=True, slots=True)
class Moment:
    """An event, with its actor's name and the address of what it happened to."""

    event: Event
    actor: str
    actor_url: str
    subject_url: str


def of(row: StatefulModel) -> list[Moment]:
    """The latest events of one row, newest first; a payment's refunds are part of its story."""
    subjects = Q(subject_type=row.noun, subject_id=row.pk)
    if isinstance(row, Payment):
        subjects |= Q(subject_type=Refund.noun, subject_id__in=list(row.refunds.values_list("pk", flat=True)))
    return told(Event.objects.filter(subjects).order_by("-id")[:LATEST])


def told(events: QuerySet[Event]) -> list[Moment]:
    """Events with their actors named: two queries however many there are."""
    rows = list(events)
    emails = _emails(event.actor for event in rows)
    return [
        Moment(event, *_who(event.actor, emails), subject_url=subject_address(event.subject_type, event.subject_id))
        for event in rows
    ]


def actor_names(events: Sequence[Event]) -> list[str]:
    """Who did each of them, by e-mail where that is a person: one query."""
    emails = _emails(event.actor for event in events)
    return [_who(event.actor, emails)[0] for event in events]


def subjects() -> dict[str, type[Model]]:
    """What events happen to: noun → model."""
    return {model.noun: model for model in StatefulModel.__subclasses__()}


def subject_address(noun: str, pk: uuid.UUID) -> str:
    """Where the admin shows what an event happened to; empty where it does not."""
    model = subjects().get(noun)
    if model is None:
        return ""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[pk])


def _emails(actors: Iterable[str]) -> dict[str, str]:
    ids = set()
    for actor in actors:
        kind, _, who = actor.partition(":")
        if kind == "user":
            try:
                ids.add(uuid.UUID(who))
            except ValueError:
                continue  # an actor that names nobody is shown as it is written
    found = User.objects.filter(pk__in=ids).values_list("pk", "email") if ids else []
    return {f"user:{pk}": email for pk, email in found}


def _who(actor: str, emails: dict[str, str]) -> tuple[str, str]:
    if actor not in emails:
        return actor, ""
    return emails[actor], reverse("admin:accounts_user_change", args=[actor.partition(":")[2]])
