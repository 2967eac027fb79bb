"""Twenty at once, on real connections: one subscription, one invoice, one payment, one refund."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from billing import checkouts, payments, refunds
from billing.errors import Refused
from billing.models import Event, Invoice, Payment, Refund, Transfer
from notifications import mailings
from subscriptions import cancellation, endings
from subscriptions.models import Period, PromoCode, Redemption, Subscription
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.promo import promo
from tests.subscriptions.terms import at, bought, chosen, fake_bank, news, rub
from tests.things import plan, viewer

pytestmark = pytest.mark.django_db(transaction=True)
MORNING = at("2026-01-31T12:00")
MANY = 20


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    plan("month", 1, 29_900)
    plan("year", 12, 269_900)
    return fake_bank(settings)


def at_once(*deeds: Callable[[], Any]) -> list[Any]:
    """What each deed returned, or the code of its refusal; all begin at one moment, each on its own connection."""
    barrier = Barrier(len(deeds))

    def run(deed: Callable[[], Any]) -> Any:
        try:
            barrier.wait(timeout=30)
            return deed()
        except Refused as refusal:
            return refusal.code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(run, deeds))


def many(deed: Callable[[], Any], times: int = MANY) -> list[Any]:
    return at_once(*[deed] * times)


@pytest.mark.parametrize("key", [None, "one-form"])
def test_M3_twenty_clicks_at_once_are_one_subscription_and_one_payment(bank: FakeAcquirer, key: str | None) -> None:
    user = viewer()
    found = many(lambda: chosen("month", MORNING, user, request_key=key))
    assert len({begun.subscription.pk for begun in found}) == len({begun.payment.pk for begun in found}) == 1
    for model in (Subscription, Period, Invoice, Payment):
        assert model._default_manager.count() == 1
    assert len(bank.called("checkout")) == 1


def test_M3_two_plans_chosen_at_once_leave_one_that_can_be_paid(bank: FakeAcquirer) -> None:
    user = viewer()
    found = at_once(*[lambda code=code: chosen(code, MORNING, user) for code in ("month", "year") * 5])
    assert {each for each in found if isinstance(each, str)} <= {
        "already_subscribed", "payment_in_progress", "invoice_closed"
    }  # fmt: skip
    assert Subscription.objects.filter(status__in=Subscription.LIVE).count() <= 1
    assert Payment.objects.filter(status__in=Payment.LIVE).count() <= 1
    live = set(Payment.objects.filter(status__in=Payment.LIVE).values_list("invoice__period__subscription", flat=True))
    assert live <= set(Subscription.objects.filter(status="pending").values_list("pk", flat=True))


def test_M3_many_answers_of_one_payment_begin_one_term(bank: FakeAcquirer) -> None:
    begun = chosen("year", MORNING)
    bank.pay(begun.payment.pk)
    many(lambda: (payments.check(begun.payment.pk, at=MORNING), news(MORNING)), 10)
    assert Event.objects.filter(kind="subscription.activated").count() == 1
    assert Transfer.objects.count() == 1
    assert Period.objects.get().ends_at == at("2027-01-31T12:00")


def test_M8_twenty_cancellations_at_once_are_one_refund(bank: FakeAcquirer) -> None:
    sold = bought(bank, "year", MORNING)
    hour = MORNING + timedelta(hours=1)
    found = many(lambda: cancellation.cancel(sold.pk, actor="test", at=hour, expected_refund=rub("2474.08")))
    assert Counter(each if isinstance(each, str) else "done" for each in found) == {
        "done": 1, "not_cancellable": MANY - 1
    }  # fmt: skip
    assert Refund.objects.get().money == rub("2474.08")
    assert bank.returned(Refund.objects.get().payment_id) == [rub("2474.08")]


def test_M8_staff_gives_money_back_while_the_customer_cancels_and_never_more_than_was_paid(bank: FakeAcquirer) -> None:
    sold = bought(bank, "year", MORNING)
    payment = sold.periods.get().invoice.payments.get()

    def staff(key: str) -> Any:
        return refunds.request(
            payment.pk, amount=rub(1500), reason="Sorry", actor="staff", at=MORNING, request_key=key
        )  # fmt: skip

    found = at_once(
        *[lambda: cancellation.cancel(sold.pk, actor="test", at=MORNING, expected_refund=rub(2699))] * 5,
        *[lambda key=key: staff(key) for key in "ab"],
    )
    assert {each for each in found if isinstance(each, str)} <= {"not_cancellable", "stale_refund", "over_refund"}
    assert sum(bank.returned(payment.pk), start=rub(0)) <= rub(2699)
    sold.refresh_from_db()
    cancelled = sold.status == "cancelled"
    assert Refund.objects.filter(request_key=f"cancel:{sold.pk}").exists() == cancelled


def test_T9_the_last_click_and_the_sweep_that_closes_agree(bank: FakeAcquirer, settings: Any) -> None:
    """The customer pays in the moment in which the checkout is closed: paid and active, or closed and not charged."""
    begun = chosen("month", MORNING)
    over = MORNING + settings.CHECKOUT_TTL
    at_once(
        lambda: bank.pay(begun.payment.pk),
        *[lambda: checkouts.close_due(at=over)] * 3,
        *[lambda: payments.check(begun.payment.pk, at=over)] * 3,
    )
    payments.check(begun.payment.pk, at=over)
    refunds.poll_due(at=over)
    news(over)
    begun.subscription.refresh_from_db()
    kept = bank.took(begun.payment.pk) is not None and not bank.returned(begun.payment.pk)
    assert begun.subscription.status in (["active"] if kept else ["abandoned", "pending"])


def test_T9_overlapping_sweeps_end_a_term_once(bank: FakeAcquirer) -> None:
    sold = bought(bank, "month", MORNING)
    many(lambda: endings.end_due(at=at("2026-03-03T12:00")), 10)
    many(lambda: endings.end(sold.pk, at=at("2026-03-03T12:00")), 10)
    kinds = Event.objects.filter(subject_id=sold.pk).values_list("kind", flat=True)
    assert Counter(kinds)["subscription.past_due"] == Counter(kinds)["subscription.expired"] == 1


def test_M15_overlapping_sweeps_send_a_mail_once(bank: FakeAcquirer, mailoutbox: list[Any]) -> None:
    bought(bank, "month", MORNING)
    many(lambda: mailings.send_due(at=MORNING), 10)
    assert len(mailoutbox) == 1


def test_M8_a_cancellation_and_the_sweep_that_ends_the_term_take_turns(bank: FakeAcquirer) -> None:
    sold = bought(bank, "month", MORNING)
    end = at("2026-02-28T12:00")
    at_once(
        *[lambda: cancellation.cancel(sold.pk, actor="test", at=end)] * 3, *[lambda: endings.end(sold.pk, at=end)] * 3
    )
    endings.end(sold.pk, at=end)
    sold.refresh_from_db()
    assert (sold.status, sold.access_until, sold.next_action_at) == ("ended", end, None)
    assert not Refund.objects.exists()


def test_M8_many_cancellations_of_a_waiting_checkout_close_it_once(bank: FakeAcquirer) -> None:
    begun = chosen("year", MORNING)
    found = many(lambda: cancellation.cancel(begun.subscription.pk, actor="test", at=MORNING).subscription.status, 10)
    assert "abandoned" in found
    assert set(found) <= {"abandoned", "not_cancellable"}
    assert Event.objects.filter(kind__in=["subscription.abandoned", "invoice.voided"]).count() == 2


@pytest.mark.parametrize(("people", "left"), [(2, 1), (20, 3)])
def test_T4_the_last_uses_of_a_code_go_to_as_many_as_there_are(bank: FakeAcquirer, people: int, left: int) -> None:
    code = promo("LAST", 10, total_limit=left)
    viewers = [viewer() for _ in range(people)]
    found = at_once(*[partial(chosen, "month", MORNING, user, promo_code="LAST") for user in viewers])
    refusals = [each for each in found if isinstance(each, str)]
    assert refusals == ["promo_used_up"] * (people - left)
    code.refresh_from_db()
    assert code.taken == Redemption.objects.count() == Invoice.objects.count() == left
    assert {row.total for row in Invoice.objects.all()} == {26_910}


def test_T4_one_customer_in_two_browsers_uses_a_code_once(bank: FakeAcquirer) -> None:
    promo("ONCE", 10)
    vera = viewer()
    plans = ["month", "year"] * 5
    at_once(*[partial(chosen, code, MORNING, vera, promo_code="ONCE") for code in plans])
    assert Redemption.objects.filter(released_at=None).count() == PromoCode.objects.get().taken == 1
    assert Subscription.objects.filter(status="pending").count() == 1
