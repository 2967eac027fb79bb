"""Why Stripe says that money did not move, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping

from acquiring.types import Decline

_CODES: dict[Decline, str] = {
    Decline.STOP: """
        lost_card stolen_card pickup_card fraudulent highest_risk_level merchant_blacklist restricted_card
        revocation_of_authorization revocation_of_all_authorizations stop_payment_order transaction_not_allowed
        security_violation do_not_try_again
    """,
    Decline.ANOTHER_CARD: """
        expired_card incorrect_cvc invalid_cvc incorrect_number invalid_number incorrect_zip incorrect_address
        invalid_expiry_month invalid_expiry_year invalid_account card_not_supported currency_not_supported
        new_account_information_available not_permitted service_not_allowed incorrect_pin invalid_pin
        pin_try_exceeded offline_pin_required online_or_offline_pin_required
    """,
    Decline.OUR_FAULT: "testmode_decline live_mode_test_card invalid_amount",
    Decline.CUSTOMER_ACTION: "authentication_required payment_intent_authentication_failure",
    Decline.RETRY_LATER: """
        insufficient_funds do_not_honor generic_decline try_again_later processing_error issuer_not_available
        reenter_transaction card_velocity_exceeded withdrawal_count_limit_exceeded approve_with_id call_issuer
        no_action_taken duplicate_transaction card_declined
    """,
}
GROUPS: Mapping[str, Decline] = {code: group for group, codes in _CODES.items() for code in codes.split()}
_SOFT_ADVICE = {"try_again_later": Decline.RETRY_LATER, "confirm_card_data": Decline.ANOTHER_CARD}


def group_of(decline_code: str, code: str = "", advice: str = "") -> Decline:
    """What to do next. The issuer's "do not try again" stops whatever the code; its other advice decides soft codes.

    A code nobody has heard of is soft: like Stripe's generic_decline, it says nothing of the card.
    """
    known = GROUPS.get(decline_code) or GROUPS.get(code) or Decline.RETRY_LATER
    if known is Decline.CUSTOMER_ACTION:
        return known
    if advice == "do_not_try_again":
        return Decline.STOP
    return _SOFT_ADVICE.get(advice, known) if known is Decline.RETRY_LATER else known
