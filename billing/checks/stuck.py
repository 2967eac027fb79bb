"""Nothing is stuck: what is accepted moves on by itself, within the limits of `billing.audit`."""

from billing import audit
from billing.audit import Check

audit.reads("billing_delivery", "billing_callback")

# What the guard has stopped is late on purpose; the halt itself is told as `halt.parked`.
PAYMENTS = """
    SELECT id AS payment, status, created_at, next_check_at FROM billing_payment
     WHERE status IN ('created', 'pending', 'authorized', 'unknown')
       AND NOT (status IN ('created', 'unknown') AND method_id IS NOT NULL AND acquirer_payment_id = ''
                AND EXISTS (SELECT FROM billing_halt WHERE sweep = 'charges' AND status IN ('stopped', 'kept')))
       AND (next_check_at IS NULL OR next_check_at < %(at)s - %(overdue)s
            OR (parked = '' AND created_at < %(at)s - %(payment_final_within)s))
        OR status NOT IN ('created', 'pending', 'authorized', 'unknown') AND next_check_at < %(at)s - %(overdue)s"""

REFUNDS = """
    SELECT id AS refund, status, created_at, next_check_at FROM billing_refund
     WHERE status IN ('created', 'pending', 'unknown') AND NOT (status = 'created'
                AND EXISTS (SELECT FROM billing_halt WHERE sweep = 'refunds' AND status IN ('stopped', 'kept')))
       AND (next_check_at IS NULL OR next_check_at < %(at)s - %(overdue)s
            OR (parked = '' AND created_at < %(at)s - %(refund_final_within)s))"""

CALLBACKS = """
    SELECT id AS callback, acquirer, kind, attempts, next_attempt_at FROM billing_callback
     WHERE status = 'received' AND next_attempt_at < %(at)s - %(overdue)s"""

DELIVERIES = """
    SELECT delivery.id AS delivery, delivery.handler, event.kind AS event, delivery.attempts, delivery.next_attempt_at
      FROM billing_delivery delivery JOIN billing_event event ON event.id = delivery.event_id
     WHERE delivery.status = 'due' AND delivery.next_attempt_at < %(at)s - %(overdue)s"""

# An invoice whose payment may still succeed waits for it; the payment has a limit of its own.
INVOICES = """
    SELECT invoice.id AS invoice, invoice.number, invoice.expires_at FROM billing_invoice invoice
     WHERE invoice.status = 'open' AND invoice.expires_at < %(at)s - %(invoice_closed_within)s
       AND NOT EXISTS (SELECT FROM billing_payment payment WHERE payment.invoice_id = invoice.id
                          AND payment.status IN ('created', 'pending', 'authorized', 'unknown'))"""

audit.register(
    Check("payment.moves_on", "Each accepted payment is asked about in time until it is final.", PAYMENTS),
    Check("refund.moves_on", "Each accepted refund is asked about in time until it is final.", REFUNDS),
    Check("callback.acted_on", "Each callback is acted on in time.", CALLBACKS),
    Check("delivery.delivered", "Each event reaches its handlers in time.", DELIVERIES),
    Check("invoice.closed", "An invoice that nobody paid in time is closed.", INVOICES),
)
