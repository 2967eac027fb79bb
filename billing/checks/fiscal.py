"""Fiscal receipts and the acquirers' health: what they say is what happened."""

from billing import audit, trails
from billing.audit import Check

audit.reads("billing_receipt")

AMOUNT = """
    SELECT receipt.id AS receipt, receipt.amount, lines.amount AS lines,
           coalesce(refund.amount, payment.captured) AS moved
      FROM billing_receipt receipt
      LEFT JOIN billing_payment payment ON payment.id = receipt.payment_id
      LEFT JOIN billing_refund refund ON refund.id = receipt.refund_id
      CROSS JOIN LATERAL (SELECT coalesce(sum((item ->> 'amount')::bigint), 0) AS amount
                            FROM jsonb_array_elements(receipt.items) item) lines
     WHERE receipt.amount <> coalesce(refund.amount, payment.captured) OR receipt.amount <> lines.amount
        OR coalesce(refund.status, payment.status) <> 'succeeded'"""

MOVES_ON = """
    SELECT id AS receipt, status, created_at, next_check_at FROM billing_receipt
     WHERE status = 'pending' AND (next_check_at IS NULL OR next_check_at < %(at)s - %(overdue)s)"""

audit.register(
    Check("receipt.amount", "A receipt says what was paid or given back, and its lines add up to it.", AMOUNT),
    Check("receipt.moves_on", "Each receipt is asked about in time until the tax office has it.", MOVES_ON),
    trails.state_told("receipt", "billing_receipt"),
    trails.state_told("acquirer", "billing_acquirerhealth", unborn="closed"),
)
