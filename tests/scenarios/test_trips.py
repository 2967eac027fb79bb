"""The two core trips against the real bank, as they should go."""

from __future__ import annotations

import pytest
from django.core import mail

from billing import callbacks
from billing.models import Callback, Invoice, Payment
from subscriptions.models import Subscription
from tests.local_bank import eventually
from tests.scenarios.story import Story
from tests.things import now, run_until_idle

pytestmark = pytest.mark.django_db(transaction=True)


def arrived(count: int = 1) -> None:
    """Waits until the bank's callbacks are in our inbox."""
    eventually(lambda: Callback.objects.count() >= count)


def test_M7_subscribe_pay_watch(called: Story) -> None:
    payment = called.subscribe()
    assert payment.status == "pending"
    assert not called.watches
    assert str(payment.pk) in called.pay()
    arrived()
    callbacks.process_due(at=now())
    assert called.payment.status == "succeeded"
    called.wait(minutes=1)
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
    first, *rest = (m.subject.split(":")[0] for m in mail.outbox)
    assert (first, sorted(rest)) == ("Payment received", ["Refund made", "Year is cancelled"])  # two of one moment
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
    story.at = Invoice.objects.get().expires_at
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
