"""The ordinary first term, many at once: nothing of the customer's runs out before it, and no card of it is kept.

What is written is what `lifecycle.activate` writes for each; whatever is not ordinary, or is in somebody else's hands
at this moment, is left to it.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from itertools import groupby

from billing import bulk, events
from subscriptions import terms
from subscriptions.models import Change, Period, Redemption, Subscription


def activate_many(paid: Mapping[uuid.UUID, datetime], *, actor: str) -> Collection[uuid.UUID]:
    """Begins the ordinary first terms of these invoices, each at the moment it was paid. Call it in a transaction.

    Returns the invoices that need no more: those, and the ones that billed no term.
    """
    periods = Period.objects.filter(invoice__in=list(paid)).order_by()
    billed = {row.invoice_id: row for row in periods if row.invoice_id is not None}
    odd = _with_more_to_do(paid)
    waiting = {pk: row for pk, row in billed.items() if row.number == 1 and row.starts_at is None and pk not in odd}
    first = {row.subscription_id: pk for pk, row in waiting.items()}
    begun = _locked(first, paid)
    for subscription in begun:
        invoice_id = first[subscription.pk]
        terms.begin(subscription, billed[invoice_id], paid[invoice_id])
        terms.look_ahead(subscription)
        subscription.activate()
    bulk.save([billed[first[subscription.pk]] for subscription in begun], "starts_at", "ends_at")
    bulk.save(begun, "status", "updated_at", *terms.BEGUN, *terms.AHEAD)
    _tell(begun, actor)
    nothing_to_do = [pk for pk in paid if pk not in billed and pk not in odd]
    return nothing_to_do + [first[each.pk] for each in begun]


def _with_more_to_do(paid: Mapping[uuid.UUID, datetime]) -> set[uuid.UUID]:
    """The invoices with a promo code to be used, and those of a change of plan."""
    coded = Redemption.objects.filter(invoice__in=list(paid)).values_list("invoice_id", flat=True)
    changing = Change.objects.filter(invoice__in=list(paid)).values_list("invoice_id", flat=True)
    return {*coded, *changing}


def _locked(first: Mapping[uuid.UUID, uuid.UUID], paid: Mapping[uuid.UUID, datetime]) -> list[Subscription]:
    """Of these waiting terms, the subscriptions that may begin at once; what somebody else holds is passed over."""
    waiting = Subscription.objects.filter(pk__in=list(first), status=Subscription.Status.PENDING, auto_renew=False)
    waiting = waiting.select_related("plan", "price").order_by("pk")
    rows = list(waiting.select_for_update(of=("self",), skip_locked=True))
    unbegun = set(  # looked at again under the lock
        Period.objects.filter(subscription__in=rows, number=1, starts_at=None).values_list("subscription_id", flat=True)
    )
    earliest = min(paid.values())
    running_out = set(
        Subscription.objects.filter(
            user__in=[row.user_id for row in rows], status=Subscription.Status.CANCELLED, valid_till__gt=earliest
        ).values_list("user_id", flat=True)
    )
    people = Counter(row.user_id for row in rows)
    return [row for row in rows if row.pk in unbegun and row.user_id not in running_out and people[row.user_id] == 1]


def _tell(begun: list[Subscription], actor: str) -> None:
    def began(row: Subscription) -> datetime:
        assert row.anchor_at is not None
        return row.anchor_at

    for moment, rows in groupby(sorted(begun, key=began), key=began):
        events.emit_many(
            "subscription.activated",
            [(row, terms.told_begun(row)) for row in rows],
            actor=actor,
            at=moment,
            from_state=Subscription.Status.PENDING,
            to_state=Subscription.Status.ACTIVE,
        )
