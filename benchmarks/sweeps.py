"""The sweeps over many rows that are due, as sides of a comparison: the product's first, then one statement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from benchmarks import crowd, sets
from benchmarks.fill import Lot
from benchmarks.measure import Side
from benchmarks.trips import connected
from billing.models import Invoice, Transfer
from subscriptions import endings, hours, renewals
from subscriptions.models import Subscription

Sweep = Callable[[datetime], int]


def renewing() -> list[Side]:
    """Next terms billed, up to their invoices; no bank is asked."""

    def billed(lots: Sequence[Lot]) -> None:
        ids = [lot.subscription for lot in lots]
        found = Invoice.objects.filter(
            status="open", lines__amount__gt=0, period__subscription__in=ids, period__number=2
        )
        _made(found, lots)
        Subscription.objects.filter(pk__in=ids).update(next_charge_at=None)  # the lease would bring them back

    def guarded(at: datetime) -> int:
        renewals.permit(at=at)
        return len(renewals.bill_due(at=at))

    return _sides(crowd.to_renew, guarded, sets.RENEW, billed)


def ending() -> list[Side]:
    """Terms that end unpaid: past due, in the days of grace."""

    def ended(lots: Sequence[Lot]) -> None:
        _made(Subscription.objects.filter(status="past_due", pk__in=[lot.subscription for lot in lots]), lots)

    return _sides(crowd.to_end, lambda at: endings.end_due(at=at), sets.END, ended)


def charging() -> list[Side]:
    """An hour charged to each wallet."""

    def charged(lots: Sequence[Lot]) -> None:
        references = [f"meter:{lot.subscription}:1" for lot in lots]
        _made(Transfer.objects.filter(reference__in=references, amount__gte=crowd.RATE), lots)

    return _sides(crowd.to_charge, lambda at: hours.charge_due(at=at), sets.CHARGE, charged)


SIDES = {"renewals": renewing, "endings": ending, "hours": charging}


def _sides(
    prepare: Callable[[int], Sequence[Lot]], sweep: Sweep, statement: str, check: Callable[[Sequence[Any]], None]
) -> list[Side]:
    def product(lots: Sequence[Lot]) -> int:
        at, done = timezone.now(), 0
        while taken := sweep(at):
            done += taken
        return done

    def bare(lots: Sequence[Lot]) -> int:
        with connected().transaction():
            (done,) = connected().execute(statement, {"at": timezone.now()}).fetchone() or (0,)
            return int(done)

    return [Side("product", prepare, product, check), Side("one statement", prepare, bare, check, statements=1)]


def _made(rows: Any, lots: Sequence[Lot]) -> None:
    found = rows.count()
    assert found == len(lots), f"{found} of {len(lots)} rows were made"
