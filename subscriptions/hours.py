"""The sweep of the meters. What is ordinary (used, covered, nothing to tell) is one statement for a whole batch;
what runs dry, may resume or must be told goes the long way through `metering.tick`, each in its own transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from moneyed import Money

from billing import guard, money, sweeps
from subscriptions import metering
from subscriptions.tariffs import FAR, HOUR

LEASE = timedelta(minutes=2)
BATCH = 5_000

# Ids are given out in `due`, so that no part of the statement joins another: with stale statistics that turns
# quadratic. The rows of subscription, meter and wallet are locked; who holds one of them is passed over.
STATEMENT = """
WITH due AS MATERIALIZED (
    SELECT meter.id, meter.subscription_id, meter.account_id, meter.billed_to, meter.periods, wallet.currency,
           wallet.balance, subscription.status, subscription.access_until, meter.warned_at,
           plan.name, plan.refund_policy,
           (SELECT id FROM billing_account WHERE code = 'revenue:' || wallet.currency) AS revenue_id,
           greatest(trunc((meter.carry + meter.rate::numeric * greatest(
               extract(epoch FROM %(at)s::timestamptz - meter.since) * 1000000, 0)) / %(hour)s) - meter.charged, 0)
               AS amount,
           greatest(meter.since + least(greatest(ceil(
               ((meter.charged::numeric + wallet.balance) * %(hour)s - meter.carry) / meter.rate), 0), %(far)s)::float8
               * interval '1 microsecond', meter.billed_to) AS dry
      FROM subscriptions_meter meter
      JOIN subscriptions_subscription subscription ON subscription.id = meter.subscription_id
      JOIN subscriptions_plan plan ON plan.id = subscription.plan_id
      JOIN billing_account wallet ON wallet.id = meter.account_id
     WHERE meter.next_tick_at <= %(at)s
     ORDER BY meter.next_tick_at, meter.id
     LIMIT %(limit)s
       FOR NO KEY UPDATE OF subscription, meter, wallet SKIP LOCKED),
sorted AS MATERIALIZED (
    SELECT *, coalesce(status = 'active' AND %(at)s < access_until AND %(at)s < dry AND amount <= balance
                       AND (warned_at IS NULL) = (dry - %(at)s > %(low)s), false) AS ordinary,
           nextval('billing_transfer_id_seq') AS transfer_id
      FROM due),
transfers AS (
    INSERT INTO billing_transfer (id, reference, debit_id, credit_id, amount, currency, description, at, booked_at)
    SELECT transfer_id, 'meter:' || subscription_id || ':' || periods + 1, account_id, revenue_id, amount, currency,
           name || ', by the hour', %(at)s, now()
      FROM sorted WHERE ordinary AND amount > 0),
periods AS (
    INSERT INTO subscriptions_period
           (subscription_id, number, months, refund_policy, starts_at, ends_at, transfer_id, created_at)
    SELECT subscription_id, periods + 1, 0, refund_policy, billed_to, %(at)s, transfer_id, %(at)s
      FROM sorted WHERE ordinary AND amount > 0),
subscriptions AS (
    UPDATE subscriptions_subscription subscription
       SET valid_till = CASE WHEN amount > 0 THEN %(at)s ELSE valid_till END, access_until = dry, updated_at = now()
      FROM sorted WHERE ordinary AND subscription.id = sorted.subscription_id),
meters AS (
    UPDATE subscriptions_meter meter
       SET charged = charged + CASE WHEN ordinary THEN amount ELSE 0 END,
           billed_to = CASE WHEN ordinary AND amount > 0 THEN %(at)s ELSE meter.billed_to END,
           periods = meter.periods + CASE WHEN ordinary AND amount > 0 THEN 1 ELSE 0 END,
           next_tick_at = CASE WHEN ordinary THEN least(dry, %(at)s + %(every)s) ELSE %(at)s + %(lease)s END
      FROM sorted WHERE meter.id = sorted.id)
SELECT subscription_id, ordinary FROM sorted"""

FORESEEN = """
    SELECT wallet.currency, count(*),
           sum(least(wallet.balance, meter.rate::numeric * extract(epoch FROM %(at)s - meter.billed_to) / 3600)),
           sum(meter.rate) * 24
      FROM subscriptions_meter meter JOIN billing_account wallet ON wallet.id = meter.account_id
     WHERE meter.next_tick_at <= %(at)s GROUP BY wallet.currency"""

USUAL = """
    SELECT wallet.currency, count(*), sum(meter.rate) * 24, 0
      FROM subscriptions_meter meter JOIN billing_account wallet ON wallet.id = meter.account_id
     WHERE meter.next_tick_at IS NOT NULL GROUP BY wallet.currency"""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one statement did: how many rows it charged, and which need a closer look."""

    charged: int
    odd: list[Any]


def charge_due(*, at: datetime, limit: int = BATCH) -> int:
    """Charges the meters that are due at `at`, for as far as their wallets cover it. Returns how many were taken up.

    More than three days of every running meter at once stops it: then a human looks (billing.guard).
    """
    people, amounts, of_a_day = _sums(FORESEEN, at)
    if not people:
        return 0

    def forecast() -> guard.Forecast:
        due = guard.Forecast(people, tuple(of_a_day))
        return due if guard.within(people, amounts, due) else _forecast(at)  # to add up every meter takes its time

    try:
        guard.permit("hours", people=people, amounts=amounts, forecast=forecast, at=at)
    except guard.Stopped:
        return 0
    batch = charge_batch(at=at, limit=limit)
    sweeps.each(batch.odd, lambda pk: metering.tick(pk, at=at))
    return batch.charged + len(batch.odd)


def charge_batch(*, at: datetime, limit: int) -> Batch:
    """The ordinary meters of a batch in one statement; the others are leased and returned."""
    spans = {"low": settings.METER_LOW, "every": settings.METER_EVERY, "lease": LEASE}
    known: dict[str, Any] = {"at": at, "hour": HOUR, "far": FAR, "limit": limit, **spans}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(STATEMENT, known)
        rows = cursor.fetchall()
    odd = [pk for pk, ordinary in rows if not ordinary]
    return Batch(len(rows) - len(odd), odd)


def _forecast(at: datetime) -> guard.Forecast:
    people, amounts, _ = _sums(USUAL, at)
    return guard.Forecast(people, tuple(amounts))


def _sums(sql: str, at: datetime) -> tuple[int, list[Money], list[Money]]:
    """How many people, and of each currency what the third and the fourth column come to."""
    with connection.cursor() as cursor:
        cursor.execute(sql, {"at": at})
        rows = cursor.fetchall()
    first, second = ([money.from_minor(max(int(row[n] or 0), 0), row[0]) for row in rows] for n in (2, 3))
    return sum(row[1] for row in rows), first, second
