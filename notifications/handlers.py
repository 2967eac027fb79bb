"""Which events are worth a mail. A mail is written here, inside the event's delivery, and sent by a sweep."""

from collections.abc import Collection, Sequence

from billing import events
from notifications import mailings


def write_mails(told: Sequence[events.Event]) -> Collection[int]:
    mailings.write_many([event for event in told if _concerns_the_customer(event)])
    return [event.pk for event in told]


def write_of_the_terms(told: Sequence[events.Event]) -> Collection[int]:
    mailings.write_many([event for event in told if _is_news(event)])
    return [event.pk for event in told]


@events.on(
    "payment.succeeded",
    "payment.failed",
    "refund.succeeded",
    "subscription.running_low",
    "subscription.suspended",
    "subscription.price_announced",
    "subscription.price_kept",
    "subscription.changed",
    "subscription.upgraded",
    "subscription.change_offered",
    "subscription.change_planned",
    "subscription.change_withdrawn",
    "subscription.paused",
    "subscription.resumed",
    "subscription.given",
    "subscription.extended",
    "subscription.trial_begun",
    "subscription.renewal_on",
    "subscription.renewal_off",
    "subscription.cancelled",
    many=write_mails,
)
def write_mail(event: events.Event) -> None:
    if _concerns_the_customer(event):
        mailings.write(event)


@events.on(
    "subscription.reminded",
    "subscription.renewed",
    "subscription.card_needed",
    "subscription.past_due",
    "subscription.expired",
    "subscription.ended",
    "refund.pending",
    many=write_of_the_terms,
)
def write_of_the_term(event: events.Event) -> None:
    if _is_news(event):
        mailings.write(event)


def _concerns_the_customer(event: events.Event) -> bool:
    """A page that could not be opened is told on the spot, or another acquirer has opened one. That a cancellation ends
    what was chosen for the next term goes without saying.
    """
    if event.kind == "subscription.change_withdrawn" and event.data.get("cancelled"):
        return False
    return event.kind != "payment.failed" or event.data.get("decline") != "not_sent"


def _is_news(event: events.Event) -> bool:
    """A term that gave way to a new one, or ended with its cancellation, is no news to the customer; nor is it that a
    refund, which they know is on its way, was out of sight for a while.
    """
    if event.kind == "refund.pending" and event.from_state != "created":
        return False
    return not event.data.get("replaced") and not event.data.get("at_once")
