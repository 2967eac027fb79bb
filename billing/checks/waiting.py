"""What waits for a human: no breach, but to be known."""

from billing import audit
from billing.audit import Check


def _parked(noun: str, sql: str) -> Check:
    return Check(f"{noun}.parked", f"A {noun} waits for a human.", sql, told=True)


audit.register(
    _parked("payment", "SELECT id AS payment, status, parked AS why FROM billing_payment WHERE parked <> ''"),
    _parked(
        "refund",
        """
        SELECT refund.id AS refund, refund.status, refund.parked AS why FROM billing_refund refund
         WHERE refund.parked <> '' AND NOT EXISTS (
               SELECT FROM billing_refund again WHERE again.request_key = 'again:' || refund.id)""",
    ),
    _parked("case", "SELECT id AS \"case\", acquirer, sentence AS why FROM billing_case WHERE status = 'open'"),
    _parked("halt", "SELECT id AS halt, sweep, status, sentence AS why FROM billing_halt WHERE status <> 'over'"),
    _parked("receipt", "SELECT id AS receipt, status, parked AS why FROM billing_receipt WHERE parked <> ''"),
    _parked(
        "acquirer",
        "SELECT id AS acquirer, name, sentence AS why FROM billing_acquirerhealth"
        " WHERE status IN ('open', 'half_open')",
    ),
    _parked("callback", "SELECT id AS callback, acquirer, note AS why FROM billing_callback WHERE status = 'parked'"),
    _parked("delivery", "SELECT id AS delivery, handler, error AS why FROM billing_delivery WHERE status = 'parked'"),
)
