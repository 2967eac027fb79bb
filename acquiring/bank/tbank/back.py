"""Cancel: one method that closes what is unpaid, releases what is held and gives back what was taken."""

from __future__ import annotations

import json
from dataclasses import replace

from acquiring.bank.acting import Body
from acquiring.bank.house import the_bank
from acquiring.bank.records import OPEN, Payment, Refund
from acquiring.bank.tbank import asked, shapes
from acquiring.bank.tbank.asked import Refused


def cancelled(payment: Payment, body: Body) -> Body:
    """Cancels, and tells the sums before and after. Raises Refused."""
    key = str(body.get("ExternalRequestId") or "")
    if len(key) > 256:
        raise Refused("201", "Поле ExternalRequestId не длиннее 256 символов")
    books = the_bank().books
    known = books.first(Refund, "order_id = ?", key) if key else None
    if known is not None:  # the current state instead of another refund, whatever sum is asked for now
        if known.payment_id != payment.id:
            raise Refused("8", "ExternalRequestId использован для другого платежа")
        return _told(payment, known, _left(payment), key)
    left = _left(payment)
    units = asked.amount(body) if body.get("Amount") is not None else left
    asked.receipt(body, units)
    if payment.status in OPEN or payment.status == "authorized":
        if payment.status == "authorized" and units != payment.amount:
            raise Refused("3037", "Частичная отмена холда здесь не поддерживается")
        return _told(the_bank().desk.void(payment.id), None, payment.amount, key)
    if payment.status != "succeeded" or shapes.state(books, payment) in ("REFUNDING", "REFUNDED"):
        raise Refused("8", "Неверный статус транзакции")
    if units > left:
        raise Refused("330", "Сумма возврата больше суммы платежа")
    if body.get("Receipt"):
        said = shapes.said(payment)
        receipts = {**said.get("RefundReceipts", {}), key: body["Receipt"]}
        books.save(replace(payment, extra=json.dumps({**said, "RefundReceipts": receipts}, ensure_ascii=False)))
    refund, _ = the_bank().returns.refund(payment.id, units, payment.currency, order_id=key)
    return _told(the_bank().desk.get(payment.id), refund, left, key)


def _told(payment: Payment, refund: Refund | None, before: int, key: str) -> Body:
    bank = the_bank()
    told = shapes.envelope(bank.books, bank.config.merchant, payment)
    del told["Amount"]
    after = 0 if payment.status == "voided" else _left(payment)
    told |= {"OriginalAmount": before, "NewAmount": after}
    if key:
        told["ExternalRequestId"] = key
    return {**told, **shapes.decline("refund_declined" if refund and refund.status == "declined" else "")}


def _left(payment: Payment) -> int:
    return payment.captured - payment.refunded if payment.status == "succeeded" else payment.amount
