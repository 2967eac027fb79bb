"""Amounts: what may be said, how it is split, and that no part of a kopeck is made or lost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moneyed import Money

from billing import money

CODES = st.sampled_from(["RUB", "USD", "JPY", "KWD", "KZT", "CLF"])
MINOR = st.integers(-money.MAX_MINOR, money.MAX_MINOR)


# --- Splitting ---


@given(MINOR, st.integers(1, 600), CODES)
def test_B2_the_parts_of_a_sum_add_up_to_it(minor: int, parts: int, code: str) -> None:
    shares = money.split(money.from_minor(minor, code), parts)
    assert len(shares) == parts
    assert sum(money.to_minor(share) for share in shares) == minor


@given(MINOR, st.integers(1, 600), CODES)
def test_B2_the_parts_differ_by_one_minor_unit_at_most_and_the_larger_come_first(
    minor: int, parts: int, code: str
) -> None:
    shares = [money.to_minor(share) for share in money.split(money.from_minor(minor, code), parts)]
    assert max(shares) - min(shares) <= 1
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize(
    ("minor", "parts", "shares"),
    [
        (269_900, 12, [22_492] * 8 + [22_491] * 4),
        (100, 3, [34, 33, 33]),
        (2, 3, [1, 1, 0]),
        (0, 2, [0, 0]),
        (-100, 3, [-33, -33, -34]),
        (29_900, 1, [29_900]),
    ],
)
def test_B2_shares_by_hand(minor: int, parts: int, shares: list[int]) -> None:
    assert [money.to_minor(share) for share in money.split(money.from_minor(minor, "RUB"), parts)] == shares


@pytest.mark.parametrize("parts", [0, -1])
def test_a_sum_is_not_split_into_nothing(parts: int) -> None:
    with pytest.raises(ValueError, match="one part"):
        money.split(Money(1, "RUB"), parts)


@given(st.integers(0, money.MAX_MINOR), st.integers(0, 400), st.integers(1, 400), CODES)
def test_a_fraction_is_rounded_down_by_less_than_one_minor_unit(minor: int, part: int, whole: int, code: str) -> None:
    found = money.to_minor(money.fraction(money.from_minor(minor, code), part, whole))
    assert 0 <= minor * part - found * whole < whole


# --- In and out ---


@given(MINOR, CODES)
def test_minor_units_survive_the_way_to_money_and_to_text(minor: int, code: str) -> None:
    there = money.from_minor(minor, code)
    assert money.to_minor(there) == minor
    assert money.parse(money.plain(there), code) == there


def test_nineteen_ninety_nine_times_a_hundred_is_exact() -> None:
    assert money.to_minor(money.parse("19.99", "RUB") * 100) == 199_900


@pytest.mark.parametrize(
    ("code", "minor", "plain", "spoken"),
    [
        ("RUB", 134_200, "1342.00", "1\u00a0342.00\u00a0₽"),
        ("JPY", 1_500, "1500", "1\u00a0500\u00a0¥"),
        ("KWD", 1_500, "1.500", "1.500\u00a0KWD"),
        ("USD", -5, "-0.05", "-0.05\u00a0$"),
    ],
)
def test_an_amount_has_its_currency_s_decimals(code: str, minor: int, plain: str, spoken: str) -> None:
    amount = money.from_minor(minor, code)
    assert (money.plain(amount), money.spoken(amount)) == (plain, spoken)


@pytest.mark.parametrize(
    ("value", "code", "minor"),
    [
        ("299", "RUB", 29_900),
        ("299.5", "RUB", 29_950),
        ("299.50", "RUB", 29_950),
        ("-1.00", "RUB", -100),
        (299, "RUB", 29_900),
        (Decimal("299.50"), "RUB", 29_950),
        (Decimal("2.9950E+2"), "RUB", 29_950),
        (Decimal("3E+2"), "RUB", 30_000),
        ("1500", "JPY", 1_500),
        ("1.234", "KWD", 1_234),
        ("10000000000000.00", "RUB", money.MAX_MINOR),
    ],
)
def test_an_amount_is_read(value: Any, code: str, minor: int) -> None:
    assert money.to_minor(money.parse(value, code)) == minor


NO_NUMBERS: list[Any] = [
    "", " ", ".", "-", "1.", ".5", "+1", "--1", " 1", "1 ", "1\n", "1 000", "1,000", "1_000", "1e3", "1E309", "0x10",
    "NaN", "nan", "Infinity", "-inf", "２９９", "٢٩٩", "299₽", "1\u00a0000", "1\x00", "\ud800", "9" * 10_000,
    Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("1E+999999"), Decimal("1E-999999"),
    10**5000, -(10**5000), True, False, None, 1.5, float("nan"), b"1", [], {}, ("1",),
]  # fmt: skip


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: f"{type(value).__name__}")
def test_what_is_no_amount_is_refused(value: Any) -> None:
    with pytest.raises(money.BadAmount):
        money.parse(value, "RUB")


@pytest.mark.parametrize(
    ("value", "code"), [("1.001", "RUB"), ("1.5", "JPY"), ("1.2345", "KWD"), (Decimal("0.001"), "USD")]
)
def test_an_amount_more_precise_than_its_currency_is_refused(value: Any, code: str) -> None:
    with pytest.raises(money.BadAmount, match="precise"):
        money.parse(value, code)


@pytest.mark.parametrize("value", ["10000000000000.01", "-10000000000000.01", 10**13 + 1, Decimal(10**14)])
def test_an_amount_too_large_is_refused(value: Any) -> None:
    with pytest.raises(money.BadAmount, match="large"):
        money.parse(value, "RUB")


def test_minus_nothing_is_nothing() -> None:
    assert money.plain(money.parse("-0.00", "RUB")) == "0.00"


@pytest.mark.parametrize("code", ["", "rub", "RUBLE", "XYZ", "643"])
def test_a_strange_currency_is_refused(code: str) -> None:
    with pytest.raises(money.BadAmount):
        money.parse("1", code)


@given(st.text(max_size=30))
def test_any_text_is_an_amount_or_a_bad_amount(text: str) -> None:
    try:
        read = money.parse(text, "RUB")
    except money.BadAmount:
        return
    assert text.isascii()
    assert read.amount == Decimal(text)


@given(st.decimals() | st.integers() | st.floats() | st.booleans() | st.none())
def test_any_number_is_an_amount_or_a_bad_amount(value: Any) -> None:
    try:
        read = money.parse(value, "RUB")
    except money.BadAmount:
        return
    assert read.amount == value
