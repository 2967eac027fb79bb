"""How T-Bank signs, on the bank's side of the wire: written apart from the backend's, so that each proves the other."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any


def sign(body: dict[str, Any], password: str) -> str:
    """The Token of a body."""
    flat = {"Password": password}
    for name, value in body.items():
        if isinstance(value, (dict, list)) or value is None or name == "Token":
            continue
        flat[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return hashlib.sha256("".join(flat[name] for name in sorted(flat)).encode()).hexdigest()


def is_signed(body: dict[str, Any], password: str) -> bool:
    """Whether the body bears its Token."""
    return hmac.compare_digest(str(body.get("Token", "")).lower().encode(), sign(body, password).encode())
