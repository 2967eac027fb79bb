"""A plan is hidden, archived or sold for a time only; whoever has it keeps it and goes on renewing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from billing.errors import NotFound
from subscriptions import lifecycle, offers
from subscriptions.models import Plan
from tests import things
from tests.fake_acquirer import FakeAcquirer
from tests.rows import changed
from tests.subscriptions import hourly
from tests.subscriptions.renewing import Renewing
from tests.subscriptions.terms import at, bought, fake_bank

pytestmark = pytest.mark.django_db
NOW = at("2026-01-31T12:00")
END = at("2026-02-28T12:00")
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    things.plan("month", 1, 29_900)
    things.plan("year", 12, 269_900)
    return fake_bank(settings)


def codes(moment: Any = NOW) -> list[str]:
    return [offer.plan.code for offer in offers.listed(offers.on_sale(at=moment))]


def sold(code: str, moment: Any) -> bool:
    """Whether it can be found, which is what the model says of itself."""
    try:
        found = bool(offers.find(code, at=moment))
    except NotFound:
        found = False
    assert found == Plan.objects.get(code=code).is_sold(moment)
    return found


def test_a_hidden_plan_is_on_no_list_and_sold_to_whoever_knows_its_code(bank: FakeAcquirer, client: Client) -> None:
    Plan.objects.filter(code="year").update(hidden=True)
    assert codes() == ["month"] and sold("year", NOW)
    assert 'href="/checkout/year/"' not in client.get("/").text + client.get("/plans/").text
    assert [row["code"] for row in client.get("/api/v1/subscriptions/plans").json()["results"]] == ["month"]
    assert client.get("/api/v1/subscriptions/plans/year").json()["name"] == "Year"
    assert bought(bank, "year", NOW).status == "active"


def test_a_hidden_month_is_no_measure_of_what_a_year_saves(bank: FakeAcquirer) -> None:
    things.plan("secret", 1, 100, hidden=True)
    assert offers.find("year", at=NOW).saving is not None


def test_a_plan_is_sold_from_its_first_moment_to_the_one_before_its_end(bank: FakeAcquirer) -> None:
    Plan.objects.filter(code="year").update(sale_from=NOW, sale_until=END)
    moments = (NOW - INSTANT, NOW, END - INSTANT, END)
    assert [sold("year", moment) for moment in moments] == [False, True, True, False]
    assert codes(END) == ["month"]
    with pytest.raises(NotFound):
        lifecycle.subscribe(things.viewer().pk, lifecycle.Order(plan="year"), actor="test", at=END)


@pytest.mark.parametrize("over", [{"archived": True}, {"sale_until": NOW + INSTANT}, {"on_sale": False}])
def test_who_has_a_plan_that_is_over_goes_on_renewing_it(bank: FakeAcquirer, over: dict[str, Any]) -> None:
    vera = Renewing(bank, "month", NOW)
    Plan.objects.filter(code="month").update(**over)
    assert not sold("month", END)
    assert "subscription.renewed" in vera.go(END)
    assert vera.taken == 2 * 29_900 and vera.row.valid_till == at("2026-03-31T12:00")


def test_an_archived_tariff_is_sold_no_more_and_runs_on(bank: FakeAcquirer) -> None:
    hourly.tariff()
    row = hourly.begun(10_000, at=NOW)
    Plan.objects.filter(code="hourly").update(archived=True)
    assert offers.tariffs(at=NOW) == []
    hourly.sweep(NOW + 2 * hourly.HOUR)
    assert hourly.charged(row) == 2_000


def test_a_sale_ends_after_it_begins(bank: FakeAcquirer) -> None:
    changed("plan_sale_ends_after_it_begins", Plan.objects.get(code="year"), sale_from=END, sale_until=NOW)
