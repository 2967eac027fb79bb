"""What a terminal may ask, read with T-Bank's own strictness."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from acquiring.bank.acting import Body
from acquiring.bank.house import the_bank
from acquiring.bank.records import Order, stamp

SMALLEST = 100  # kopecks
_KEPT = ("PayType", "Recurrent", "Receipt", "Language")


class Refused(Exception):
    """A request that T-Bank will not act upon, with its error code."""

    def __init__(self, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.code, self.more = code, more


def required(body: Body, name: str) -> Any:
    """A text or a number that must be there. Raises Refused."""
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise Refused("201", f"Поле {name} обязательно")
    return value


def amount(body: Body) -> int:
    """A whole number of kopecks. Raises Refused."""
    value = body.get("Amount")
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Refused("201", "Поле Amount должно быть целым числом копеек")
    return value


def order(body: Body) -> Order:
    """Init as an order to the desk. Raises Refused."""
    units, order_id = amount(body), _text(body, "OrderId", 36)
    if units < SMALLEST:
        raise Refused("251", "Сумма меньше минимальной")
    if not order_id:
        raise Refused("201", "Поле OrderId обязательно")
    initiator = _initiator(body)
    receipt(body, units)
    if body.get("PayType") not in (None, "O", "T"):
        raise Refused("201", "Поле PayType: O или T")
    return Order(
        order_id=order_id,
        amount=units,
        currency="RUB",
        description=_text(body, "Description", 140),
        customer=_text(body, "CustomerKey", 36),
        return_url=_text(body, "SuccessURL", 2000),
        callback_url=_text(body, "NotificationURL", 2000),
        save_card=body.get("Recurrent") == "Y",
        capture=body.get("PayType") != "T",
        expires_at=_until(body),
        tongue="tbank",
        extra=json.dumps(
            {"OperationInitiatorType": initiator, **{name: body[name] for name in _KEPT if name in body}},
            ensure_ascii=False,
        ),
    )


def receipt(body: Body, units: int) -> None:
    """A receipt that does not add up is refused. Raises Refused."""
    said = body.get("Receipt")
    if said is None:
        return
    items = said.get("Items") if isinstance(said, dict) else None
    if not isinstance(items, list) or not items or not said.get("Taxation"):
        raise Refused("309", "Поле Receipt.Items не должно быть пустым")
    if not said.get("Email") and not said.get("Phone"):
        raise Refused("310", "Поле Receipt.Email или Receipt.Phone обязательно")
    for item in items:
        if item["Price"] * item["Quantity"] != item["Amount"] or len(item["Name"]) > 128:
            raise Refused("311", "Позиция чека не сходится")
    if sum(item["Amount"] for item in items) != units:
        raise Refused("308", "Сумма всех позиций в чеке должна равняться сумме платежа")


def _initiator(body: Body) -> str:
    data = body.get("DATA", {})
    if not isinstance(data, dict) or len(data) > 20 or any(len(str(value)) > 100 for value in data.values()):
        raise Refused("201", "Поле DATA: до 20 пар, значения до 100 символов")
    kind, kept = str(data.get("OperationInitiatorType", "")), body.get("Recurrent") == "Y"
    if kind not in ("", "0", "1", "2", "R", "I"):
        raise Refused("1125", "Неверное значение OperationInitiatorType")
    if kind and kept != (kind == "1"):
        raise Refused("1126", "Несопоставимые значения Recurrent и OperationInitiatorType")
    if kept and not body.get("CustomerKey"):
        raise Refused("201", "Поле CustomerKey обязательно при Recurrent=Y")
    return kind or ("1" if kept else "R")  # one that says nothing may be charged


def _text(body: Body, name: str, most: int) -> str:
    value = body.get(name, "")
    if isinstance(value, bool) or not isinstance(value, (str, int)) or len(str(value)) > most:
        raise Refused("201", f"Поле {name} не длиннее {most} символов")
    return str(value)


def _until(body: Body) -> str:
    now = the_bank().journal.now()
    written = _text(body, "RedirectDueDate", 40)
    if not written:
        return stamp(now + timedelta(hours=24))
    try:
        until = datetime.fromisoformat(written)
    except ValueError:
        until = None
    if until is None or until.tzinfo is None:
        raise Refused("201", "Поле RedirectDueDate: YYYY-MM-DDTHH24:MI:SS+GMT")
    if not timedelta(minutes=1) <= until - now <= timedelta(days=90):
        raise Refused("201", "Поле RedirectDueDate: от минуты до 90 дней")
    return stamp(until)
