"""Everything that a network does to the trips, against the real bank: each ends right by itself, and once."""

from __future__ import annotations

import pytest
from django.core import mail

from billing.models import Callback, Payment, Refund
from subscriptions.models import Subscription
from tests.local_bank import eventually
from tests.scenarios.story import Story

pytestmark = pytest.mark.django_db(transaction=True)


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
