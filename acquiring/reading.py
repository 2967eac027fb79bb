"""Careful reading of an acquirer's JSON, amounts and signatures: what the mapping halves of backends are made of."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from moneyed import CurrencyDoesNotExist, Money, get_currency

T = TypeVar("T")


class Malformed(ValueError):
    """A field of an acquirer's JSON is missing or of a wrong type. Names the field, never its value."""


def minor(amount: Money) -> int:
    """Minor units of an amount. Raises ValueError when it is not a whole number of them."""
    units = amount.amount * amount.currency.sub_unit
    whole = int(units)
    if whole != units:
        raise ValueError("the amount is not a whole number of minor units")
    return whole


def money(units: int, currency: str) -> Money:
    """The amount of so many minor units. Raises Malformed for a currency nobody knows."""
    try:
        known = get_currency(currency)
    except CurrencyDoesNotExist:
        raise Malformed("currency") from None
    return Money(Decimal(units) / known.sub_unit, known)


def field(data: Any, name: str, kind: type[Any]) -> Any:
    """`data[name]`, of that type (True and False are no numbers). Raises Malformed."""
    value = data.get(name) if isinstance(data, dict) else None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Malformed(name)
    return value


def text(data: Any, name: str) -> str:
    """A text, perhaps empty. Raises Malformed."""
    value: str = field(data, name, str)
    return value


def text_or_none(data: Any, name: str) -> str:
    """A text; "" where it is null or missing. Raises Malformed."""
    return "" if isinstance(data, dict) and data.get(name) is None else text(data, name)


def whole(data: Any, name: str) -> int:
    """A whole number from 0. Raises Malformed."""
    value: int = field(data, name, int)
    if value < 0:
        raise Malformed(name)
    return value


def one_of(known: Mapping[str, T], data: Any, name: str) -> T:
    """What the text in `data[name]` stands for. Raises Malformed for one not known."""
    try:
        return known[text(data, name)]
    except KeyError:
        raise Malformed(name) from None


def moment(data: Any, name: str) -> datetime | None:
    """An ISO 8601 time (UTC when it says no offset), or None where it is null or missing. Raises Malformed."""
    written = text_or_none(data, name)
    if not written:
        return None
    try:
        read = datetime.fromisoformat(written)
    except ValueError:
        raise Malformed(name) from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def signed(secrets: Sequence[str], signature: str, body: bytes) -> bool:
    """Whether one of the secrets made this signature (base64 of HMAC-SHA256 over the raw body).

    Takes as long for a wrong one as for a right one.
    """
    try:
        given = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    matches = [
        hmac.compare_digest(given, hmac.new(secret.encode(), body, hashlib.sha256).digest()) for secret in secrets
    ]
    return any(matches)
