"""From our orders to CloudPayments' JSON: pure functions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from moneyed import Money

from acquiring.backends.cloudpayments.mapping import PAGE, REFUND, TOKEN
from acquiring.reading import minor
from acquiring.types import Charge, Receipt, RefundOrder

Body = dict[str, Any]

# The numbers of the format of fiscal data.
TAX_SYSTEMS = {"osn": 0, "usn_income": 1, "usn_income_outcome": 2, "envd": 3, "esn": 4, "patent": 5}
MODES = {"full_prepayment": 1, "prepayment": 2, "advance": 3, "full_payment": 4, "partial_payment": 5, "credit": 6}
SUBJECTS = {"commodity": 1, "excise": 2, "job": 3, "service": 4, "payment": 10, "another": 13}


def page(charge: Charge, receipt_key: str) -> Body:
    """An order for their hosted page. A card is saved (if the cabinet allows it) where the customer has a name."""
    body = {
        **_sum(charge.amount),
        "Description": charge.description,
        "InvoiceId": charge.our_id,
        "RequireConfirmation": not charge.capture,
        "SendEmail": False,
        "JsonData": _extra(PAGE, "", charge.receipt, receipt_key),
    }
    body |= {"AccountId": charge.customer_id} if charge.save_card else {}
    body |= {"Email": charge.customer_email} if charge.customer_email else {}
    back = charge.return_url
    return body | ({"SuccessRedirectUrl": back, "FailRedirectUrl": back} if back else {})


def token(charge: Charge, receipt_key: str) -> Body:
    """A charge of a saved card that we begin, by the calendar or without it."""
    body = {
        **_sum(charge.amount),
        "AccountId": charge.customer_id,
        "Token": charge.token,
        "TrInitiatorCode": 0,
        "PaymentScheduled": int(charge.scheduled),
        "InvoiceId": charge.our_id,
        "Description": charge.description,
        "JsonData": _extra(TOKEN, "", charge.receipt, receipt_key),
    }
    return body | ({"Email": charge.customer_email} if charge.customer_email else {})


def widget(charge: Charge, public_id: str, receipt_key: str) -> Body:
    """What our page hands to their widget. The browser can change it all: `check` and `pay` look at the sum again."""
    user: Body = {"accountId": charge.customer_id} if charge.save_card else {}
    user |= {"email": charge.customer_email} if charge.customer_email else {}
    body = {
        "publicTerminalId": public_id,
        "amount": str(_sum(charge.amount)["Amount"]),
        "currency": charge.amount.currency.code,
        "paymentSchema": "Single" if charge.capture else "Dual",
        "description": charge.description,
        "externalId": charge.our_id,
        "userInfo": user,
        "tokenize": charge.save_card,
        "metadata": _extra(PAGE, "", charge.receipt, receipt_key),
    }
    back = charge.return_url
    return body | ({"successRedirectUrl": back, "failRedirectUrl": back} if back else {})


def refund(order: RefundOrder, receipt_key: str) -> Body:
    """An order to give money back; our own id travels in its JsonData, for they have no field for it."""
    return {
        "TransactionId": int(order.payment_reference),
        "Amount": _sum(order.amount)["Amount"],
        "JsonData": _extra(REFUND, order.our_id, order.receipt, receipt_key),
    }


def confirm(reference: str, charge: Charge, receipt_key: str) -> Body:
    """An order to take a held sum."""
    extra = {"JsonData": _extra(PAGE, "", charge.receipt, receipt_key)} if charge.receipt else {}
    return {"TransactionId": int(reference), "Amount": _sum(charge.amount)["Amount"], **extra}


def receipt(order: Receipt) -> Body:
    """A fiscal receipt as their cash register wants it."""
    total = sum((item.amount.amount for item in order.items), Decimal(0))
    body: Body = {"Items": [_item(item) for item in order.items], "amounts": {"electronic": total}}
    body |= {"taxationSystem": TAX_SYSTEMS[order.tax_system]} if order.tax_system else {}
    body |= {"email": order.email} if order.email else {}
    return body | ({"phone": order.phone} if order.phone else {})


def _item(item: Any) -> Body:
    price = item.amount.amount / item.quantity
    return {
        "label": item.name[:128],
        "price": price.quantize(Decimal("0.01")),
        "quantity": item.quantity,
        "amount": item.amount.amount,
        "vat": _vat(item.vat),
        "method": MODES[item.mode],
        "object": SUBJECTS[item.subject],
    }


def _vat(rate: str) -> int | None:
    """10 percent is 10, and calculated from the whole 110; none is null."""
    if rate == "none":
        return None
    percent, _, calculated = rate.partition("/")
    return int(calculated or percent)


def _extra(kind: str, our_id: str, told: Receipt | None, receipt_key: str) -> Body:
    extra: Body = {"kind": kind}
    extra |= {"id": our_id} if our_id else {}
    return extra | ({"cloudpayments": {receipt_key: receipt(told)}} if told else {})


def _sum(amount: Money) -> Body:
    units, sub_unit = minor(amount), amount.currency.sub_unit
    exact = (Decimal(units) / sub_unit).quantize(Decimal(1) / sub_unit)
    return {"Amount": exact, "Currency": amount.currency.code}
