"""Wallets: what is on its way back to a card has left the wallet, and what did not go back is there again."""

from billing import audit
from billing.audit import Check

# "hold:<refund>" is written with the promise, "release:<refund>" when the acquirer refused for good; the third where
# it made the refund after all.
HELD = """
    SELECT refund.id AS refund, refund.status, refund.amount, hold.amount AS held, release.amount AS released,
           again.amount AS held_again
      FROM billing_refund refund
      JOIN billing_payment payment ON payment.id = refund.payment_id
      JOIN billing_invoice invoice ON invoice.id = payment.invoice_id
      JOIN billing_account wallet ON wallet.id = invoice.account_id AND wallet.kind = 'wallet'
      LEFT JOIN billing_transfer hold
             ON hold.reference = 'hold:' || refund.id AND hold.debit_id = wallet.id AND hold.amount = refund.amount
      LEFT JOIN billing_transfer release
             ON release.reference = 'release:' || refund.id AND release.credit_id = wallet.id
            AND release.amount = refund.amount
      LEFT JOIN billing_transfer again
             ON again.reference = 'hold:' || refund.id || ':again' AND again.debit_id = wallet.id
            AND again.amount = refund.amount
     WHERE NOT payment.surplus
       AND (hold.id IS NULL
            OR CASE refund.status
               WHEN 'failed' THEN release.id IS NULL OR again.id IS NOT NULL
               WHEN 'succeeded' THEN (release.id IS NULL) <> (again.id IS NULL)
               ELSE release.id IS NOT NULL END)"""

audit.register(
    Check("wallet.held", "A refund of a top-up left the wallet when it was promised, and came back if refused.", HELD),
)
