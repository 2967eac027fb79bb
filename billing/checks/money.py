"""Invoices, payments and refunds agree with one another, and their states with the events that told them."""

from billing import audit, trails
from billing.audit import Check

audit.reads(
    "billing_invoice", "billing_invoiceline", "billing_payment", "billing_refund", "billing_event", "billing_case"
)

PAID = """
    SELECT invoice.id AS invoice, invoice.number, invoice.total, count(payment.id) AS payments,
           sum(payment.captured) AS captured
      FROM billing_invoice invoice
      LEFT JOIN billing_payment payment
             ON payment.invoice_id = invoice.id AND payment.status = 'succeeded' AND NOT payment.surplus
     WHERE invoice.status = 'paid'
     GROUP BY invoice.id
    HAVING count(payment.id) <> CASE WHEN invoice.total > 0 THEN 1 ELSE 0 END
        OR coalesce(sum(payment.captured), 0) <> invoice.total"""

OWED = """
    SELECT payment.id AS payment, payment.captured, invoice.id AS invoice, invoice.status AS invoice_status
      FROM billing_payment payment JOIN billing_invoice invoice ON invoice.id = payment.invoice_id
     WHERE payment.status = 'succeeded' AND NOT payment.surplus AND invoice.status <> 'paid'"""

# A refund of it that the acquirer refused is parked, and waits for a human.
SURPLUS = """
    SELECT payment.id AS payment, payment.captured, payment.refunded
      FROM billing_payment payment
     WHERE payment.status = 'succeeded' AND payment.surplus
       AND payment.refunded + payment.charged_back < payment.captured
       AND NOT EXISTS (SELECT FROM billing_refund refund
                        WHERE refund.payment_id = payment.id AND refund.status = 'failed' AND refund.parked <> '')"""

REFUNDED = """
    SELECT payment.id AS payment, payment.captured, payment.refunded, coalesce(made.sum, 0) AS refunds
      FROM billing_payment payment
      LEFT JOIN (SELECT payment_id, sum(amount) AS sum FROM billing_refund WHERE status <> 'failed'
                  GROUP BY payment_id) made ON made.payment_id = payment.id
     WHERE payment.refunded <> coalesce(made.sum, 0) OR payment.refunded > payment.captured"""

CHARGED_BACK = """
    SELECT payment.id AS payment, payment.captured, payment.charged_back, coalesce(found.sum, 0) AS cases
      FROM billing_payment payment
      LEFT JOIN (SELECT payment_id, sum(theirs) AS sum FROM billing_case
                  WHERE kind = 'chargeback' AND resolution <> 'won' GROUP BY payment_id) found
             ON found.payment_id = payment.id
     WHERE payment.charged_back <> least(payment.captured, coalesce(found.sum, 0))"""

LINES = """
    SELECT invoice.id AS invoice, invoice.number, invoice.total, coalesce(line.sum, 0) AS lines
      FROM billing_invoice invoice
      LEFT JOIN (SELECT invoice_id, sum(amount) AS sum FROM billing_invoiceline GROUP BY invoice_id) line
             ON line.invoice_id = invoice.id
     WHERE invoice.total <> coalesce(line.sum, 0)"""

LINE = """
    SELECT invoice_id AS invoice, position, quantity, unit_price, discount, amount FROM billing_invoiceline
     WHERE amount <> quantity * unit_price - discount"""

CURRENCIES = """
    SELECT payment.id AS payment, payment.currency, invoice.currency AS invoice_currency, refund.id AS refund,
           refund.currency AS refund_currency
      FROM billing_payment payment
      JOIN billing_invoice invoice ON invoice.id = payment.invoice_id
      LEFT JOIN billing_refund refund ON refund.payment_id = payment.id
     WHERE payment.currency <> invoice.currency OR refund.currency <> payment.currency"""

LIVE = """
    SELECT invoice_id AS invoice, count(*) AS payments FROM billing_payment
     WHERE NOT surplus AND status IN ('created', 'pending', 'authorized', 'unknown', 'succeeded')
     GROUP BY invoice_id HAVING count(*) > 1"""

audit.register(
    Check("invoice.paid", "Each paid invoice has one payment of its whole sum, one over nothing has none.", PAID),
    Check("payment.owed", "No money without a paid invoice, but for surplus.", OWED),
    Check("payment.surplus_returned", "Money that nobody owed goes back.", SURPLUS),
    Check("payment.refunded", "A payment's refunds add up, to no more than was taken.", REFUNDED),
    Check("payment.charged_back", "What was charged back of a payment is what its cases say.", CHARGED_BACK),
    Check("payment.one_per_invoice", "An invoice has one live or successful payment at most.", LIVE),
    Check("invoice.lines", "The lines of an invoice add up to its total.", LINES),
    Check("invoice.line", "Each line is quantity x price - discount.", LINE),
    Check("payment.currency", "Invoice, payment and refund are in one currency.", CURRENCIES),
    trails.chain(),
    trails.state_told("invoice", "billing_invoice", unborn="draft"),
    trails.state_told("payment", "billing_payment"),
    trails.state_told("refund", "billing_refund"),
    trails.state_told("case", "billing_case"),
    trails.state_told("halt", "billing_halt"),
)
