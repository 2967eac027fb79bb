"""The bank's decline codes as Stripe says them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from acquiring.bank.cards import DECLINES


@dataclass(frozen=True, slots=True)
class Said:
    """`error.code`, `error.decline_code` (null where ""), the issuer's advice and the network's own code."""

    code: str = "card_declined"
    decline_code: str = ""
    advice: str = ""
    network: str = ""


_SAID = {
    "do_not_honor": Said(decline_code="do_not_honor", advice="try_again_later", network="05"),
    "insufficient_funds": Said(decline_code="insufficient_funds", advice="try_again_later", network="51"),
    "limit_exceeded": Said(decline_code="withdrawal_count_limit_exceeded", advice="try_again_later", network="65"),
    "issuer_unavailable": Said(decline_code="issuer_not_available", advice="try_again_later", network="91"),
    "processing_error": Said(code="processing_error", decline_code="processing_error"),
    "expired_card": Said(code="expired_card", decline_code="expired_card", advice="confirm_card_data", network="54"),
    "unknown_token": Said(decline_code="invalid_account", advice="confirm_card_data", network="14"),
    "authentication_required": Said(code="authentication_required", decline_code="authentication_required"),
    "3ds_failed": Said(code="payment_intent_authentication_failure"),
    "3ds_cancelled": Said(code="payment_intent_authentication_failure"),
    "stolen_card": Said(decline_code="stolen_card", advice="do_not_try_again", network="43"),
    "lost_card": Said(decline_code="lost_card", advice="do_not_try_again", network="41"),
    "merchant_misconfigured": Said(decline_code="testmode_decline"),
    "refund_declined": Said(decline_code="generic_decline"),
}


def payment_error(code: str, charge_id: str) -> dict[str, Any] | None:
    """The bank's decline as a card error (`last_payment_error`); None for no decline."""
    if not code:
        return None
    said = _SAID[code]
    return {
        "advice_code": said.advice or None,
        "charge": charge_id,
        "code": said.code,
        "decline_code": said.decline_code or None,
        "doc_url": f"https://stripe.com/docs/error-codes/{said.code.replace('_', '-')}",
        "message": DECLINES[code].message,
        "network_decline_code": said.network or None,
        "type": "card_error",
    }
