"""What the audit asks of meters: the time that ran was charged, once, and nobody has access without money for it."""

from billing import audit
from billing.audit import Check
from subscriptions.tariffs import FAR, HOUR

audit.reads("subscriptions_meter")

CHARGED = f"""
    SELECT meter.subscription_id AS subscription, meter.rate, meter.since, meter.billed_to, meter.charged
      FROM subscriptions_meter meter
     WHERE meter.charged <> trunc((meter.carry + meter.rate::numeric
                                   * extract(epoch FROM meter.billed_to - meter.since) * 1000000) / {HOUR})"""  # noqa: S608  ours

BOOKED = """
    SELECT meter.subscription_id AS subscription, meter.charged, coalesce(taken.sum, 0) AS booked
      FROM subscriptions_meter meter
      LEFT JOIN LATERAL (
           SELECT sum(transfer.amount) AS sum
             FROM subscriptions_period period JOIN billing_transfer transfer ON transfer.id = period.transfer_id
            WHERE period.subscription_id = meter.subscription_id AND period.starts_at >= meter.since) taken ON true
     WHERE meter.charged <> coalesce(taken.sum, 0)"""

# A transfer of the wallet's may be on its way to the meter.
COVERED = f"""
    SELECT subscription.id AS subscription, subscription.access_until, wallet.balance
      FROM subscriptions_meter meter
      JOIN subscriptions_subscription subscription ON subscription.id = meter.subscription_id
      JOIN billing_account wallet ON wallet.id = meter.account_id
     WHERE subscription.status = 'active'
       AND subscription.access_until > greatest(meter.billed_to, meter.since + least(greatest(ceil(
           ((meter.charged::numeric + wallet.balance) * {HOUR} - meter.carry) / meter.rate), 0), {FAR})::float8
           * interval '1 microsecond')
       AND NOT EXISTS (SELECT FROM billing_transfer transfer
                        WHERE (transfer.debit_id = wallet.id OR transfer.credit_id = wallet.id)
                          AND transfer.booked_at > %(at)s - %(settled_within)s)"""  # noqa: S608  ours

MOVES_ON = """
    SELECT subscription.id AS subscription, subscription.status, meter.next_tick_at, wallet.balance
      FROM subscriptions_meter meter
      JOIN subscriptions_subscription subscription ON subscription.id = meter.subscription_id
      JOIN billing_account wallet ON wallet.id = meter.account_id
     WHERE (subscription.status = 'active' AND meter.next_tick_at IS NULL)
        OR (meter.next_tick_at < %(at)s - %(overdue)s
            AND NOT EXISTS (SELECT FROM billing_halt halt
                             WHERE halt.sweep = 'hours' AND halt.status IN ('open', 'kept')))"""

LATER = """
    SELECT subscription.id AS subscription, subscription.valid_till, meter.billed_to
      FROM subscriptions_meter meter
      JOIN subscriptions_subscription subscription ON subscription.id = meter.subscription_id
     WHERE subscription.valid_till > meter.billed_to"""

TERMS = """
    SELECT subscription.id AS subscription, subscription.auto_renew, period.number
      FROM subscriptions_meter meter
      JOIN subscriptions_subscription subscription ON subscription.id = meter.subscription_id
      LEFT JOIN subscriptions_period period ON period.subscription_id = subscription.id AND period.transfer_id IS NULL
           AND period.closed_at IS NULL
     WHERE subscription.auto_renew OR period.id IS NOT NULL"""

audit.register(
    Check("meter.no_terms", "A subscription by the hour has no terms that are billed, and renews by no card.", TERMS),
    Check("meter.charged", "A meter charged what its time comes to at its rate, to the whole minor unit.", CHARGED),
    Check("meter.booked", "What a meter charged is what its transfers come to.", BOOKED),
    Check("meter.covered", "Access by the hour goes no further than the wallet.", COVERED),
    Check("meter.moves_on", "A sweep looks at each running meter when its time has come.", MOVES_ON),
    Check("meter.paid", "A subscription by the hour is paid no further than its meter has charged.", LATER),
)
