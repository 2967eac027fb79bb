"""What T-Bank is asked, as its JSON. Raises ValueError for what cannot be said in it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from acquiring.backends.tbank.mapping import kopecks
from acquiring.types import Charge, Receipt, ReceiptItem

MOSCOW = timezone(timedelta(hours=3))
SHORTEST, LONGEST = timedelta(minutes=2), timedelta(days=89)  # it wants a page to live from 1 minute to 90 days
TAXES = {
    "none": "none", "0": "vat0", "5": "vat5", "7": "vat7", "10": "vat10", "20": "vat20", "22": "vat22",
    "5/105": "vat105", "7/107": "vat107", "10/110": "vat110", "20/120": "vat120", "22/122": "vat122",
}  # fmt: skip


def page(charge: Charge, order: str, callback_url: str, taxation: str, at: datetime) -> dict[str, Any]:
    """Init for a customer who is present."""
    body = _init(charge, order, callback_url, taxation)
    body["DATA"] = {"OperationInitiatorType": "1" if charge.save_card else "0"}
    if charge.return_url:
        body |= {"SuccessURL": charge.return_url, "FailURL": charge.return_url}
    if charge.save_card:
        body |= {"Recurrent": "Y", "CustomerKey": charge.customer_id}
    if charge.expires_at is not None:
        until = min(max(charge.expires_at, at + SHORTEST), at + LONGEST)
        body["RedirectDueDate"] = until.astimezone(MOSCOW).isoformat(timespec="seconds")
    return body


def absent(charge: Charge, order: str, callback_url: str, taxation: str) -> dict[str, Any]:
    """Init for a charge of a saved card: by the calendar ("R"), or because the customer pressed a button ("2")."""
    body = _init(charge, order, callback_url, taxation)
    return body | {"DATA": {"OperationInitiatorType": "R" if charge.scheduled else "2"}}


def tombstone(order: str, units: int, at: datetime) -> dict[str, Any]:
    """Init of an order that is cancelled at once, so that it can never be given again."""
    until = (at + SHORTEST).astimezone(MOSCOW).isoformat(timespec="seconds")
    data = {"OperationInitiatorType": "0"}
    return {"Amount": units, "OrderId": order, "Description": "Closed", "RedirectDueDate": until, "DATA": data}


def receipt(said: Receipt, taxation: str) -> dict[str, Any]:
    """The Receipt of Init, Confirm and Cancel."""
    system = said.tax_system or taxation
    if not system or not (said.email or said.phone):
        raise ValueError("a receipt needs a tax system, and an e-mail address or a phone number")
    contact = {name: value for name, value in (("Email", said.email), ("Phone", said.phone)) if value}
    return {**contact, "Taxation": system, "Items": [_item(each) for each in said.items]}


def _init(charge: Charge, order: str, callback_url: str, taxation: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "Amount": kopecks(charge.amount),
        "OrderId": order,
        "Description": charge.description[:140],
        "PayType": "O" if charge.capture else "T",
    }
    if callback_url:
        body["NotificationURL"] = callback_url
    if charge.receipt is not None:
        body["Receipt"] = receipt(charge.receipt, taxation)
    return body


def _item(item: ReceiptItem) -> dict[str, Any]:
    if item.vat not in TAXES:
        raise ValueError(f"T-Bank knows no VAT {item.vat!r}")
    amount, quantity = kopecks(item.amount), int(item.quantity)
    # Price times quantity must be the amount to the kopeck; where that cannot be, the line is one of the whole price.
    even = quantity > 0 and quantity == item.quantity and amount % quantity == 0
    return {
        "Name": item.name[:128],
        "Price": amount // quantity if even else amount,
        "Quantity": quantity if even else 1,
        "Amount": amount,
        "Tax": TAXES[item.vat],
        "PaymentMethod": item.mode,
        "PaymentObject": item.subject,
    }
