"""Charges of saved cards, many at a time, at a bank that takes its time: how near they come to what that allows."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.utils import timezone
from moneyed import Money

from acquiring import registry
from acquiring.types import Charge, Status
from benchmarks import crowd, fill
from benchmarks.bank import TAKES
from benchmarks.measure import Side
from billing.models import Payment
from subscriptions import charging, renewals

AT_ONCE = 64
LITTLE = AT_ONCE / TAKES  # charges per second, by Little's law


def sides() -> list[Side]:
    """Next terms, billed before, charged; and the same calls with nothing around them."""
    settings.CHARGES_AT_ONCE = AT_ONCE

    def product(claims: Sequence[Any]) -> int:
        for due, at in claims:
            long_way = partial(renewals.charge, at=at)
            charging.each_at_once(due, long_way, claimed_to=at + renewals.LEASE, at=at)
        return sum(len(due) for due, _ in claims)

    def charged(claims: Sequence[Any]) -> None:
        ids = [pk for due, _ in claims for pk in due]
        made = Payment.objects.filter(status="succeeded", invoice__period__subscription__in=ids).count()
        assert made == len(ids), f"{made} of {len(ids)} cards were charged"

    return [Side("product", _billed, product, charged), Side("the calls alone", range, _calls, statements=0)]


def _billed(count: int) -> list[Any]:
    """Subscriptions claimed and billed, in one piece."""
    crowd.to_renew(count)
    at = timezone.now() + timedelta(seconds=1)
    due = renewals.bill_due(at=at, limit=count)
    assert len(due) == count, f"{len(due)} of {count} are due"
    return [(due, at)]


def _calls(numbers: Sequence[int]) -> int:
    backend, price = registry.get("sandbox"), fill.shop().price.money

    def call(number: int) -> None:
        assert backend.charge(_order(number, price)).status == Status.SUCCEEDED

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return len(list(pool.map(call, numbers)))


def _order(number: int, price: Money) -> Charge:
    return Charge(
        our_id=str(number),
        amount=price,
        description="Monthly",
        customer_id="nobody",
        customer_email="nobody@example.com",
        return_url="",
        token="tok_benchmark",
    )
