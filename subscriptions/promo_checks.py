"""What the audit asks of promo codes: the count is that of the rows, and what was used was paid."""

from billing import audit
from billing.audit import Check

audit.reads("subscriptions_promocode", "subscriptions_redemption")

COUNTED = """
    SELECT code.code AS promo_code, code.taken, count(redemption.id) AS redemptions, code.total_limit
      FROM subscriptions_promocode code
      LEFT JOIN subscriptions_redemption redemption
             ON redemption.promo_code_id = code.id AND NOT redemption.renews AND redemption.released_at IS NULL
     GROUP BY code.id
    HAVING code.taken <> count(redemption.id) OR code.taken > code.total_limit"""

# The news of the payment, or of the voiding, may be on its way.
USED = """
    SELECT redemption.id AS redemption, invoice.id AS invoice, invoice.status AS invoice_status, redemption.used_at,
           redemption.released_at
      FROM subscriptions_redemption redemption JOIN billing_invoice invoice ON invoice.id = redemption.invoice_id
     WHERE ((redemption.used_at IS NOT NULL) <> (invoice.status = 'paid')
            OR (redemption.released_at IS NOT NULL) <> (invoice.status IN ('void', 'uncollectible')))
       AND invoice.updated_at < %(at)s - %(settled_within)s"""

SAVED = """
    SELECT redemption.id AS redemption, redemption.saved, redemption.invoice_id AS invoice,
           coalesce(sum(line.discount), 0) AS taken_off
      FROM subscriptions_redemption redemption
      LEFT JOIN billing_invoiceline line ON line.invoice_id = redemption.invoice_id
     GROUP BY redemption.id
    HAVING redemption.saved <> coalesce(sum(line.discount), 0)"""

audit.register(
    Check("promo.counted", "Each promo code is counted as often as it is taken, within its limit.", COUNTED),
    Check("promo.used", "A code is used where its invoice is paid, and free where that never will be.", USED),
    Check("promo.saved", "A code took off what the invoice says.", SAVED),
)
