"""What CloudPayments reads out of a request: JSON or a form, names in any case."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from flask import request

from acquiring.bank.cloudpayments.model import CURRENCY_CODES
from acquiring.bank.records import Order, Payment, Token, plastic_from, stamp

LARGEST = 10**12  # minor units
_WIDGET = {
    "publicTerminalId": "PublicId", "externalId": "InvoiceId", "metadata": "JsonData",
    "successRedirectUrl": "SuccessRedirectUrl",
}  # fmt: skip


class Unacceptable(ValueError):
    """A request that is answered with "Success": false and this message."""


class Fields:
    """The fields of a request. Every reader raises Unacceptable."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = {str(name).lower(): value for name, value in data.items()}

    def raw(self, name: str) -> Any:
        """A field as it came."""
        return self._data.get(name.lower())

    def text(self, name: str, *, required: bool = False) -> str:
        """A text; "" where it is missing."""
        value = self.raw(name)
        if value in (None, ""):
            if required:
                raise Unacceptable(f"{name} is required")
            return ""
        if not isinstance(value, (str, int)) or len(str(value)) > 2000:
            raise Unacceptable(f"{name} is not valid")
        return str(value)

    def texts(self, name: str) -> list[str]:
        """A list of texts."""
        value = self.raw(name) or []
        return [str(each) for each in value] if isinstance(value, list) else [str(value)]

    def whole(self, name: str) -> int:
        """A whole number from 1; a fraction is rounded in silence."""
        try:
            value = round(Decimal(self.text(name, required=True)))
        except (InvalidOperation, ValueError, OverflowError):
            value = 0
        if not 1 <= value < 2**62:
            raise Unacceptable(f"{name} is not valid")
        return value

    def minor(self, name: str) -> int:
        """An amount of major units, at most two digits after the point, as minor units."""
        value = self.raw(name)
        if value in (None, ""):
            raise Unacceptable(f"{name} is required")
        try:
            amount = Decimal(str(value)) * 100
        except InvalidOperation:
            amount = Decimal(0)
        if isinstance(value, bool) or not amount.is_finite() or amount != int(amount) or not 1 <= amount <= LARGEST:
            raise Unacceptable(f"{name} is not valid")
        return int(amount)

    def flag(self, name: str) -> bool:
        """True, or a form's "true"."""
        return self.raw(name) is True or str(self.raw(name)).lower() == "true"


def body() -> dict[str, Any]:
    """The request's body, whichever of the two it is."""
    if request.form:
        return dict(request.form)
    if not request.get_data():
        return {}
    data = request.get_json(force=True, silent=True)
    if not isinstance(data, dict):
        raise Unacceptable("The request is not valid")
    return data


def order(fields: Fields) -> Order:
    """What shall be collected. A card is saved for a customer who has a name."""
    currency = fields.text("Currency") or "RUB"
    if currency not in CURRENCY_CODES:
        raise Unacceptable("Currency is not valid")
    back = fields.text("SuccessRedirectUrl")
    if back and not back.startswith(("http://", "https://")):
        raise Unacceptable("SuccessRedirectUrl is not valid")
    return Order(
        order_id=fields.text("InvoiceId"),
        amount=fields.minor("Amount"),
        currency=currency,
        description=fields.text("Description"),
        customer=fields.text("AccountId"),
        email=fields.text("Email"),
        return_url=back,
        save_card=bool(fields.text("AccountId")),
        capture=not fields.flag("RequireConfirmation"),
        tongue="cloudpayments",
        extra=kept(fields),
    )


def kept(fields: Fields) -> str:
    """The JsonData of an order, for the books."""
    data = fields.raw("JsonData")
    if isinstance(data, str) and data:
        try:
            data = json.loads(data)
        except ValueError:
            raise Unacceptable("JsonData is not valid") from None
    return json.dumps({"JsonData": data}, ensure_ascii=False) if data else ""


def draft(order: Order, new_id: str) -> Payment:
    """A payment that is only being asked about."""
    return Payment(**asdict(order), id=new_id, origin="token", status="created", created_at="", updated_at="")


def from_widget(params: str) -> dict[str, Any]:
    """The widget's parameters as those of an order."""
    try:
        data = json.loads(params)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise Unacceptable("params is not valid")
    user = data.pop("userInfo", None) or {}
    named: dict[str, Any] = {_WIDGET.get(str(name), str(name)): value for name, value in data.items()}
    known = user if isinstance(user, dict) else {}
    more = {"AccountId": known.get("accountId"), "Email": known.get("email")}
    return named | more | {"RequireConfirmation": data.get("paymentSchema") == "Dual"}


def day(fields: Fields) -> tuple[str, str]:
    """The first and the last moment of a day in UTC."""
    try:
        first = datetime.combine(datetime.fromisoformat(fields.text("Date", required=True)).date(), time(), UTC)
    except ValueError:
        raise Unacceptable("Date is not valid") from None
    return stamp(first), stamp(first + timedelta(days=1, microseconds=-1))


def span(fields: Fields) -> tuple[str, str]:
    """CreatedDateGte and CreatedDateLte."""
    return _moment(fields, "CreatedDateGte"), _moment(fields, "CreatedDateLte")


def token_json(token: Token) -> dict[str, Any]:
    """A saved card."""
    card = plastic_from(token.card)
    return {
        "Token": token.token,
        "AccountId": token.customer,
        "CardMask": f"4242 42****** {card.mask[-4:]}",
        "ExpirationDateMonth": card.exp_month,
        "ExpirationDateYear": card.exp_year,
    }


def _moment(fields: Fields, name: str) -> str:
    try:
        read = datetime.fromisoformat(fields.text(name, required=True))
    except ValueError:
        raise Unacceptable(f"{name} is not valid") from None
    return stamp(read if read.tzinfo else read.replace(tzinfo=UTC))
