"""Which discounts somebody has: the personal one, the one for months, and the promo codes that they may use."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db.models import Max, Q

from billing.errors import Conflict, NotFound, Refused
from subscriptions import quotes
from subscriptions.models import PersonalDiscount as Personal
from subscriptions.models import Plan, Price, PromoCode, Redemption, Subscription, TermDiscount

MISSES = frozenset({"promo_not_found", "promo_expired", "promo_not_begun"})  # refusals of codes that were guessed
SLOWER = "Too many promo codes that cannot be used: go on without one, or try again later."
CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True)
class Book:
    """The standing discounts of some people, and the codes that some subscriptions keep for every term."""

    personal: dict[uuid.UUID, int] = field(default_factory=dict)
    months: tuple[quotes.Months, ...] = ()
    kept: dict[uuid.UUID, PromoCode] = field(default_factory=dict)

    def standing(self, user_id: uuid.UUID | None, months: int, promo: quotes.Promo | None = None) -> quotes.Discounts:
        """What somebody has for a term of `months` months: the highest number of months reached counts."""
        reached = max((row for row in self.months if row.months <= months), key=lambda row: row.months, default=None)
        personal = self.personal.get(user_id, 0) if user_id else 0
        return quotes.Discounts(personal, reached, promo, settings.DISCOUNT_STACKING)


def standing(users: Iterable[uuid.UUID], *, at: datetime) -> Book:
    """The standing discounts of these people at `at`."""
    valid = Personal.objects.filter(Q(valid_until=None) | Q(valid_until__gt=at), user__in=users, valid_from__lte=at)
    personal = dict(valid.order_by().values_list("user_id").annotate(best=Max("percent")))
    return Book(personal, tuple(quotes.Months(row.months, row.percent) for row in TermDiscount.objects.all()))


def of_renewals(rows: Iterable[Subscription], *, at: datetime) -> Book:
    """What these running subscriptions have for their next terms: in three queries, however many they are.

    A code for every term goes on as long as it is for every term, whether or not somebody new could use it: that is
    what was promised.
    """
    found = list(rows)
    book = standing({row.user_id for row in found}, at=at)
    used = Redemption.objects.filter(
        invoice__period__subscription__in=found,
        used_at__isnull=False,
        promo_code__every_term=True,
    ).order_by("used_at", "pk")
    subscriptions = used.values_list("invoice__period__subscription_id", "promo_code_id")
    last = dict(subscriptions)  # of several the last
    codes = PromoCode.objects.prefetch_related("plans").in_bulk(set(last.values())) if last else {}
    return Book(book.personal, book.months, {subscription: codes[code] for subscription, code in last.items()})


def as_value(code: PromoCode) -> quotes.Promo:
    """A code as quotes know it."""
    return quotes.Promo(code.code.upper(), code.percent, code.amount_money, code.every_term)


def find(code: str) -> PromoCode:
    """The promo code that somebody typed, in whatever case. Raises NotFound `promo_not_found`."""
    typed = code.strip()
    found = PromoCode.objects.filter(code__iexact=typed).first() if CODE.fullmatch(typed) else None
    if found is None:
        raise not_found()
    return found


def not_found() -> NotFound:
    return NotFound("There is no such promo code.", "promo_not_found")


def usable(code: str, plan: Plan, price: Price, *, user_id: uuid.UUID | None, at: datetime) -> quotes.Promo:
    """The promo code, if this person may use it for this plan at `at`.

    What the same person's waiting checkout has reserved is free to them: they give it up for the new one. Raises
    NotFound `promo_not_found`; Conflict `promo_expired`, `promo_not_begun`, `promo_other_plan`,
    `promo_other_currency`, `promo_used_up`, `promo_used_by_you`.
    """
    found = find(code)
    refusal = refused(found, plan, price, at=at) or beyond(found, user_id, own_waiting=True)
    if refusal is not None:
        raise refusal
    return as_value(found)


def refused(code: PromoCode, plan: Plan, price: Price, *, at: datetime) -> Refused | None:
    """Why a code cannot be used for this plan by anybody at `at`."""
    if not code.is_valid(at):
        if code.is_on and at < code.valid_from:
            return Conflict("This promo code is not valid yet.", "promo_not_begun")
        return Conflict("This promo code is not valid any more.", "promo_expired")
    if not _is_for(code, plan):
        return Conflict(f"This promo code is for another plan, not for {plan.name}.", "promo_other_plan")
    if code.currency and code.currency != price.currency:
        return Conflict(f"This promo code is for prices in {code.currency}.", "promo_other_currency")
    return None


def beyond(code: PromoCode, user_id: uuid.UUID | None, *, own_waiting: bool = False) -> Refused | None:
    """Why a code cannot be used once more, as far as its limits go.

    `own_waiting`: what this person's checkout that waits for its payment has reserved does not count.
    """
    taken, by_user = code.taken, 0
    if user_id is not None:
        own = Redemption.objects.filter(promo_code=code, user_id=user_id, renews=False, released_at=None)
        waiting = Q(invoice__period__subscription__status=Subscription.Status.PENDING, used_at=None)
        by_user = own.count()
        given_up = own.filter(waiting).count() if own_waiting else 0
        taken, by_user = taken - given_up, by_user - given_up
    if code.per_user_limit is not None and by_user >= code.per_user_limit:
        return Conflict("You have used this promo code already.", "promo_used_by_you")
    if code.total_limit is not None and taken >= code.total_limit:
        return Conflict("This promo code is used up.", "promo_used_up")
    return None


def _is_for(code: PromoCode, plan: Plan) -> bool:
    plans = {row.pk for row in code.plans.all()}  # many at once have fetched them
    return not plans or plan.pk in plans


def kept(book: Book, subscription: Subscription, plan: Plan, price: Price) -> quotes.Promo | None:
    """The code that a subscription's next term has, where it has one that fits the plan of that term."""
    code = book.kept.get(subscription.pk)
    if code is None or (code.currency and code.currency != price.currency) or not _is_for(code, plan):
        return None
    return as_value(code)
