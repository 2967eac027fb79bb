"""T2-T4: personal and months discounts, promo codes and their limits, from the quote to the renewal."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from acquiring.types import Status
from billing import payments
from billing.errors import Conflict
from billing.models import Delivery, Payment, Refund
from subscriptions import agreements, lifecycle, offers, renewals
from subscriptions.models import PromoCode, Redemption, Subscription
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.promo import for_months, off, personal, promo, refusal, states, total_of
from tests.subscriptions.renewing import Renewing
from tests.subscriptions.terms import at, bought, chosen, fake_bank, news, paid, rub
from tests.things import DAY, HOUR, plan, run_until_idle, viewer

pytestmark = pytest.mark.django_db
MORNING = at("2026-01-31T12:00")
END = at("2026-02-28T12:00")


@pytest.fixture(autouse=True)
def bank(settings: Any) -> FakeAcquirer:
    plan("month", 1, 29_900)
    plan("year", 12, 269_900)
    return fake_bank(settings)


# --- Standing discounts ---


def test_T2_a_personal_discount_counts_while_it_is_valid_and_for_its_owner_only() -> None:
    vera = viewer()
    personal(vera, 10, valid_from=MORNING, valid_until=MORNING + DAY)
    totals = [
        offers.find("month", at=moment, user_id=user).quote.total
        for moment, user in (
            (MORNING - timedelta(microseconds=1), vera.pk), (MORNING, vera.pk), (MORNING + DAY, vera.pk),
            (MORNING, viewer().pk), (MORNING, None),
        )
    ]  # fmt: skip
    assert totals == [rub(299), rub("269.10"), rub(299), rub(299), rub(299)]


def test_T3_the_highest_number_of_months_reached_counts_even_if_its_percent_is_lower() -> None:
    for_months(1, 50)
    for_months(6, 20)
    for_months(13, 90)
    assert offers.find("year", at=MORNING).quote.total == rub("2159.20")
    assert offers.find("month", at=MORNING).quote.total == rub("149.50")
    assert [offer.quote.total for offer in offers.on_sale(at=MORNING)] == [rub("149.50"), rub("2159.20")]


def test_T2_T3_they_add_up_on_the_invoice_and_its_line_keeps_the_words(bank: FakeAcquirer) -> None:
    vera = viewer()
    personal(vera, 10)
    for_months(12, 5)
    begun = chosen("year", MORNING, vera, expected_total=rub("2294.15"))
    line = begun.invoice.lines.get()
    assert (line.unit_price, line.discount, line.amount) == (269_900, 40_485, 229_415)
    assert line.description == "Year, 12 months (Personal discount 10% + 5% for 12 months or more)"
    paid(bank, begun, MORNING)
    assert Subscription.objects.get().status == "active"


def test_T2_best_of_is_a_setting(settings: Any) -> None:
    settings.DISCOUNT_STACKING = "best_of"
    vera = viewer()
    personal(vera, 10)
    for_months(12, 5)
    assert offers.find("year", at=MORNING, user_id=vera.pk).quote.total == rub("2429.10")


# --- A code's way ---


def test_T4_a_code_is_reserved_with_the_invoice_and_used_with_the_money(bank: FakeAcquirer) -> None:
    promo(total_limit=1)
    begun = chosen("month", MORNING, promo_code=" spring ", expected_total=rub("269.10"))
    assert (total_of(begun), states()) == ("269.1", ["reserved"])
    assert begun.invoice.lines.get().description == "Month, 1 month (Promo code SPRING 10%)"
    assert refusal("SPRING", MORNING) == "promo_used_up"
    paid(bank, begun, MORNING)
    assert states() == ["used"]
    first = Redemption.objects.get().used_at
    Delivery.objects.update(status="due", next_attempt_at=MORNING)
    run_until_idle(MORNING + HOUR)
    assert Redemption.objects.get().used_at == first


def test_T4_an_unpaid_checkout_gives_the_code_back_and_its_late_money_is_surplus(bank: FakeAcquirer) -> None:
    promo(total_limit=1)
    begun = chosen("month", MORNING, promo_code="SPRING")
    run_until_idle(MORNING + 2 * HOUR)
    assert (states(), Subscription.objects.get().status) == (["released"], "abandoned")
    assert refusal("SPRING", MORNING + 2 * HOUR) == ""
    assert states() == ["released", "reserved"]
    assert begun.payment is not None
    bank.pay(begun.payment.pk)
    payments.check(begun.payment.pk, at=MORNING + 3 * HOUR)
    run_until_idle(MORNING + 3 * HOUR)
    assert states()[0] == "released"
    assert Refund.objects.get().amount == 26_910


def test_T4_a_payment_that_fails_keeps_the_code_for_the_next_try(bank: FakeAcquirer) -> None:
    promo(total_limit=1)
    begun = chosen("month", MORNING, promo_code="SPRING")
    assert begun.payment is not None
    bank.settle(begun.payment.pk, Status.FAILED)
    payments.check(begun.payment.pk, at=MORNING)
    news(MORNING)
    again = chosen("month", MORNING, begun.subscription.user, promo_code="spring")
    assert (again.invoice, states()) == (begun.invoice, ["reserved"])
    paid(bank, again, MORNING)
    assert states() == ["used"]


def test_T4_ones_own_waiting_checkout_gives_its_code_to_the_next(bank: FakeAcquirer) -> None:
    promo(total_limit=1)
    vera = viewer()
    chosen("month", MORNING, vera, promo_code="SPRING")
    year = chosen("year", MORNING, vera, promo_code="SPRING")
    assert (total_of(year), states()) == ("2429.1", ["released", "reserved"])
    without = chosen("year", MORNING, vera)
    assert (total_of(without), states()) == ("2699", ["released", "released"])


def test_T4_another_code_of_the_same_worth_is_another_checkout() -> None:
    promo("A")
    promo("B")
    vera = viewer()
    first = chosen("month", MORNING, vera, promo_code="A")
    assert chosen("month", MORNING, vera, promo_code="B").invoice != first.invoice
    assert (states("A"), states("B")) == (["released"], ["reserved"])


def test_T4_a_losing_code_is_not_used_up_and_the_quote_says_why() -> None:
    promo("TEN", 10, total_limit=1)
    vera = viewer()
    personal(vera, 20)
    quote = offers.find("month", at=MORNING, user_id=vera.pk, promo_code="TEN").quote
    assert (quote.total, quote.applied, quote.promo_code) == (rub("239.20"), "Personal discount 20%", "")
    assert "The code stays unused." in quote.explanation
    begun = chosen("month", MORNING, vera, promo_code="TEN", expected_total=rub("239.20"))
    assert (total_of(begun), states("TEN")) == ("239.2", [])


def test_T4_the_same_request_sent_again_after_the_payment_finds_what_it_began(bank: FakeAcquirer) -> None:
    promo()
    vera = viewer()
    order = {"promo_code": "SPRING", "request_key": "k", "expected_total": rub("269.10")}
    begun = chosen("month", MORNING, vera, **order)
    paid(bank, begun, MORNING)
    again = chosen("month", MORNING, vera, **order)
    assert (again.subscription, states()) == (begun.subscription, ["used"])


def test_T4_a_code_that_takes_everything_begins_without_an_acquirer(bank: FakeAcquirer, settings: Any) -> None:
    promo("FREE", 100)
    begun = chosen("month", MORNING, promo_code="FREE", acquirer="nobody", expected_total=rub(0))
    news(MORNING)
    begun.subscription.refresh_from_db()
    assert (begun.payment, begun.subscription.status, states("FREE")) == (None, "active", ["used"])
    assert (begun.invoice.status, Payment.objects.count(), len(bank.operations)) == ("paid", 0, 0)
    assert begun.subscription.valid_till == END


def test_T4_an_amount_never_takes_more_than_the_price() -> None:
    off("BIG", 1_000_000)
    assert total_of(chosen("month", MORNING, promo_code="BIG")) == "0"
    off("LESS", 5_000)
    assert total_of(chosen("month", MORNING, promo_code="LESS")) == "249"


def test_T4_a_figure_that_is_stale_is_refused_with_the_new_one_and_the_code_stays() -> None:
    code = promo()
    with pytest.raises(Conflict) as refused:
        chosen("month", MORNING, promo_code="SPRING", expected_total=rub("250.00"))
    assert (refused.value.code, refused.value.facts["total"]) == ("stale_total", "269.10")
    code.is_on = False
    code.save()
    assert refusal("SPRING", MORNING) == "promo_expired"
    assert states() == []


# --- Renewals ---


def test_T4_a_code_for_every_term_goes_on_though_nobody_new_can_use_it(bank: FakeAcquirer) -> None:
    promo(every_term=True, total_limit=1, valid_until=MORNING + DAY)
    vera = Renewing(bank, "month", MORNING, promo_code="SPRING")
    PromoCode.objects.update(is_on=False)
    charge = agreements.next_charge(vera.row, at=MORNING)
    assert charge is not None
    assert charge.amount == rub("269.10")
    vera.go(END)
    assert (vera.taken, states()) == (2 * 26_910, ["used", "used"])
    assert PromoCode.objects.get().taken == 1
    PromoCode.objects.update(every_term=False)
    vera.go(at("2026-03-31T12:00"))
    assert vera.taken == 2 * 26_910 + 29_900


def test_T4_a_code_for_the_first_term_ends_with_it_and_a_personal_discount_goes_on(bank: FakeAcquirer) -> None:
    promo(percent=50)
    vera = Renewing(bank, "month", MORNING, promo_code="SPRING")
    vera.go(END)
    assert vera.taken == 14_950 + 29_900
    personal(vera.user, 10)
    vera.go(at("2026-03-31T12:00"))
    assert (vera.taken, states()) == (14_950 + 29_900 + 26_910, ["used"])
    line = vera.row.periods.get(number=3).invoice
    assert line is not None
    assert line.lines.get().description == "Month, 1 month (Personal discount 10%), from 31 March 2026"


def test_T4_a_renewal_given_up_gives_its_code_back(bank: FakeAcquirer) -> None:
    promo(every_term=True)
    vera = Renewing(bank, "month", MORNING, promo_code="SPRING")
    renewals.bill([vera.row], actor="test", at=END)
    agreements.switch_off(vera.id, actor="test", at=END)
    news(END)
    assert states() == ["used", "released"]


def test_T2_a_next_term_over_nothing_begins_without_a_charge(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)
    personal(vera.user, 100)
    vera.go(END)
    assert (vera.taken, len(vera.payments), vera.row.valid_till) == (29_900, 1, at("2026-03-31T12:00"))
    vera.go(at("2026-03-31T12:00"))
    assert vera.row.valid_till == at("2026-04-30T12:00")


def test_T2_a_next_term_over_nothing_is_the_customers_own_by_a_click(bank: FakeAcquirer) -> None:
    row = bought(bank, "month", MORNING)
    personal(row.user, 100)
    order = lifecycle.Order(plan="month")
    assert agreements.pay(row.pk, order, actor="test", at=END - HOUR) is None
    news(END - HOUR)
    row.refresh_from_db()
    assert row.valid_till == at("2026-03-31T12:00")


def test_T3_billing_many_asks_for_discounts_as_often_as_billing_one(bank: FakeAcquirer) -> None:
    promo(every_term=True, per_user_limit=None)
    everybody = [Renewing(bank, "month", MORNING, promo_code="SPRING").row for _ in range(6)]
    counted = []
    for some in (everybody[:1], everybody[1:]):
        with CaptureQueriesContext(connection) as queries:
            renewals.bill(some, actor="test", at=END)
        counted.append(len(queries))
    assert counted[0] == counted[1]
