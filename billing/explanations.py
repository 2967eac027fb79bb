"""Payments and refunds in words, for the customer and for support: plain sentences, from what was written down when it
happened; never why staff did it, which is for colleagues.

What a payment was for beyond its invoice is told by the apps above (`tells`): billing knows of no terms and prices.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from django.utils.timezone import localtime

from acquiring.types import Decline
from billing import money
from billing.ledger import WALLET
from billing.models import InvoiceLine, Payment, Refund

Teller = Callable[[Sequence[Payment]], Mapping[uuid.UUID, list[str]]]

_tellers: list[Teller] = []

# The bank's own sentence helps only where it speaks of the card; elsewhere it is technical, or not for the customer.
QUOTED = (Decline.RETRY_LATER, Decline.ANOTHER_CARD, Decline.CUSTOMER_ACTION)


def tells(teller: Teller) -> Teller:
    """Registers who knows more of payments: sentences by the payment's id, for many payments in few queries."""
    if teller not in _tellers:
        _tellers.append(teller)
    return teller


def explain(payment: Payment) -> str:
    """All of `sentences` in one text."""
    return " ".join(sentences(payment))


def sentences(payment: Payment) -> list[str]:
    """What was paid for, how much and why, by which card and through whom; what became of it; what came back."""
    return many([payment])[payment.pk]


def many(payments: Iterable[Payment]) -> dict[uuid.UUID, list[str]]:
    """`sentences` of each payment, by its id.

    Prefetch `invoice__lines`, `invoice__payments` and `refunds` where there are many.
    """
    rows = list(payments)
    known = [teller(rows) for teller in _tellers]
    return {row.pk: _payment(row, [each for found in known for each in found.get(row.pk, ())]) for row in rows}


def refund(row: Refund) -> list[str]:
    """What goes back, of what, where to and by which reckoning; how far it is, and what is left of the payment."""
    payment = row.payment
    told = [f"{_back(row)} {_how_far(row)}"]
    if row.explanation:
        told.append(row.explanation)
    elif row.requested_by_id not in (None, payment.user_id):
        told.append("It was given back by us.")
    if payment.surplus:
        told.append("The payment came on top of what was owed, so all of it goes back by itself.")
    elif row.status != Refund.Status.FAILED and payment.refunded < payment.captured:
        left = money.spoken(payment.refundable)
        told.append(f"Of that payment, {money.spoken(payment.refunded_money)} goes back in all and {left} is left.")
    if payment.invoice.purpose == "top_up" and row.status != Refund.Status.FAILED:
        told.append("It left the wallet when it was promised.")
    return told


def moment(at: datetime | None) -> str:
    """20 November 2026, 20:03 MSK"""
    return f"{localtime(at):%-d %B %Y, %H:%M %Z}" if at else ""


def _payment(payment: Payment, about: list[str]) -> list[str]:
    told = [_what(payment), _state(payment), *_discounts(payment), *about, *_attempts(payment)]
    if payment.invoice.purpose == "top_up" and payment.status == Payment.Status.SUCCEEDED and not payment.surplus:
        told.append("It went into the wallet.")
    refunds = [_made(refund) for refund in payment.refunds.all()]
    if refunds:
        told.append(f"Given back: {'; '.join(refunds)}.")
    if payment.charged_back:
        told.append(f"The customer's bank took back {money.spoken(payment.charged_back_money)}.")
    return told


def _what(payment: Payment) -> str:
    how = f"by {payment.card} " if payment.card else ""
    what = "; ".join(_line(line) for line in payment.invoice.lines.all()) or "nothing in particular"
    return f"{money.spoken(payment.money)} for {what} (invoice {payment.invoice.number}), " + (
        "from the wallet." if payment.acquirer == WALLET else f"{how}through {payment.acquirer}."
    )


def _line(line: InvoiceLine) -> str:
    return line.description if line.quantity == 1 else f"{line.quantity} × {line.description}"


