"""What merchants send in YooKassa's protocol, read as strictly as they read it."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from acquiring.bank.acting import Body
from acquiring.bank.records import Refusal

LARGEST = 10**9  # minor units
PAYMENT_METHODS = frozenset({"bank_card"})


class Bad(Refusal):
    """A request that YooKassa refuses with 400, and the parameter that is to blame."""

    def __init__(self, description: str, parameter: str = "") -> None:
        super().__init__(400, "invalid_request", description)
        self.parameter = parameter


def units(body: Body, name: str = "amount") -> int:
    """A sum in minor units. Raises Bad."""
    part = body.get(name)
    value = part.get("value") if isinstance(part, dict) else None
    if not isinstance(part, dict) or not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,12}\.[0-9]{2}", value):
        raise Bad("Amount must be a text with two digits after the dot", f"{name}.value")
    if part.get("currency") != "RUB":
        raise Bad("Currency is not supported", f"{name}.currency")
    read = int(value.replace(".", ""))
    if not 0 < read <= LARGEST:
        raise Bad("Amount is out of range", f"{name}.value")
    return read


def text(body: Body, name: str, most: int, *, required: bool = False) -> str:
    """A text of at most so many characters. Raises Bad."""
    value = body.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or len(value) > most or (required and not value):
        raise Bad(f"{name} must be a text of at most {most} characters", name)
    return value


def flag(body: Body, name: str) -> bool:
    """True or false; false where nothing is said. Raises Bad."""
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise Bad(f"{name} must be true or false", name)
    return bool(value)


def metadata(body: Body) -> dict[str, str]:
    """At most 16 notes of the merchant's own. Raises Bad."""
    notes = body.get("metadata")
    if notes is None:
        return {}
    fits = isinstance(notes, dict) and len(notes) <= 16
    if not fits or not all(isinstance(v, str) and len(k) <= 32 and len(v) <= 512 for k, v in notes.items()):
        raise Bad("metadata holds at most 16 texts", "metadata")
    return dict(notes)


def return_url(body: Body) -> str:
    """Where the page leads back to. Raises Bad."""
    confirmation = body.get("confirmation")
    if not isinstance(confirmation, dict) or confirmation.get("type") != "redirect":
        raise Bad("This payment needs a confirmation by redirect", "confirmation")
    method = body.get("payment_method_data")
    if method is not None and (not isinstance(method, dict) or method.get("type") not in PAYMENT_METHODS):
        raise Bad("This payment method is not available", "payment_method_data.type")
    url = text(confirmation, "return_url", 2048, required=True)
    if not url.startswith(("http://", "https://")):
        raise Bad("return_url must be an address", "confirmation.return_url")
    return url


def has_receipt(body: Body, total: int) -> bool:
    """Whether the request brings a fiscal receipt; its items must add up to `total`. Raises Bad."""
    receipt = body.get("receipt")
    if receipt is None:
        return False
    customer = receipt.get("customer") if isinstance(receipt, dict) else None
    items = receipt.get("items") if isinstance(receipt, dict) else None
    if not isinstance(customer, dict) or not (customer.get("email") or customer.get("phone")):
        raise Bad("A receipt needs the customer's e-mail or phone", "receipt.customer")
    if not isinstance(items, list) or not 1 <= len(items) <= 80:
        raise Bad("A receipt has from 1 to 80 items", "receipt.items")
    if sum(_line(item) for item in items) != total:
        raise Bad("Receipt amount does not match the amount", "receipt.items.amount")
    return True


def _line(item: Any) -> Decimal:
    if not isinstance(item, dict) or not text(item, "description", 128, required=True):
        raise Bad("An item needs a description", "receipt.items.description")
    code = item.get("vat_code")
    if not isinstance(code, int) or isinstance(code, bool) or not 1 <= code <= 12:
        raise Bad("vat_code must be from 1 to 12", "receipt.items.vat_code")
    try:
        quantity = Decimal(str(item.get("quantity")))
    except InvalidOperation:
        raise Bad("quantity must be a number", "receipt.items.quantity") from None
    if not quantity.is_finite() or quantity <= 0:
        raise Bad("quantity must be above zero", "receipt.items.quantity")
    return quantity * units(item)
