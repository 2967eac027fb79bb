"""What subscriptions do when billing's news arrives. Each handler may run twice and changes nothing the second time."""

from billing import events
from billing.models import Event
from subscriptions import changes, lifecycle


@events.on("invoice.paid")
def activate_what_was_paid(event: Event) -> None:
    lifecycle.activate(event.subject_id, actor="system", at=event.at)


@events.on("invoice.voided")
def abandon_what_was_not_paid(event: Event) -> None:
    lifecycle.abandon(event.subject_id, actor="system", at=event.at, reason=event.reason)


@events.on("invoice.paid")
def change_the_plan_that_was_paid(event: Event) -> None:
    changes.apply(event.subject_id, actor="system", at=event.at)


@events.on("invoice.voided")
def close_the_change_that_was_not_paid(event: Event) -> None:
    changes.close(event.subject_id, at=event.at, reason=event.reason)
