"""CloudPayments' API: POST for everything, HTTP 200 for nearly everything; "Success" speaks of the request only."""

from __future__ import annotations

from dataclasses import replace

from flask import Response, g, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from acquiring.bank.acting import Body
from acquiring.bank.cloudpayments import asked, check, lists, model
from acquiring.bank.cloudpayments.asked import Fields, Unacceptable
from acquiring.bank.cloudpayments.door import act_once, cloudpayments, no, reply, yes
from acquiring.bank.house import the_bank
from acquiring.bank.records import OPEN, Payment, Token, plastic_from

__all__ = ["cloudpayments"]

cloudpayments.post("/payments/get")(lists.get)
cloudpayments.post("/payments/find", endpoint="find_old")(lists.find)
cloudpayments.post("/v2/payments/find")(lists.find)
cloudpayments.post("/payments/list")(lists.list_day)
cloudpayments.post("/v2/payments/list")(lists.list_span)
cloudpayments.post("/payments/tokens/list")(lists.list_tokens)
cloudpayments.post("/chargebacks/list")(lists.list_chargebacks)


@cloudpayments.post("/test")
def test() -> Response:
    """Says that the keys are right."""
    return reply(yes(message=the_bank().journal.new_id("test")))


@cloudpayments.post("/orders/create")
def create_order() -> Response:
    """A hosted page. Nothing keeps a merchant from ordering two of them for one InvoiceId."""
    return act_once(lambda fields: yes(_order_model(the_bank().desk.open(asked.order(fields))[0])))


@cloudpayments.post("/orders/cancel")
def cancel_order() -> Response:
    """Closes a page that nobody has paid."""
    return act_once(_cancel_order)


def _cancel_order(fields: Fields) -> Body:
    bank = the_bank()
    payment = bank.books.first(Payment, "id = ? AND tongue = 'cloudpayments'", fields.text("Id", required=True))
    if payment is None:
        return no("Order not found")
    if payment.status not in OPEN:
        return no("Order is paid or cancelled")
    bank.desk.void(payment.id)
    return yes()


@cloudpayments.post("/payments/tokens/charge")
def charge() -> Response:
    """A charge of a saved card."""
    return _token_charge(capture=True)


@cloudpayments.post("/payments/tokens/auth")
def authorize() -> Response:
    """A hold on a saved card."""
    return _token_charge(capture=False)


def _token_charge(*, capture: bool) -> Response:
    def act(fields: Fields, refused: str) -> Body:
        fields.text("AccountId", required=True)
        order = replace(asked.order(fields), capture=capture, save_card=False)
        payment, _ = the_bank().desk.charge(order, fields.text("Token", required=True), refused=refused)
        return _transaction(payment)

    return act_once(lambda fields: act(fields, g.pop("refused", "")), lambda fields: _ask(fields, capture))


def _ask(fields: Fields, capture: bool) -> None:
    """The question before a charge, asked before the books are opened."""
    bank, order = the_bank(), replace(asked.order(fields), capture=capture)
    saved = bank.books.first(Token, "token = ? AND customer = ?", fields.text("Token"), order.customer)
    if saved is not None:
        g.refused = check.ask(bank, asked.draft(order, bank.journal.new_id("ask")), plastic_from(saved.card))


@cloudpayments.post("/payments/confirm")
def confirm() -> Response:
    """Takes a held sum, in full or less."""
    return act_once(_confirm)


def _confirm(fields: Fields) -> Body:
    payment = _payment(fields)
    if payment.status != "authorized":
        return no("Only an authorized payment can be confirmed")
    the_bank().desk.capture(payment.id, fields.minor("Amount"))
    return yes()


@cloudpayments.post("/payments/void")
def void() -> Response:
    """Releases a hold."""
    return act_once(_void)


def _void(fields: Fields) -> Body:
    payment = _payment(fields)
    if payment.status != "authorized":
        return no("Only an authorized payment can be cancelled")
    the_bank().desk.void(payment.id)
    return yes()


@cloudpayments.post("/payments/refund")
def refund() -> Response:
    """Gives money back. The same order twice is two refunds."""
    return act_once(_refund)


def _refund(fields: Fields) -> Body:
    payment, bank = _payment(fields), the_bank()
    extra = asked.kept(fields)
    refund, _ = bank.returns.refund(payment.id, fields.minor("Amount"), payment.currency, extra=extra)
    if refund.status == "declined":
        return no("The refund was declined by the bank")
    bank.books.number(refund.id, refund.created_at)
    return yes({"TransactionId": model.number(bank.books, refund.id)})


@cloudpayments.get("/widget")
def widget() -> AnyResponse:
    """Stands in for the widget in a customer's browser, who can write here what he likes: `params` is its JSON."""
    bank = the_bank()
    fields = Fields(asked.from_widget(request.args.get("params", "")))
    payment, _ = bank.desk.open(asked.order(fields))
    return redirect(f"/pay/{payment.id}", 303)


def _transaction(payment: Payment) -> Body:
    shown = model.model(the_bank().books, payment)
    return {"Model": shown, "Success": shown["Status"] != "Declined", "Message": None}


def _payment(fields: Fields) -> Payment:
    subject = model.subject_of(the_bank().books, fields.whole("TransactionId"))
    if not isinstance(subject, Payment) or subject.tongue != "cloudpayments":
        raise Unacceptable("Not found")
    return subject


def _order_model(payment: Payment) -> Body:
    bank = the_bank()
    return {
        "Id": payment.id, "Number": bank.books.query("SELECT seq FROM payments WHERE id = ?", payment.id)[0]["seq"],
        "Amount": model.units(payment.amount), "Currency": payment.currency,
        "CurrencyCode": model.CURRENCY_CODES[payment.currency], "Email": payment.email or None, "Phone": None,
        "Description": payment.description, "RequireConfirmation": not payment.capture,
        "Url": f"{bank.journal.public_url}/pay/{payment.id}", "CultureName": "ru-RU",
        "CreatedDate": None, "CreatedDateIso": model.seconds(payment.created_at), "PaymentDate": None,
        "PaymentDateIso": None, "StatusCode": 0, "Status": "Created", "InternalId": 12272915,
    }  # fmt: skip
