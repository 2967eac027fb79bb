"""T-Bank's Token: what signs every request, and every notification inside its own body."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any


def token(params: Mapping[str, Any], password: str) -> str:
    """The signature: SHA-256 over the values of the root scalars and the password, in the order of their names."""
    values = {name: value for name, value in params.items() if name != "Token" and _signed(value)}
    values["Password"] = password
    written = "".join(_written(values[name]) for name in sorted(values))
    return hashlib.sha256(written.encode(errors="surrogatepass")).hexdigest()


def verified(params: Mapping[str, Any], passwords: Sequence[str]) -> bool:
    """Whether one of the passwords signed it. Takes as long for a wrong signature as for a right one."""
    given = params.get("Token")
    if not isinstance(given, str):
        return False
    said = given.lower().encode(errors="surrogatepass")
    matches = [hmac.compare_digest(said, token(params, each).encode()) for each in passwords]
    return any(matches)


def read(body: bytes) -> Any:
    """The JSON of a notification, its fractions as the text that was signed. Raises ValueError, RecursionError."""
    return json.loads(body, parse_float=str, parse_constant=_no_number)


def _signed(value: Any) -> bool:
    return value is not None and not isinstance(value, (Mapping, list, tuple))


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")
