"""Many next terms charged at once: decided and written together, at the bank side by side, settled together.

The ordinary one is renewed by its card, billed, never tried and not being changed. Each other goes the long way, the
verb that it is given, as all of them do where one is charged at a time.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import connection, connections, transaction
from django.db.models import Q

from acquiring import registry
from acquiring.types import Outcome
from billing import calls, charges, sweeps
from billing.models import Invoice, Payment
from subscriptions import dunning, herds, terms
from subscriptions.models import Change, Period, Subscription

log = logging.getLogger(__name__)

FEW = 2  # fewer are not worth a batch
BATCH = 64  # written, or settled, together
AHEAD = 4  # begun for each call that an acquirer bears at once: what is begun must be sent well within its lease
PATIENCE = 0.2  # seconds that an answer waits for others to be settled with

# Only while it stands as the sweep has left it: news of the payment may have begun the next term already.
NOTE = """
    UPDATE subscriptions_subscription SET next_charge_at = %(next)s, updated_at = %(at)s
     WHERE id = ANY(%(ids)s) AND next_charge_at = %(claimed_to)s"""

P = ParamSpec("P")
T = TypeVar("T")
Verb = Callable[[uuid.UUID], object]


def each_at_once(due: list[uuid.UUID], long_way: Verb, *, claimed_to: datetime, at: datetime) -> None:
    """Charges the billed next terms of these subscriptions, up to `CHARGES_AT_ONCE` at a time.

    At an acquirer that bears fewer (`calls.in_turn`) the others wait, and fewer are begun ahead: none waits long.
    `long_way` charges one, whatever it is like. `claimed_to`: the `next_charge_at` that the sweep has given them.
    """
    at_once = min(settings.CHARGES_AT_ONCE, len(due))
    if settings.CHARGES_AT_ONCE <= 1 or len(due) < FEW:
        sweeps.each(due, long_way)
        return
    tight = [calls.at_once(name) for name in registry.names()]
    ahead = min([BATCH, *(AHEAD * each for each in tight if 0 < each < at_once)])
    with ThreadPoolExecutor(at_once) as pool:
        _Crew(pool, at_once, ahead, long_way, claimed_to, at).see_to(due)


def late(began: float) -> timedelta:
    """How long a sweep has been at it: a lease that begins now is counted from now."""
    return timedelta(seconds=int(time.monotonic() - began))


def changing(subscription_ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Those of them for which another plan is being paid for at this moment."""
    asked = Q(invoice__status=Invoice.Status.PAID) | Q(invoice__payments__status__in=Payment.LIVE)
    found = Change.objects.filter(asked, subscription__in=list(subscription_ids), done_at=None, closed_at=None)
    return set(found.values_list("subscription_id", flat=True))


@dataclass
class _Crew:
    """The threads that call the bank, and what they have in hand. Only this thread writes what is ordinary."""

    pool: ThreadPoolExecutor
    at_once: int
    ahead: int  # begun together, and waiting for a free thread
    long_way: Verb
    claimed_to: datetime
    at: datetime
    began: float = field(default_factory=time.monotonic)
    sent: dict[Future[Outcome | None], tuple[charges.Started, uuid.UUID]] = field(default_factory=dict)
    odd: set[Future[int]] = field(default_factory=set)

    def see_to(self, due: list[uuid.UUID]) -> None:
        left = list(due)
        while left or self.sent or self.odd:
            while (
                left and len(self.sent) + len(self.odd) < self.at_once + self.ahead
            ):  # some wait for the next free thread
                some, left = left[: self.ahead], left[self.ahead :]
                self._begin(some)
            self._settle()

    def _begin(self, some: list[uuid.UUID]) -> None:
        started: dict[uuid.UUID, charges.Started] = {}
        try:
            with transaction.atomic(durable=True):
                started = _started(some, self.claimed_to, self.at + late(self.began))
        except Exception:
            log.exception("a batch of %s charges cannot begin", len(some))
            started = {}
        for pk, each in started.items():
            self.sent[self.pool.submit(_apart, charges.send, each)] = (each, pk)
        for pk in some:
            if pk not in started:
                self.odd.add(self.pool.submit(_apart, sweeps.each, [pk], self.long_way))

    def _settle(self) -> None:
        """Waits for some answers, and applies them."""
        under_way: list[Future[Any]] = [*self.sent, *self.odd]
        wait(under_way, return_when=FIRST_COMPLETED)
        if len(self.sent) > BATCH:
            wait(list(self.sent)[:BATCH], timeout=PATIENCE)
        self.odd = {future for future in self.odd if not future.done()}
        done = [future for future in self.sent if future.done()]
        if not done:
            return
        sent = [(*self.sent.pop(future), future) for future in done]
        answers = [(each, future.result()) for each, _, future in sent if not _failed(each, future)]
        settled = charges.settle(answers, at=self.at)
        noted = [pk for each, pk, _ in sent if each.payment.pk in settled]
        known: dict[str, Any] = {"ids": noted, "claimed_to": self.claimed_to, "at": self.at}
        with connection.cursor() as cursor:
            cursor.execute(NOTE, known | {"next": self.at + dunning.LOOK_AGAIN})
        for each, pk, _ in sent:
            if each.payment.pk not in settled:
                self.odd.add(self.pool.submit(_apart, sweeps.each, [pk], self.long_way))


def _started(ids: list[uuid.UUID], claimed_to: datetime, at: datetime) -> dict[uuid.UUID, charges.Started]:
    """Begins the payments of the ordinary ones of these, locked; by subscription."""
    claimed = Subscription.objects.filter(pk__in=ids, next_charge_at=claimed_to).order_by("pk")
    rows = herds.furnished(list(claimed.select_for_update(of=("self",), skip_locked=True)))
    billed = Period.objects.filter(subscription__in=ids, starts_at=None, closed_at=None, number__gt=1)
    invoices = dict(billed.filter(invoice__status=Invoice.Status.OPEN).values_list("subscription_id", "invoice_id"))
    busy = changing(ids) | dunning.worn_out(rows, at=at)
    methods, owners = {}, {}
    for row in rows:
        invoice_id = invoices.get(row.pk)
        if invoice_id and row.method_id and row.pk not in busy and _may_be_charged(row, at):
            methods[invoice_id], owners[invoice_id] = row.method_id, row.pk
    started = charges.start_many(methods, actor="system", at=at)
    return {owners[each.payment.invoice_id]: each for each in started}


def _may_be_charged(row: Subscription, at: datetime) -> bool:
    """What `dunning.step` says of one that was never tried; and that its other times are as they should be."""
    first, until = min(terms.charge_times(row), default=None), row.access_until
    due = terms.renewable(row) and first is not None and first <= at and until is not None and at < until
    return due and (row.status != Subscription.Status.ACTIVE or row.next_action_at == terms.falls_due_at(row))


def _failed(each: charges.Started, future: Future[Outcome | None]) -> bool:
    error = future.exception()
    if error is not None:
        log.error("payment %s could not be sent", each.payment.pk, exc_info=error)
    return error is not None


def _apart(verb: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
    """Does it in a thread that gives its connection back."""
    try:
        return verb(*args, **more)
    finally:
        connections.close_all()
