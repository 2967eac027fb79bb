"""T-Bank as the local bank plays it, for the contract and for other tests."""

from __future__ import annotations

from typing import Any

from acquiring.backends.tbank import TBank
from acquiring.backends.tbank.mapping import our_id_of
from acquiring.types import Outcome
from tests.acquiring.far import DECLINING, BankFar
from tests.local_bank import LocalBank, eventually


def tbank(bank: LocalBank, callback_url: str = "", timeout: float = 10.0, **options: Any) -> TBank:
    """The acquirer under test, talking to a bank's API port as a terminal that takes no SBP."""
    url = f"{bank.api_url}/tbank/v2"
    options = {"passwords": [bank.secret], "url": url, "timeout": timeout, "repeat_refunds": True} | options
    return TBank(bank.merchant, callback_url=callback_url, **options)


class Far(BankFar):
    """The local bank as the contract moves it. What it says twice (held, and taken) counts once here."""

    declining = DECLINING | {"another_card": "4000000000000069"}

    def pay(self, outcome: Outcome, decline: str = "") -> None:
        if outcome.redirect_url:
            super().pay(outcome, decline)

    def moved(self) -> list[tuple[str, str, int]]:
        return [(kind, our_id_of(order), amount) for kind, order, amount in super().moved()]

    def callback(self, number: int) -> tuple[str, dict[str, str], bytes]:
        def told() -> list[Any]:
            return [each for each in self.shop.deliveries if each.data["Status"] != "AUTHORIZED"]

        delivery = eventually(lambda: told()[number : number + 1])[0]
        return "tbank", delivery.headers, delivery.body
