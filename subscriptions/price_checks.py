"""What the audit asks of price moves."""

from billing import audit, trails
from billing.audit import Check

audit.reads("subscriptions_pricemove", "subscriptions_moving")

LATE = """
    SELECT moving.id AS moving, moving.subscription_id AS subscription, moving.told_at, moving.due_at
      FROM subscriptions_moving moving JOIN subscriptions_pricemove move ON move.id = moving.move_id
     WHERE moving.settled_at IS NULL
       AND (moving.due_at < %(at)s - %(overdue)s OR move.status <> 'announced'
            OR (moving.told_at IS NULL AND move.updated_at < %(at)s - %(overdue)s))"""

# Who asked for a plan at once has seen its price; so has he whom staff had moved to another plan for nothing, and who
# has chosen the plan of before for his next term.
UNTOLD = """
    SELECT period.subscription_id AS subscription, period.number, before.price_id AS price_before, period.price_id
      FROM subscriptions_period period
      JOIN subscriptions_period before ON before.subscription_id = period.subscription_id
           AND before.number = period.number - 1 AND before.plan_id = period.plan_id
      JOIN subscriptions_price old ON old.id = before.price_id
      JOIN subscriptions_price new ON new.id = period.price_id
     WHERE old.amount < new.amount AND old.currency = new.currency
       AND NOT EXISTS (SELECT FROM subscriptions_moving moving
                         JOIN subscriptions_pricemove move ON move.id = moving.move_id
                        WHERE moving.subscription_id = period.subscription_id AND move.to_price_id = period.price_id
                          AND moving.outcome = 'moved' AND moving.settled_at <= period.created_at)
       AND NOT EXISTS (SELECT FROM billing_event gone
                         JOIN billing_event chosen ON chosen.subject_type = gone.subject_type
                              AND chosen.subject_id = gone.subject_id AND chosen.id > gone.id
                        WHERE gone.subject_type = 'subscription' AND gone.subject_id = period.subscription_id
                          AND gone.kind = 'subscription.upgraded' AND gone.at > before.created_at
                          AND chosen.kind = 'subscription.change_planned' AND chosen.at <= period.created_at
                          AND NOT EXISTS (SELECT FROM billing_event back
                                           WHERE back.subject_type = gone.subject_type
                                             AND back.subject_id = gone.subject_id AND back.id > chosen.id
                                             AND back.kind = 'subscription.change_withdrawn'
                                             AND back.at <= period.created_at))
       AND NOT EXISTS (SELECT FROM subscriptions_change change WHERE change.invoice_id = period.invoice_id)"""

audit.register(
    Check("price.moves_on", "Who is to have another price is told, and moved, in time.", LATE),
    Check("price.told", "Nobody is billed a higher price of a plan who was not told and moved before.", UNTOLD),
    trails.state_told("price_move", "subscriptions_pricemove"),
)
