"""P12: a price that is used stays as it is, and says so; a new one begins at a date, for new subscribers only."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from moneyed import Money

from billing.errors import Refused
from subscriptions import offers, prices
from subscriptions.models import Plan, Price, Subscription
from tests import things
from tests.fake_acquirer import FakeAcquirer
from tests.rows import changed
from tests.subscriptions.terms import at, bought, fake_bank, rub

pytestmark = pytest.mark.django_db
NOW = at("2026-06-01T12:00")
DAY = timedelta(days=1)


@pytest.fixture
def month(settings: Any) -> Plan:
    fake_bank(settings)
    return things.plan("month", 1, 29_900)


def refusal(plan: Plan, amount: Money, starts_at: Any) -> str:
    with pytest.raises(Refused) as caught:
        prices.add(plan, amount, starts_at=starts_at, at=NOW)
    return caught.value.code


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE subscriptions_price SET amount = 1 WHERE id = %s",
        "UPDATE subscriptions_price SET currency = 'KZT' WHERE id = %s",
        "UPDATE subscriptions_price SET starts_at = now() WHERE id = %s",
        "DELETE FROM subscriptions_price WHERE id = %s",
    ],
)
def test_P12_a_used_price_is_frozen_by_the_database(month: Plan, settings: Any, statement: str) -> None:
    price = bought(fake_bank(settings), "month", NOW).price
    with pytest.raises(IntegrityError, match="price_frozen"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, [price.pk])
    assert prices.used(price)
    price.refresh_from_db()
    assert price.money == rub(299)


def test_P12_a_price_of_a_term_long_ago_is_frozen_too(month: Plan, settings: Any) -> None:
    subscription = bought(fake_bank(settings), "month", NOW)
    other = prices.add(month, rub(399), starts_at=NOW, at=NOW)
    Subscription.objects.filter(pk=subscription.pk).update(price=other)
    changed("price_frozen", Price.objects.get(amount=29_900), amount=1)


def test_P12_a_price_that_somebody_chose_for_the_next_term_is_frozen_too(month: Plan, settings: Any) -> None:
    bought(fake_bank(settings), "month", NOW)
    chosen = things.plan("quarter", 3, 79_900).prices.get()
    Subscription.objects.update(next_plan=chosen.plan, next_price=chosen)
    with pytest.raises(IntegrityError, match="price_frozen"), transaction.atomic():
        Price.objects.filter(pk=chosen.pk).update(amount=1)
    assert prices.used(chosen)


def test_P12_an_unused_price_may_still_be_put_right(month: Plan) -> None:
    price = prices.add(month, rub(3990), starts_at=NOW + DAY, at=NOW)
    assert not prices.used(price)
    Price.objects.filter(pk=price.pk).update(amount=39_900)
    Price.objects.filter(pk=price.pk).delete()
    assert month.prices.count() == 1


def test_P12_a_future_price_counts_from_its_start_and_for_new_subscribers_only(month: Plan, settings: Any) -> None:
    vera = bought(fake_bank(settings), "month", NOW)
    prices.add(month, rub(399), starts_at=NOW + DAY, at=NOW)
    assert offers.find("month", at=NOW).price.money == rub(299)
    assert offers.find("month", at=NOW + DAY).price.money == rub(399)
    assert offers.renewal(Subscription.objects.get(pk=vera.pk), at=NOW + DAY).price.money == rub(299)


def test_P12_overlapping_starts_are_refused_with_a_clear_word(month: Plan) -> None:
    prices.add(month, rub(399), starts_at=NOW - DAY, at=NOW)
    assert refusal(month, rub(499), NOW - DAY) == "price_exists"
    assert refusal(month, rub(499), NOW - 2 * DAY) == "price_never_counts"
    assert refusal(month, rub(0), NOW) == "bad_amount"
    assert month.prices.count() == 2
    prices.add(month, Money(5, "USD"), starts_at=NOW - DAY, at=NOW)  # another currency is another row of prices
    prices.add(month, rub(499), starts_at=NOW, at=NOW)
    assert month.prices.count() == 4


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    return fake_bank(settings)


@pytest.mark.django_db(transaction=True)
def test_P12_a_price_that_somebody_takes_this_very_moment_is_not_changed_under_them(bank: FakeAcquirer) -> None:
    """The foreign key is looked at only at the commit; the price is held from the insert on."""
    from concurrent.futures import ThreadPoolExecutor

    plan, user = things.plan("month", 1, 29_900), things.viewer()
    price = plan.prices.get()

    def change() -> str:
        try:
            Price.objects.filter(pk=price.pk).update(amount=1)
        except IntegrityError as error:
            return str(error)
        finally:
            connection.close()
        return "changed"

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Subscription.objects.create(user=user, plan=plan, price=price, created_at=NOW)
            later = pool.submit(change)
            waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s"
            with connection.cursor() as cursor:
                for _ in range(500):
                    cursor.execute(waits, ['UPDATE "subscriptions_price"%'])
                    if cursor.fetchone()[0] or later.done():
                        break
        assert "price_frozen" in later.result()
