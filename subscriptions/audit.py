"""What the audit asks of subscriptions: every promise rests on a paid term, and every paid term on a promise."""

from billing import audit, trails
from billing.audit import Check

audit.reads("subscriptions_subscription", "subscriptions_period", "subscriptions_change")
audit.explains(
    "SELECT transfer.reference FROM subscriptions_period period"
    " JOIN billing_transfer transfer ON transfer.id = period.transfer_id"
)

# Terms of months follow one another without a gap; what is paid by the hour stops while the wallet is empty.
SEQUENCE = """
    SELECT subscription_id AS subscription, number, starts_at, before AS the_one_before_ended
      FROM (SELECT subscription_id, number, months + days AS months, starts_at,
                   lag(ends_at) OVER (PARTITION BY subscription_id ORDER BY starts_at, number) AS before
              FROM subscriptions_period WHERE starts_at IS NOT NULL) term
     WHERE starts_at < before OR (months > 0 AND starts_at > before)"""

TERM = """
    SELECT subscription.id AS subscription, subscription.status, subscription.valid_till, paid.till AS paid_till
      FROM subscriptions_subscription subscription
      LEFT JOIN (SELECT period.subscription_id, max(period.ends_at) AS till
                   FROM subscriptions_period period
                   LEFT JOIN billing_invoice invoice ON invoice.id = period.invoice_id
                  WHERE period.transfer_id IS NOT NULL OR invoice.status = 'paid'
                  GROUP BY period.subscription_id) paid ON paid.subscription_id = subscription.id
     WHERE subscription.status NOT IN ('pending', 'abandoned')
       AND NOT EXISTS (SELECT FROM subscriptions_meter meter WHERE meter.subscription_id = subscription.id)
       AND (subscription.valid_till IS NULL OR paid.till IS NULL OR subscription.valid_till > paid.till)"""

# The grace is the plan's of today, or the one that was promised when the term began (of old, nobody wrote that down).
# Few outlive today's: the events are looked up for those alone, which the planner does not see by itself.
ACCESS = """
    WITH beyond AS MATERIALIZED (
        SELECT subscription.id, subscription.status, subscription.valid_till, subscription.access_until,
               plan.grace_days
          FROM subscriptions_subscription subscription JOIN subscriptions_plan plan ON plan.id = subscription.plan_id
         WHERE subscription.access_until IS NOT NULL
           AND (subscription.status IN ('pending', 'abandoned')
                OR (NOT plan.hourly
                    AND subscription.access_until > subscription.valid_till + plan.grace_days * interval '1 day')))
    SELECT id AS subscription, status, valid_till, access_until, grace_days
      FROM beyond
     WHERE status IN ('pending', 'abandoned')
        OR NOT EXISTS (
           SELECT FROM billing_event told
            WHERE told.subject_type = 'subscription' AND told.subject_id = beyond.id
              AND told.kind IN ('subscription.activated', 'subscription.renewed')
              AND beyond.access_until <= beyond.valid_till
                  + coalesce((told.data ->> 'grace_days')::int, 60) * interval '1 day')"""

# What the event of the payment (or of the voiding) brings about may be on its way.
PENDING = """
    SELECT subscription.id AS subscription, invoice.id AS invoice, invoice.status AS invoice_status
      FROM subscriptions_subscription subscription
      LEFT JOIN subscriptions_period period ON period.subscription_id = subscription.id AND period.number = 1
      LEFT JOIN billing_invoice invoice ON invoice.id = period.invoice_id
     WHERE subscription.status = 'pending'
       AND (invoice.id IS NULL
            OR (invoice.status <> 'open' AND invoice.updated_at < %(at)s - %(settled_within)s))"""

BEGUN = """
    SELECT period.subscription_id AS subscription, period.number, invoice.id AS invoice, invoice.paid_at
      FROM subscriptions_period period JOIN billing_invoice invoice ON invoice.id = period.invoice_id
     WHERE invoice.status = 'paid' AND period.starts_at IS NULL AND invoice.paid_at < %(at)s - %(settled_within)s"""

ON_TIME = """
    SELECT id AS subscription, status, valid_till, access_until, next_action_at
      FROM subscriptions_subscription subscription
     WHERE next_action_at < %(at)s - %(overdue)s
        OR (next_action_at IS NULL AND status IN ('active', 'past_due', 'cancelled')
            AND NOT (status = 'active' AND EXISTS (
                SELECT FROM subscriptions_meter meter WHERE meter.subscription_id = subscription.id)))"""

CHARGED = """
    SELECT id AS subscription, status, next_charge_at FROM subscriptions_subscription
     WHERE next_charge_at < %(at)s - %(overdue)s"""

