"""A customer's whole story at Stripe, which here is the local bank speaking its protocol."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from moneyed import Money

from acquiring.bank.stripe.signing import sign
from acquiring.base import RECEIVED_AT
from billing import audit, callbacks, reconciliation, refunds
from billing.errors import Invalid
from billing.models import Callback, Case, Payment, PaymentMethod
from subscriptions import agreements, lifecycle
from tests.acquiring.stripe_far import sdk
from tests.local_bank import LocalBank, eventually
from tests.scenarios.story import Story
from tests.things import now, plan

pytestmark = pytest.mark.django_db(transaction=True)


def stripe_at(bank: LocalBank) -> dict[str, Any]:
    """`settings.ACQUIRERS` with the given bank alone, as Stripe."""
    options = {
        "secret_key": bank.secret,
        "callback_secrets": [bank.callback_secret],
        "url": f"{bank.api_url}/stripe",
        "timeout": 5.0,
    }
    return {"stripe": {"backend": "acquiring.backends.stripe.Stripe", "options": options}}


@pytest.fixture
def story(bank: LocalBank, settings: Any, live_server: Any) -> Story:
    settings.ALLOWED_HOSTS = ["*"]
    settings.ACQUIRERS = stripe_at(bank)
    address = f"{live_server.url}/api/v1/callbacks/stripe"
    sdk(bank).v1.webhook_endpoints.create({"url": address, "enabled_events": ["*"]})
    plan("month", 1, 29_900)
    story = Story(bank)
    story.acquirer = "stripe"
    return story


def all_events_came(story: Story) -> None:
    """Every event of the bank is in our inbox, or was answered, and is dealt with."""
    eventually(lambda: all(each["state"] == "delivered" for each in story.bank.callbacks()), 20)
    callbacks.process_due(at=now())
    parked = Callback.objects.exclude(status=Callback.Status.PROCESSED)
    assert not [(each.kind, each.note) for each in parked]


def to_the_end(story: Story) -> None:
    end = story.subscription.valid_till
    assert end
    story.wait(seconds=(end - story.at).total_seconds())
    story.wait(minutes=20)  # a term that is not paid is over then


def test_M6_a_customers_whole_story_at_stripe(story: Story) -> None:
    story.subscribe(auto_renew=True, save_card=True)
    story.pay("4000000000003220")  # asks for a code first
    all_events_came(story)
    story.wait(minutes=1)
    assert (story.payment.status, story.watches) == ("succeeded", True)
    assert PaymentMethod.objects.get().token.startswith("cus_")

    to_the_end(story)  # renewed by the saved card
    assert (story.subscription.status, len(story.charges())) == ("active", 2)

    story.bank.fault("decline:insufficient_funds")
    to_the_end(story)
    assert (story.subscription.status, len(story.charges())) == ("past_due", 2)
    story.wait(hours=25)  # dunning tries again
    assert (story.subscription.status, len(story.charges())) == ("active", 3)

    again = new_card_after_a_stolen_one(story)
    back = refunds.request(again.pk, amount=Money("100.00", "RUB"), reason="sorry", actor="user:1", at=story.at)
    assert (back.status, back.acquirer_refund_id[:3]) == ("succeeded", "re_")
    story.cancel()
    all_events_came(story)
    story.wait(minutes=5)
    story.agree()
    all_agree(story, lines=5)


def new_card_after_a_stolen_one(story: Story) -> Payment:
    """The saved card is declined for good; the customer pays with another one, and that is kept."""
    story.bank.fault("decline:stolen_card")
    to_the_end(story)
    story.wait(hours=25)
    assert (story.subscription.status, len(story.charges())) == ("past_due", 3)  # it is not tried again
    assert story.subscription_id
    order = lifecycle.Order(plan="month", return_url="http://shop.example/{payment}/", save_card=True)
    again = agreements.pay(story.subscription_id, order, actor="vera", at=story.at)
    assert again
    story.bank.pay(again.redirect_url, "4000000000009995")  # the new card is empty,
    story.bank.pay(again.redirect_url, "5555555555554444")  # the next one is not
    all_events_came(story)
    story.wait(minutes=5)
    assert (story.subscription.status, len(story.charges())) == ("active", 4)
    assert PaymentMethod.objects.count() == 2
    return again


def all_agree(story: Story, *, lines: int) -> None:
    """Stripe's statement and our books say the same."""
    result = reconciliation.run("stripe", now().astimezone(UTC).date(), at=story.at)
    assert (result.opened, Case.objects.count()) == ([], 0)
    assert result.lines >= lines
    assert not Payment.objects.exclude(parked="")
    assert not audit.run(at=story.at).breaches


def test_a_dispute_at_stripe_is_a_case_of_its_payment(story: Story) -> None:
    story.subscribe()
    story.pay()
    all_events_came(story)
    story.wait(minutes=1)
    story.bank.charge_back(f"pay_{story.payment.acquirer_payment_id.removeprefix('pi_')}", 10_000)
    all_events_came(story)
    case = Case.objects.get()
    assert (case.kind, case.payment, case.theirs) == ("chargeback", story.payment, 10_000)
    assert story.payment.charged_back == 10_000


def test_events_that_we_do_not_follow_are_answered_and_not_kept(story: Story) -> None:
    story.subscribe()
    story.pay()
    all_events_came(story)
    sent = {each["type"] for each in story.bank.callbacks()}
    kept = set(Callback.objects.values_list("kind", flat=True))
    assert sent - kept == {"charge.succeeded"}


def test_a_page_that_is_given_up_is_closed_at_stripe(story: Story) -> None:
    payment = story.subscribe()
    story.wait(hours=2)
    assert story.payment.status == "cancelled"
    story.bank.pay(payment.redirect_url)
    assert story.charges() == []
    all_events_came(story)
    story.agree()


def test_an_order_captured_twice_at_stripe_goes_back_once(story: Story) -> None:
    story.subscribe()
    story.bank.fault("captured_twice")
    story.pay()
    eventually(lambda: all(each["state"] == "delivered" for each in story.bank.callbacks()), 20)
    story.wait(minutes=5)
    assert (len(story.charges()), Payment.objects.filter(surplus=True).count()) == (2, 1)
    assert story.watches
    story.agree()


def signed(bank: LocalBank, kind: str, at: datetime) -> tuple[dict[str, str], bytes]:
    """An event that tells of nobody's payment, as Stripe would have signed it at `at`."""
    content = {"id": "re_1", "status": "succeeded", "amount": 100, "currency": "rub", "created": 1}
    event = {"id": "evt_1", "type": kind, "created": 1, "data": {"object": content}}
    body = json.dumps(event).encode()
    return {"Stripe-Signature": sign(bank.callback_secret, body, int(at.timestamp()))}, body


def test_a_callback_is_as_old_as_when_it_came_however_late_it_is_read(story: Story) -> None:
    yesterday = now() - timedelta(days=1)
    callbacks.receive("stripe", "", *signed(story.bank, "refund.updated", yesterday), at=yesterday)
    done = callbacks.process(Callback.objects.get().pk, at=now())
    assert (done.status, Case.objects.get().kind) == ("processed", "unknown_refund")


def test_a_stranger_cannot_say_when_a_callback_came(story: Story) -> None:
    yesterday = now() - timedelta(days=1)
    headers, body = signed(story.bank, "refund.updated", yesterday)
    with pytest.raises(Invalid):
        callbacks.receive("stripe", "", headers | {RECEIVED_AT: yesterday.isoformat()}, body, at=now())
    assert not Callback.objects.exists()
