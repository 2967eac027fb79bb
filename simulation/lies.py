"""News that the bank signs well although they are not true: the same operation, another amount."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from acquiring.bank.house import Config
from acquiring.bank.records import Note
from acquiring.bank.tongues import TONGUES, Sealing

MORE = 100  # minor units


def of(note: Note, config: Config) -> tuple[bytes, Mapping[str, str]] | None:
    """The lie that may be told before this callback, and its headers; None where the protocol leaves no room for one.

    CloudPayments has none: there a lie would be the same callback, and the true one would not be read any more.
    """
    if note.forged or note.tongue not in LIARS:
        return None
    news = json.loads(note.body)
    if not LIARS[note.tongue](news):
        return None
    body, tongue = json.dumps(news, ensure_ascii=False).encode(), TONGUES[note.tongue]
    if isinstance(tongue, Sealing):
        body = tongue.sealed(config, body, False)
    return body, tongue.headers(config, body, False)


def is_of_a_refund(note: Note) -> bool:
    """Whether a callback tells of money that goes back."""
    return note.type.startswith("refund")


def _own(news: dict[str, Any]) -> bool:
    told = news["object"]
    news["id"] += "_lie"
    told["amount"] += MORE
    return bool(told["order_id"])  # of the cabinet's doings we know nothing but what is told


def _stripe(news: dict[str, Any]) -> bool:
    told = news["data"]["object"]
    news["id"] += "_lie"
    for name in ("amount", "amount_received"):
        if told.get(name):
            told[name] += MORE
    return told["object"] in ("payment_intent", "refund") and "order_id" in told["metadata"]


def _tbank(news: dict[str, Any]) -> bool:
    news["Amount"] += MORE
    return True


def _yookassa(news: dict[str, Any]) -> bool:
    amount = news["object"]["amount"]
    amount["value"] = f"{int(amount['value'].replace('.', '')) + MORE:03d}"
    amount["value"] = f"{amount['value'][:-2]}.{amount['value'][-2:]}"
    return bool(news["object"]["metadata"])


LIARS = {"": _own, "stripe": _stripe, "tbank": _tbank, "yookassa": _yookassa}
