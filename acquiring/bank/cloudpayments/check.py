"""The question before a payment: may this money be taken? Without a good answer it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from acquiring.bank.cards import Plastic
from acquiring.bank.cloudpayments import model, tongue
from acquiring.bank.cloudpayments.codes import ANSWERS
from acquiring.bank.records import Payment, plastic_text, stamp

if TYPE_CHECKING:
    from acquiring.bank.house import Bank


def ask(bank: Bank, payment: Payment, card: Plastic) -> str:
    """The decline with which the merchant turns it down; "" for a yes, and where no callbacks are set up."""

    url = bank.journal.address(payment)
    if not url:
        return ""
    at = stamp(bank.journal.now())
    status = "Completed" if payment.capture else "Authorized"
    number = model.FIRST + bank.books.number(payment.id, at)
    fields = tongue.common(replace(payment, card=plastic_text(card)), number, status, at)
    body = tongue.form(fields).encode()
    headers = tongue.CloudPayments().headers(bank.config, body, False)
    answer = bank.courier.send(f"{url.rstrip('/')}/check", body, headers)
    if answer.status != 200:
        return "shop_silent"
    code = tongue.code_of(answer.body)
    return "shop_bad_answer" if code is None else ANSWERS.get(code, "shop_bad_answer")
