"""Reminders: once for each end of a term, some days before it. What it says depends on whether it renews by card."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import F

from billing import events, money
from subscriptions import discounts, offers, terms
from subscriptions.models import Subscription


def remind_due(*, at: datetime, limit: int = 500) -> int:
    """Reminds of the terms that end soon after `at`. Returns how many were due.

    One transaction for all of them: a second run, or one beside it, finds them reminded. An end that has passed while
    no scheduler ran is not reminded of any more.
    """
    with transaction.atomic(durable=True):
        rows = list(
            Subscription.objects.filter(remind_at__lte=at)
            .order_by("remind_at", "pk")
            .select_for_update(skip_locked=True, of=("self",))
            .select_related("plan", "price", "next_plan", "next_price", "method")[:limit]
        )
        Subscription.objects.filter(pk__in=[row.pk for row in rows]).update(
            remind_at=None, reminded_till=F("valid_till")
        )
        soon = [row for row in rows if _is_worth_it(row, at)]
        book = discounts.of_renewals(soon, at=at)
        facts = [(row, _told(row, book, at)) for row in soon]
        events.emit_many("subscription.reminded", facts, actor="system", at=at)
    return len(rows)


def _is_worth_it(row: Subscription, at: datetime) -> bool:
    return row.status == Subscription.Status.ACTIVE and row.valid_till is not None and at < row.valid_till


def _told(row: Subscription, book: discounts.Book, at: datetime) -> dict[str, object]:
    """What the reminder says: the charge that comes, or the card that is missing, or the end."""
    charge_at = row.next_charge_at if terms.will_renew(row) else None
    card, zone = row.method, row.plan_ahead.zone
    good = bool(charge_at and card and terms.good_to(card, charge_at.astimezone(zone)))
    amount = offers.renewal(row, at=at, book=book).quote.total
    return terms.told(row) | {
        "renews": good,
        "card_needed": row.auto_renew and not good,
        "card_expires": bool(charge_at and not good),
        "charge_at": charge_at,
        "charges": terms.spoken(charge_at, zone),
        "charges_on": terms.spoken_day(charge_at, zone),
        "has_grace": row.access_until != row.valid_till,
        "amount": money.spoken(amount),
    }
