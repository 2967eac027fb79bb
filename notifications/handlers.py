"""Which events are worth a mail. A mail is written here, inside the event's delivery, and sent by a sweep."""

from billing import events
from notifications import mailings


@events.on(
    "payment.succeeded", "payment.failed", "refund.succeeded", "subscription.running_low", "subscription.suspended"
)
def write_mail(event: events.Event) -> None:
    mailings.write(event)
