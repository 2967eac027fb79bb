"""Which events are worth a mail. A mail is written here, inside the event's delivery, and sent by a sweep."""

from billing import events
from notifications import mailings


@events.on(
    "payment.succeeded", "payment.failed", "refund.succeeded", "subscription.running_low", "subscription.suspended"
)
def write_mail(event: events.Event) -> None:
    mailings.write(event)


@events.on(
    "subscription.reminded",
    "subscription.renewed",
    "subscription.card_needed",
    "subscription.past_due",
    "subscription.expired",
    "subscription.ended",
)
def write_of_the_term(event: events.Event) -> None:
    """A term that gave way to a new one, or ended with its cancellation, is no news to the customer."""
    if not event.data.get("replaced") and not event.data.get("at_once"):
        mailings.write(event)
