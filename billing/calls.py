"""Commit, call out, commit: an acquirer is called outside of transactions, and with no connection in hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import BoundedSemaphore, Lock

from django.conf import settings
from django.db import connection, transaction

from acquiring import options, registry
from acquiring.base import Acquirer
from acquiring.types import Clue
from billing.models import Payment, Refund

_kept: ContextVar[bool] = ContextVar("kept", default=False)
_turns: dict[tuple[str, int], BoundedSemaphore] = {}
_turns_lock = Lock()


@contextmanager
def one_connection() -> Iterator[None]:
    """Keeps this thread's connection during the calls within: for what lives on it, such as a temporary table."""
    token = _kept.set(True)
    try:
        yield
    finally:
        _kept.reset(token)


def acquirer(name: str) -> Acquirer:
    """The acquirer called `name`, to be called now: the thread's database connection goes back to the pool meanwhile.

    Raises RuntimeError inside a transaction, whose locks would be held as long as a stranger takes to answer, and whose
    roll-back would forget what the stranger did; registry.UnknownAcquirer.
    """
    with transaction.atomic(durable=True):  # Django's own check; a test's outer transaction does not count
        pass
    _give_connection_back()
    return registry.get(name)


def at_once(name: str) -> int:
    """How many calls of ours one process may have at the acquirer at the same time; 0 where it names no limit."""
    return options.share(registry.get(name).capabilities.calls_at_once) if name in settings.ACQUIRERS else 0


@contextmanager
def in_turn(name: str) -> Iterator[None]:
    """Waits, with no connection in hand, until the acquirer may be called once more.

    For sweeps, that have more to send than it bears: each of theirs begins when its turn has come, and waits as long as
    need be. Whatever else is sent waits at the acquirer's own door (`acquiring.http.Client`), and not for long. Only
    calls within such a block are counted here; not to be entered within another.
    """
    most = at_once(name)
    if not most:
        yield
        return
    with _turns_lock:
        turns = _turns.setdefault((name, most), BoundedSemaphore(most))
    if not turns.acquire(blocking=False):
        _give_connection_back()
        turns.acquire()
    try:
        yield
    finally:
        turns.release()


def _give_connection_back() -> None:
    if not connection.in_atomic_block and not _kept.get():  # of a test
        connection.close()


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
