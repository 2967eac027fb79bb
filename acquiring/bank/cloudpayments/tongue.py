"""CloudPayments' notifications: forms, signed twice; their kind is the last part of the address."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus, urlencode

from acquiring.bank.cloudpayments import model
from acquiring.bank.cloudpayments.codes import REASONS, RETRYABLE
from acquiring.bank.letters import Letter
from acquiring.bank.records import Payment, Refund

if TYPE_CHECKING:
    from acquiring.bank.house import Config
    from acquiring.bank.journal import Journal

TIME = "%Y-%m-%d %H:%M:%S"

Fields = dict[str, Any]


class CloudPayments:
    """Pay, Fail, Confirm, Cancel, Refund and Receipt. Nobody is told of chargebacks: they are only listed."""

    def letters(self, journal: Journal, kind: str, payment: Payment, refund: Refund | None) -> list[Letter]:
        """What is written of this news, and of the fiscal receipt where one was ordered."""
        about = refund or payment
        written: list[tuple[str, Fields]] = []
        if refund is not None:
            if refund.status == "succeeded":
                written = [("refund", _refund(journal, payment, refund))]
        elif name := _name(kind, payment, known=bool(journal.books.number(payment.id))):
            written = [(name, _payment(journal, payment, name))]
        done = bool(written) and about.status == "succeeded"
        if done and "cloudpayments" in (model.json_data(about) or {}):
            written.append(("receipt", _receipt(journal, payment, refund)))
        new = journal.new_id
        return [Letter(new("ntc"), name, about.id, form(fields), path=name) for name, fields in written]

    def headers(self, config: Config, body: bytes, forged: bool) -> dict[str, str]:
        """Content-HMAC is over the bytes, X-Content-HMAC over what they decode to."""
        secret = "not the secret" if forged else config.callback_secret
        return {
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-HMAC": sign(secret, body),
            "X-Content-HMAC": sign(secret, unquote_plus(body.decode()).encode()),
        }

    def received(self, status: int, answer: bytes) -> bool:
        """Only 200 with {"code": 0} ends the tries."""
        return status == 200 and code_of(answer) == 0


def sign(secret: str, body: bytes) -> str:
    """Base64 of HMAC-SHA256."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def code_of(answer: bytes) -> int | None:
    """The code of a merchant's answer; None where it is no such JSON."""
    try:
        data = json.loads(answer)
    except ValueError:
        return None
    code = data.get("code") if isinstance(data, dict) else None
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def form(fields: Fields) -> str:
    """A form as theirs: + for a space, lower-case hex."""
    text = urlencode({name: "" if value is None else value for name, value in fields.items()})
    return re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), text)


def common(payment: Payment, transaction: int, status: str, at: str) -> Fields:
    """What every notification of a payment tells."""
    amount = f"{model.taken(payment) / 100:.2f}"
    told = model.card(payment)
    data = model.json_data(payment)
    return {
        "TransactionId": transaction, "Amount": amount, "Currency": payment.currency, "PaymentAmount": amount,
        "PaymentCurrency": payment.currency, "OperationType": "Payment", "InvoiceId": payment.order_id,
        "AccountId": payment.customer, "SubscriptionId": "", "Name": "", "Email": payment.email,
        "DateTime": model.seconds(at, TIME), "IpAddress": "127.0.0.1", "CardFirstSix": told["CardFirstSix"],
        "CardLastFour": told["CardLastFour"], "CardType": told["CardType"], "CardExpDate": told["CardExpDate"],
        "Issuer": "CloudPayments", "IssuerBankCountry": "RU", "Description": payment.description, "TestMode": 1,
        "Status": status, "Data": json.dumps(data, ensure_ascii=False) if data else "",
    }  # fmt: skip


def _name(kind: str, payment: Payment, *, known: bool) -> str:
    """What a piece of news is called; "" for one that is not told."""
    if kind == "payment.succeeded":
        return "pay" if payment.capture else "confirm"
    if kind == "payment.voided":
        return "cancel" if known else ""
    return {"payment.authorized": "pay", "payment.declined": "fail"}.get(kind, "")


def _payment(journal: Journal, payment: Payment, name: str) -> Fields:
    status = model.NAMES[model.STATUSES[payment.status]]
    fields = common(payment, model.number(journal.books, payment.id), status, payment.finished_at)
    if name == "fail":
        code, reason, _ = REASONS[payment.decline_code]
        del fields["Status"]
        fields |= {"Reason": reason, "ReasonCode": code}
        return fields | ({"RetryAfter": model.retry_after(payment)} if code in RETRYABLE else {})
    if name == "cancel":
        kept = ("TransactionId", "Amount", "DateTime", "InvoiceId", "AccountId", "Email", "Data")
        return {each: fields[each] for each in kept}
    fields |= {"AuthCode": "A1B2C3", "Token": payment.token, "TotalFee": "0.00"}
    return fields | ({"GatewayName": "Test"} if name == "pay" else {})


def _refund(journal: Journal, payment: Payment, refund: Refund) -> Fields:
    data = model.json_data(refund)
    return {
        "TransactionId": model.number(journal.books, refund.id),
        "PaymentTransactionId": model.number(journal.books, payment.id),
        "Amount": f"{refund.amount / 100:.2f}",
        "DateTime": model.seconds(refund.updated_at, TIME),
        "OperationType": "Refund",
        "InvoiceId": payment.order_id,
        "AccountId": payment.customer,
        "Email": payment.email,
        "Data": json.dumps(data, ensure_ascii=False) if data else "",
    }


def _receipt(journal: Journal, payment: Payment, refund: Refund | None) -> Fields:
    subject = refund or payment
    return {
        "Id": f"rc_{model.number(journal.books, subject.id)}",
        "Type": "IncomeReturn" if refund else "Income",
        "Amount": f"{(refund.amount if refund else payment.captured) / 100:.2f}",
        "DateTime": model.seconds(subject.updated_at, TIME),
        "InvoiceId": payment.order_id,
        "AccountId": payment.customer,
        "TransactionId": model.number(journal.books, subject.id),
    }
