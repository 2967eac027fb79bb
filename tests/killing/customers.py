"""Customers who know nothing of the killing: each repeats a request with its key until it is answered."""

from __future__ import annotations

import random
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import Any

import requests

from tests.local_bank import Visitor

PLANS = ("month", "quarter", "half-year", "year")
GOOD, CODE, DECLINED = "4242424242424242", "4000000000003220", "4000000000000002"
FINAL = ("succeeded", "failed", "cancelled")
PATIENCE = 240.0  # seconds that a customer repeats one request


@dataclass(frozen=True)
class Accepted:
    """An operation that the API answered with 2xx, and how to ask for it again."""

    kind: str
    token: str
    key: str
    path: str
    body: dict[str, Any]
    answer: dict[str, Any]


@dataclass
class Notes:
    """What all customers saw."""

    accepted: list[Accepted] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)  # what no customer should see
    seen: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    lock: Lock = field(default_factory=Lock)

    def count(self, what: str) -> None:
        with self.lock:
            self.seen[what] += 1


class Refused(Exception):
    """A 4xx: the API has understood and will not."""

    def __init__(self, path: str, status: int, body: dict[str, Any], tries: int) -> None:
        super().__init__(f"{path}: {status} {body} after {tries} tries without an answer")
        self.code, self.tries = str(body.get("code", "")), tries


class Caller:
    """A client of the API that repeats what got no answer."""

    def __init__(self, url: str, notes: Notes) -> None:
        self.url, self.notes = url, notes
        self.http = requests.Session()
        self.http.trust_env = False

    def call(self, method: str, path: str, token: str, body: Any = None, key: str = "") -> tuple[dict[str, Any], int]:
        """The answer, and how many tries got none. Raises Refused; TimeoutError after PATIENCE."""
        headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": key} if key else {})
        until, tries = time.monotonic() + PATIENCE, 0
        while time.monotonic() < until:
            try:
                answer = self.http.request(
                    method, f"{self.url}/api/v1/{path}", json=body, headers=headers, timeout=20, allow_redirects=False
                )
                told = answer.json()
            except (requests.RequestException, ValueError) as error:
                self.notes.count(type(error).__name__)
            else:
                with self.notes.lock:
                    self.notes.answers[answer.status_code] += 1
                if answer.ok:
                    return told, tries
                if answer.status_code < 500 and told.get("code") not in ("request_in_flight", "throttled"):
                    raise Refused(path, answer.status_code, told, tries)
            tries += 1
            time.sleep(min(0.1 * tries, 1.0))
        raise TimeoutError(f"{method} {path} was never answered")


class Customer(Thread):
    """One customer: subscribes, pays, asks staff for a part of it, cancels; again and again, until `enough`."""

    def __init__(self, number: int, caller: Caller, bank_url: str, token: str, staff: str, enough: Event) -> None:
        super().__init__(name=f"customer-{number}", daemon=True)
        self.dice = random.Random(number)
        self.caller, self.notes, self.token, self.staff, self.enough = caller, caller.notes, token, staff, enough
        self.till = Visitor(bank_url)

    def run(self) -> None:
        try:
            while not self.enough.is_set():
                self.trip()
                self.notes.count("trip")
        except Exception as error:
            self.notes.odd.append(f"{self.name}: {type(error).__name__}: {error}")

    def trip(self) -> None:
        """From the choice of a plan to the last kopeck back, or to the closed checkout."""
        begun = self.act("subscribe", "subscriptions/subscribe", {"plan": self.dice.choice(PLANS)})
        subscription, payment = begun["id"], begun["payment"]
        while self.pay(payment) != "succeeded":
            if self.dice.random() < 0.5:
                self.cancel(subscription)
                return
            payment = self.act("pay again", "payments/payment", {"subscription": subscription})["id"]
        self.wait_until(f"subscriptions/{subscription}", lambda told: told["status"] == "active")
        for _ in range(self.dice.choice((0, 0, 1, 2))):
            amount = f"{self.dice.randint(1, 99)}.{self.dice.randint(0, 99):02d}"
            self.act("refund", "payments/refund", {"payment": payment, "amount": amount, "reason": "Sorry"}, self.staff)
        if self.dice.random() < 0.8 or not self.enough.is_set():
            self.cancel(subscription)

    def pay(self, payment: str) -> str:
        """Goes to the bank's page when there is one, and waits for the payment's end; returns its last state."""
        told = self.wait_until(
            f"payments/{payment}", lambda told: told["status"] in FINAL or told["redirect_url"], payment
        )
        if told["status"] in FINAL:
            return str(told["status"])
        card = self.dice.choices((GOOD, CODE, DECLINED, "leave"), (70, 10, 10, 10))[0]
        until = time.monotonic() + PATIENCE
        while True:
            try:
                if card == "leave":
                    self.till.leave(told["redirect_url"])
                else:
                    self.till.pay(told["redirect_url"], card)
                break
            except requests.RequestException as error:
                self.notes.count(f"bank: {type(error).__name__}")
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)
        return str(self.wait_until(f"payments/{payment}", lambda told: told["status"] in FINAL, payment)["status"])

    def cancel(self, subscription: str) -> None:
        """Cancels; what the bank or a payment in the way refuses is asked again, as people do."""
        key, until = self.new_key(), time.monotonic() + PATIENCE
        while True:
            try:
                self.act("unsubscribe", "subscriptions/unsubscribe", {"subscription": subscription}, key=key)
                return
            except Refused as refusal:
                self.notes.count(f"unsubscribe: {refusal.code}")
                if refusal.tries and refusal.code == "not_cancellable":
                    self.notes.odd.append(f"cancelled, but the same key gets {refusal}")
                    return
                if refusal.code == "invoice_paid":
                    self.wait_until(f"subscriptions/{subscription}", lambda told: told["status"] != "pending")
                elif refusal.code != "payment_in_progress" or time.monotonic() > until:
                    raise
            time.sleep(0.3)

    def new_key(self) -> str:
        return str(uuid.UUID(int=self.dice.getrandbits(128)))

    def act(self, kind: str, path: str, body: dict[str, Any], token: str = "", key: str = "") -> dict[str, Any]:
        """One operation with a key of its own, repeated until it is accepted. Raises Refused."""
        token, key = token or self.token, key or self.new_key()
        time.sleep(self.dice.uniform(0, 0.2))
        answer, tries = self.caller.call("POST", path, token, body, key)
        self.notes.accepted.append(Accepted(kind, token, key, path, body, answer))
        if tries:
            self.notes.count(f"{kind}: answered after being repeated")
        return answer

    def wait_until(self, path: str, done: Any, check: str = "") -> dict[str, Any]:
        """Looks again and again; with `check` every third time has the bank asked. Raises TimeoutError."""
        until, looks = time.monotonic() + PATIENCE, 0
        while time.monotonic() < until:
            looks += 1
            if check and looks % 3 == 0:
                told, _ = self.caller.call("POST", "payments/check", self.token, {"payment": check})
            else:
                told, _ = self.caller.call("GET", path, self.token)
            if done(told):
                return told
            time.sleep(min(0.1 * looks, 1.0))
        raise TimeoutError(f"{path} stays {told['status']}")
