"""W5, W7, W8 as properties: whatever the ticks, the charge is the time at its rate, and never more than there is."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subscriptions import hours, metering
from subscriptions.models import Subscription
from subscriptions.tariffs import HOUR, MICROSECOND, Clock
from tests.subscriptions import hourly
from tests.subscriptions.hourly import AT, begun, charged, fill, held, meter, spans, tariff

RATES = st.integers(1, 10**9)
SPANS = st.integers(0, 400 * 24 * HOUR).map(lambda micros: micros * MICROSECOND)
DEEDS = ("sweep", "tick", "fill", "change")
SLOWLY = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@given(rate=RATES, carry=st.integers(0, HOUR - 1), ticks=st.lists(SPANS, max_size=12))
@settings(deadline=None)
def test_W5_any_pattern_of_ticks_charges_what_one_tick_does(rate: int, carry: int, ticks: list[timedelta]) -> None:
    clock, at, taken = Clock(rate, AT, carry), AT, 0
    for step in ticks:
        at += step
        taken += clock.due(at)
        clock = clock.taken(clock.due(at))
    assert taken == Clock(rate, AT, carry).due(at) == (carry + rate * ((at - AT) // MICROSECOND)) // HOUR


@given(rates=st.lists(st.tuples(RATES, SPANS), min_size=1, max_size=8))
@settings(deadline=None)
def test_W7_no_part_of_a_kopeck_is_lost_by_changing_tariffs(rates: list[tuple[int, timedelta]]) -> None:
    at, taken, carry = AT, 0, 0
    for rate, span in rates:
        clock = Clock(rate, at, carry)
        at += span
        taken += clock.due(at)
        carry = clock.taken(clock.due(at)).stopped(at).carry
        assert 0 <= carry < HOUR
    assert taken == sum(rate * (span // MICROSECOND) for rate, span in rates) // HOUR


@given(rate=st.integers(1, 10**6), carry=st.integers(0, HOUR - 1), balance=st.integers(1, 10**6))
@settings(deadline=None)
def test_W8_the_moment_of_running_dry_is_when_all_of_it_is_used(rate: int, carry: int, balance: int) -> None:
    clock = Clock(rate, AT, carry)
    dry = clock.dry_at(balance)
    if dry - AT < timedelta(days=3650):
        assert clock.due(dry) == balance
        assert dry == AT or clock.due(dry - MICROSECOND) < balance or carry
        assert clock.due(dry - MICROSECOND) <= balance


@pytest.mark.django_db
@given(
    rate=st.integers(1, 5_000),
    balance=st.integers(1, 20_000),
    steps=st.lists(
        st.tuples(st.sampled_from(DEEDS), st.integers(0, 9 * HOUR), st.integers(1, 5_000)), min_size=1, max_size=10
    ),
)
@SLOWLY
def test_W5_W6_W7_W8_whatever_happens_the_books_are_the_time_at_its_rate(
    db: Any, rate: int, balance: int, steps: list[tuple[str, int, int]]
) -> None:
    """Each charge belongs to a period, and all of them together are the covered time, to the kopeck."""
    with transaction.atomic():
        codes = [tariff("one", rate), tariff("two", rate * 2 + 1)]
        subscription, at, put_in = begun(balance, "one"), AT, balance
        for deed, micros, more in steps:
            at += micros * MICROSECOND
            if deed == "fill":
                fill(subscription.user, more, at)
                put_in += more
                metering.ring(subscription.user_id, at=at)
            elif deed == "tick":
                metering.tick(subscription.pk, at=at)
            elif deed == "change":
                now_on = Subscription.objects.get(pk=subscription.pk).plan_id
                other = next(plan for plan in codes if plan.pk != now_on)
                metering.change_tariff(subscription.pk, other.code, actor="test", at=at)
            else:
                hourly.sweep(at)
            assert held(subscription) >= 0 and charged(subscription) + held(subscription) == put_in
            whole = spans(subscription)
            assert all(start < end for start, end in whole)
            assert all(one[1] <= two[0] for one, two in pairwise(whole))
            hourly.right(at)
        transaction.set_rollback(True)


@pytest.mark.django_db
@given(
    rate=st.integers(1, 10**9),
    carry=st.integers(0, HOUR - 1),
    balance=st.integers(1, 10**12),
    span=st.integers(0, 300 * 24 * HOUR),
)
@SLOWLY
def test_the_statement_of_the_sweep_says_what_the_arithmetic_says(
    db: Any, rate: int, carry: int, balance: int, span: int
) -> None:
    with transaction.atomic():
        tariff("one", rate)
        subscription = begun(balance, "one")
        row = meter(subscription)
        row.carry = carry
        row.save()
        metering.tick(subscription.pk, at=AT)
        at = AT + span * MICROSECOND
        clock, before = meter(subscription).clock, held(subscription)
        type(row).objects.update(next_tick_at=AT)
        batch = hours.charge_batch(at=at, limit=10)
        if batch.charged:
            assert charged(subscription) == clock.due(at) <= before
            assert Subscription.objects.get(pk=subscription.pk).access_until == clock.dry_at(before)
        else:
            running = Subscription.objects.get(pk=subscription.pk)
            low = running.access_until is not None and running.access_until - at <= timedelta(hours=24)
            assert clock.dry_at(before) <= at or running.status == "suspended" or low
        transaction.set_rollback(True)
