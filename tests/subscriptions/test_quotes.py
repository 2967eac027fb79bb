"""T2-T4, B3: what is applied, and why: for every price and every discount."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moneyed import Money

from billing import money
from subscriptions.quotes import BEST_OF, STANDING, Discounts, Months, Promo, Quote, quote

percents = st.integers(1, 100)
prices = st.integers(1, 10**12).map(lambda kopecks: money.from_minor(kopecks, "RUB"))
promos = st.one_of(
    percents.map(lambda percent: Promo("SPRING", percent)),
    st.integers(1, 10**12).map(lambda kopecks: Promo("SPRING", amount=money.from_minor(kopecks, "RUB"))),
)
discounts = st.builds(
    Discounts,
    personal=st.just(0) | percents,
    months=st.none() | st.builds(Months, st.integers(1, 12), percents),
    promo=st.none() | promos,
    stacking=st.sampled_from([STANDING, BEST_OF]),
)


def rub(amount: str | int) -> Money:
    return Money(amount, "RUB")


def year(price: str = "2699.00", **found: object) -> Quote:
    return quote("Year", 12, rub(price), Discounts(**found))


# --- Properties ---


@given(prices, discounts)
def test_T4_the_total_is_between_nothing_and_the_price_and_the_parts_add_up(price: Money, found: Discounts) -> None:
    told = quote("Year", 12, price, found)
    assert rub(0) <= told.total <= price
    applied = [candidate.saves for candidate in told.candidates if candidate.applied]
    assert sum(applied, start=rub(0)) == told.saved == price - told.total
    assert (told.applied is None) == (told.total == price)
    assert all(rub(0) <= candidate.saves <= price for candidate in told.candidates)
    money.to_minor(told.total)  # whole kopecks


@given(prices, discounts, promos)
def test_T4_a_code_never_makes_it_dearer_and_is_used_only_where_it_saves_more(
    price: Money, found: Discounts, code: Promo
) -> None:
    bare = Discounts(found.personal, found.months, None, found.stacking)
    without = quote("Year", 12, price, bare)
    told = quote("Year", 12, price, Discounts(found.personal, found.months, code, found.stacking))
    assert told.total <= without.total
    assert (told.promo_code == "SPRING") == (told.total < without.total)


@given(prices, discounts)
def test_T2_best_of_is_never_cheaper_than_adding_up(price: Money, found: Discounts) -> None:
    added, best = (
        quote("Year", 12, price, Discounts(found.personal, found.months, found.promo, rule)).total
        for rule in (STANDING, BEST_OF)
    )
    assert added <= best


@given(prices, percents)
def test_T2_a_percent_is_rounded_half_up_to_the_kopeck(price: Money, percent: int) -> None:
    off = money.percent(price, percent)
    exact = price.amount * percent / 100
    assert -Decimal("0.005") < off.amount - exact <= Decimal("0.005")


@given(st.integers(0, 10**12), st.lists(percents, min_size=1, max_size=5))
def test_shares_add_up_and_none_is_a_kopeck_away_from_its_own(kopecks: int, weights: list[int]) -> None:
    shares = [money.to_minor(share) for share in money.share_out(money.from_minor(kopecks, "RUB"), weights)]
    assert sum(shares) == kopecks
    assert all(abs(s * sum(weights) - kopecks * w) < sum(weights) for s, w in zip(shares, weights, strict=True))


@pytest.mark.parametrize("weights", [[], [0, 1], [-1]])
def test_nothing_is_shared_out_by_no_weights(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        money.share_out(rub(1), weights)


# --- Stories ---


def test_B3_a_quote_says_every_candidate_what_it_saves_and_why() -> None:
    told = year(personal=10, months=Months(12, 5), promo=Promo("SPRING", 20))
    assert [(c.kind, c.saves, c.applied) for c in told.candidates] == [
        ("personal", rub("269.90"), False), ("months", rub("134.95"), False), ("promo", rub("539.80"), True),
    ]  # fmt: skip
    assert (told.total, told.applied, told.promo_code) == (rub("2159.20"), "Promo code SPRING 20%", "SPRING")
    assert told.explanation.replace("\u00a0", " ") == (
        "Year, 12 months: 2 699.00 ₽ less 539.80 ₽ (Promo code SPRING 20%) is 2 159.20 ₽. Personal discount 10% and 5% "
        "for 12 months or more, 15% together: would take off 404.85 ₽, less than 539.80 ₽; discounts of different "
        "kinds are not added up, so it is not applied. Promo code SPRING 20%: takes off 539.80 ₽, which is the most, "
        "so it is applied."
    )


def test_T2_more_than_a_hundred_is_a_hundred_and_still_adds_up() -> None:
    told = year("0.01", personal=70, months=Months(12, 70))
    assert (told.total, [c.saves for c in told.candidates]) == (rub(0), [rub("0.01"), rub(0)])
    assert "100% at most" in told.explanation


def test_T2_the_better_of_the_two_where_they_do_not_add_up() -> None:
    told = year(personal=10, months=Months(12, 15), stacking=BEST_OF)
    assert (told.total, told.applied) == (rub("2294.15"), "15% for 12 months or more")


def test_T4_where_both_save_the_same_the_code_is_left_for_another_time() -> None:
    told = year(personal=10, promo=Promo("TEN", 10))
    assert (told.applied, told.promo_code) == ("Personal discount 10%", "")
    assert "takes off the same" in told.explanation


def test_T4_a_percent_of_too_little_takes_nothing_and_uses_nothing() -> None:
    told = year("0.01", promo=Promo("TEN", 10))
    assert (told.total, told.applied, told.promo_code) == (rub("0.01"), None, "")


def test_T4_yen_have_no_fraction() -> None:
    assert quote("Year", 12, Money(1505, "JPY"), Discounts(personal=10)).total == Money(1354, "JPY")
