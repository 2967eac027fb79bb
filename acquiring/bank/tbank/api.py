"""T-Bank's MAPI v2 as the local bank speaks it: POST JSON, signed inside; even refusals are answers of 200."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request

from acquiring.bank import acting
from acquiring.bank.acting import Answer, Body
from acquiring.bank.house import the_bank
from acquiring.bank.records import Payment, Refusal, stamp
from acquiring.bank.tbank import asked, back, shapes
from acquiring.bank.tbank.asked import Refused
from acquiring.bank.tbank.signing import is_signed

BROKEN: Answer = (500, {"Message": "Internal Server Error"})

tbank = Blueprint("tbank", __name__, url_prefix="/tbank/v2")


@tbank.before_request
def _door() -> Response | None:
    """Who may come in: nobody while refusing, only the terminal, and slowly if so ordered."""
    acting.refuse()
    body, config = request.get_json(force=True, silent=True), the_bank().config
    if not isinstance(body, dict):
        return _reply(_problem("201", "Переданы некорректные параметры"))
    if body.get("TerminalKey") != config.merchant:
        return _reply(_problem("501", "Терминал не найден."))
    if not is_signed(body, config.secret):
        return _reply(_problem("204", "Неверный токен. Проверьте пару TerminalKey/SecretKey."))
    acting.slow()
    return None


@tbank.post("/Init")
def init() -> Response:
    """Opens a payment. An OrderId is taken once."""
    return _acting(_init)


def _init(body: Body) -> Body:
    bank = the_bank()
    order = asked.order(body)
    if bank.books.first(Payment, "order_id = ? AND tongue = 'tbank'", order.order_id):
        raise Refused("20", "Повторный номер заказа")
    payment, _ = bank.desk.open(order)
    return {**_told(payment), "PaymentURL": f"{bank.journal.public_url}/pay/{payment.id}"}


@tbank.post("/Charge")
def charge() -> Response:
    """Charges a saved card for a payment that Init opened for it."""
    return _acting(_charge)


def _charge(body: Body) -> Body:
    bank = the_bank()
    payment = _payment(body)
    asked.required(body, "RebillId")
    if shapes.said(payment).get("OperationInitiatorType") not in ("2", "R"):
        raise Refused("1126", "Несопоставимые значения RebillId и OperationInitiatorType")
    if payment.status != "created":
        raise Refused("8", "Неверный статус транзакции")
    saved = shapes.token_of(bank.books, body["RebillId"])
    payment = bank.desk.charge_opened(payment.id, saved.token if saved else "")
    return {**_told(payment), **shapes.decline(payment.decline_code)}


@tbank.post("/Confirm")
def confirm() -> Response:
    """Takes a held sum, in full or less."""
    return _acting(_confirm)


def _confirm(body: Body) -> Body:
    payment = _payment(body)
    if payment.status != "authorized":
        raise Refused("8", "Неверный статус транзакции")
    amount = asked.amount(body) if body.get("Amount") is not None else payment.amount
    asked.receipt(body, amount)
    return _told(the_bank().desk.capture(payment.id, amount))


@tbank.post("/Cancel")
def cancel() -> Response:
    """Closes, releases or gives back, as the payment's state has it."""
    return _acting(lambda body: back.cancelled(_payment(body), body))


@tbank.post("/GetState")
def get_state() -> Response:
    """One payment by its PaymentId; one that was declined is told of as a failure."""

    def look(body: Body) -> Body:
        payment = _payment(body)
        why = shapes.decline(payment.decline_code) or {"Message": "OK"}
        return {**_told(payment), "Params": [{"Key": "Route", "Value": "ACQ"}], **why}

    return _looking(look)


@tbank.post("/CheckOrder")
def check_order() -> Response:
    """Every payment of an order; numbers and texts are the other way round than elsewhere."""

    def look(body: Body) -> Body:
        bank, order = the_bank(), str(asked.required(body, "OrderId"))
        each = bank.books.select(Payment, "order_id = ? AND tongue = 'tbank' ORDER BY seq", order)
        if not each:
            raise Refused("335", "Заказ не найден")
        lines = [_line(bank.desk.get(payment.id)) for payment in each]
        return {"TerminalKey": bank.config.merchant, "OrderId": order, "Success": True, "ErrorCode": "0",
                "Message": "OK", "Payments": lines}  # fmt: skip

    return _looking(look)


def _line(payment: Payment) -> Body:
    told, why = _told(payment), shapes.decline(payment.decline_code)
    return {
        "PaymentId": told["PaymentId"],
        "Amount": told["Amount"],
        "Status": told["Status"],
        "RRN": told["PaymentId"].zfill(12),
        "Success": "false" if why else "true",
        "ErrorCode": int(why["ErrorCode"]) if why else 0,
        "Message": why.get("Message") if why else None,
    }


@tbank.post("/GetCardList")
def get_card_list() -> Response:
    """The cards kept for a customer."""
    return _looking(lambda body: shapes.card_list(the_bank().books, str(asked.required(body, "CustomerKey"))))


@tbank.post("/RemoveCard")
def remove_card() -> Response:
    """Forgets a card: it stays in the list, removed, and is charged no more."""

    def remove(body: Body) -> Body:
        books, customer = the_bank().books, str(asked.required(body, "CustomerKey"))
        card = str(asked.required(body, "CardId"))
        if card not in [each["CardId"] for each in shapes.card_list(books, customer)]:
            raise Refused("107", "Карта не найдена")
        row = int(card) - shapes.CARDS_FROM
        kept = (f"tbank:removed:{row}", "", 0, "", stamp(the_bank().journal.now()))
        books.query("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)", *kept)
        terminal = the_bank().config.merchant
        return {"Success": True, "ErrorCode": "0", "TerminalKey": terminal, "CustomerKey": customer,
                "CardId": card, "Status": "D", "CardType": 0}  # fmt: skip

    return _acting(remove)


def _payment(body: Body) -> Payment:
    bank = the_bank()
    known = shapes.payment_of(bank.books, asked.required(body, "PaymentId"))
    if known is None:
        raise Refused("255", "Платеж не найден")
    return bank.desk.get(known.id)


def _told(payment: Payment) -> Body:
    bank = the_bank()
    return shapes.envelope(bank.books, bank.config.merchant, payment)


def _acting(act: Callable[[Body], Body]) -> Response:
    """Acts, all or nothing, with the ordered time-outs and errors around it."""
    body = request.get_json(force=True)

    def whole() -> Answer:
        with the_bank().books.transaction():
            return 200, act(body)

    def answered() -> Answer:
        try:
            return whole()
        except (Refused, Refusal) as refusal:
            return 400, _refusal(refusal)  # below 400 the ordered faults would take it for done

    status, answer = acting.faulty(answered, BROKEN)
    return _reply(answer, 500 if status == 500 else 200)


def _looking(look: Callable[[Body], Any]) -> Response:
    try:
        return _reply(look(request.get_json(force=True)))
    except (Refused, Refusal) as refusal:
        return _reply(_refusal(refusal))


def _refusal(refusal: Refused | Refusal) -> Body:
    if isinstance(refusal, Refused):
        return {**_problem(refusal.code, str(refusal)), **refusal.more}
    codes = {"over_capture": "330", "over_refund": "330", "not_found": "255"}
    return _problem(codes.get(refusal.code, "8"), refusal.message)


def _problem(code: str, message: str) -> Body:
    return {"Success": False, "ErrorCode": code, "Message": message, "Details": ""}


def _reply(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), status, content_type="application/json")
