"""The books: accounts equal their transfers, and each transfer is the one movement of money that it names."""

from billing import audit
from billing.audit import Check

audit.reads("billing_account", "billing_transfer")
audit.explains("SELECT 'payment:' || id AS reference FROM billing_payment WHERE status = 'succeeded'")
audit.explains("SELECT 'refund:' || id FROM billing_refund WHERE status = 'succeeded'")
audit.explains("SELECT 'hold:' || id || step FROM billing_refund, (VALUES (''), (':again')) steps (step)")
audit.explains("SELECT 'release:' || id FROM billing_refund")
audit.explains(
    "SELECT 'case:' || id || step FROM billing_case, (VALUES (''), (':back'), (':loss'), (':won')) steps (step)"
)

WALLETS = """
    SELECT account.code AS account, account.balance, coalesce(moved.sum, 0) AS transfers
      FROM billing_account account
      LEFT JOIN (
           SELECT account_id, sum(minor) AS sum
             FROM (SELECT credit_id AS account_id, amount AS minor FROM billing_transfer
                   UNION ALL SELECT debit_id, -amount FROM billing_transfer) side
            GROUP BY account_id) moved ON moved.account_id = account.id
     WHERE account.kind = 'wallet'
       AND (account.balance <> coalesce(moved.sum, 0) OR account.balance < 0)"""

# What a case books ("case:<id>") is checked with the cases.
CASH = """
    WITH expected AS (
        SELECT 'cash:' || acquirer || ':' || currency AS code, sum(minor) AS minor
          FROM (SELECT acquirer, currency, captured AS minor FROM billing_payment
                 WHERE status = 'succeeded' AND acquirer <> 'wallet'
                UNION ALL
                SELECT payment.acquirer, refund.currency, -refund.amount
                  FROM billing_refund refund JOIN billing_payment payment ON payment.id = refund.payment_id
                 WHERE refund.status = 'succeeded' AND payment.acquirer <> 'wallet') moved
         GROUP BY code),
    booked AS (
        SELECT account.code, sum(minor) AS minor
          FROM (SELECT debit_id AS account_id, amount AS minor, reference FROM billing_transfer
                UNION ALL SELECT credit_id, -amount, reference FROM billing_transfer) side
          JOIN billing_account account ON account.id = side.account_id
         WHERE account.kind = 'cash' AND NOT starts_with(side.reference, 'case:')
         GROUP BY account.code)
    SELECT code AS account, coalesce(booked.minor, 0) AS booked, coalesce(expected.minor, 0) AS payments_less_refunds
      FROM expected FULL JOIN booked USING (code)
     WHERE coalesce(booked.minor, 0) <> coalesce(expected.minor, 0)"""

PAYMENTS = """
    SELECT payment.id AS payment, payment.captured, transfer.amount AS booked, debit.code AS debit,
           credit.code AS credit
      FROM billing_payment payment
      JOIN billing_invoice invoice ON invoice.id = payment.invoice_id
      LEFT JOIN billing_transfer transfer ON transfer.reference = 'payment:' || payment.id
      LEFT JOIN billing_account debit ON debit.id = transfer.debit_id
      LEFT JOIN billing_account credit ON credit.id = transfer.credit_id
     WHERE payment.status = 'succeeded'
       AND (transfer.id IS NULL OR transfer.amount <> payment.captured OR transfer.currency <> payment.currency
            OR debit.code <> CASE payment.acquirer WHEN 'wallet' THEN 'wallet:' || payment.user_id
                                  ELSE 'cash:' || payment.acquirer END || ':' || payment.currency
            OR CASE WHEN payment.surplus THEN credit.code <> 'suspense:' || payment.currency
                    ELSE transfer.credit_id <> invoice.account_id END)"""

REFUNDS = """
    SELECT refund.id AS refund, refund.amount, transfer.amount AS booked, debit.code AS debit, credit.code AS credit
      FROM billing_refund refund
      JOIN billing_payment payment ON payment.id = refund.payment_id
      JOIN billing_invoice invoice ON invoice.id = payment.invoice_id
      JOIN billing_account account ON account.id = invoice.account_id
      LEFT JOIN billing_transfer transfer ON transfer.reference = 'refund:' || refund.id
      LEFT JOIN billing_account debit ON debit.id = transfer.debit_id
      LEFT JOIN billing_account credit ON credit.id = transfer.credit_id
     WHERE refund.status = 'succeeded'
       AND (transfer.id IS NULL OR transfer.amount <> refund.amount OR transfer.currency <> refund.currency
            OR credit.code <> CASE payment.acquirer WHEN 'wallet' THEN 'wallet:' || payment.user_id
                                   ELSE 'cash:' || payment.acquirer END || ':' || refund.currency
            OR debit.code <> CASE WHEN payment.surplus OR account.kind = 'wallet' THEN 'suspense:'
                                  ELSE 'refunds:' END || refund.currency)"""

SOUND = """
    SELECT transfer.reference, transfer.amount, transfer.currency, debit.code AS debit, credit.code AS credit
      FROM billing_transfer transfer
      LEFT JOIN billing_account debit ON debit.id = transfer.debit_id
      LEFT JOIN billing_account credit ON credit.id = transfer.credit_id
     WHERE transfer.amount <= 0 OR transfer.debit_id = transfer.credit_id
        OR debit.currency IS DISTINCT FROM transfer.currency OR credit.currency IS DISTINCT FROM transfer.currency"""

TWICE = "SELECT reference, count(*) AS times FROM billing_transfer GROUP BY reference HAVING count(*) > 1"


def unexplained() -> str:
    """Transfers that nothing accounts for; what does, each app says by `audit.explains`."""
    return f"""
    SELECT transfer.reference, transfer.amount, transfer.currency, transfer.at
      FROM billing_transfer transfer
     WHERE NOT EXISTS (SELECT FROM ({audit.explained()}) known WHERE known.reference = transfer.reference)"""  # noqa: S608  ours


audit.register(
    Check("wallet.balance", "Each wallet holds what its transfers come to, and not less than nothing.", WALLETS),
    Check("cash.balance", "Cash at each acquirer is what payments brought less what refunds took.", CASH),
    Check(
        "payment.transfer", "Each payment that succeeded is booked once, over its sum, between its accounts.", PAYMENTS
    ),
    Check("refund.transfer", "Each refund that was made is booked once, over its sum, between its accounts.", REFUNDS),
    Check("transfer.sound", "A transfer moves money above zero between two accounts of its currency.", SOUND),
    Check("transfer.once", "No two transfers book the same thing.", TWICE),
    Check("transfer.explained", "No transfer without a payment, refund, period or case.", unexplained),
)