WAITS = """
    SELECT subscription.id AS subscription, subscription.status, period.number, invoice.id AS invoice
      FROM subscriptions_period period
      JOIN billing_invoice invoice ON invoice.id = period.invoice_id
      JOIN subscriptions_subscription subscription ON subscription.id = period.subscription_id
     WHERE period.number > 1 AND period.starts_at IS NULL AND invoice.status = 'open'
       AND (period.closed_at IS NOT NULL OR subscription.status IN ('cancelled', 'ended', 'expired', 'abandoned'))"""

REMOVED = """
    SELECT payment.id AS payment, payment.created_at, method.id AS card, method.removed_at
      FROM billing_payment payment JOIN billing_paymentmethod method ON method.id = payment.method_id
     WHERE payment.created_at > method.removed_at"""

AGREED = """
    SELECT subscription.id AS subscription, period.number, payment.id AS payment
      FROM subscriptions_period period
      JOIN subscriptions_subscription subscription ON subscription.id = period.subscription_id
      JOIN billing_payment payment ON payment.invoice_id = period.invoice_id
      JOIN billing_event told ON told.subject_type = 'payment' AND told.subject_id = payment.id
           AND told.kind = 'payment.created' AND told.actor = 'system'
     WHERE period.number > 1
       AND (subscription.renewal_consent_at IS NULL)"""

# A change that was paid is made, or its money goes back.
CHANGED = """
    SELECT change.id AS change, change.subscription_id AS subscription, invoice.id AS invoice
      FROM subscriptions_change change JOIN billing_invoice invoice ON invoice.id = change.invoice_id
      LEFT JOIN subscriptions_period period ON period.invoice_id = invoice.id
     WHERE (invoice.status = 'paid' AND change.done_at IS NULL AND invoice.paid_at < %(at)s - %(settled_within)s
            AND NOT EXISTS (SELECT FROM billing_refund refund JOIN billing_payment payment
                                ON payment.id = refund.payment_id
                             WHERE payment.invoice_id = invoice.id))
        OR (change.done_at IS NULL) <> (period.id IS NULL)"""

CREDITED = """
    SELECT change.id AS change, change.subscription_id AS subscription, change.credit, line.discount
      FROM subscriptions_change change LEFT JOIN billing_invoiceline line ON line.invoice_id = change.invoice_id
     WHERE line.discount IS DISTINCT FROM change.credit"""

# The term that was paid ahead is there, its plan begins with it, and the sweep is not late. A rest puts it off.
SWITCHES = """
    SELECT subscription.id AS subscription, subscription.status, subscription.switches_at
      FROM subscriptions_subscription subscription
     WHERE subscription.switches_at IS NOT NULL
       AND ((subscription.switches_at < %(at)s - %(overdue)s AND subscription.status <> 'paused')
            OR NOT EXISTS (SELECT FROM subscriptions_period period
                            WHERE period.subscription_id = subscription.id
                              AND period.starts_at = subscription.switches_at
                              AND period.plan_id = subscription.next_plan_id))"""

RESTING = """
    SELECT id AS subscription, paused_at, access_until FROM subscriptions_subscription
     WHERE status = 'paused' AND access_until > paused_at"""

audit.register(
    Check("period.sequence", "The terms of a subscription neither overlap nor leave a gap.", SEQUENCE),
    Check("period.begun", "Whoever paid for a term has it.", BEGUN),
    Check("subscription.paid", "No subscription runs longer than what is paid.", TERM),
    Check("subscription.access", "Access is owed by a paid term, and outlives it by the grace only.", ACCESS),
    Check("subscription.pending", "A subscription that waits for payment has an open invoice.", PENDING),
    Check("subscription.moves_on", "A sweep looks at each subscription when its time has come.", ON_TIME),
    Check("subscription.switches", "A plan that was paid ahead begins with its term.", SWITCHES),
    Check("subscription.rests", "A paused subscription gives no access.", RESTING),
    Check("change.made", "Whoever paid for another plan has it, or the money back; nobody else has it.", CHANGED),
    Check("change.credit", "What a change took off its invoice is what was left of the term.", CREDITED),
    Check("subscription.charged", "The next term is charged when its time has come.", CHARGED),
    Check("subscription.waits", "Nothing is left to pay for a subscription that is over.", WAITS),
    Check("subscription.agreed", "Nobody's card is charged by itself who never agreed to it.", AGREED),
    Check("card.removed", "A removed card is never charged.", REMOVED),
    trails.state_told("subscription", "subscriptions_subscription"),
)
