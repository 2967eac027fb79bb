"""An acquirer's statement beside our rows: some queries for a chunk of lines, and what was listed kept in PostgreSQL.

So a statement of a million lines needs the memory of one chunk.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any

from django.db import connection
from django.db.models import Q

from acquiring.http import Unanswered
from acquiring.types import Outcome, StatementLine, Status, Subject
from billing import calls, outcomes
from billing.models import Case, Payment, Refund

CHUNK = 500  # lines
DAY = timedelta(days=1)

UNLISTED = {
    Payment: """
        SELECT row.id FROM billing_payment row
         WHERE row.acquirer = %s AND row.status = 'succeeded' AND row.settled_at >= %s AND row.settled_at < %s
           AND NOT EXISTS (SELECT FROM statement_listed WHERE name = row.id::text)
           AND NOT EXISTS (SELECT FROM statement_listed WHERE name = row.acquirer_payment_id)""",
    Refund: """
        SELECT row.id FROM billing_refund row JOIN billing_payment payment ON payment.id = row.payment_id
         WHERE payment.acquirer = %s AND row.status = 'succeeded' AND row.settled_at >= %s AND row.settled_at < %s
           AND NOT EXISTS (SELECT FROM statement_listed WHERE name = row.id::text)
           AND NOT EXISTS (SELECT FROM statement_listed WHERE name = row.acquirer_refund_id)""",
}


def chunks(lines: Iterable[StatementLine]) -> Iterator[list[StatementLine]]:
    """The lines, some at a time, fit to be kept."""
    each = map(_kept, lines)
    while chunk := list(islice(each, CHUNK)):
        yield chunk


def of(acquirer: str, day: date) -> Iterator[StatementLine]:
    """The acquirer's statement of a day, or what stands for it. Raises Unanswered."""
    backend = calls.acquirer(acquirer)
    return backend.statement(day) if backend.capabilities.statements else asked(acquirer, day)


def asked(acquirer: str, day: date) -> Iterator[StatementLine]:
    """Instead of the statement that an acquirer does not give: our own operations of that day (UTC), each asked about.

    What only the acquirer knows is not found so. Raises Unanswered where it does not say what became of one.
    """
    since = datetime.combine(day, time(), UTC)
    of_the_day = Q(created_at__range=(since, since + DAY)) | Q(settled_at__range=(since, since + DAY))
    for payment in Payment.objects.filter(of_the_day, acquirer=acquirer).order_by("created_at").iterator(CHUNK):
        yield from _asked(payment, Subject.PAYMENT, payment.acquirer_payment_id, "")
    made = Refund.objects.filter(of_the_day, payment__acquirer=acquirer).select_related("payment")
    for refund in made.order_by("created_at").iterator(CHUNK):
        yield from _asked(refund, Subject.REFUND, refund.acquirer_refund_id, refund.payment.acquirer_payment_id)


def _asked(row: Payment | Refund, subject: Subject, reference: str, payment_reference: str) -> Iterator[StatementLine]:
    acquirer = row.acquirer if isinstance(row, Payment) else row.payment.acquirer
    said = calls.acquirer(acquirer).fetch(subject, str(row.pk), reference, calls.clue(row))
    if said.status == Status.UNKNOWN:
        if row.status == "succeeded" and not (said.absent or said.again):
            raise Unanswered(said.message)
        return  # nothing has moved, as far as it knows
    yield StatementLine(subject, replace(said, our_id=said.our_id or str(row.pk)), payment_reference)


def _kept(line: StatementLine) -> StatementLine:
    outcome = replace(outcomes.kept(line.outcome), our_id=outcomes.storable(line.outcome.our_id))
    return replace(line, outcome=outcome, payment_reference=outcomes.storable(line.payment_reference))


def names(lines: Iterable[StatementLine]) -> set[str]:
    """The ids, theirs and ours, that these lines name."""
    return {name for line in lines for name in (line.outcome.our_id, line.outcome.reference) if name}


class Listing:
    """What a statement has listed so far."""

    def add(self, lines: Iterable[StatementLine]) -> None:
        """Keeps the ids of these lines."""
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO statement_listed SELECT unnest(%s::text[])", [list(names(lines))])

    def without(self, acquirer: str, since: datetime, until: datetime) -> dict[str, Any]:
        """Our operations settled in that time that the statement does not list, by their id as a text."""
        left: dict[str, Any] = {}
        with connection.cursor() as cursor:
            for model, sql in UNLISTED.items():
                cursor.execute(sql, [acquirer, since, until])
                missing = [pk for (pk,) in cursor.fetchall()]
                if not missing:
                    continue
                rows: Any = model._default_manager.filter(pk__in=missing)
                left |= {str(row.pk): row for row in (rows.select_related("payment") if model is Refund else rows)}
        return left


@contextmanager
def listing() -> Iterator[Listing]:
    """A place of this connection's own to keep what a statement lists."""
    with calls.one_connection(), connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.statement_listed")
        cursor.execute("CREATE TEMP TABLE statement_listed (name text)")
        try:
            yield Listing()
        finally:
            if not connection.needs_rollback:
                cursor.execute("DROP TABLE IF EXISTS pg_temp.statement_listed")


@dataclass(slots=True)
class Ours:
    """Our rows that a chunk of a statement names."""

    payments: dict[str, Payment] = field(default_factory=dict)  # by their id and by ours
    refunds: dict[str, Refund] = field(default_factory=dict)
    dealt_with: set[uuid.UUID] = field(default_factory=set)  # payments with a resolved case
    given_back: dict[str, uuid.UUID] = field(default_factory=dict)  # refunds that a case made, and the case

    def payment(self, said: Outcome) -> Payment | None:
        """The payment that a line means: by the acquirer's id, and else by ours."""
        return self.payments.get(said.reference or "-") or self.payments.get(_plain(said.our_id))

    def refund(self, said: Outcome) -> Refund | None:
        """The refund that a line means: by our id, and else by the acquirer's."""
        return self.refunds.get(_plain(said.our_id)) or self.refunds.get(said.reference)


def ours(acquirer: str, lines: Sequence[StatementLine]) -> Ours:
    """Looks up what these lines name, by six queries however many lines there are."""
    found = Ours()
    for model, subject in ((Payment, Subject.PAYMENT), (Refund, Subject.REFUND)):
        said = [line.outcome for line in lines if line.subject == subject]
        if said:
            _look_up(found, model, acquirer, said)
    payments = {payment.pk for payment in found.payments.values()}
    resolved = Case.objects.filter(payment_id__in=payments, status=Case.Status.RESOLVED)
    found.dealt_with = set(resolved.values_list("payment_id", flat=True))
    return found


def _look_up(found: Ours, model: type[Payment] | type[Refund], acquirer: str, said: Sequence[Outcome]) -> None:
    ids = {_plain(each.our_id) for each in said} - {""}
    references = {each.reference for each in said} - {""}
    if model is Payment:
        paid = Payment.objects.filter(acquirer=acquirer)
        found.payments = {str(row.pk): row for row in paid.filter(pk__in=ids)}
        found.payments |= {row.acquirer_payment_id: row for row in paid.filter(acquirer_payment_id__in=references)}
        return
    made = Refund.objects.select_related("payment").filter(payment__acquirer=acquirer)
    found.refunds = {row.acquirer_refund_id: row for row in made.filter(acquirer_refund_id__in=references)}
    found.refunds |= {str(row.pk): row for row in made.filter(pk__in=ids)}
    found.given_back = {str(pk): pk for pk in Case.objects.filter(pk__in=ids).values_list("pk", flat=True)}


def _plain(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return ""
