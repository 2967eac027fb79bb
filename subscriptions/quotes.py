"""What a plan costs somebody, every discount that was considered, and why one won: pure functions.

Standing discounts are the personal percent and the percent for a number of months. They add up to 100 at most, or the
better one counts (`DISCOUNT_STACKING`). A promo code is never added to them: whatever saves the customer more is
applied, and where both save the same the code is left for another time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from moneyed import Money

from billing import money

STANDING, BEST_OF = "standing", "best_of"
Kind = Literal["personal", "months", "promo"]


@dataclass(frozen=True, slots=True)
class Months:
    """The months discount that somebody has reached: `percent` from `months` months on."""

    months: int
    percent: int


@dataclass(frozen=True, slots=True)
class Promo:
    """A promo code that may be used: `percent` off, or `amount`; again each next term where it is for `every_term`."""

    code: str
    percent: int | None = None
    amount: Money | None = None
    every_term: bool = False


@dataclass(frozen=True, slots=True)
class Discounts:
    """All that may take something off: the personal percent (0: none), the months discount, the promo code."""

    personal: int = 0
    months: Months | None = None
    promo: Promo | None = None
    stacking: str = STANDING


NO_DISCOUNTS = Discounts()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A discount that was considered: its name, what it would take off, and whether it was applied and why (not)."""

    kind: Kind
    name: str
    saves: Money
    applied: bool
    why: str


@dataclass(frozen=True, slots=True)
class Quote:
    """What a plan costs somebody now, and how that was found. What the applied candidates save adds up to `saved`."""

    plan: str
    months: int
    list_price: Money
    total: Money
    candidates: tuple[Candidate, ...] = field(default=())
    promo_code: str = ""  # the code, where it won

    @property
    def saved(self) -> Money:
        """What the discounts take off."""
        return self.list_price - self.total

    @property
    def applied(self) -> str | None:
        """The name of the discount applied; of both where two add up."""
        return " + ".join(c.name for c in self.candidates if c.applied) or None

    @property
    def what(self) -> str:
        """One year, 12 months"""
        return f"{self.plan}, 1 month" if self.months == 1 else f"{self.plan}, {self.months} months"

    @property
    def line(self) -> str:
        """What an invoice says of it: what it is for, and which discount was applied."""
        return f"{self.what} ({self.applied})" if self.applied else self.what

    @property
    def explanation(self) -> str:
        """The sum in words, and of each candidate why it was applied or not."""
        if not self.saved:
            sum_told = f"{self.what}: {money.spoken(self.total)}."
        else:
            sum_told = (
                f"{self.what}: {money.spoken(self.list_price)} less {money.spoken(self.saved)} ({self.applied}) is "
                f"{money.spoken(self.total)}."
            )
        return " ".join([sum_told, *dict.fromkeys(f"{c.why}" for c in self.candidates)])


@dataclass(frozen=True, slots=True)
class _Rival:
    """What may win: one discount, or the standing ones that add up. `parts` are (kind, name, what it saves)."""

    name: str
    saves: Money
    parts: tuple[tuple[Kind, str, Money], ...]


@lru_cache(maxsize=1024)  # a sweep asks the same of thousands
def quote(plan: str, months: int, price: Money, discounts: Discounts = NO_DISCOUNTS) -> Quote:
    """What a plan of `months` months at the list price `price` costs with these discounts.

    The total is never below zero nor above the price. What a percent takes off is rounded half up to the minor unit.
    """
    rivals = _rivals(price, discounts)
    best = max(rivals, key=lambda rival: rival.saves, default=None)  # the first of equals: the code comes last
    if best is not None and not best.saves:
        best = None
    candidates = tuple(
        Candidate(kind, name, saves, rival is best, _why(rival, best))
        for rival in rivals
        for kind, name, saves in rival.parts
    )
    total = price - best.saves if best else price
    won = discounts.promo.code if discounts.promo and best and best.parts[0][0] == "promo" else ""
    return Quote(plan, months, price, total, candidates, won)


def _rivals(price: Money, discounts: Discounts) -> list[_Rival]:
    """What competes, the code last."""
    standing: list[tuple[Kind, str, int]] = []
    if discounts.personal:
        standing.append(("personal", f"Personal discount {discounts.personal}%", discounts.personal))
    if discounts.months:
        named = f"{discounts.months.percent}% for {discounts.months.months} months or more"
        if discounts.months.months == 1:
            named = f"{discounts.months.percent}% for every term"
        standing.append(("months", named, discounts.months.percent))
    rivals = [_alone(kind, name, money.percent(price, percent)) for kind, name, percent in standing]
    if len(standing) > 1 and discounts.stacking == STANDING:
        rivals = [_together(price, standing)]
    if discounts.promo:
        rivals.append(_of_promo(price, discounts.promo))
    return rivals


def _alone(kind: Kind, name: str, saves: Money) -> _Rival:
    return _Rival(name, saves, ((kind, name, saves),))


def _together(price: Money, standing: list[tuple[Kind, str, int]]) -> _Rival:
    """Standing discounts as one: rounded once, then shared out by their percents, so that the parts are the whole."""
    percents = [percent for _, _, percent in standing]
    together = min(sum(percents), 100)
    saves = money.percent(price, together)
    shares = money.share_out(saves, percents)
    parts = tuple((kind, name, share) for (kind, name, _), share in zip(standing, shares, strict=True))
    added = " and ".join(name[0].lower() + name[1:] for _, name, _ in standing)
    capped = ", 100% at most" if sum(percents) > together else f", {together}% together"
    return _Rival(f"{added}{capped}", saves, parts)


def _of_promo(price: Money, promo: Promo) -> _Rival:
    if promo.percent is not None:
        return _alone("promo", f"Promo code {promo.code} {promo.percent}%", money.percent(price, promo.percent))
    amount = promo.amount if promo.amount is not None else price - price
    return _alone("promo", f"Promo code {promo.code}", min(amount, price))


def _why(rival: _Rival, best: _Rival | None) -> str:
    """Why a rival was applied, or why not, in one sentence."""
    name = rival.name[0].upper() + rival.name[1:]
    if best is None:
        return f"{name}: takes nothing off this price."
    if rival is best:
        return f"{name}: takes off {money.spoken(rival.saves)}, which is the most, so it is applied."
    kept = " The code stays unused." if rival.parts[0][0] == "promo" else ""
    if rival.saves == best.saves:
        return f"{name}: takes off the same {money.spoken(rival.saves)}, so it is not applied.{kept}"
    less = f"{money.spoken(rival.saves)}, less than {money.spoken(best.saves)}"
    return f"{name}: would take off {less}; discounts of different kinds are not added up, so it is not applied.{kept}"
