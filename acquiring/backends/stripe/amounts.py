"""Amounts as Stripe writes them: whole numbers of its smallest unit, which is not always the currency's own."""

from __future__ import annotations

from decimal import Decimal

from moneyed import CurrencyDoesNotExist, Money, get_currency

from acquiring.reading import Malformed

# UGX and ISK have no minor unit either, but Stripe goes on taking them in hundredths.
ZERO_DECIMAL = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
)
THREE_DECIMAL = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})


def units(amount: Money) -> int:
    """The amount in Stripe's smallest unit. Raises ValueError when it is not a whole number of them."""
    exact = amount.amount.scaleb(_digits(amount.currency.code))
    whole = int(exact)
    if whole != exact:
        raise ValueError("the amount is not a whole number of Stripe's smallest unit")
    return whole


def amount_of(whole: int, currency: str) -> Money:
    """The amount of so many smallest units. Raises Malformed for a currency nobody knows."""
    code = currency.upper()
    try:
        known = get_currency(code)
    except CurrencyDoesNotExist:
        raise Malformed("currency") from None
    return Money(Decimal(whole).scaleb(-_digits(code)), known)


def _digits(code: str) -> int:
    if code in ZERO_DECIMAL:
        return 0
    return 3 if code in THREE_DECIMAL else 2
