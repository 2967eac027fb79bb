"""The bare things: the rows of each trip written by plain statements, with nothing looked up, locked or verified.

Each function takes a cursor, Django's or psycopg's own, and what the trip is about. `STATEMENTS` says how many it
sends.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any, Protocol

from benchmarks.bank import PRICE, reference
from benchmarks.rows import AT_THE_BANK, EVENT, told

STATEMENTS = {"store": 1, "settle": 9, "begin": 6, "give_back": 4, "look": 1}


class Cursor(Protocol):
    def execute(self, sql: Any, params: Any = ..., /) -> Any: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...


def _insert(table: str, **columns: str) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(columns.values())})"


def _events(*events: tuple[str, str, str, str]) -> str:
    """One INSERT of several events: noun, word, state before, state after."""
    common = ", ".join([*("%(user_id)s" if value == "user_id" else value for value in EVENT.values()), "%(told)s"])
    rows = (
        f"('{noun}', %({noun}_id)s, '{noun}.{word}', '{before}', '{after}', {common})"
        for noun, word, before, after in events
    )
    columns = ", ".join(["subject_type", "subject_id", "kind", "from_state", "to_state", *EVENT, "data"])
    return f"INSERT INTO billing_event ({columns}) VALUES {', '.join(rows)} RETURNING id"


CALLBACK = {
    "acquirer": "'sandbox'",
    "kind": "'payment.succeeded'",
    "dedupe_key": "%(key)s",
    "headers": "%(headers)s",
    "body": "%(body)s",
    "attempts": "1",
    "next_attempt_at": "now()",
    "note": "''",
    "received_at": "now()",
}
RECEIVED = _insert("billing_callback", **CALLBACK, status="'received'", subject_type="''")
PROCESSED = _insert(
    "billing_callback",
    **CALLBACK,
    status="'processed'",
    subject_type="'payment'",
    subject_id="%(payment_id)s",
    processed_at="now()",
)
PAYMENT_MADE = f"""
    UPDATE billing_payment
       SET status = 'succeeded', captured = {PRICE}, settled_at = now(), next_check_at = NULL, card = 'Visa 4242',
           raw = %(body)s, updated_at = now()
     WHERE id = %(payment_id)s RETURNING invoice_id, user_id"""
INVOICE_PAID = """
    UPDATE billing_invoice SET status = 'paid', paid_at = now(), next_sweep_at = NULL, updated_at = now()
     WHERE id = %(invoice_id)s RETURNING number"""
TRANSFER = {
    "reference": "%(reference)s",
    "debit_id": "(SELECT id FROM billing_account WHERE code = %(debit)s)",
    "credit_id": "(SELECT id FROM billing_account WHERE code = %(credit)s)",
    "amount": "%(amount)s",
    "currency": "'RUB'",
    "description": "%(description)s",
    "at": "now()",
    "booked_at": "now()",
}
BOOKED = _insert("billing_transfer", **TRANSFER)
PERIOD_BEGUN = """
    UPDATE subscriptions_period SET starts_at = now(), ends_at = now() + interval '1 month'
     WHERE invoice_id = %(invoice_id)s RETURNING subscription_id"""
ACTIVATED = """
    UPDATE subscriptions_subscription
       SET status = 'active', anchor_at = now(), valid_till = now() + interval '1 month', updated_at = now(),
           access_until = now() + interval '32 days', next_action_at = now() + interval '1 month'
     WHERE id = %(subscription_id)s"""
SETTLED_TOLD = _events(
    ("payment", "succeeded", "pending", "succeeded"),
    ("invoice", "paid", "open", "paid"),
    ("subscription", "activated", "pending", "active"),
)
DELIVERED = """
    INSERT INTO billing_delivery (event_id, handler, status, attempts, next_attempt_at, error, done_at)
    VALUES (%(paid)s, 'subscriptions.handlers.activate_what_was_paid', 'done', 1, now(), '', now()),
           (%(made)s, 'notifications.handlers.write_mail', 'done', 1, now(), '', now())"""
DELIVERY = """
    INSERT INTO billing_delivery (event_id, handler, status, attempts, next_attempt_at, error)
    VALUES (%(made)s, 'notifications.handlers.write_mail', 'due', 0, now(), '')"""
WRITTEN = _insert(
    "notifications_message",
    id="%(message_id)s",
    event_id="%(made)s",
    recipient="%(email)s",
    subject="'Payment received'",
    body="%(mail)s",
    status="'due'",
    attempts="0",
    next_attempt_at="now()",
    error="''",
    created_at="now()",
)
MAIL = "we received your payment. " * 16

WAITS = {"created_at": "now()", "updated_at": "now()", "user_id": "%(user_id)s"}
SUBSCRIBED = _insert(
    "subscriptions_subscription",
    id="%(subscription_id)s",
    **WAITS,
    plan_id="%(plan_id)s",
    price_id="%(price_id)s",
    status="'pending'",
    auto_renew="false",
    trial="false",
    cancel_reason="''",
    cancel_key="''",
)
ISSUED = _insert(
    "billing_invoice",
    id="%(invoice_id)s",
    **WAITS,
    status="'open'",
    purpose="'subscription'",
    account_id="%(revenue_id)s",
    total=str(PRICE),
    currency="'RUB'",
    expires_at="now() + interval '1 hour'",
    next_sweep_at="now() + interval '1 hour'",
)
LINE = f"""
    INSERT INTO billing_invoiceline
           (invoice_id, position, product, description, quantity, unit_price, discount, amount)
    VALUES (%(invoice_id)s, 1, 'plan:month', 'Monthly', 1, {PRICE}, 0, {PRICE})"""
PERIOD = """
    INSERT INTO subscriptions_period (subscription_id, number, months, refund_policy, invoice_id, created_at)
    VALUES (%(subscription_id)s, 1, 1, 'unused_months', %(invoice_id)s, now())"""
OPENED = _insert(
    "billing_payment",
    id="%(payment_id)s",
    invoice_id="%(invoice_id)s",
    **WAITS,
    **{name: value.replace("payment_id", "%(payment_text)s") for name, value in AT_THE_BANK.items()},
)
BEGUN_TOLD = _events(
    ("invoice", "issued", "draft", "open"),
    ("subscription", "created", "", "pending"),
    ("payment", "created", "", "created"),
    ("payment", "pending", "created", "pending"),
)

REFUNDED = _insert(
    "billing_refund",
    id="%(refund_id)s",
    created_at="now()",
    updated_at="now()",
    payment_id="%(payment_id)s",
    status="'succeeded'",
    amount="%(amount)s",
    currency="'RUB'",
    reason="'asked'",
    explanation="''",
    acquirer_refund_id="%(acquirer_refund_id)s",
    decline_code="''",
    decline_message="''",
    raw="'{}'",
    checks="0",
    parked="''",
    settled_at="now()",
)
REFUND_TOLD = _events(("refund", "requested", "", "created"), ("refund", "succeeded", "created", "succeeded"))

LOOK = """
    SELECT subscription.access_until, plan.roles
      FROM subscriptions_subscription subscription JOIN subscriptions_plan plan ON plan.id = subscription.plan_id
     WHERE subscription.user_id = %s AND subscription.access_until > now()"""


def store(cursor: Cursor, note: Mapping[str, Any], body: str) -> None:
    """A callback as it came."""
    cursor.execute(RECEIVED, {"key": note["id"], "headers": "{}", "body": body})


def settle(cursor: Cursor, note: Mapping[str, Any], body: str) -> None:
    """A callback, its payment, invoice and transfer, the term that begins, three events and a mail."""
    values: dict[str, Any] = {"key": note["id"], "headers": "{}", "body": body, "amount": PRICE, "mail": MAIL}
    values |= {"payment_id": note["object"]["order_id"], "debit": "cash:sandbox:RUB", "credit": "revenue:RUB"}
    cursor.execute(PROCESSED, values)
    cursor.execute(PAYMENT_MADE, values)
    values["invoice_id"], values["user_id"] = cursor.fetchone()
    cursor.execute(INVOICE_PAID, values)
    (number,) = cursor.fetchone()
    values |= {"reference": f"payment:{values['payment_id']}", "description": f"Payment of invoice {number}"}
    cursor.execute(BOOKED, values)
    cursor.execute(PERIOD_BEGUN, values)
    (values["subscription_id"],) = cursor.fetchone()
    cursor.execute(ACTIVATED, values)
    cursor.execute(SETTLED_TOLD, values | {"told": told("Monthly")})
    (values["made"],), (values["paid"],), _ = cursor.fetchall()
    cursor.execute(DELIVERED, values)
    cursor.execute(WRITTEN, values | {"message_id": uuid.uuid4(), "email": f"{values['user_id']}@example.com"})


def begin(cursor: Cursor, user_id: str, shared: Mapping[str, int]) -> str:
    """A subscription, its invoice with a line, its period, a payment and four events. Returns where to pay."""
    names = ("subscription_id", "invoice_id", "payment_id")
    values: dict[str, Any] = {"user_id": user_id, **shared} | {name: uuid.uuid4() for name in names}
    values |= {"payment_text": str(values["payment_id"]), "told": told("Monthly")}
    for statement in (SUBSCRIBED, ISSUED, LINE, PERIOD, OPENED, BEGUN_TOLD):
        cursor.execute(statement, values)
    return f"http://bank.invalid/pay/{reference(values['payment_id'])}"


def give_back(cursor: Cursor, payment_id: str, user_id: str) -> None:
    """A refund (a trigger counts it on the payment), its transfer, two events and a mail to come."""
    refund_id = uuid.uuid4()
    values = {"refund_id": refund_id, "payment_id": payment_id, "user_id": user_id, "amount": PRICE // 2}
    values |= {"acquirer_refund_id": f"ref_{refund_id}", "reference": f"refund:{refund_id}", "told": told("Monthly")}
    values |= {"debit": "refunds:RUB", "credit": "cash:sandbox:RUB", "description": "Refund of invoice 1"}
    cursor.execute(REFUNDED, values)
    cursor.execute(BOOKED, values)
    cursor.execute(REFUND_TOLD, values)
    _, (made,) = cursor.fetchall()
    cursor.execute(DELIVERY, {"made": made})


def look(cursor: Cursor, user_id: str) -> list[dict[str, str]]:
    """The roles owed to somebody."""
    cursor.execute(LOOK, [user_id])
    return [{"role": role, "until": until.isoformat()} for until, roles in cursor.fetchall() for role in roles]


def read(body: bytes) -> tuple[dict[str, Any], str]:
    """A callback's body, read and as text."""
    text = body.decode()
    return json.loads(text), text
