# ruff: noqa: S608  the statements are the test's own
"""What can be wrong with fiscal receipts, the acquirers' health, cases and halts, for the checks that find it."""

PAID = "(SELECT id FROM billing_payment WHERE status = 'succeeded' AND NOT surplus AND refunded = 0 LIMIT 1)"


def receipt(status: str = "pending", amount: str = "captured", parked: str = "", due: str = "now()") -> list[str]:
    """A receipt of a payment, and the event that told of it."""
    columns = "id, created_at, updated_at, payment_id, status, amount, currency, items, next_check_at, checks, parked"
    items = "jsonb_build_array(jsonb_build_object('amount', captured))"
    return [
        f"INSERT INTO billing_receipt ({columns}) SELECT gen_random_uuid(), now(), now(), id, '{status}', {amount},"
        f" 'RUB', {items}, {due}, 0, '{parked}' FROM billing_payment WHERE id = {PAID}",
        "INSERT INTO billing_event (kind, subject_type, subject_id, from_state, to_state, actor, reason, data,"
        " request_id, at) SELECT 'receipt.pending', 'receipt', id, '', 'pending', 'test', '', '{}', '', now()"
        " FROM billing_receipt",
    ]


DOWN = (
    "INSERT INTO billing_acquirerhealth (id, created_at, updated_at, name, status, failures, trips, retry_at, sentence)"
    " VALUES (gen_random_uuid(), now(), now(), 'fake', 'open', 5, 1, now(), 'no answer')"
)
RECEIPTS = {
    "receipt.amount": receipt(amount="captured - 1"),
    "receipt.moves_on": receipt(due="NULL"),
    "receipt.state_told": receipt()[:1],
    "acquirer.state_told": [DOWN],
}
RECEIPTS_TOLD = {"receipt.parked": receipt(parked="why")[0], "acquirer.parked": DOWN}
CASE_OPEN = (
    "INSERT INTO billing_case (id, created_at, updated_at, acquirer, kind, status, reference, payment_reference,"
    " ours, theirs, currency, sentence, dedupe_key, resolution, reason) VALUES (gen_random_uuid(), now(), now(),"
    " 'fake', 'missing_here', 'open', '', '', 0, 1, 'RUB', '', 'x', '', '')"
)
HALTED = (
    "INSERT INTO billing_halt (id, created_at, updated_at, sweep, status, people, sums, expected_people,"
    " expected_sums, sentence, reason) VALUES (gen_random_uuid(), now(), now(), 'refunds', 'stopped', 1, '{}', 1,"
    " '{}', '', '')"
)
