"""Commit, call out, commit: an acquirer is called outside of transactions, and with no connection in hand."""

from __future__ import annotations

from django.db import connection, transaction

from acquiring import registry
from acquiring.base import Acquirer
from acquiring.types import Clue
from billing.models import Payment, Refund


def acquirer(name: str) -> Acquirer:
    """The acquirer called `name`, to be called now: the thread's database connection goes back to the pool meanwhile.

    Raises RuntimeError inside a transaction, whose locks would be held as long as a stranger takes to answer, and whose
    roll-back would forget what the stranger did; registry.UnknownAcquirer.
    """
    with transaction.atomic(durable=True):  # Django's own check; a test's outer transaction does not count
        pass
    if not connection.in_atomic_block:  # of a test
        connection.close()
    return registry.get(name)


def clue(row: Payment | Refund) -> Clue:
    """What we know of an operation of ours besides its ids, for acquirers that cannot look it up by those alone."""
    if isinstance(row, Payment):
        customer = str(row.user_id) if row.save_card else ""
        return Clue(since=row.created_at, amount=row.money, page_url=row.redirect_url, customer_id=customer)
    paid = row.payment
    return Clue(
        since=row.created_at,
        amount=row.money,
        payment_our_id=str(paid.order_id),
        payment_reference=paid.acquirer_payment_id,
    )
