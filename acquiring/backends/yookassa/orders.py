"""From our orders to YooKassa's JSON: pure functions. Amounts are texts, never floats."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from moneyed import Money

from acquiring.backends.yookassa.mapping import OUR_ID
from acquiring.reading import minor
from acquiring.types import Charge, Receipt, ReceiptItem, RefundOrder, Subject

Body = dict[str, Any]

VAT = {
    "none": 1, "0": 2, "10": 3, "20": 4, "10/110": 5, "20/120": 6,
    "5": 7, "7": 8, "5/105": 9, "7/107": 10, "22": 11, "22/122": 12,
}  # fmt: skip
TAX_SYSTEMS = {"osn": 1, "usn_income": 2, "usn_income_outcome": 3, "envd": 4, "esn": 5, "patent": 6}


def amount(money: Money) -> Body:
    """An amount on the wire. Raises ValueError when it is not a whole number of minor units."""
    minor(money)
    digits = len(str(money.currency.sub_unit)) - 1
    return {"value": f"{money.amount:.{digits}f}", "currency": money.currency.code}


def moment(at: datetime) -> str:
    """A time on the wire: UTC, in milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def page(charge: Charge, method: str) -> Body:
    """A payment on their page, by this `method` only ("" leaves the choice to the customer).

    Raises ValueError for a receipt that cannot be written.
    """
    body = _payment(charge) | {"confirmation": {"type": "redirect", "return_url": charge.return_url}}
    if method:
        body["payment_method_data"] = {"type": method}
    if charge.save_card:
        body["save_payment_method"] = True
    return body


def by_token(charge: Charge) -> Body:
    """A payment by a saved method, customer absent. Raises ValueError for a receipt that cannot be written."""
    return _payment(charge) | {"payment_method_id": charge.token}


def taken(charge: Charge) -> Body:
    """The capture of a held sum, in full or less. Raises ValueError for a receipt that cannot be written."""
    return {"amount": amount(charge.amount)} | _with(charge.receipt)


def refund(order: RefundOrder) -> Body:
    """A refund. Raises ValueError for a receipt that cannot be written."""
    return {
        "payment_id": order.payment_reference,
        "amount": amount(order.amount),
        "description": order.reason[:250],
        "metadata": {OUR_ID[Subject.REFUND]: order.our_id},
    } | _with(order.receipt)


def _payment(charge: Charge) -> Body:
    return (
        {
            "amount": amount(charge.amount),
            "capture": charge.capture,  # theirs is false where nothing is said
            "description": charge.description[:128],
            "metadata": {OUR_ID[Subject.PAYMENT]: charge.our_id},
            "merchant_customer_id": charge.customer_id[:200],
        }
        | _with(charge.receipt)
    )


def _with(receipt: Receipt | None) -> Body:
    return {} if receipt is None else {"receipt": _receipt(receipt)}


def _receipt(receipt: Receipt) -> Body:
    customer = {name: said for name, said in (("email", receipt.email), ("phone", receipt.phone)) if said}
    if not customer:
        raise ValueError("a receipt needs an e-mail or a telephone number")
    body: Body = {"customer": customer, "items": [_item(item) for item in receipt.items], "internet": True}
    if receipt.tax_system:
        body["tax_system_code"] = _code(TAX_SYSTEMS, receipt.tax_system, "tax system")
    return body


def _item(item: ReceiptItem) -> Body:
    # Whether their `amount` is of one piece or of the line is not confirmed; of one piece in all it is both.
    times = "" if item.quantity == 1 else f" × {item.quantity.normalize():f}"
    return {
        "description": item.name[: 128 - len(times)] + times,
        "quantity": "1.000",
        "amount": amount(item.amount),
        "vat_code": _code(VAT, item.vat, "VAT"),
        "payment_subject": item.subject,
        "payment_mode": item.mode,
    }


def _code(codes: dict[str, int], name: str, what: str) -> int:
    try:
        return codes[name]
    except KeyError:
        raise ValueError(f"YooKassa knows no {what} {name!r}") from None
