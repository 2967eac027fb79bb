"""The sweeps as one statement each: the same rows, in the same tables, as the product writes for a batch of due ones.

Nothing is told apart, looked up or guarded: whatever is due is ordinary. Ids are given out in `due`, so that no part
of a statement joins another.
"""

from __future__ import annotations

import json

LEASE = "interval '10 minutes'"
INVOICE_TOLD = json.dumps({"total": "299.00"})
TERM_TOLD = json.dumps(
    {
        "plan": "Monthly",
        "valid_till": "2026-02-28T09:00:00.000000Z",
        "access_until": "2026-03-02T09:00:00.000000Z",
        "ends": "28 February 2026, 12:00 MSK",
        "ends_on": "28 February",
        "access_ends": "2 March 2026, 12:00 MSK",
        "access_ends_on": "2 March",
        "grace_days": 2,
        "auto_renew": False,
        "price": "299 ₽",
        "card": "",
        "at_once": False,
    },
    ensure_ascii=False,
)

RENEW = f"""
WITH due AS MATERIALIZED (
    SELECT subscription.id, subscription.user_id, subscription.plan_id, subscription.price_id, price.amount,
           price.currency, plan.name, plan.code, plan.months, plan.refund_policy, subscription.valid_till,
           gen_random_uuid() AS invoice_id,
           (SELECT id FROM billing_account WHERE code = 'revenue:' || price.currency) AS revenue_id,
           (SELECT max(number) FROM subscriptions_period period WHERE period.subscription_id = subscription.id) AS last
      FROM subscriptions_subscription subscription
      JOIN subscriptions_plan plan ON plan.id = subscription.plan_id
      JOIN subscriptions_price price ON price.id = subscription.price_id
     WHERE subscription.next_charge_at <= %(at)s
     ORDER BY subscription.next_charge_at, subscription.id
       FOR UPDATE OF subscription SKIP LOCKED),
claimed AS (
    UPDATE subscriptions_subscription subscription SET next_charge_at = %(at)s + {LEASE}
      FROM due WHERE subscription.id = due.id),
invoices AS (
    INSERT INTO billing_invoice (id, created_at, updated_at, user_id, status, purpose, account_id, total, currency)
    SELECT invoice_id, %(at)s, now(), user_id, 'open', 'subscription', revenue_id, amount, currency FROM due),
lines AS (
    INSERT INTO billing_invoiceline
           (invoice_id, position, product, description, quantity, unit_price, discount, amount)
    SELECT invoice_id, 1, 'plan:' || code, name || ', from ' || to_char(valid_till, 'FMDD FMMonth YYYY'), 1, amount, 0,
           amount FROM due),
events AS (
    INSERT INTO billing_event (kind, subject_type, subject_id, from_state, to_state, actor, reason, user_id,
                               request_id, at, data)
    SELECT 'invoice.issued', 'invoice', invoice_id, 'draft', 'open', 'system', '', user_id, '', %(at)s,
           '{INVOICE_TOLD}' FROM due),
periods AS (
    INSERT INTO subscriptions_period
           (subscription_id, number, months, refund_policy, plan_id, price_id, invoice_id, created_at)
    SELECT id, last + 1, months, refund_policy, plan_id, price_id, invoice_id, %(at)s FROM due)
SELECT count(*) FROM due"""

END = f"""
WITH due AS MATERIALIZED (
    SELECT id, user_id, access_until, nextval('billing_event_id_seq') AS event_id
      FROM subscriptions_subscription
     WHERE next_action_at <= %(at)s ORDER BY next_action_at, id
       FOR NO KEY UPDATE SKIP LOCKED),
ended AS (
    UPDATE subscriptions_subscription subscription
       SET status = 'past_due', remind_at = NULL, next_action_at = due.access_until, updated_at = %(at)s
      FROM due WHERE subscription.id = due.id),
events AS (
    INSERT INTO billing_event (id, kind, subject_type, subject_id, from_state, to_state, actor, reason, user_id,
                               request_id, at, data)
    SELECT event_id, 'subscription.past_due', 'subscription', id, 'active', 'past_due', 'system', '', user_id, '',
           %(at)s, '{TERM_TOLD}' FROM due),
deliveries AS (
    INSERT INTO billing_delivery (event_id, handler, status, attempts, next_attempt_at, error)
    SELECT event_id, 'notifications.handlers.write_of_the_term', 'due', 0, %(at)s, '' FROM due)
SELECT count(*) FROM due"""

CHARGE = """
WITH due AS MATERIALIZED (
    SELECT meter.id, meter.subscription_id, meter.account_id, meter.billed_to, meter.periods, plan.refund_policy,
           plan.name, (SELECT id FROM billing_account WHERE code = 'revenue:RUB') AS revenue_id,
           trunc(meter.rate::numeric * extract(epoch FROM %(at)s - meter.since) / 3600) - meter.charged AS amount,
           meter.since + (meter.charged + wallet.balance)::float8 / meter.rate * interval '1 hour' AS dry,
           nextval('billing_transfer_id_seq') AS transfer_id
      FROM subscriptions_meter meter
      JOIN subscriptions_subscription subscription ON subscription.id = meter.subscription_id
      JOIN subscriptions_plan plan ON plan.id = subscription.plan_id
      JOIN billing_account wallet ON wallet.id = meter.account_id
     WHERE meter.next_tick_at <= %(at)s
     ORDER BY meter.next_tick_at, meter.id
       FOR NO KEY UPDATE OF subscription, meter, wallet SKIP LOCKED),
transfers AS (
    INSERT INTO billing_transfer (id, reference, debit_id, credit_id, amount, currency, description, at, booked_at)
    SELECT transfer_id, 'meter:' || subscription_id || ':' || periods + 1, account_id, revenue_id, amount, 'RUB',
           name || ', by the hour', %(at)s, now() FROM due),
periods AS (
    INSERT INTO subscriptions_period
           (subscription_id, number, months, refund_policy, starts_at, ends_at, transfer_id, created_at)
    SELECT subscription_id, periods + 1, 0, refund_policy, billed_to, %(at)s, transfer_id, %(at)s FROM due),
subscriptions AS (
    UPDATE subscriptions_subscription subscription SET valid_till = %(at)s, access_until = dry, updated_at = now()
      FROM due WHERE subscription.id = due.subscription_id),
meters AS (
    UPDATE subscriptions_meter meter
       SET charged = charged + amount, billed_to = %(at)s, periods = meter.periods + 1,
           next_tick_at = %(at)s + interval '1 hour'
      FROM due WHERE meter.id = due.id)
SELECT count(*) FROM due"""
