"""Money: `moneyed.Money` in code, whole minor units in the database. Rounding and splitting live here only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from moneyed import Currency, Money, get_currency
from moneyed.classes import CurrencyDoesNotExist

MAX_MINOR = 10**15  # far above any price, far below what a bigint column and its sums can hold

_DIGITS = 24  # no amount is longer, written out
_PLAIN_NUMBER = re.compile(r"-?[0-9]{1,16}(?:\.[0-9]{1,4})?")


class BadAmount(ValueError):
    """An amount that is no amount: not a number, too precise for its currency, too large, or in a strange currency."""


def currency(code: str) -> Currency:
    """The currency of an ISO 4217 code. Raises BadAmount for any other."""
    try:
        return get_currency(code=code)
    except CurrencyDoesNotExist:
        raise BadAmount(f"{code!r:.20} is not a currency code") from None


@lru_cache(maxsize=4096)  # most sums are prices
def from_minor(minor: int, code: str) -> Money:
    """`minor` units (kopecks, cents, yen) as Money."""
    unit = currency(code)
    return Money(Decimal(minor) / unit.sub_unit, unit)


def to_minor(money: Money) -> int:
    """Money as whole minor units. Raises BadAmount when it has a fraction of one."""
    minor = money.amount * money.currency.sub_unit
    if minor != int(minor):
        raise BadAmount(f"{money.amount} is more precise than {money.currency.code} allows")
    return int(minor)


def decimals(code: str) -> int:
    """How many digits the currency has after the point: 2 for RUB, 0 for JPY."""
    return len(str(currency(code).sub_unit)) - 1


def plain(money: Money) -> str:
    """The API's form: the number alone, with exactly the currency's decimals ("1342.00", JPY "1500")."""
    return f"{money.amount:.{decimals(money.currency.code)}f}"


@lru_cache(maxsize=4096)
def spoken(money: Money) -> str:
    """For people: "1 342.00 ₽". Spaces do not break."""
    number = f"{money.amount:,.{decimals(money.currency.code)}f}".replace(",", "\u00a0")
    sign = {"RUB": "₽", "USD": "$", "EUR": "€", "JPY": "¥", "KZT": "₸"}.get(money.currency.code, money.currency.code)
    return f"{number}\u00a0{sign}"


def parse(value: Any, code: str) -> Money:
    """What a client sent as an amount, as Money.

    Strings of plain ASCII digits, integers, and decimals no more precise than the currency are taken. Raises
    BadAmount for everything else: NaN, exponents, signs other than "-", other scripts' digits, `1_000`, booleans.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise BadAmount('an amount is a string of digits, such as "299.00"')
    if isinstance(value, str):
        text = value
    elif not Decimal(value).is_finite() or abs(Decimal(value).adjusted()) > _DIGITS:
        raise BadAmount("the amount is no number, too large or too precise")  # nobody writes 1E+999999 out
    else:
        text = format(Decimal(value), "f")
    if len(text) > _DIGITS or not _PLAIN_NUMBER.fullmatch(text):
        raise BadAmount('an amount is a string of digits, such as "299.00"')
    minor = to_minor(Money(Decimal(text), currency(code)))
    if abs(minor) > MAX_MINOR:
        raise BadAmount("the amount is too large")
    return from_minor(minor, code)  # "-0" is 0


def split(total: Money, parts: int) -> list[Money]:
    """`total` in `parts` shares that differ by one minor unit at most and add up to it; larger shares come first.

    Largest remainder with equal weights. Raises ValueError for less than one part.
    """
    if parts < 1:
        raise ValueError("a sum is split into one part at least")
    share, rest = divmod(to_minor(total), parts)
    return [from_minor(share + (1 if n < rest else 0), total.currency.code) for n in range(parts)]


def fraction(total: Money, numerator: int, denominator: int) -> Money:
    """`total` x numerator / denominator, rounded down to whole minor units (in the house's favour by less than one)."""
    return from_minor(to_minor(total) * numerator // denominator, total.currency.code)


def percent(whole: Money, percent: int) -> Money:
    """`percent` hundredths of `whole`, which is not below zero, rounded half up to the minor unit."""
    return from_minor((to_minor(whole) * percent * 2 + 100) // 200, whole.currency.code)


def share_out(total: Money, weights: Sequence[int]) -> list[Money]:
    """`total`, not below zero, in shares as `weights` (above zero) are, that add up to it.

    Largest remainder; of equal ones the first. Raises ValueError without weights.
    """
    if not weights or min(weights) < 1:
        raise ValueError("a sum is shared out by weights above zero")
    minor, whole = to_minor(total), sum(weights)
    shares = [minor * weight // whole for weight in weights]
    by_rest = sorted(range(len(weights)), key=lambda n: -(minor * weights[n] % whole))
    for n in by_rest[: minor - sum(shares)]:
        shares[n] += 1
    return [from_minor(share, total.currency.code) for share in shares]
