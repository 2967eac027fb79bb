"""The two core trips against the real bank, with everything that a network does to them."""

from __future__ import annotations

import pytest
from django.core import mail

from billing.models import Callback, Invoice, Payment, Refund
from subscriptions.models import Subscription
from tests.local_bank import LocalBank, eventually
from tests.scenarios.story import Story
from tests.things import plan, run_until_idle

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def story(bank: LocalBank) -> Story:
    plan("month", 1, 29_900)
    plan("year", 12, 269_900)
    return Story(bank)


@pytest.fixture
def called(bank_that_calls: LocalBank) -> Story:
    plan("month", 1, 29_900)
    plan("year", 12, 269_900)
    return Story(bank_that_calls)


def arrived(count: int = 1) -> None:
    """Waits until the bank's callbacks are in our inbox."""
    eventually(lambda: Callback.objects.count() >= count)


def test_M7_subscribe_pay_watch(called: Story) -> None:
    payment = called.subscribe()
    assert payment.status == "pending"
    assert not called.watches
    assert str(payment.pk) in called.pay()
    arrived()
    called.wait()
    assert called.payment.status == "succeeded"
    assert called.subscription.status == "active"
    assert called.watches
    assert [m.subject for m in mail.outbox] == ["Payment received: 299.00\u00a0₽"]
    called.agree()


def test_M8_cancel_within_the_hour_gives_everything_back_and_ends_access(story: Story) -> None:
    story.subscribe("year")
    story.pay()
    story.wait(minutes=5)
    assert story.watches
    story.wait(minutes=50)
    done = story.cancel(expected="2699.00")
    assert done.refund and done.refund.status == "succeeded"
    assert not story.watches
    story.wait(minutes=1)
    assert story.subscription.status == "ended"
    assert [m.subject.split(":")[0] for m in mail.outbox] == ["Payment received", "Refund made"]
    story.agree()


def test_M8_cancel_later_gives_the_months_not_begun_back(story: Story) -> None:
    story.subscribe("year")
    story.pay()
    story.wait(minutes=5)
    story.wait(days=45)
    done = story.cancel()
    # 269,900 kopecks over 12 months: eight shares of 22,492 and four of 22,491; two months have begun.
    assert done.refund and done.refund.amount == 269_900 - 2 * 22_492
    assert story.watches
    story.wait(days=20)
    assert not story.watches
    assert story.subscription.status == "ended"
    story.agree()


def test_M13_a_lost_callback_only_delays(called: Story) -> None:
    called.bank.fault("callback_lost")
    called.subscribe()
    called.pay()
    called.wait(minutes=1)
    assert called.payment.status == "succeeded"
    assert called.watches
    called.agree()


def test_M3_the_same_callback_three_times_is_one_payment(called: Story) -> None:
    called.bank.fault("callback_duplicate:3")
    called.subscribe()
    called.pay()
    eventually(lambda: called.bank.callbacks()[0]["state"] == "delivered")
    called.wait(minutes=1)
    assert Callback.objects.count() == 1
    assert len(called.charges()) == 1
    assert len(mail.outbox) == 1
    called.agree()


def test_M3_no_answer_although_the_page_was_opened(story: Story) -> None:
    story.bank.fault("timeout_after")
    payment = story.subscribe()
    assert payment.status == "unknown"
    story.wait(minutes=3)
    assert story.payment.status == "pending"
    story.pay()
    story.wait(minutes=5)
    assert story.watches
    assert len(story.charges()) == 1
    story.agree()


def test_M3_no_answer_and_no_page_is_sent_again_with_the_same_key(story: Story) -> None:
    story.bank.fault("timeout_before")
    payment = story.subscribe()
    assert payment.status == "unknown"
    story.wait(minutes=3)
    assert story.payment.status == "pending"
    assert story.payment.redirect_url


def test_M3_the_page_answers_with_an_error_after_the_money_moved(story: Story) -> None:
    story.subscribe()
    story.bank.fault("error_after")
    story.pay()
    story.wait(minutes=5)
    assert story.watches
    assert len(story.charges()) == 1
    story.agree()


def test_M4_a_refund_without_an_answer_is_made_once(story: Story) -> None:
    story.subscribe()
    story.pay()
    story.wait(minutes=5)
    story.bank.fault("timeout_after")
    done = story.cancel()
    assert done.refund and done.refund.status == "unknown"
    story.wait(minutes=3)
    assert story.refund.status == "succeeded"
    assert len([o for o in story.bank.operations() if o["kind"] == "refund"]) == 1
    story.agree()


def test_M4_a_refund_that_never_arrived_is_sent_again(story: Story) -> None:
    story.subscribe()
    story.pay()
    story.wait(minutes=5)
    story.bank.fault("timeout_before")
    story.cancel()
    story.wait(minutes=3)
    assert story.refund.status == "succeeded"
    story.agree()


def test_M4_a_bank_that_is_away_for_a_day_gets_the_refund_when_it_is_back(story: Story) -> None:
    story.subscribe()
    story.pay()
    story.wait(minutes=5)
    story.bank.stop()
    try:
        done = story.cancel()
        assert done.refund and done.refund.status == "created"
        story.wait(hours=26)
        assert story.refund.is_live
    finally:
        story.bank.start()
    story.wait(hours=7)
    assert story.refund.status == "succeeded"
    story.agree()


