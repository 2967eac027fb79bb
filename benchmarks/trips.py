"""The trips over HTTP, as sides of a comparison: the product's first, then what it is held against."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import psycopg
from django.db import connection
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import User
from benchmarks import bank, bare, fill, web
from benchmarks.measure import Side, each, idle
from benchmarks.views import shared
from billing import tasks
from billing.models import Callback, Payment, Refund
from subscriptions.models import Subscription

API = "/api/v1"


def received() -> list[Side]:
    """A callback verified, stored and answered."""

    def product(item: Any) -> None:
        web.call("POST", f"{API}/callbacks/sandbox", *item)

    def stored(items: Sequence[Any]) -> None:
        keys = [json.loads(body)["id"] for body, _ in items]
        _all(Callback.objects.filter(dedupe_key__in=keys), items)
        Callback.objects.filter(dedupe_key__in=keys).delete()  # nobody is to act on them

    return [
        Side("product", _notes, each(product), stored),
        Side("view, one INSERT", _notes, each(lambda item: web.call("POST", "/bare/store", item[0])), stored),
        _outside("psycopg, one INSERT", _notes, lambda cursor, item: bare.store(cursor, *bare.read(item[0])), "store"),
        *_empty(),
    ]


def settled() -> list[Side]:
    """A callback received, then acted on by the workers' tasks until nothing is due: paid, booked, active."""

    def product(items: Sequence[Any]) -> int:
        for item in items:
            web.call("POST", f"{API}/callbacks/sandbox", *item)
        for task in (tasks.process_callbacks, tasks.deliver_events):
            task()
            idle()
        return len(items)

    def active(items: Sequence[Any]) -> None:
        ids = [json.loads(body)["object"]["order_id"] for body, _ in items]
        _all(Subscription.objects.filter(status="active", periods__invoice__payments__in=ids), items)

    return [
        Side("product", _notes, product, active),
        Side("view, nine statements", _notes, each(lambda item: web.call("POST", "/bare/settle", item[0])), active),
        _outside("psycopg, nine statements", _notes, lambda cur, item: bare.settle(cur, *bare.read(item[0])), "settle"),
        *_empty(),
    ]


def checkout() -> list[Side]:
    """An order placed, up to the answer that says where to pay."""

    def product(lot: fill.Lot) -> None:
        body = json.dumps({"plan": "month"}).encode()
        assert b"bank.invalid" in web.call("POST", f"{API}/subscriptions/subscribe", body, _signed_in(lot.user))

    def view(lot: fill.Lot) -> None:
        assert b"bank.invalid" in web.call("POST", "/bare/begin", json.dumps({"user": str(lot.user)}).encode())

    def begun(lots: Sequence[fill.Lot]) -> None:
        _all(Payment.objects.filter(status="pending", user__in=[lot.user for lot in lots]), lots)

    def outside(cursor: bare.Cursor, lot: fill.Lot) -> None:
        bare.begin(cursor, str(lot.user), shared())

    return [
        Side("product", fill.people, each(product), begun),
        Side("view, six statements", fill.people, each(view), begun),
        _outside("psycopg, six statements", fill.people, outside, "begin"),
        *_empty(),
    ]


def refund() -> list[Side]:
    """A refund asked for by staff, sent to the bank and made."""

    def product(lot: fill.Lot) -> None:
        asked = {"payment": str(lot.payment), "amount": str(bank.PRICE // 200), "reason": "asked"}
        answer = web.call("POST", f"{API}/payments/refund", json.dumps(asked).encode(), _signed_in(_staff()))
        assert b'"succeeded"' in answer, answer

    def view(lot: fill.Lot) -> None:
        asked = {"payment": str(lot.payment), "user": str(lot.user)}
        web.call("POST", "/bare/give-back", json.dumps(asked).encode())

    def made(lots: Sequence[fill.Lot]) -> None:
        _all(Refund.objects.filter(status="succeeded", payment__in=[lot.payment for lot in lots]), lots)

    def outside(cursor: bare.Cursor, lot: fill.Lot) -> None:
        bare.give_back(cursor, str(lot.payment), str(lot.user))

    return [
        Side("product", fill.paid, each(product), made),
        Side("view, four statements", fill.paid, each(view), made),
        _outside("psycopg, four statements", fill.paid, outside, "give_back"),
        *_empty(),
    ]


def access() -> list[Side]:
    """May this person watch, and until when, asked with a token of theirs."""

    def signed_in(trips: int) -> list[Any]:
        return [(lot, _signed_in(lot.user)) for lot in fill.paid(trips)]

    def product(item: Any) -> None:
        assert b'"cinema"' in web.call("GET", f"{API}/access", headers=item[1])

    def view(item: Any) -> None:
        assert b'"cinema"' in web.call("GET", f"/bare/one-query?user_id={item[0].user}")

    return [
        Side("product", signed_in, each(product)),
        Side("DRF view, one ORM query", signed_in, each(view)),
        _outside("psycopg, one SELECT", signed_in, lambda cur, item: bare.look(cur, str(item[0].user)), "look"),
        *_empty(),
    ]


def _notes(trips: int) -> list[Any]:
    """Callbacks of payments that wait."""
    return [bank.paid(lot.payment) for lot in fill.waiting(trips)]


def _signed_in(user_id: uuid.UUID) -> dict[str, str]:
    token = AccessToken()
    token["user_id"] = str(user_id)
    return {"Authorization": f"Bearer {token}"}


@cache
def _staff() -> uuid.UUID:
    staff: uuid.UUID = User.objects.create_superuser(f"staff-{uuid.uuid4()}@example.com", "secret-enough").pk
    return staff


def _all(rows: Any, items: Sequence[Any]) -> None:
    found = rows.count()
    assert found == len(items), f"{found} of {len(items)} trips were made"


def _outside(
    name: str, prepare: Callable[[int], Sequence[Any]], trip: Callable[[bare.Cursor, Any], object], bare_thing: str
) -> Side:
    """The bare statements outside Django: psycopg's own connection and cursor, a transaction for each trip."""

    def one(item: Any) -> None:
        with connected().transaction(), connected().cursor() as cursor:
            trip(cursor, item)

    return Side(name, prepare, each(one), statements=bare.STATEMENTS[bare_thing])


@cache
def connected() -> psycopg.Connection[Any]:
    """psycopg's own connection to the same database."""
    at = connection.settings_dict
    return psycopg.connect(
        host=at["HOST"],
        port=at["PORT"],
        user=at["USER"],
        password=at["PASSWORD"] or None,
        dbname=at["NAME"],
        autocommit=True,
    )


def _empty() -> list[Side]:
    """What a view costs that does nothing."""

    def prepare(trips: int) -> range:
        return range(trips)

    return [
        Side("empty view", prepare, each(lambda item: web.call("GET", "/bare/empty"))),
        Side("empty DRF view", prepare, each(lambda item: web.call("GET", "/bare/drf"))),
    ]
