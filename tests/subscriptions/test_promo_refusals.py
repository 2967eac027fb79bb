"""T4: codes that cannot be used, and what the database refuses whoever writes."""

from __future__ import annotations

from typing import Any

import pytest

from billing import checkouts
from subscriptions.models import PersonalDiscount as Personal
from subscriptions.models import Plan, PromoCode, Redemption, Subscription, TermDiscount
from tests import rows
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.promo import LONG_AGO, off, promo, refusal, states
from tests.subscriptions.terms import at, bought, chosen, fake_bank, news
from tests.things import DAY, HOUR, plan, run_until_idle, viewer

pytestmark = pytest.mark.django_db
MORNING = at("2026-01-31T12:00")
END = at("2026-02-28T12:00")


@pytest.fixture(autouse=True)
def bank(settings: Any) -> FakeAcquirer:
    plan("month", 1, 29_900)
    plan("year", 12, 269_900)
    return fake_bank(settings)


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("NOBODY", "promo_not_found"), ("SPRING\x00", "promo_not_found"), ("٣٤", "promo_not_found"),
        ("S" * 200, "promo_not_found"), ("%", "promo_not_found"), ("SPRIN_", "promo_not_found"),
        ("OVER", "promo_expired"), ("OFF", "promo_expired"), ("SOON", "promo_not_begun"),
        ("YEARLY", "promo_other_plan"), ("DOLLARS", "promo_other_currency"), ("NONE", "promo_used_up"),
    ],
)  # fmt: skip
def test_T4_a_code_that_cannot_be_used_is_refused_by_name_and_nothing_is_written(typed: str, code: str) -> None:
    promo()
    promo("OVER", valid_until=MORNING)
    promo("OFF", is_on=False)
    promo("SOON", valid_from=MORNING + HOUR)
    promo("YEARLY", plans=[Plan.objects.get(code="year")])
    off("DOLLARS", 100, currency="USD")
    promo("NONE", total_limit=0)
    assert refusal(typed, MORNING) == code
    assert not Subscription.objects.exists()
    assert not Redemption.objects.exists()


def test_T4_one_customer_uses_it_once_however_many_uses_there_are(bank: FakeAcquirer) -> None:
    promo(total_limit=10)
    row = bought(bank, "month", MORNING, promo_code="SPRING")
    run_until_idle(MORNING + 60 * DAY)
    assert refusal("SPRING", MORNING + 60 * DAY, row.user) == "promo_used_by_you"
    assert refusal("SPRING", MORNING + 60 * DAY) == ""


@pytest.mark.parametrize("percent", [0, -1, 101, 1000])
def test_T4_the_database_refuses_a_percent_that_is_none(percent: int) -> None:
    rows.refused("personal_discount_percent", Personal, user=viewer(), percent=percent, valid_from=LONG_AGO)
    rows.refused("term_discount_percent", TermDiscount, months=6, percent=percent)
    rows.refused("promo_code_percent", PromoCode, code="X", percent=percent, valid_from=LONG_AGO)


def test_T4_the_database_refuses_codes_that_contradict_themselves() -> None:
    def refused(name: str, **more: Any) -> None:
        rows.refused(name, PromoCode, **{"code": "X", "valid_from": LONG_AGO} | more)

    refused("promo_code_percent_or_amount")
    refused("promo_code_percent_or_amount", percent=10, amount=100, currency="RUB")
    refused("promo_code_percent_or_amount", amount=100)
    refused("promo_code_percent_or_amount", amount=0, currency="RUB")
    refused("promo_code_ends_later", percent=10, valid_until=LONG_AGO)
    refused("promo_code_within_limit", percent=10, total_limit=1, taken=2)
    promo("Spring")
    refused("promo_code_once", percent=10, code="sPRING")
    rows.refused("personal_discount_ends_later", Personal, user=viewer(), percent=1, valid_from=END, valid_until=END)
    rows.refused("term_discount_months", TermDiscount, months=0, percent=1)


def test_T4_the_database_keeps_the_limits_whoever_writes() -> None:
    promo("TWO", total_limit=2, per_user_limit=1)
    vera = viewer()
    invoice = chosen("month", MORNING, vera, promo_code="TWO").invoice

    def redemption(name: str, **more: Any) -> None:
        values = {"promo_code": PromoCode.objects.get(), "saved": 1, "reserved_at": MORNING}
        rows.refused(name, Redemption, **values | more)

    redemption("promo_code_within_limit_of_a_user", user=vera, invoice=rows.invoice(user=vera))
    chosen("month", MORNING, promo_code="TWO")
    ivan = viewer()
    redemption("promo_code_within_limit", user=ivan, invoice=rows.invoice(user=ivan))
    redemption("redemption_saves_something", user=ivan, invoice=rows.invoice(user=ivan), saved=0, renews=True)
    row = Redemption.objects.get(invoice=invoice)
    rows.changed("redemption_used_or_released", row, used_at=MORNING, released_at=MORNING)


def test_T4_staff_voiding_the_invoice_frees_the_code() -> None:
    promo(total_limit=1)
    begun = chosen("month", MORNING, promo_code="SPRING")
    checkouts.close(begun.invoice.pk, actor="staff", at=MORNING, reason="a mistake")
    news(MORNING)
    news(MORNING + DAY)
    assert states() == ["released"]
