"""Stripe's own Python library against the bank that speaks its protocol."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import stripe

from tests.acquiring.shop import Shop
from tests.acquiring.stripe_far import StripeFar, sdk
from tests.local_bank import LocalBank

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PAGE = {
    "mode": "payment",
    "success_url": "https://shop.example/back",
    "client_reference_id": "o-1",
    "customer_creation": "always",
    "line_items": [
        {"quantity": 1, "price_data": {"currency": "rub", "unit_amount": 29900, "product_data": {"name": "Films"}}}
    ],
    "payment_intent_data": {"metadata": {"order_id": "o-1"}, "setup_future_usage": "off_session"},
}


@pytest.fixture
def far(bank: LocalBank, shop: Shop) -> StripeFar:
    return StripeFar(bank, shop)


@pytest.fixture
def v1(bank: LocalBank, far: StripeFar) -> stripe.StripeClient:
    return sdk(bank).v1


@pytest.fixture
def paid(v1, bank: LocalBank) -> stripe.PaymentIntent:
    """A page that was paid, and whose card was kept."""
    session = v1.checkout.sessions.create(PAGE)
    bank.pay(session.url)
    done = v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge"]})
    assert (done.status, done.payment_status, done.url) == ("complete", "paid", None)
    return done.payment_intent


def saved(paid: stripe.PaymentIntent, **more: object) -> dict[str, object]:
    """A charge of the card that was kept."""
    form = {"amount": 1099, "currency": "rub", "customer": paid.customer, "payment_method": paid.payment_method}
    return form | {"off_session": True, "confirm": True, "metadata": {"order_id": "o-2"}} | more


def test_a_page_is_paid_and_its_charge_tells_the_card(paid):
    assert (paid.status, paid.amount_received, paid.metadata["order_id"]) == ("succeeded", 29900, "o-1")
    assert paid.latest_charge.payment_method_details.card.last4 == "4242"
    assert paid.customer.startswith("cus_") and paid.payment_method.startswith("pm_")


def test_a_saved_card_is_charged_once_for_one_key(v1, paid):
    form, key = saved(paid), {"idempotency_key": "ik-1"}
    first, again = (v1.payment_intents.create(form, key) for _ in range(2))
    assert (first.id, first.status) == (again.id, "succeeded")
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    with pytest.raises(stripe.IdempotencyError):
        v1.payment_intents.create(saved(paid, amount=1100), key)
    with pytest.raises(stripe.IdempotencyError):
        v1.checkout.sessions.create(PAGE, key)
    assert v1.payment_intents.create(form, {"idempotency_key": "ik-2"}).id != first.id  # another key, more money


def test_a_decline_is_a_card_error_with_all_that_stripe_tells(v1, bank, paid):
    bank.fault("decline:insufficient_funds")
    with pytest.raises(stripe.CardError) as declined:
        v1.payment_intents.create(saved(paid), {"idempotency_key": "ik-1"})
    error = declined.value.error
    assert (error.code, error.decline_code, error.advice_code) == (
        "card_declined", "insufficient_funds", "try_again_later",
    )  # fmt: skip
    assert error.payment_intent["status"] == "requires_payment_method"
    found = v1.payment_intents.retrieve(error.payment_intent["id"])
    assert found.last_payment_error.decline_code == "insufficient_funds"
    with pytest.raises(stripe.CardError):  # a decline is kept with its key
        v1.payment_intents.create(saved(paid), {"idempotency_key": "ik-1"})


def test_a_500_is_kept_with_its_key_and_a_refused_request_is_not(v1, bank, paid):
    bank.fault("error_after")
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            v1.payment_intents.create(saved(paid), {"idempotency_key": "ik-1"})
    assert [each.metadata["order_id"] for each in v1.payment_intents.list().data] == ["o-2", "o-1"]
    with pytest.raises(stripe.InvalidRequestError):
        v1.payment_intents.create(saved(paid, amount=0), {"idempotency_key": "ik-2"})
    assert v1.payment_intents.create(saved(paid), {"idempotency_key": "ik-2"}).status == "succeeded"


def test_a_held_sum_is_captured_in_part_or_let_go(v1, paid):
    held = v1.payment_intents.create(saved(paid, capture_method="manual"))
    assert (held.status, held.amount_capturable) == ("requires_capture", 1099)
    taken = v1.payment_intents.capture(held.id, {"amount_to_capture": 500})
    assert (taken.status, taken.amount_received) == ("succeeded", 500)
    other = v1.payment_intents.create(saved(paid, capture_method="manual"))
    assert v1.payment_intents.cancel(other.id, {"cancellation_reason": "abandoned"}).status == "canceled"
    for act in (v1.payment_intents.cancel, v1.payment_intents.capture):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            act(held.id)
        assert refused.value.code == "payment_intent_unexpected_state"


def test_refunds_in_parts_down_to_zero_and_no_further(v1, paid):
    made = [v1.refunds.create({"payment_intent": paid.id, "amount": amount}) for amount in (100, 29800)]
    assert [(each.status, each.amount) for each in made] == [("succeeded", 100), ("succeeded", 29800)]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        v1.refunds.create({"payment_intent": paid.id, "amount": 1})
    assert refused.value.code == "charge_already_refunded"
    assert [each.id for each in v1.refunds.list({"payment_intent": paid.id}).data] == [made[1].id, made[0].id]
    assert v1.refunds.retrieve(made[0].id).payment_intent == paid.id
    assert v1.charges.retrieve(paid.latest_charge.id).refunded is True


def test_more_than_was_paid_is_not_refunded(v1, paid):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        v1.refunds.create({"payment_intent": paid.id, "amount": 29901})
    assert refused.value.code == "amount_too_large"


def test_an_open_page_is_closed_and_its_intent_cannot_be_cancelled(v1, bank):
    session = v1.checkout.sessions.create(PAGE)
    assert session.payment_intent is None
    bank.pay(session.url, "4000000000000002")
    tried = v1.checkout.sessions.retrieve(session.id)
    assert (tried.status, tried.payment_status) == ("open", "unpaid")
    with pytest.raises(stripe.InvalidRequestError):
        v1.payment_intents.cancel(tried.payment_intent)
    assert v1.checkout.sessions.expire(session.id).status == "expired"
    with pytest.raises(stripe.InvalidRequestError):
        v1.checkout.sessions.expire(session.id)


def test_lists_are_paged_newest_first(v1, paid):
    made = [v1.payment_intents.create(saved(paid)).id for _ in range(4)]
    pages = v1.payment_intents.list({"limit": 2})
    assert pages.has_more
    assert [each.id for each in pages.auto_paging_iter()] == [*reversed(made), paid.id]
    assert v1.payment_intents.list({"created": {"lt": paid.created - 3600}}).data == []
    entries = v1.balance_transactions.list({"expand": ["data.source"], "limit": 3})
    assert [each.source.object for each in entries.auto_paging_iter()] == ["charge"] * 5


@pytest.mark.parametrize(
    "ask",
    [
        lambda v1: v1.payment_intents.retrieve("pi_nobody"),
        lambda v1: v1.checkout.sessions.retrieve("cs_test_nobody"),
        lambda v1: v1.refunds.retrieve("re_nobody"),
        lambda v1: v1.charges.retrieve("ch_nobody"),
        lambda v1: v1.payment_intents.create(
            {"amount": 1, "currency": "rub", "customer": "cus_1", "payment_method": "pm_1", "confirm": True}
        ),
        lambda v1: v1.refunds.create({"payment_intent": "pi_nobody"}),
    ],
)
def test_what_nobody_knows_is_missing(v1, ask: Callable):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        ask(v1)
    assert refused.value.code == "resource_missing"


@pytest.mark.parametrize(
    "form",
    [
        PAGE | {"colour": "red"},
        PAGE | {"expires_at": 1},
        PAGE | {"mode": "subscription"},
        PAGE | {"line_items": []},
        PAGE | {"metadata": {"k" * 41: "v"}},
        {"mode": "payment"},
    ],
)
def test_what_stripe_would_not_take_is_refused(v1, form):
    with pytest.raises(stripe.InvalidRequestError):
        v1.checkout.sessions.create(form)


def test_a_wrong_key_is_refused(bank):
    address = {"api": f"{bank.api_url}/stripe"}
    stranger = stripe.StripeClient("sk_test_wrong", base_addresses=address, max_network_retries=0)
    with pytest.raises(stripe.AuthenticationError):
        stranger.v1.payment_intents.list()


def test_events_are_signed_as_stripe_signs_them(bank, far, paid):
    delivery = far.event("checkout.session.completed")
    signature = delivery.headers["stripe-signature"]
    event = stripe.Webhook.construct_event(delivery.body, signature, bank.callback_secret)
    assert event.data.object.payment_intent == paid.id
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(delivery.body + b" ", signature, bank.callback_secret)
    assert json.loads(delivery.body)["api_version"] == "2026-10-28.endive"
