"""What subscriptions do when billing's news arrives. Each handler may run twice and changes nothing the second time."""

import uuid
from collections.abc import Collection, Sequence

from billing import events
from billing.models import Event
from subscriptions import activations, agreements, lifecycle, metering, redemptions, renewals, switching


def activate_what_were_paid(told: Sequence[Event]) -> Collection[int]:
    """The ordinary ones of many. A customer whose meter is to be looked at is left to the handler."""
    metered = metering.to_ring({event.user_id for event in told if event.user_id}, at=min(event.at for event in told))
    ordinary = {event.subject_id: event for event in told if event.user_id not in metered}
    if not ordinary:
        return []
    paid = {invoice_id: event.at for invoice_id, event in ordinary.items()}
    return [ordinary[invoice_id].pk for invoice_id in activations.activate_many(paid, actor="system")]


@events.on("invoice.paid", many=activate_what_were_paid)
def activate_what_was_paid(event: Event) -> None:
    redemptions.use(event.subject_id, at=event.at)
    lifecycle.activate(event.subject_id, actor="system", at=event.at)
    renewals.extend(event.subject_id, actor="system", at=event.at)
    switching.apply(event.subject_id, actor="system", at=event.at)
    look_at_the_meter(event)


@events.on("refund.requested", "refund.failed", "refund.succeeded")
def look_at_the_meter(event: Event) -> None:
    """A wallet may have moved; the sweep reads the clock, so that nothing is charged for the time until then."""
    if event.user_id is not None:
        metering.ring(event.user_id, at=event.at)


@events.on("invoice.voided")
def abandon_what_was_not_paid(event: Event) -> None:
    lifecycle.abandon(event.subject_id, actor="system", at=event.at, reason=event.reason)
    renewals.closed(event.subject_id, at=event.at)
    switching.close(event.subject_id, at=event.at, reason=event.reason)


@events.on("invoice.voided", "invoice.written_off")
def free_the_code_of_what_was_not_paid(event: Event) -> None:
    redemptions.release(event.subject_id, at=event.at)


@events.on("payment.card_kept")
def renew_by_the_card_that_paid(event: Event) -> None:
    agreements.take_late_card(uuid.UUID(str(event.data["invoice"])), at=event.at)


@events.on("payment.failed", "payment.cancelled")
def think_of_the_next_try(event: Event) -> None:
    renewals.tell(uuid.UUID(str(event.data["invoice"])), at=event.at)
