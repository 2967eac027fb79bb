"""Protocols in which the merchant is asked before its money is taken. Nobody is asked inside a transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from acquiring.bank.cards import Plastic
from acquiring.bank.cloudpayments import check
from acquiring.bank.records import Payment

if TYPE_CHECKING:
    from acquiring.bank.house import Bank

QUESTIONS: Mapping[str, Callable[[Bank, Payment, Plastic], str]] = {"cloudpayments": check.ask}


def refused(bank: Bank, payment: Payment, card: Plastic) -> str:
    """The decline with which the merchant turns a try down; "" where it may go on, or nobody asks."""
    ask = QUESTIONS.get(payment.tongue)
    return ask(bank, payment, card) if ask and payment.status == "created" else ""
