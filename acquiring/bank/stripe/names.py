"""The bank's ids as Stripe's, what this protocol keeps besides, and the keys of its objects that mean nothing here."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from acquiring.bank.records import Payment, Refund

Body = dict[str, Any]
SESSION, INTENT = "session", "intent"
PREFIXES = {"pi": "pay", "cs_test": "pay", "ch": "pay", "du": "pay", "re": "ref", "pm": "tok", "evt": "ntc"}


def _words(*lines: str) -> tuple[str, ...]:
    return tuple(word for line in lines for word in line.split())


INTENT_NULLS = _words(
    "application application_fee_amount automatic_payment_methods canceled_at cancellation_reason description",
    "next_action on_behalf_of processing receipt_email review setup_future_usage shipping source",
    "statement_descriptor statement_descriptor_suffix transfer_data transfer_group",
)
SESSION_NULLS = _words(
    "after_expiration allow_promotion_codes billing_address_collection client_secret consent consent_collection",
    "currency_conversion customer_creation customer_email discounts invoice line_items locale payment_link",
    "recovered_from setup_intent shipping_address_collection shipping_cost submit_type subscription",
)
CHARGE_NULLS = _words(
    "application application_fee application_fee_amount balance_transaction calculated_statement_descriptor",
    "description failure_balance_transaction on_behalf_of receipt_email receipt_number review shipping source",
    "source_transfer statement_descriptor statement_descriptor_suffix transfer_data transfer_group",
)


def rename(bank_id: str, prefix: str) -> str:
    """The bank's id in Stripe's form."""
    return f"{prefix}_{bank_id.partition('_')[2]}"


def bank_id(stripe_id: str, prefix: str) -> str:
    """The bank's id of an object; "" where Stripe's is of another kind."""
    start, _, rest = stripe_id.partition(f"{prefix}_")
    return f"{PREFIXES[prefix]}_{rest}" if not start and rest else ""


def unix(stamp: str) -> int:
    """A time of the books as Stripe gives it."""
    return int(datetime.fromisoformat(stamp).timestamp())


def extra(record: Payment | Refund) -> Body:
    """What this protocol keeps of a payment or refund besides."""
    kept: Body = json.loads(record.extra) if record.extra else {}
    return kept
