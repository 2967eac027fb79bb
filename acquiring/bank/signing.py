"""How the bank signs its own callbacks."""

from __future__ import annotations

import base64
import hashlib
import hmac

HEADER = "X-Bank-Signature"


def sign(secret: str, body: bytes) -> str:
    """The signature of a callback: base64 of HMAC-SHA256 over the raw body."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
