"""Test cards, why cards are declined, and what may be kept of a card: its mask and its behaviour, never its number."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

APPROVE = "approve"
CHALLENGE = "3ds"


@dataclass(frozen=True, slots=True)
class Decline:
    """Why money did not move: the issuer's code, what to do next (group), and a sentence for the customer."""

    code: str
    group: str
    message: str


DECLINES = {
    decline.code: decline
    for decline in (
        Decline("do_not_honor", "another_card", "The card's bank declined the payment."),
        Decline("insufficient_funds", "retry_later", "There is not enough money on the card."),
        Decline("limit_exceeded", "retry_later", "The payment is over the card's limit."),
        Decline("issuer_unavailable", "retry_later", "The card's bank did not answer."),
        Decline("processing_error", "retry_later", "The payment could not be processed just now."),
        Decline("expired_card", "another_card", "The card has expired."),
        Decline("unknown_token", "another_card", "The saved card is no longer known."),
        Decline("authentication_required", "customer_action", "The card's bank wants you to confirm the payment."),
        Decline("3ds_failed", "customer_action", "The payment was not confirmed with the card's bank."),
        Decline("3ds_cancelled", "customer_action", "You cancelled the confirmation."),
        Decline("stolen_card", "stop", "The card was reported stolen."),
        Decline("lost_card", "stop", "The card was reported lost."),
        Decline("merchant_misconfigured", "our_fault", "The shop is not allowed to take this payment."),
        Decline("shop_wrong_order", "our_fault", "The shop does not know this order."),
        Decline("shop_wrong_account", "our_fault", "The shop does not know this customer."),
        Decline("shop_wrong_amount", "our_fault", "The shop does not take this amount."),
        Decline("shop_out_of_date", "our_fault", "The time to pay this order is over."),
        Decline("shop_refused", "our_fault", "The shop did not accept the payment."),
        Decline("shop_bad_answer", "our_fault", "The shop answered what nobody understands."),
        Decline("shop_silent", "our_fault", "The shop did not answer."),
        Decline("refund_declined", "retry_later", "The card's bank did not take the refund."),
    )
}
# What can be ordered by hand; the others are the shop's own answers, where a protocol asks it.
ORDERED = {code: decline for code, decline in DECLINES.items() if not code.startswith("shop_")}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a card does: `decline` on the page, `later` when its saved token is charged ("" = approve)."""

    decline: str = ""
    challenge: bool = False
    later: str = ""


@dataclass(frozen=True, slots=True)
class TestCard:
    """A card number that means something here."""

    number: str
    title: str
    behaviour: Behaviour

    @property
    def spaced(self) -> str:
        """The number as it stands on a card."""
        return " ".join(self.number[i : i + 4] for i in range(0, len(self.number), 4))


def _declining(code: str, **more: bool) -> Behaviour:
    return Behaviour(decline=code, later=code, **more)


TEST_CARDS = (
    TestCard("4242424242424242", "Success, Visa", Behaviour()),
    TestCard("5555555555554444", "Success, Mastercard", Behaviour()),
    TestCard("2200000000000004", "Success, Mir", Behaviour()),
    TestCard("4000000000003220", "Asks for a code, then success", Behaviour(challenge=True)),
    TestCard("4000008400001629", "Asks for a code, then declined", _declining("3ds_failed", challenge=True)),
    TestCard("4000000000000341", "Success now, later renewals declined", Behaviour(later="insufficient_funds")),
    TestCard("4000000000000002", "Declined by the card's bank", _declining("do_not_honor")),
    TestCard("4000000000009995", "Not enough money", _declining("insufficient_funds")),
    TestCard("4000000000000069", "Expired card", _declining("expired_card")),
    TestCard("4000000000009979", "Stolen card", _declining("stolen_card")),
    TestCard("4000000000000119", "Processing error", _declining("processing_error")),
    TestCard("4000000000000101", "The shop is set up wrongly", _declining("merchant_misconfigured")),
)
_BY_NUMBER = {card.number: card for card in TEST_CARDS}


class BadCard(ValueError):
    """What was typed is no card that can be tried; `errors` says why, by field name."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(", ".join(sorted(errors)))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Plastic:
    """A card as the bank may keep it."""

    mask: str
    brand: str
    exp_month: int
    exp_year: int
    behaviour: Behaviour

    def expired(self, now: datetime) -> bool:
        """Whether its last month is over."""
        return (self.exp_year, self.exp_month) < (now.year, now.month)


def read(number: str, expiry: str, cvc: str) -> Plastic:
    """The card that a person typed. Raises BadCard. An expiry date in the past is for the issuer to decline."""
    errors: dict[str, str] = {}
    digits = re.sub(r"[\s-]", "", number)
    if not re.fullmatch(r"[0-9]{13,19}", digits) or not luhn(digits):
        errors["number"] = "Check the card number: it does not look complete."
    elif digits not in _BY_NUMBER:
        errors["number"] = "This is a test bank and takes no real cards. Use one of the test cards below."
    date = re.fullmatch(r"\s*(0[1-9]|1[0-2]|[1-9])\s*/?\s*(?:20)?([0-9]{2})\s*", expiry)
    if not date:
        errors["expiry"] = "Enter the month and the year as on the card, for example 08/30."
    if not re.fullmatch(r"[0-9]{3,4}", cvc.strip()):
        errors["cvc"] = "Enter the 3 digits from the back of the card."
    if errors or date is None:
        raise BadCard(errors)
    return Plastic(mask(digits), brand(digits), int(date[1]), 2000 + int(date[2]), _BY_NUMBER[digits].behaviour)


def read_test_card(number: str, now: datetime) -> Plastic:
    """The test card of a one-click button, good for three more years. Raises BadCard."""
    return read(number, f"12/{(now.year + 3) % 100:02d}", "123")


def luhn(digits: str) -> bool:
    """Whether the last digit is the right check digit."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def brand(digits: str) -> str:
    """visa, mastercard, mir or card, by the first digits."""
    if digits.startswith("4"):
        return "visa"
    if digits[:4] in {"2200", "2201", "2202", "2203", "2204"}:
        return "mir"
    if digits[:1] == "5" or "2221" <= digits[:4] <= "2720":
        return "mastercard"
    return "card"


def mask(digits: str) -> str:
    """What a customer recognises the card by."""
    return f"•••• {digits[-4:]}"
