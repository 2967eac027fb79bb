"""Other people's code as a judge: their Python client against the local bank, published signatures against ours."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import unquote_plus

import pytest
from cloudpayments import CloudPayments as TheirClient
from cloudpayments.errors import CloudPaymentsError, PaymentError

from acquiring.backends.cloudpayments import CloudPayments
from acquiring.bank.cloudpayments.tongue import sign
from acquiring.base import BadCallback
from acquiring.types import Status, Subject
from tests.acquiring.far import charge

SECRET = "api_secret_0123456789abcdef"
VECTORS = {  # name: (secret, kind, content type, body, Content-HMAC, X-Content-HMAC)
    "min": (
        "secret", "check", "", "TransactionId=1&Amount=10.50&Currency=RUB&InvoiceId=inv-1&AccountId=user_x",
        "wPkRR564mc7uwbTcyRUq2VWPcBBbkSKhwP/8QCNmWfM=", "wPkRR564mc7uwbTcyRUq2VWPcBBbkSKhwP/8QCNmWfM=",
    ),
    "pay": (
        SECRET, "pay", "",
        "TransactionId=897728064&Amount=59.00&Currency=RUB&PaymentAmount=59.00&PaymentCurrency=RUB&OperationType="
        "Payment&InvoiceId=inv-1&AccountId=user%2B1%40example.com&SubscriptionId=&Name=IVAN+IVANOV&Email=user%2B1%40"
        "example.com&DateTime=2026-11-20+10%3A11%3A12&IpAddress=127.0.0.1&CardFirstSix=424242&CardLastFour=4242&"
        "CardType=Visa&CardExpDate=12%2F30&Issuer=CloudPayments&IssuerBankCountry=RU&Description=%D0%9E%D0%BF%D0%BB"
        "%D0%B0%D1%82%D0%B0+%D0%B7%D0%B0%D0%BA%D0%B0%D0%B7%D0%B0+1&AuthCode=A1B2C3&Token=tk_020a924486aa4df254331afa"
        "33f2a&TestMode=1&Status=Completed&GatewayName=Test&Data=%7B%22order%22%3A%221%22%7D&TotalFee=0.00",
        "+r/C3GbtQ4qyYV0iQwflPWkFU1nj+d9GKG1MUZxjpDM=", "oCK5LRbi5LQ7u0bmYlpnQGkK+7WZ80AdlqMXl3Rl4iI=",
    ),
    "fail": (
        SECRET, "fail", "",
        "TransactionId=897728065&Amount=59.00&Currency=RUB&PaymentAmount=59.00&PaymentCurrency=RUB&OperationType="
        "Payment&InvoiceId=inv-2&AccountId=user_x&SubscriptionId=&Name=&Email=&DateTime=2026-11-20+10%3a12%3a00&"
        "IpAddress=&CardFirstSix=400005&CardLastFour=5556&CardType=Visa&CardExpDate=12%2f30&Reason=InsufficientFunds&"
        "ReasonCode=5051&TestMode=1&Description=&Data=&RetryAfter=2026-11-21+10%3a12%3a00",
        "pfe83GOhQD0HF8diXSVAT3RTIblQSn0Elm2Vd05oAfA=", "P00umAO77ca1cpbDggc3BRLGR6EuOvtp4CQ7Yb5tZqI=",
    ),
    "refund": (
        SECRET, "refund", "",
        "TransactionId=568&PaymentTransactionId=897728064&Amount=59.00&DateTime=2026-11-20+10%3a13%3a00&OperationType="
        "Refund&InvoiceId=inv-1&AccountId=user_x&Email=&Data=",
        "NQtTifglodQUTcUqp9Z9fgvaYHqfIuA17lpeWs0aO3g=", "sChm9RHVZtmy9OyfZzEEGcpRmkdTT6rWGzrJuQVgLRc=",
    ),
    "json": (
        SECRET, "check", "application/json",
        '{"TransactionId":897728064,"Amount":59.00,"Currency":"RUB","InvoiceId":"inv-1","AccountId":"user_x",'
        '"Status":"Completed","TestMode":1}',
        "qiSBO4qnFjp1b0eCMYh05702Td5pdUNEsmRkSAVH0j8=", "qiSBO4qnFjp1b0eCMYh05702Td5pdUNEsmRkSAVH0j8=",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VECTORS)
def test_a_published_signature_is_ours(name):
    secret, kind, content_type, body, content, decoded = VECTORS[name]
    headers = {"content-hmac": content, "x-content-hmac": decoded, "content-type": content_type}
    notice = CloudPayments("pk", "x", callback_secrets=["newer", secret]).parse(kind, headers, body.encode())
    assert notice.outcome.our_id in ("inv-1", "inv-2", "")
    with pytest.raises(BadCallback):
        CloudPayments("pk", "newer").parse(kind, headers, body.encode())


@pytest.mark.parametrize("name", VECTORS)
def test_the_local_bank_signs_as_they_do(name):
    secret, _, content_type, body, content, decoded = VECTORS[name]
    assert sign(secret, body.encode()) == content
    assert sign(secret, (body if content_type else unquote_plus(body)).encode()) == decoded


# --- The public client ------------------------------------------------------------------------------------------------


@pytest.fixture
def theirs(bank, shop, monkeypatch):
    monkeypatch.setattr(TheirClient, "URL", f"{bank.api_url}/cloudpayments/")
    return TheirClient(bank.merchant, bank.secret)


@pytest.fixture
def saved(acquirer, far):
    far.pay(opened := acquirer.checkout(charge(save_card=True)))
    return acquirer.fetch(Subject.PAYMENT, opened.our_id)


def test_their_client_is_let_in(theirs):
    assert theirs.test().startswith("test_")


def test_their_client_orders_a_page_that_we_see_paid(theirs, acquirer, bank):
    order = theirs.create_order(59, "RUB", "Films", invoice_id="inv-7", account_id="u-1")
    bank.pay(order.url)
    found = acquirer.fetch(Subject.PAYMENT, "inv-7")
    assert found.status is Status.SUCCEEDED
    seen = theirs.find_payment("inv-7")
    assert (str(seen.id), seen.amount, seen.status) == (found.reference, 59, "Completed")


def test_their_client_charges_our_token_and_refunds_in_parts(theirs, saved, acquirer):
    paid = theirs.charge_token(saved.card.token, "customer-1", 10.5, "RUB", invoice_id="inv-8")
    assert (paid.amount, paid.status, paid.card_last_four) == (Decimal("10.5"), "Completed", "4242")
    back = theirs.refund(paid.id, 4)
    assert theirs.get_transaction(back).amount == 4
    assert acquirer.fetch(Subject.REFUND, "", str(back)).status is Status.SUCCEEDED
    with pytest.raises(CloudPaymentsError):
        theirs.refund(paid.id, 7)


def test_their_client_is_told_of_a_decline(theirs, saved, far):
    far.trouble("decline:insufficient_funds")
    with pytest.raises(PaymentError) as declined:
        theirs.charge_token(saved.card.token, "customer-1", 10, "RUB", invoice_id="inv-9")
    assert declined.value.reason_code == 5051


def test_their_client_confirms_and_cancels_what_is_held(theirs, saved):
    held = theirs.charge_token(saved.card.token, "customer-1", 10, "RUB", require_confirmation=True)
    other = theirs.charge_token(saved.card.token, "customer-1", 20, "RUB", require_confirmation=True)
    assert held.status == "Authorized"
    theirs.confirm_payment(held.id, 8)
    theirs.void_payment(other.id)
    assert theirs.get_transaction(held.id).amount == 8
    assert theirs.get_transaction(other.id).status == "Cancelled"
    with pytest.raises(CloudPaymentsError):
        theirs.void_payment(held.id)


def test_their_client_lists_the_day(theirs, saved, acquirer):
    theirs.refund(int(saved.reference), 1)
    listed = list(theirs.list_payments(datetime.now(UTC)))
    assert [str(listed[0].id), listed[1].amount] == [saved.reference, 1]
