"""Stripe's requests: forms with bracketed names, read strictly, and the errors that it answers with."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from acquiring.bank.api import CURRENCIES, LARGEST
from acquiring.bank.records import Refusal, stamp

Body = dict[str, Any]
SHORTEST, LONGEST = timedelta(minutes=30), timedelta(hours=24)
MOST_METADATA, LONGEST_KEY, LONGEST_VALUE = 50, 40, 500


class Refused(Refusal):
    """A request that Stripe will not act upon, and whose key it does not keep. `more` joins the error object."""

    def __init__(self, status: int, message: str, code: str = "", param: str = "", **more: Any) -> None:
        super().__init__(status, code, message)
        kind = more.pop("type", "invalid_request_error")
        self.error: Body = {"type": kind, "message": message} | more
        self.error |= {"code": code} if code else {}
        self.error |= {"param": param} if param else {}


def nested(pairs: Iterable[tuple[str, str]]) -> Body:
    """`a[b][0]=1` as {"a": {"b": {"0": "1"}}}; lists stay objects with numbers for names, or "" for `a[]`."""
    body: Body = {}
    for name, value in pairs:
        head, _, rest = name.partition("[")
        path = [head, *re.findall(r"([^\[\]]*)\]", rest)] if rest else [head]
        place = body
        for step in path[:-1]:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                raise Refused(400, f"Invalid {head}", param=head)
        last = path[-1] if path[-1] else str(len(place))  # `a[]` counts on
        place[last] = value
    return body


def known_only(body: Body, known: str, prefix: str = "") -> None:
    """Refuses a parameter that is not among the words of `known`, as Stripe does."""
    for name in body:
        if name not in known.split():
            full = f"{prefix}[{name}]" if prefix else name
            raise Refused(400, f"Received unknown parameter: {full}", "parameter_unknown", full)


def text(body: Body, name: str, *, required: bool = True, most: int = 5000) -> str:
    """A text. Raises Refused for a missing, nested or endless one."""
    value = body.get(name)
    if value is None or value == "":
        if required:
            raise Refused(400, f"Missing required param: {name}.", "parameter_missing", name)
        return ""
    if not isinstance(value, str) or len(value) > most:
        raise Refused(400, f"Invalid string: {name}", param=name)
    return value


def choice(body: Body, name: str, among: str, default: str) -> str:
    """One of the words of `among`."""
    value = text(body, name, required=False) or default
    if value not in among.split():
        raise Refused(400, f"Invalid {name}: must be one of {among}", param=name)
    return value


def flag(body: Body, name: str) -> bool:
    """`true` or `false`, the latter where it is missing."""
    return choice(body, name, "true false", "false") == "true"


def number(body: Body, name: str, *, required: bool = True) -> int | None:
    """A whole number from 1."""
    value = text(body, name, required=required)
    if not value:
        return None
    if not value.isascii() or not value.isdecimal() or not 0 < int(value) <= LARGEST:
        raise Refused(400, f"Invalid integer: {value}", "parameter_invalid_integer", name)
    return int(value)


def currency(body: Body) -> str:
    """A currency in lower case, as the books keep it."""
    value = text(body, "currency")
    if value.upper() not in CURRENCIES or value != value.lower():
        raise Refused(400, f"Invalid currency: {value}.", param="currency")
    return value.upper()


def part(body: Body, name: str) -> Body:
    """A nested object, perhaps empty."""
    value = body.get(name, {})
    if not isinstance(value, dict):
        raise Refused(400, "Invalid object", param=name)
    return value


def words(body: Body, name: str) -> list[str]:
    """A list of texts, perhaps empty."""
    return [str(value) for value in part(body, name).values()]


def metadata(body: Body) -> Body:
    """What the merchant hangs on an object, within Stripe's limits."""
    given = part(body, "metadata")
    if len(given) > MOST_METADATA:
        raise Refused(400, f"Metadata can have up to {MOST_METADATA} keys.", param="metadata")
    for key, value in given.items():
        if len(key) > LONGEST_KEY or not isinstance(value, str) or len(value) > LONGEST_VALUE:
            raise Refused(400, "Metadata keys or values are too long.", param="metadata")
    return given


def expiry(body: Body, now: datetime) -> str:
    """When a page closes: 30 minutes to 24 hours ahead, the latter unless told."""
    at = number(body, "expires_at", required=False)
    if at is None:
        return stamp(now + LONGEST)
    ahead = timedelta(seconds=at - now.timestamp())
    if not SHORTEST <= ahead <= LONGEST:
        message = "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation."
        raise Refused(400, message, param="expires_at")
    return stamp(datetime.fromtimestamp(at, now.tzinfo))


def expand(args: Iterable[tuple[str, str]]) -> frozenset[str]:
    """The fields to give whole; those of a list without their `data.`."""
    return frozenset(value.removeprefix("data.") for name, value in args if re.fullmatch(r"expand\[\d*\]", name))
