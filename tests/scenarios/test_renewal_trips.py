"""Renewals at the real bank: by its token, declined by its cards, lost on its lines."""

from __future__ import annotations

import pytest
from django.core import mail

from subscriptions import agreements
from tests.scenarios.story import Story

pytestmark = pytest.mark.django_db(transaction=True)


def bought(story: Story) -> None:
    story.subscribe(auto_renew=True)
    story.pay()
    story.wait(minutes=5)


def test_M10_two_years_of_renewals_at_the_real_bank(story: Story) -> None:
    bought(story)
    for _ in range(24):
        end = story.subscription.valid_till
        assert end
        story.wait(seconds=(end - story.at).total_seconds())
        assert story.subscription.status == "active"
    assert len(story.charges()) == 25
    story.agree()


def test_M10_renew_then_cancel_within_the_hour_and_nothing_is_left(story: Story) -> None:
    bought(story)
    end = story.subscription.valid_till
    assert end
    story.wait(seconds=(end - story.at).total_seconds())
    assert mail.outbox[-1].subject.startswith(("Month is extended", "Payment received"))
    done = story.cancel(expected="299.00")
    assert done.refund and done.refund.status == "succeeded"
    story.wait(days=40)
    assert (story.subscription.status, len(story.charges())) == ("ended", 2)
    story.agree()


def test_M10_switched_off_means_never_charged_again(story: Story) -> None:
    bought(story)
    assert story.subscription_id
    agreements.switch_off(story.subscription_id, actor="vera", at=story.at)
    for _ in range(6):
        story.wait(days=10)
    assert (story.subscription.status, len(story.charges()), story.watches) == ("expired", 1, False)
    story.agree()