def test_M3_a_bank_that_is_down_refuses_before_anything_is_sent(story: Story) -> None:
    story.bank.stop()
    try:
        payment = story.subscribe()
        assert (payment.status, payment.decline) == ("failed", "not_sent")
    finally:
        story.bank.start()
    again = story.subscribe()
    assert again.pk != payment.pk
    story.pay()
    story.wait(minutes=5)
    assert story.watches
    assert Subscription.objects.count() == 1


def test_M7_a_declined_card_may_be_followed_by_another(story: Story) -> None:
    story.subscribe()
    story.pay("4000000000009995")
    story.wait(minutes=1)
    assert (story.payment.status, story.payment.decline) == ("failed", "retry_later")
    assert not story.watches
    story.subscribe()
    story.pay()
    story.wait(minutes=1)
    assert story.watches
    assert Invoice.objects.count() == 1
    story.agree()


def test_M7_three_d_secure(story: Story) -> None:
    story.subscribe()
    story.pay("4000000000003220")
    story.wait(minutes=1)
    assert story.watches


def test_M3_an_old_page_paid_after_the_new_one_is_refunded_by_itself(story: Story) -> None:
    """The bank called the first payment declined; later it turns out that it was paid."""
    first = story.subscribe()
    old_page = first.redirect_url
    Payment.objects.filter(pk=first.pk).update(status="failed", next_check_at=None)  # what a wrong answer would do
    story.subscribe()
    story.pay()
    story.wait(minutes=1)
    assert story.watches
    story.bank.pay(old_page)
    from billing import payments

    payments.check(first.pk, at=story.at)
    story.wait(minutes=1)
    late = Payment.objects.get(pk=first.pk)
    assert late.status == "succeeded"
    assert late.surplus
    assert Refund.objects.get(payment=late).status == "succeeded"
    assert story.watches
    story.agree()


def test_M3_late_truth_of_an_older_payment_closes_the_newer_page(story: Story) -> None:
    first = story.subscribe()
    Payment.objects.filter(pk=first.pk).update(status="failed", next_check_at=None)
    second = story.subscribe()
    story.bank.pay(first.redirect_url)
    from billing import payments

    payments.check(first.pk, at=story.at)
    story.wait(minutes=1)
    assert story.watches
    assert Payment.objects.get(pk=first.pk).status == "succeeded"
    assert Payment.objects.get(pk=second.pk).status == "cancelled"
    story.bank.pay(second.redirect_url)
    assert len(story.charges()) == 1  # the bank had closed that page
    story.agree()


def test_an_abandoned_checkout_is_closed_at_the_bank_and_here(story: Story) -> None:
    story.subscribe()
    story.wait(minutes=61)
    assert story.payment.status == "cancelled"
    assert Invoice.objects.get().status == "void"
    assert story.subscription.status == "abandoned"
    story.pay()
    assert story.charges() == []


def test_a_checkout_paid_in_the_last_moment_counts(story: Story) -> None:
    story.subscribe()
    story.pay()
    story.at = Invoice.objects.get().expires_at  # type: ignore[assignment]
    from billing import checkouts

    checkouts.close_due(at=story.at)
    run_until_idle(story.at)
    assert story.subscription.status == "active"


def test_choosing_another_plan_closes_the_first_page(story: Story) -> None:
    first = story.subscribe("month")
    story.subscribe("year")
    assert Payment.objects.get(pk=first.pk).status == "cancelled"
    story.bank.pay(first.redirect_url)
    story.pay()
    story.wait(minutes=1)
    assert len(story.charges()) == 1
    assert story.subscription.plan.code == "year"
    assert sorted(Subscription.objects.values_list("status", flat=True)) == ["abandoned", "active"]


def test_M1_a_saved_card_is_kept_once_and_encrypted(story: Story) -> None:
    story.subscribe(save_card=True)
    story.pay()
    story.wait(minutes=1)
    card = story.user.payment_methods.get()
    assert (card.brand, card.exp_month, card.exp_year) == ("Visa", 12, 2038)
    assert card.mask.endswith("4242")
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT token FROM billing_paymentmethod")
        (stored,) = cursor.fetchone()
    assert card.token.startswith("tok_")
    assert "tok_" not in stored


def test_T6_access_goes_on_for_the_grace_and_then_ends(story: Story) -> None:
    story.subscribe()
    story.pay()
    story.wait(minutes=1)
    end = story.subscription.valid_till
    assert end
    story.wait(seconds=(end - story.at).total_seconds() + 1)
    assert story.subscription.status == "past_due"
    assert story.watches
    story.wait(days=2)
    assert story.subscription.status == "expired"
    assert not story.watches


def test_coming_back_before_the_paid_rest_is_over_begins_where_it_ends(story: Story) -> None:
    story.subscribe()
    story.pay()
    story.wait(minutes=1)
    story.wait(hours=2)
    story.cancel()
    first = story.subscription
    story.subscribe("year")
    story.pay()
    story.wait(minutes=1)
    assert story.subscription.anchor_at == first.valid_till
    assert story.watches
