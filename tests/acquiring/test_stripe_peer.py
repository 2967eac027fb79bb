"""The backend against a Stripe that others wrote: localstripe, for the trips that it knows.

It has no Checkout, takes no descriptions, ignores keys and filters no lists by time; it answers 200 requires_action
where Stripe answers 402, and calls what a partial capture leaves a refund.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
import requests
import stripe
from moneyed import Money

from acquiring.backends.stripe import Stripe
from acquiring.types import Decline, Status, Subject
from tests.acquiring.far import charge, refund
from tests.acquiring.shop import Shop
from tests.local_bank import eventually

KEY, SECRET = "sk_test_12345", "whsec_peer"
PROGRAM = """
import socket, sys, warnings
warnings.simplefilter("ignore")
from aiohttp import web
from localstripe.server import app
line = socket.socket()
line.bind(("127.0.0.1", 0))
print(line.getsockname()[1], flush=True)
web.run_app(app, sock=line, print=None)
"""
EURO = Money("12.34", "EUR")


@pytest.fixture(scope="module")
def peer() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = f"http://127.0.0.1:{int(process.stdout.readline())}"
    try:
        eventually(lambda: _up(url), 20)
        yield url
    finally:
        process.kill()
        process.wait(timeout=10)
        process.stdout.close()


@pytest.fixture
def acquirer(peer: str) -> Stripe:
    requests.delete(f"{peer}/_config/data", timeout=10).raise_for_status()
    return Stripe(KEY, [SECRET], peer, 10, describe=False)


def _up(url: str) -> bool:
    try:
        return requests.get(url, timeout=1).status_code > 0
    except requests.RequestException:
        return False


def saved(peer: str, number: str = "4242424242424242") -> str:
    """A card, saved by Stripe's own library."""
    v1 = stripe.StripeClient(KEY, base_addresses={"api": peer}, max_network_retries=0).v1
    customer = v1.customers.create({"email": "ann@example.org"})
    card = {"number": number, "exp_month": 12, "exp_year": 2038, "cvc": "123"}
    method = v1.payment_methods.create({"type": "card", "card": card})
    v1.payment_methods.attach(method.id, {"customer": customer.id})
    return f"{customer.id}:{method.id}"


def test_a_saved_card_is_charged_and_found_and_given_back_in_parts(acquirer, peer):
    order = charge(token=saved(peer), amount=EURO)
    paid = acquirer.charge(order)
    assert (paid.status, paid.our_id, paid.amount) == (Status.SUCCEEDED, order.our_id, EURO)
    found = acquirer.fetch(Subject.PAYMENT, order.our_id, paid.reference)
    assert (found.status, found.refunded) == (Status.SUCCEEDED, Money(0, "EUR"))
    back = refund(paid, Money("2.34", "EUR"))
    made = acquirer.refund(back)
    assert (made.status, made.amount) == (Status.SUCCEEDED, back.amount)
    assert acquirer.fetch(Subject.REFUND, back.our_id, made.reference).our_id == back.our_id
    assert acquirer.fetch(Subject.PAYMENT, order.our_id, paid.reference).refunded == back.amount


def test_a_hold_is_taken_in_part_or_let_go(acquirer, peer):
    card = saved(peer)
    held = acquirer.charge(charge(token=card, amount=EURO, capture=False))
    assert held.status is Status.AUTHORIZED
    part = charge(our_id=held.our_id, amount=Money("2.00", "EUR"))
    taken = acquirer.capture(held.our_id, held.reference, part)
    assert (taken.status, taken.amount - taken.refunded) == (Status.SUCCEEDED, part.amount)
    other = acquirer.charge(charge(token=card, amount=EURO, capture=False))
    assert acquirer.void(other.our_id, other.reference).status is Status.CANCELLED


def test_a_decline_is_a_failure_though_it_does_not_say_why(acquirer, peer):
    outcome = acquirer.charge(charge(token=saved(peer, "4000000000000341"), amount=EURO))
    assert (outcome.status, outcome.decline, outcome.code) == (Status.FAILED, Decline.RETRY_LATER, "card_declined")


def test_a_card_that_asks_for_its_absent_owner_is_the_customers_turn(acquirer, peer):
    outcome = acquirer.charge(charge(token=saved(peer, "4000002500003155"), amount=EURO))
    assert (outcome.status, outcome.decline) == (Status.FAILED, Decline.CUSTOMER_ACTION)


def test_its_signed_callbacks_are_believed(acquirer, peer, shop: Shop):
    hook = {"url": shop.url, "secret": SECRET, "events[]": "payment_intent.succeeded"}
    requests.post(f"{peer}/_config/webhooks/ours", data=hook, timeout=10).raise_for_status()
    paid = acquirer.charge(charge(token=saved(peer), amount=EURO))
    ours = paid.our_id.encode()  # it may still be telling of the tests before
    [delivery] = eventually(lambda: [each for each in shop.deliveries if ours in each.body])
    notice = acquirer.parse("", delivery.headers, delivery.body)
    assert (notice.trusted, notice.outcome.status) == (True, Status.SUCCEEDED)
    assert notice.outcome == replace(notice.outcome, reference=paid.reference, our_id=paid.our_id, amount=EURO)
