"""What CloudPayments tells when it is asked: by id, by order, over a day or a span."""

from __future__ import annotations

from typing import Any

from flask import Response

from acquiring.bank.acting import Body
from acquiring.bank.cloudpayments import asked, model
from acquiring.bank.cloudpayments.asked import Fields
from acquiring.bank.cloudpayments.door import fields, no, reply, yes
from acquiring.bank.house import the_bank
from acquiring.bank.records import Payment, Refund, Token

PAGE = 100


def get() -> Response:
    """One transaction by its id."""
    subject = model.subject_of(the_bank().books, fields().whole("TransactionId"))
    return reply(_found(subject))


def find() -> Response:
    """The last operation of an order."""
    return reply(_found(model.last_of(the_bank().books, fields().text("InvoiceId", required=True))))


def _found(subject: Payment | Refund | None) -> Body:
    shown = model.model(the_bank().books, subject) if subject else {}
    if not shown:
        return no("Not found")
    return {"Model": shown, "Success": shown["Status"] != "Declined", "Message": None}


def list_day() -> Response:
    """All operations of a day (UTC), on one page."""
    return reply(yes(model.between(the_bank().books, *asked.day(fields()))))


def list_span() -> Response:
    """The operations of a span of time, a hundred to a page; how many there are is not told."""
    given = fields()
    wanted = given.texts("Statuses")
    found = model.between(the_bank().books, *asked.span(given))
    return reply(yes(_page(given, [each for each in found if not wanted or each["Status"] in wanted])))


def list_tokens() -> Response:
    """The saved cards."""
    tokens = the_bank().books.select(Token, "1 ORDER BY rowid")
    return reply(yes(_page(fields(), [asked.token_json(each) for each in tokens])))


def list_chargebacks() -> Response:
    """What customers' banks took back."""
    given, bank = fields(), the_bank()
    since, until = asked.span(given)
    sql = (
        "SELECT seq, payment_id, amount, currency, at FROM operations WHERE kind = 'chargeback' AND at BETWEEN ? AND ?"
    )
    rows = bank.books.query(f"{sql} ORDER BY at", since, until)
    items = [
        {
            "ChargeBackId": row["seq"],
            "TransactionId": model.number(bank.books, row["payment_id"]),
            "Amount": model.units(row["amount"]),
            "Currency": row["currency"],
            "Type": "Chargeback",
            "Operation": "Presentment",
            "Card": "",
            "Gateway": "Test",
            "Date": model.seconds(row["at"]),
        }
        for row in rows
    ]
    return reply(yes(_page(given, items)))


def _page(given: Fields, items: list[Any]) -> list[Any]:
    first = (given.whole("PageNumber") - 1) * PAGE
    return items[first : first + PAGE]
