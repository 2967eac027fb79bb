"""What a payment looks like to the person who waits for it: one face for each state, in plain words."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from acquiring.types import Decline
from billing.explanations import QUOTED
from billing.models import Invoice, Payment, Refund
from subscriptions.models import Subscription


@dataclass(frozen=True, slots=True)
class Face:
    """`look` picks badge and sign; `settled`: nothing more happens by itself; `poll`: seconds to the next look."""

    look: str
    label: str
    title: str
    text: str
    settled: bool = False
    poll: int = 2


NOTHING_CHARGED = "Nothing was charged."
DECLINES = {
    Decline.RETRY_LATER: (
        "The bank could not take this payment now",
        "Try again in some minutes, or use another card. If money was short, top the card up first.",
    ),
    Decline.ANOTHER_CARD: ("The bank refused this card", "Please try again with another card."),
    Decline.CUSTOMER_ACTION: (
        "The payment was not confirmed",
        "Your bank wanted to hear from you, by a code or in its app, and did not. Try again and confirm it there.",
    ),
    Decline.STOP: (
        "The bank refused this payment",
        "This card will not do. Use another one; only your bank can say why, its number is on the back of the card.",
    ),
    Decline.OUR_FAULT: (
        "Something is wrong on our side",
        "Your card is fine, and we have noted the trouble. Please try again a little later.",
    ),
    Decline.NOT_SENT: (
        "The bank was out of reach",
        "The payment never got there. Please try again; if that fails too, in some minutes.",
    ),
}

BACK = Face(
    "back",
    "Checking",
    "Checking with the bank",
    "You are back from the bank; we are asking it how the payment ended.",
)


def face(
    payment: Payment,
    invoice: Invoice,
    subscription: Subscription | None,
    *,
    returned: int = 0,
    back: bool = False,
) -> Face:
    """The face of a payment whose subscription (if it is for one) is `subscription`.

    `returned`: minor units that went back for certain; `back`: the bank has just sent the customer back.
    """
    status = Payment.Status(payment.status)
    if status == Payment.Status.SUCCEEDED:
        return _given_back(payment, returned) if returned else _paid(payment, subscription)
    if payment.parked:
        return Face(
            "parked",
            "Looking at it",
            "We are looking at it",
            "The bank's answer does not match this payment, so a person here is checking it with the bank. "
            "You are not charged twice, and there is no need to pay again.",
            poll=30,
        )
    if status == Payment.Status.FAILED:
        return _failed(payment, invoice)
    if back and status == Payment.Status.PENDING:
        return BACK
    return _waiting(payment)


def _waiting(payment: Payment) -> Face:
    if payment.status == Payment.Status.PENDING:
        return Face(
            "pending",
            "Waiting for you",
            "Waiting for you at the bank",
            "You pay on the bank's own page. If you have just done so, its answer is on the way here.",
        )
    if payment.status == Payment.Status.AUTHORIZED:
        return Face(
            "authorized",
            "Held by the bank",
            "The bank holds the sum for us",
            "It is being taken now; that needs nothing from you.",
        )
    if payment.status == Payment.Status.CANCELLED:
        return Face(
            "cancelled",
            "Closed",
            "This payment was closed",
            f"{NOTHING_CHARGED} The bank's page was left or its time ran out.",
            settled=True,
        )
    return Face(
        "unknown",
        "Checking",
        "Checking with the bank",
        "The bank has not told us yet whether the payment went through, so we are asking it until we know. "
        "You are not charged twice; there is no need to pay again.",
    )


def _paid(payment: Payment, subscription: Subscription | None) -> Face:
    if payment.surplus:
        return Face(
            "refunded",
            "Goes back",
            "This payment came on top",
            "There was nothing left to pay when it arrived, so all of it goes back by itself. You need do nothing.",
            settled=True,
        )
    if payment.invoice.purpose == "top_up":
        return Face("succeeded", "Paid", "It is in your wallet", "Thank you. You can pay from it now.", settled=True)
    if subscription is not None and subscription.status == Subscription.Status.PENDING:
        return Face("succeeded", "Paid", "Payment received", "Opening your access…", poll=1)
    if subscription is None or subscription.status in Subscription.LIVE:
        return Face("succeeded", "Paid", "Payment received", "Thank you. Your access is open.", settled=True)
    return Face(
        "succeeded", "Paid", "Payment received", "The subscription that it paid for is over or cancelled.", settled=True
    )


def _given_back(payment: Payment, returned: int) -> Face:
    if returned >= payment.captured:
        top = "It came on top of what was owed. " if payment.surplus else ""
        return Face(
            "refunded",
            "Refunded",
            "This payment was given back",
            f"{top}All of it went back the way it came. Your bank may take some days to show it.",
            settled=True,
        )
    return Face(
        "refunded",
        "Partly refunded",
        "Part of this payment was given back",
        "It went back the way it came. Your bank may take some days to show it.",
        settled=True,
    )


def _failed(payment: Payment, invoice: Invoice) -> Face:
    title, advice = "The payment did not go through", "Please try again, or use another card."
    quote = ""
    if payment.decline in DECLINES:
        decline = Decline(payment.decline)
        title, advice = DECLINES[decline]
        if decline in QUOTED and payment.decline_message:
            quote = f" The bank says: “{payment.decline_message}”"
    if invoice.status == Invoice.Status.PAID:
        advice = "Another attempt has paid for it since, so you need do nothing."
    return Face("failed", "Failed", title, f"{NOTHING_CHARGED}{quote} {advice}", settled=True)


def shown(refunds: QuerySet[Refund]) -> QuerySet[Refund]:
    """The refunds that a customer reads about: one that failed and was taken up again by another is no news."""
    return refunds.exclude(status=Refund.Status.FAILED, parked="")


def refund_face(refund: Refund) -> tuple[str, str]:
    """The badge of a refund and what to call it: (class, words)."""
    status = Refund.Status(refund.status)
    if status == Refund.Status.SUCCEEDED:
        return "succeeded", "Given back"
    if status == Refund.Status.FAILED or refund.parked:
        return "pending", "We are looking at it"
    if status == Refund.Status.UNKNOWN:
        return "unknown", "Checking with the bank"
    return "pending", "On its way"
