"""A payment in words, for the customer and for support. Pure: it reads the payment, its lines and its refunds."""

from __future__ import annotations

from django.utils.timezone import localtime

from billing import money
from billing.ledger import WALLET
from billing.models import InvoiceLine, Payment, Refund


def explain(payment: Payment) -> str:
    """What was paid for, how much, by which card and through whom; what became of it; what came back.

    Prefetch `invoice__lines` and `refunds` where many payments are explained.
    """
    how = f"by {payment.card} " if payment.card else ""
    what = "; ".join(_line(line) for line in payment.invoice.lines.all()) or "nothing in particular"
    sentences = [
        f"{money.spoken(payment.money)} for {what} (invoice {payment.invoice.number}), "
        + ("from the wallet." if payment.acquirer == WALLET else f"{how}through {payment.acquirer}."),
        _state(payment),
    ]
    refunds = [_refund(refund) for refund in payment.refunds.all()]
    if refunds:
        sentences.append(f"Given back: {'; '.join(refunds)}.")
    if payment.charged_back:
        sentences.append(f"The customer's bank took back {money.spoken(payment.charged_back_money)}.")
    return " ".join(sentences)


def _line(line: InvoiceLine) -> str:
    return line.description if line.quantity == 1 else f"{line.quantity} × {line.description}"


def _state(payment: Payment) -> str:
    status = Payment.Status(payment.status)
    if status == Payment.Status.SUCCEEDED:
        when = f"{localtime(payment.settled_at):%-d %B %Y, %H:%M %Z}"
        top = " It came on top of what was owed, so it is given back." if payment.surplus else ""
        return f"Paid on {when}.{top}"
    if status == Payment.Status.FAILED:
        return f"Not paid: {(payment.decline_message or 'the bank refused').rstrip('.')}."
    if status == Payment.Status.PENDING and payment.method_id:
        return "The bank has it and has not answered yet."
    return {
        Payment.Status.CREATED: "On its way to the bank.",
        Payment.Status.PENDING: "Waiting for the customer on the bank's page.",
        Payment.Status.AUTHORIZED: "The sum is held on the card and not taken yet.",
        Payment.Status.UNKNOWN: "Whether the money moved is not known yet; the bank is being asked until it says.",
        Payment.Status.CANCELLED: "Closed before any money moved.",
    }[status]


def _refund(refund: Refund) -> str:
    state = {
        Refund.Status.SUCCEEDED: "made",
        Refund.Status.FAILED: "refused by the bank, staff look into it",
    }.get(Refund.Status(refund.status), "on its way")
    return f"{money.spoken(refund.money)} ({state})"
