"""What is on sale, at the price of the day."""

from __future__ import annotations

from datetime import timedelta

import pytest
from moneyed import Money

from billing.errors import NotFound
from subscriptions import offers
from subscriptions.models import Plan, Price
from tests.subscriptions.terms import at, rub
from tests.things import plan

pytestmark = pytest.mark.django_db
NOW, INSTANT = at("2026-05-01T12:00"), timedelta(microseconds=1)


def missing(code: str | int, **more: str) -> None:
    with pytest.raises(NotFound, check=lambda error: error.code == "plan_not_found"):
        offers.find(code, at=NOW, **more)


def test_P12_a_price_counts_from_its_instant_on() -> None:
    sold = plan("month", 1, 29_900)
    Price.objects.create(plan=sold, amount=39_900, starts_at=NOW)
    Price.objects.create(plan=sold, amount=49_900, starts_at=NOW + timedelta(days=30))
    assert offers.find("month", at=NOW - INSTANT).price.money == rub(299)
    assert offers.find("month", at=NOW).price.money == rub(399)
    assert offers.find("month", at=NOW + timedelta(days=30)).price.money == rub(499)


def test_P12_a_plan_is_not_sold_before_it_has_a_price() -> None:
    sold = Plan.objects.create(code="new", name="New", months=1)
    missing("new")
    Price.objects.create(plan=sold, amount=1, starts_at=NOW + INSTANT)
    missing("new")


def test_M7_a_plan_off_sale_is_offered_to_nobody() -> None:
    plan("old", 1, on_sale=False)
    assert offers.on_sale(at=NOW) == []
    missing("old")


@pytest.mark.parametrize("word", ["", "nothing", "0", 10**30, "1 OR 1=1", "\x00"])
def test_M7_what_is_no_plan_is_not_found(word: str | int) -> None:
    plan("month")
    missing(word)


def test_M7_a_plan_goes_by_its_id_and_by_its_code() -> None:
    sold = plan("month")
    assert offers.find(sold.pk, at=NOW).plan == offers.find(str(sold.pk), at=NOW).plan == sold
    assert offers.find("month", at=NOW).plan == sold


def test_M7_an_id_is_an_id_although_another_plan_is_called_so() -> None:
    sold = plan("month")
    plan(str(sold.pk), position=0, months=1, kopecks=999_900, name="A")
    Plan.objects.filter(pk=sold.pk).update(position=9)
    assert offers.find(sold.pk, at=NOW).plan == sold


def test_M7_each_offer_shows_its_saving_against_the_cheapest_month() -> None:
    plan("month", 1, 29_900)
    plan("dear", 1, 39_900)
    plan("half", 6, 149_900)
    plan("rip-off", 6, 199_900)
    found = {offer.plan.code: offer for offer in offers.on_sale(at=NOW)}
    assert found["half"].saving
    assert (found["half"].saving.amount, found["half"].saving.percent) == (rub(295), 16)
    assert found["half"].quote.total == rub(1499)
    assert found["month"].saving is found["rip-off"].saving is None


def test_M7_offers_come_in_the_page_s_order_and_one_currency() -> None:
    plan("b", 3, position=1)
    plan("a", 12, position=2)
    plan("dollars", 1, 499, currency="USD")
    assert [offer.plan.code for offer in offers.on_sale(at=NOW)] == ["b", "a"]
    missing("dollars")
    assert offers.find("dollars", at=NOW, currency="USD").price.money == Money("4.99", "USD")
