"""How CloudPayments shows a payment or a refund: a numbered transaction with every field of the documentation."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from acquiring.bank.books import Books
from acquiring.bank.cloudpayments.codes import REASONS
from acquiring.bank.records import Payment, Refund

FIRST = 3_000_000_000  # more than 32 bits, as theirs
STATUSES = {"awaiting_3ds": 1, "authorized": 2, "succeeded": 3, "voided": 4, "declined": 5}
NAMES = {1: "AwaitingAuthentication", 2: "Authorized", 3: "Completed", 4: "Cancelled", 5: "Declined"}
REFUND_STATUSES = {"pending": 1, "succeeded": 3, "declined": 5}
CURRENCY_CODES = {"RUB": 0, "USD": 1, "EUR": 2, "KZT": 6}
FIRST_SIX = {"visa": "424242", "mastercard": "555555", "mir": "220000"}
TITLES = {"visa": "Visa", "mastercard": "MasterCard", "mir": "MIR"}
CARD_CODES = {"visa": 0, "mastercard": 1, "mir": 5}

Model = dict[str, Any]


def number(books: Books, subject_id: str) -> int:
    """The TransactionId of a payment or refund."""
    return FIRST + books.number(subject_id)


def subject_of(books: Books, transaction_id: int) -> Payment | Refund | None:
    """The payment or refund with a TransactionId."""
    rows = books.query("SELECT id FROM numbers WHERE seq = ?", min(transaction_id, 2**62) - FIRST)
    if not rows:
        return None
    return books.first(Payment, "id = ?", rows[0]["id"]) or books.first(Refund, "id = ?", rows[0]["id"])


def last_of(books: Books, invoice_id: str) -> Payment | Refund | None:
    """The last thing that was tried for an order."""
    sql = """SELECT seq FROM numbers WHERE id IN
        (SELECT id FROM payments WHERE order_id = ? AND tongue = 'cloudpayments'
        UNION ALL SELECT refunds.id FROM refunds JOIN payments ON payments.id = refunds.payment_id
        WHERE payments.order_id = ? AND payments.tongue = 'cloudpayments') ORDER BY seq DESC LIMIT 1"""
    rows = books.query(sql, invoice_id, invoice_id)
    return subject_of(books, FIRST + rows[0]["seq"]) if rows else None


def between(books: Books, since: str, until: str) -> list[Model]:
    """The transactions tried in a span of stamps, both included, oldest first."""
    rows = books.query("SELECT seq FROM numbers WHERE at >= ? AND at <= ? ORDER BY seq", since, until)
    found = (subject_of(books, FIRST + row["seq"]) for row in rows)
    models = [model(books, each) for each in found if each is not None]
    return [each for each in models if each]


def model(books: Books, subject: Payment | Refund) -> Model:
    """The transaction as JSON; empty where the bank was not asked in this protocol."""
    payment = subject if isinstance(subject, Payment) else books.select(Payment, "id = ?", subject.payment_id)[0]
    if payment.tongue != "cloudpayments":
        return {}
    return _shown(books, payment) | (_money_back(books, subject) if isinstance(subject, Refund) else {})


def json_data(subject: Payment | Refund) -> Any:
    """The JsonData of an order."""
    return json.loads(subject.extra).get("JsonData") if subject.extra else None


def seconds(stamp: str, form: str = "%Y-%m-%dT%H:%M:%S") -> str | None:
    """A time as they print it: UTC, without saying so."""
    return _read(stamp).strftime(form) if stamp else None


def retry_after(payment: Payment) -> str:
    """When a declined try may be repeated."""
    return (_read(payment.finished_at) + timedelta(days=1)).strftime("%Y-%m-%d %H:%M:%S")


def units(minor: int) -> int | float:
    """An amount as their JSON has it: a number of major units."""
    return minor // 100 if minor % 100 == 0 else minor / 100


def taken(payment: Payment) -> int:
    """What a payment is over: after a capture in part, what was captured."""
    return payment.captured if payment.status == "succeeded" else payment.amount


def _shown(books: Books, payment: Payment) -> Model:
    code = STATUSES.get(payment.status, 1)
    reason = REASONS.get(payment.decline_code, (0, "Approved", "Оплата успешно проведена"))
    tried = books.query("SELECT at FROM numbers WHERE id = ?", payment.id)[0]["at"]
    done = payment.finished_at if code in (2, 3, 4) else ""
    amount = units(taken(payment))
    return {
        "ReasonCode": reason[0], "PublicId": "pk_local_bank", "TerminalUrl": "http://localhost",
        "TransactionId": number(books, payment.id), "Amount": amount, "Currency": payment.currency,
        "CurrencyCode": CURRENCY_CODES[payment.currency], "PaymentAmount": amount, "PaymentCurrency": payment.currency,
        "PaymentCurrencyCode": CURRENCY_CODES[payment.currency], "InvoiceId": payment.order_id or None,
        "AccountId": payment.customer or None, "TrInitiatorCode": 0 if payment.origin == "token" else None,
        "Email": payment.email or None, "Description": payment.description,
        "JsonData": json.dumps(json_data(payment), ensure_ascii=False) if json_data(payment) else None,
        **_dates("Created", tried), "PayoutDate": None, "PayoutDateIso": None, "PayoutAmount": None,
        **_dates("Auth", done), **_dates("Confirm", done if code == 3 else ""),
        "AuthCode": "A1B2C3" if done else None, "TestMode": True, "Rrn": None, "OriginalTransactionId": None,
        "FallBackScenarioDeclinedTransactionId": None, "IpAddress": "127.0.0.1", "IpCountry": "RU",
        "IpCity": "Новосибирск", "IpRegion": "Новосибирская область", "IpDistrict": "Сибирский федеральный округ",
        "IpLatitude": 55.03923, "IpLongitude": 82.927818, **card(payment), "EscrowAccumulationId": None,
        "Status": NAMES[code], "StatusCode": code, "CultureName": "ru-RU", "Reason": reason[1],
        "CardHolderMessage": reason[2], "Type": 0, "Refunded": payment.refunded > 0, "Name": "",
        "Token": payment.token or None, "SubscriptionId": None, "IsLocalOrder": payment.origin != "token",
        "HideInvoiceId": False, "Gateway": 0, "GatewayName": "Test", "MasterPass": False, "AndroidPay": False,
        "WalletType": "", "TotalFee": 0, "VatAboveTotalFee": 0, "ProcessorAndPartnerFee": None,
        "VatWithinProcessorFee": None,
    }  # fmt: skip


def _money_back(books: Books, refund: Refund) -> Model:
    """Where a refund differs from its payment."""
    code = REFUND_STATUSES[refund.status]
    amount = units(refund.amount)
    done = refund.updated_at if code == 3 else ""
    return {
        "TransactionId": number(books, refund.id), "OriginalTransactionId": number(books, refund.payment_id),
        "Amount": amount, "PaymentAmount": amount, "Status": NAMES[code], "StatusCode": code, "Type": 1,
        "Refunded": False, "ReasonCode": 0 if code != 5 else 5005, "Reason": "Approved" if code != 5 else "DoNotHonor",
        "JsonData": json.dumps(json_data(refund), ensure_ascii=False) if json_data(refund) else None,
        **_dates("Created", refund.created_at), **_dates("Auth", done), **_dates("Confirm", done), "Token": None,
    }  # fmt: skip


def card(payment: Payment) -> Model:
    """What is told of the card that was tried."""
    plastic = payment.plastic
    if plastic is None:
        return dict.fromkeys(("CardFirstSix", "CardLastFour", "CardExpDate", "CardType", "CardProduct", "CardCategory"))
    return {
        "CardFirstSix": FIRST_SIX.get(plastic.brand, "400000"),
        "CardLastFour": plastic.mask[-4:],
        "CardExpDate": f"{plastic.exp_month:02d}/{plastic.exp_year % 100:02d}",
        "CardType": TITLES.get(plastic.brand, "Unknown"),
        "CardProduct": "I",
        "CardCategory": "Infinite",
        "IssuerBankCountry": "RU",
        "Issuer": "CloudPayments",
        "CardTypeCode": CARD_CODES.get(plastic.brand, -1),
    }


def _dates(name: str, stamp: str) -> Model:
    if not stamp:
        return {f"{name}Date": None, f"{name}DateIso": None}
    return {f"{name}Date": f"/Date({round(_read(stamp).timestamp() * 1000)})/", f"{name}DateIso": seconds(stamp)}


def _read(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp)
