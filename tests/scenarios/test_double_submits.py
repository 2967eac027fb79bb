"""Fifty of the same at one moment, by HTTP: one effect, and nobody gets an answer that is not his.

A further verb is one more line of VERBS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.acquiring.shop import Shop
from tests.billing.desk import together
from tests.conftest import sandbox_at
from tests.local_bank import LocalBank
from tests.scenarios.crowd import Answer, World
from tests.things import now, plan, run_until_idle

pytestmark = pytest.mark.django_db(transaction=True)
CROWD = 50
CARD = {"number": "4242424242424242", "expiry": "12/38", "cvc": "123", "pay": "1"}

BEGUN = {"subscriptions": 1, "invoices": 1, "payments": 1}
PAID = BEGUN | {"paid": 1, "activated": 1, "transfers": 1, "charged at the bank": 1}
ONE_BACK = PAID | {"refunds": 1, "transfers": 2, "given back at the bank": 1}
CANCELLED = ONE_BACK | {"cancelled": 1}
TWO_BACK = PAID | {"refunds": 2, "transfers": 3, "given back at the bank": 2}
TOP_UP = {"invoices": 1, "payments": 1}
FILLED = TOP_UP | {"paid": 1, "transfers": 1, "charged at the bank": 1}
EMPTIED = FILLED | {"refunds": 1, "transfers": 3, "given back at the bank": 1}  # held at the promise, then made
SPENT = BEGUN | {"invoices": 2, "payments": 3, "paid": 2, "transfers": 2, "activated": 1, "charged at the bank": 1}
IN_FLIGHT = "request_in_flight"

Begun = dict[str, Any]


@dataclass(frozen=True)
class Verb:
    """`deed` is done by each of the crowd (its number last) to what `given` brings about."""

    name: str
    given: Callable[[World], Begun]
    deed: Callable[[World, Begun, int], Answer]
    effects: dict[str, int]
    answers: frozenset[str]  # what one may hear: statuses, and codes of refusals
    done: int = 1  # how many at least hear that it is done
    same: bool = True  # those all hear the same words


def nothing(world: World) -> Begun:
    return {}


def delivered(world: World) -> Begun:
    """A payment whose callback lies in the post box, with what it says."""
    begun = world.at_the_bank()
    letter = world.post_box.wait_for(1)[0]
    return begun | {"body": letter.body, "signature": letter.headers["x-bank-signature"]}


def subscribe(world: World, begun: Begun, key: str) -> Answer:
    return world.post("subscriptions/subscribe", {"plan": "month"}, key)


def begin_to_pay(world: World, begun: Begun, key: str) -> Answer:
    return world.post("payments/payment", {"subscription": begun["id"]}, key)


def press_pay(world: World, begun: Begun, key: str) -> Answer:
    return world.send(begun["redirect_url"], data=CARD)


def call_back(world: World, begun: Begun, key: str) -> Answer:
    headers = {"X-Bank-Signature": begun["signature"], "Content-Type": "application/json"}
    return world.send(f"{world.url}/api/v1/callbacks/sandbox", data=begun["body"], headers=headers)


def check(world: World, begun: Begun, key: str) -> Answer:
    return world.post("payments/check", {"payment": begun["payment"]})


def refund(world: World, begun: Begun, key: str) -> Answer:
    body = {"payment": begun["payment"], "amount": "120.00", "reason": "Sorry"}
    return world.post("payments/refund", body, key, by=world.clerk)


def cancel(world: World, begun: Begun, key: str) -> Answer:
    return world.post("subscriptions/unsubscribe", {"subscription": begun["id"]}, key)


def filled(world: World) -> Begun:
    """A wallet of 500 rubles, and a checkout of 299 that waits."""
    top_up = world.post("wallet/top-up", {"value": "500.00", "currency": "RUB"}).told
    world.bank.pay(top_up["confirmation_url"])
    assert world.post("payments/check", {"payment": top_up["payment"]}).told["status"] == "succeeded"
    run_until_idle(now())
    return dict(top_up)


def top_up(world: World, begun: Begun, key: str) -> Answer:
    return world.post("wallet/top-up", {"value": "500.00", "currency": "RUB"}, key)


def empty(world: World, begun: Begun, key: str) -> Answer:
    return world.post("wallet/close", {"currency": "RUB"}, key)


def pay_from_wallet(world: World, begun: Begun, key: str) -> Answer:
    return world.post("wallet/pay", {"invoice": begun["bill"]}, key)


def owing(world: World) -> Begun:
    return filled(world) | {"bill": world.chosen()["invoice"]}


def one_key(deed: Callable[[World, Begun, str], Answer]) -> Callable[[World, Begun, int], Answer]:
    return lambda world, begun, number: deed(world, begun, "the-same")


def own_keys(deed: Callable[[World, Begun, str], Answer]) -> Callable[[World, Begun, int], Answer]:
    return lambda world, begun, number: deed(world, begun, f"key-{number}")


def hears(*words: str) -> frozenset[str]:
    return frozenset(words)


VERBS = (
    Verb("subscribe, one key", nothing, one_key(subscribe), BEGUN, hears("201", IN_FLIGHT)),
    Verb("subscribe, a key each", nothing, own_keys(subscribe), BEGUN, hears("201"), CROWD, same=False),
    Verb("begin to pay, a key each", World.chosen, own_keys(begin_to_pay), BEGUN, hears("201"), CROWD),
    Verb("the card's form", World.chosen, one_key(press_pay), PAID, hears("303"), CROWD, same=False),
    Verb("callback", delivered, one_key(call_back), PAID | {"callbacks": 1}, hears("200"), CROWD),
    Verb("ask the bank", World.at_the_bank, one_key(check), PAID, hears("200"), CROWD, same=False),
    Verb("refund, one key", World.bought, one_key(refund), ONE_BACK, hears("201", IN_FLIGHT)),
    Verb("refund, a key each", World.bought, own_keys(refund), TWO_BACK, hears("201", "over_refund"), 2, same=False),
    Verb("cancel, one key", World.bought, one_key(cancel), CANCELLED, hears("200", IN_FLIGHT)),
    Verb("cancel, a key each", World.bought, own_keys(cancel), CANCELLED, hears("200", "not_cancellable")),
    Verb("top up, one key", nothing, one_key(top_up), TOP_UP, hears("201", IN_FLIGHT)),
    Verb("empty the wallet, one key", filled, one_key(empty), EMPTIED, hears("200", IN_FLIGHT)),
    Verb("empty the wallet, a key each", filled, own_keys(empty), EMPTIED, hears("200", "empty_wallet"), same=False),
    Verb("pay from the wallet, a key each", owing, own_keys(pay_from_wallet), SPENT, hears("201"), CROWD, same=False),
    Verb("close, one key", World.chosen, one_key(cancel), BEGUN | {"abandoned": 1}, hears("200", IN_FLIGHT)),
)


@pytest.fixture
def post_box() -> Iterator[Shop]:
    box = Shop()
    yield box
    box.close()


@pytest.fixture
def world(bank: LocalBank, settings: Any, live_server: Any, post_box: Shop) -> World:
    settings.ALLOWED_HOSTS = ["*"]
    settings.PUBLIC_URL = live_server.url
    settings.ACQUIRERS = sandbox_at(bank, post_box.url, timeout=10.0)
    plan("month", 1, 29_900)
    return World(live_server.url, bank, post_box)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_M3_fifty_at_once_have_one_effect(world: World, verb: Verb) -> None:
    begun = verb.given(world)
    answers = together(CROWD, lambda number: verb.deed(world, begun, number))

    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert {answer.word for answer in answers} <= verb.answers
    done = [answer.told for answer in answers if answer.status < 400]
    assert len(done) >= verb.done
    if verb.same:
        assert all(told == done[0] for told in done)
    assert world.effects() == verb.effects
    world.is_right()
