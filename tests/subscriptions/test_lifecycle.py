"""A subscription from the choice of a plan to its end, at moments named to the second."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from billing import checkouts, events, invoices, payments
from billing.errors import Conflict, Forbidden, NotFound, Refused
from billing.models import Delivery, Event, Invoice, Payment
from subscriptions import cancellation, lifecycle
from subscriptions.models import Period, Plan, Price, Subscription
from tests.fake_acquirer import FakeAcquirer, Fault
from tests.subscriptions.terms import at, bought, chosen, fake_bank, news, paid, rub, told
from tests.things import plan, viewer

pytestmark = pytest.mark.django_db
MORNING = at("2026-01-31T12:00")
SECOND = timedelta(seconds=1)


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    plan("month", 1, 29_900)
    plan("year", 12, 269_900)
    return fake_bank(settings)


def refused(code: str, error: type[Refused] = Conflict) -> Any:
    return pytest.raises(error, check=lambda found: found.code == code)


# --- Subscribing ---


def test_M7_choosing_a_plan_opens_one_invoice_over_its_price_and_a_page_of_the_bank(bank: FakeAcquirer) -> None:
    begun = chosen("year", MORNING, expected_total=rub(2699))
    invoice = begun.payment.invoice
    assert (begun.subscription.status, begun.payment.status) == ("pending", "pending")
    assert (invoice.money, invoice.lines.get().description) == (rub(2699), "Year, 12 months")
    assert begun.payment.redirect_url
    assert bank.took(begun.payment.pk) is None
    assert told(begun.subscription) == ["subscription.created"]


def test_M7_a_price_other_than_the_one_shown_is_refused_and_nothing_begins(bank: FakeAcquirer) -> None:
    with refused("stale_total") as stale:
        chosen("month", MORNING, expected_total=rub(199))
    assert stale.value.facts["total"] == "299.00"
    assert not Subscription.objects.exists()
    assert bank.calls == []


def test_M7_who_has_not_confirmed_the_address_waits(bank: FakeAcquirer) -> None:
    with refused("email_not_confirmed", Forbidden):
        chosen("month", MORNING, viewer(confirmed=False))
    assert not Invoice.objects.exists()


def test_M3_choosing_twice_is_one_subscription_and_one_payment(bank: FakeAcquirer) -> None:
    user = viewer()
    first, second = chosen("month", MORNING, user), chosen("month", MORNING + SECOND, user)
    assert (first.subscription, first.payment) == (second.subscription, second.payment)
    assert len(bank.called("checkout")) == 1


def test_M3_a_subscriber_does_not_subscribe_again(bank: FakeAcquirer) -> None:
    user = viewer()
    bought(bank, "month", MORNING, user)
    with refused("already_subscribed"):
        chosen("year", MORNING + SECOND, user)


def test_M3_paid_but_not_yet_active_counts_as_subscribed(bank: FakeAcquirer) -> None:
    """The news of the payment is still under way: the same plan finds it, another is refused."""
    user = viewer()
    begun = chosen("month", MORNING, user)
    bank.pay(begun.payment.pk)
    payments.check(begun.payment.pk, at=MORNING)
    assert chosen("month", MORNING, user).payment.status == "succeeded"
    with refused("already_subscribed"):
        chosen("year", MORNING, user)


def test_M7_another_plan_closes_the_first_page_before_its_own_opens(bank: FakeAcquirer) -> None:
    user = viewer()
    first = chosen("month", MORNING, user)
    chosen("year", MORNING + SECOND, user)
    assert Payment.objects.get(pk=first.payment.pk).status == "cancelled"
    assert [call.method for call in bank.calls] == ["checkout", "void", "checkout"]
    assert sorted(Subscription.objects.values_list("status", flat=True)) == ["abandoned", "pending"]


def test_M3_while_the_bank_cannot_say_whether_a_page_is_closed_no_other_opens(bank: FakeAcquirer) -> None:
    user = viewer()
    chosen("month", MORNING, user)
    bank.program("void", Fault.LOSE_REQUEST)
    with refused("payment_in_progress"):
        chosen("year", MORNING + SECOND, user)
    assert Invoice.objects.count() == 1


def test_P12_a_lower_price_meanwhile_never_charges_the_old_figure(bank: FakeAcquirer) -> None:
    user = viewer()
    first = chosen("month", MORNING, user)
    Price.objects.create(plan=first.subscription.plan, amount=19_900, starts_at=MORNING)
    second = chosen("month", MORNING + SECOND, user, expected_total=rub(199))
    assert second.payment.money == rub(199)
    assert Payment.objects.get(pk=first.payment.pk).status == "cancelled"


def test_P12_a_plan_whose_months_were_changed_never_sells_the_old_term(bank: FakeAcquirer) -> None:
    user = viewer()
    chosen("year", MORNING, user)
    Plan.objects.filter(code="year").update(months=24)
    assert bought(bank, "year", MORNING + SECOND, user, expected_total=rub(2699)).valid_till == at(
        "2028-01-31T12:00:01"
    )


def test_P12_a_new_price_closes_the_page_with_the_old_one(bank: FakeAcquirer) -> None:
    user = viewer()
    chosen("month", MORNING, user)
    Price.objects.create(
        plan=lifecycle.offers.find("month", at=MORNING).plan, amount=35_000, starts_at=MORNING + SECOND
    )
    assert chosen("month", MORNING + SECOND, user).payment.money == rub(350)
    assert Payment.objects.filter(status__in=Payment.LIVE).count() == 1


# --- One request, one key ---


def test_M3_a_repeated_request_finds_its_subscription_even_after_it_was_paid(bank: FakeAcquirer) -> None:
    user = viewer()
    first = bought(bank, "month", MORNING, user, request_key="k")
    again = chosen("month", MORNING + SECOND, user, request_key="k")
    assert (again.subscription, again.payment.status) == (first, "succeeded")


def test_M10_a_form_that_is_sent_again_renews_as_it_says_now_and_nothing_after_it_was_paid(bank: FakeAcquirer) -> None:
    user = viewer()
    for moment, wished in enumerate((True, False, True)):
        again = chosen("month", MORNING + moment * SECOND, user, request_key="k", auto_renew=wished)
        row = Subscription.objects.get()
        assert (row.auto_renew, row.renewal_consent_at is not None) == (wished, wished)
    paid(bank, again, MORNING + 3 * SECOND)
    chosen("month", MORNING + 4 * SECOND, user, request_key="k", auto_renew=False)
    assert Subscription.objects.get().auto_renew


@pytest.mark.parametrize("other", [{"code": "year"}, {"code": "month", "expected_total": rub(199)}])
def test_M3_a_key_used_for_another_order_is_refused(bank: FakeAcquirer, other: dict[str, Any]) -> None:
    user = viewer()
    first = chosen("month", MORNING, user, request_key="k")
    if "expected_total" in other:
        Price.objects.create(plan=first.subscription.plan, amount=19_900, starts_at=MORNING)
    with refused("request_key_reused"):
        chosen(moment=MORNING, user=user, request_key="k", **other)
    assert Payment.objects.get().money == rub(299)


def test_M3_no_key_is_no_key(bank: FakeAcquirer) -> None:
    """An empty key does not make two subscriptions of one person one."""
    user = viewer()
    first = bought(bank, "month", MORNING, user, request_key="")
    cancellation.cancel(first.pk, actor="test", at=MORNING)
    assert chosen("year", MORNING + SECOND, user, request_key="").subscription != first


# --- Beginning ---


def test_M7_paid_means_active_for_exactly_the_term_and_the_grace(bank: FakeAcquirer) -> None:
    sold = bought(bank, "month", MORNING)
    assert sold.status == "active"
    assert (sold.anchor_at, sold.valid_till) == (MORNING, at("2026-02-28T12:00"))
    assert sold.access_until == at("2026-03-02T12:00")
    assert told(sold) == ["subscription.created", "subscription.activated"]


def test_M3_news_that_comes_twice_begins_one_term(bank: FakeAcquirer) -> None:
    sold = bought(bank, "month", MORNING)
    news_of = Delivery.objects.get(event__kind="invoice.paid", handler__contains="activate")
    Delivery.objects.filter(pk=news_of.pk).update(status="due")
    events.deliver(news_of.pk, at=MORNING + timedelta(days=3))
    lifecycle.activate(sold.periods.get().invoice_id, actor="system", at=MORNING + timedelta(days=3))
    sold.refresh_from_db()
    assert sold.valid_till == at("2026-02-28T12:00")
    assert told(sold).count("subscription.activated") == 1


def test_M8_news_replayed_after_the_refund_revives_nothing(bank: FakeAcquirer) -> None:
    sold = bought(bank, "month", MORNING)
    cancellation.cancel(sold.pk, actor="test", at=MORNING + SECOND)
    lifecycle.activate(sold.periods.get().invoice_id, actor="system", at=MORNING + SECOND)
    sold.refresh_from_db()
    assert (sold.status, sold.access_until) == ("cancelled", MORNING + SECOND)


def test_M4_a_crash_between_the_payment_and_the_news_only_delays(bank: FakeAcquirer, monkeypatch: Any) -> None:
    monkeypatch.setattr(Period, "end_from", lambda *_: 1 / 0)
    begun = chosen("month", MORNING)
    paid(bank, begun, MORNING)
    assert Subscription.objects.get().status == "pending"
    assert Period.objects.get().starts_at is None
    monkeypatch.undo()
    news(MORNING + timedelta(minutes=10))
    assert Subscription.objects.get().valid_till == at("2026-02-28T12:00")  # counted from the payment


def test_M8_coming_back_begins_where_the_paid_rest_ends(bank: FakeAcquirer) -> None:
    user = viewer()
    first = cancellation.cancel(
        bought(bank, "year", MORNING, user).pk, actor="test", at=at("2026-03-01T12:00")
    ).subscription
    second = bought(bank, "month", at("2026-03-20T12:00"), user)
    assert first.access_until == second.anchor_at == at("2026-03-31T12:00")
    assert second.valid_till == at("2026-04-30T12:00")


# --- Not beginning ---


def test_T9_an_unpaid_checkout_is_abandoned_when_its_time_is_over(bank: FakeAcquirer, settings: Any) -> None:
    begun = chosen("month", MORNING)
    over = MORNING + settings.CHECKOUT_TTL
    assert checkouts.close_due(at=over - SECOND) == 0
    assert checkouts.close_due(at=over) == 1
    news(over)
    begun.subscription.refresh_from_db()
    assert begun.subscription.status == "abandoned"


def test_M7_who_chooses_after_the_invoice_was_voided_begins_anew_at_once(bank: FakeAcquirer) -> None:
    """The news of the voiding is still under way, perhaps for long: nobody is turned away for it."""
    user = viewer()
    begun = chosen("month", MORNING, user)
    checkouts.close(begun.payment.invoice_id, actor="staff", at=MORNING, reason="Wrong")
    again = chosen("month", MORNING + SECOND, user)
    assert again.subscription != begun.subscription
    news(MORNING + SECOND)
    assert sorted(Subscription.objects.values_list("status", flat=True)) == ["abandoned", "pending"]


def test_M7_a_declined_card_may_be_followed_by_another_on_the_same_invoice(bank: FakeAcquirer) -> None:
    bank.program("checkout", Fault.DECLINE)
    begun = chosen("month", MORNING)
    assert begun.payment.status == "failed"
    again = lifecycle.pay_again(begun.subscription.pk, lifecycle.Order("month"), actor="test", at=MORNING + SECOND)
    assert (again.invoice_id, again.status) == (begun.payment.invoice_id, "pending")


def test_M7_nobody_pays_again_for_what_runs_or_does_not_exist(bank: FakeAcquirer) -> None:
    sold = bought(bank, "month", MORNING)
    with refused("not_pending"):
        lifecycle.pay_again(sold.pk, lifecycle.Order("month"), actor="test", at=MORNING)
    with refused("subscription_not_found", NotFound):
        lifecycle.pay_again(viewer().pk, lifecycle.Order("month"), actor="test", at=MORNING)


def test_M3_voiding_a_stranger_s_invoice_abandons_nothing(bank: FakeAcquirer) -> None:
    begun, other = chosen("month", MORNING), chosen("month", MORNING)
    checkouts.close(other.payment.invoice_id, actor="staff", at=MORNING, reason="Wrong")
    news(MORNING)
    begun.subscription.refresh_from_db()
    assert begun.subscription.status == "pending"
    with refused("payment_in_progress"):
        invoices.void(begun.payment.invoice_id, actor="staff", at=MORNING, reason="Wrong")
    assert Event.objects.filter(kind="subscription.abandoned").count() == 1