def _discounts(payment: Payment) -> list[str]:
    """What each line would have cost, and what was taken off."""
    currency = payment.currency
    return [
        f"{_line(line)} costs {money.spoken(money.from_minor(line.unit_price * line.quantity, currency))}; "
        f"{money.spoken(money.from_minor(line.discount, currency))} is taken off, so "
        f"{money.spoken(money.from_minor(line.amount, currency))} is left to pay."
        for line in payment.invoice.lines.all()
        if line.discount
    ]


def _attempts(payment: Payment) -> list[str]:
    """Which of several tries to pay one invoice this is."""
    tries = sorted(
        (each for each in payment.invoice.payments.all() if not each.surplus), key=lambda each: each.created_at
    )
    if payment.surplus or len(tries) < 2:
        return []
    number = [each.pk for each in tries].index(payment.pk) + 1
    paid = any(each.status == Payment.Status.SUCCEEDED for each in tries)
    counts = " Another one has paid it." if paid and payment.status != Payment.Status.SUCCEEDED else ""
    return [f"It is try {number} of {len(tries)} to pay this invoice; it is charged once at most.{counts}"]


def _state(payment: Payment) -> str:
    status = Payment.Status(payment.status)
    if status == Payment.Status.SUCCEEDED:
        top = " It came on top of what was owed, so it is given back." if payment.surplus else ""
        return f"Paid on {moment(payment.settled_at)}.{top}"
    if status == Payment.Status.FAILED:
        again = f" The bank takes this card again from {moment(payment.retry_after)} on." if payment.retry_after else ""
        return f"Not paid: {refused(payment)}.{again}"
    if status == Payment.Status.PENDING and payment.method_id:
        return "The bank has it and has not answered yet."
    return {
        Payment.Status.CREATED: "On its way to the bank.",
        Payment.Status.PENDING: "Waiting for the customer on the bank's page.",
        Payment.Status.AUTHORIZED: "The sum is held on the card and not taken yet.",
        Payment.Status.UNKNOWN: "Whether the money moved is not known yet; the bank is being asked until it says.",
        Payment.Status.CANCELLED: "Closed before any money moved.",
    }[status]


def refused(payment: Payment) -> str:
    """Why a payment failed, in the bank's words where those help."""
    if payment.decline in QUOTED and payment.decline_message:
        return payment.decline_message.rstrip(".")
    return {
        Decline.NOT_SENT.value: "the bank was out of reach",
        Decline.OUR_FAULT.value: "something was wrong on our side",
    }.get(payment.decline, "the bank refused")


def _made(refund: Refund) -> str:
    state = {
        Refund.Status.SUCCEEDED: "made",
        Refund.Status.FAILED: "refused by the bank, staff look into it",
    }.get(Refund.Status(refund.status), "on its way")
    return f"{money.spoken(refund.money)} ({state})"


def _back(row: Refund) -> str:
    """100.00 ₽ of the 299.00 ₽ that were paid on 20 November 2026, 20:03 MSK (invoice 1007)"""
    payment = row.payment
    whole = row.amount == payment.captured
    of = "All of the" if whole else f"{money.spoken(row.money)} of the"
    where = "the wallet" if payment.acquirer == WALLET else f"{payment.card or 'the card'} through {payment.acquirer}"
    return (
        f"{of} {money.spoken(payment.captured_money)} paid on {moment(payment.settled_at)} "
        f"(invoice {payment.invoice.number}) goes back the way it came, to {where}."
    )


def _how_far(row: Refund) -> str:
    return {
        Refund.Status.SUCCEEDED: f"Made on {moment(row.settled_at)}.",
        Refund.Status.FAILED: "The bank refused it; our staff look into it.",
        Refund.Status.UNKNOWN: "Whether it was made is not known yet; the bank is being asked until it says.",
    }.get(Refund.Status(row.status), "It is on its way.")
