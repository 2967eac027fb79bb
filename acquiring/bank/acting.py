"""What the APIs of all protocols share: the ordered faults around an act, and "the same key, the same answer"."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import request

from acquiring.bank.house import the_bank
from acquiring.bank.records import stamp

Body = dict[str, Any]
Answer = tuple[int, Body]


def refuse() -> None:
    """Hangs up at the door while the bank is ordered to refuse."""
    bank = the_bank()
    if bank.faults.refusing():
        bank.hang_up(request.environ)


def is_merchant() -> bool:
    """Whether the request bears the merchant's name and secret (HTTP Basic). Takes as long for a wrong one."""
    config, authorization = the_bank().config, request.authorization
    if authorization is None or authorization.type != "basic":
        return False
    given = f"{authorization.username}:{authorization.password}".encode()
    return hmac.compare_digest(given, f"{config.merchant}:{config.secret}".encode())


def slow() -> None:
    """Keeps a known merchant waiting, if so ordered."""
    bank = the_bank()
    if fault := bank.faults.take("slow"):
        bank.pause(fault.number)


def faulty(act: Callable[[], Answer], broken: Answer) -> Answer:
    """Acts, with the ordered time-outs around it. `broken` is answered where an error comes after the act."""
    bank = the_bank()
    if bank.faults.take("timeout_before"):
        bank.hang(request.environ)
    status, answer = act()
    if status < 400:
        if bank.faults.take("timeout_after"):
            bank.hang(request.environ)
        if bank.faults.take("error_after"):
            return broken
    return status, answer


def once(key: str, body: Body, act: Callable[[], Answer], *, window: timedelta, mismatch: Answer) -> Answer:
    """The first answer of this key within the window if there is one, else acts and keeps the answer, all or nothing.

    "" is no key. `mismatch` is answered where the key was used for another request.
    """
    bank = the_bank()
    canonical = json.dumps([request.method, request.path, body], sort_keys=True)
    fingerprint = hashlib.sha256(canonical.encode()).hexdigest()
    with bank.books.transaction():
        since = stamp(bank.journal.now() - window)
        known = bank.books.query("SELECT * FROM answers WHERE key = ? AND at > ?", key, since) if key else []
        if known:
            if known[0]["fingerprint"] != fingerprint:
                return mismatch
            return known[0]["status"], json.loads(known[0]["body"])
        status, answer = act()
        if key:
            kept = (key, fingerprint, status, json.dumps(answer), stamp(bank.journal.now()))
            bank.books.query("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)", *kept)
        return status, answer
