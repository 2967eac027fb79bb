"""Fills the database set by set, with rows as the product writes them: the audit finds nothing wrong with them.

`lot` is a temporary table of ids, one row for each customer.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

from django.db import connection, transaction
from django.utils import timezone

from benchmarks.bank import PRICE
from benchmarks.rows import AT_THE_BANK, EVENT, told
from billing import ledger
from billing.models import Account
from subscriptions.models import Plan, Price

ACTIVATE = "subscriptions.handlers.activate_what_was_paid"
MAIL = "notifications.handlers.write_mail"


class Lot(NamedTuple):
    """The ids of one customer's rows."""

    user: uuid.UUID
    subscription: uuid.UUID
    invoice: uuid.UUID
    payment: uuid.UUID
    number: int  # the invoice's


class Shop(NamedTuple):
    """What all customers share."""

    plan: Plan
    price: Price
    revenue: Account
    cash: Account
    refunds: Account


@cache
def shop() -> Shop:
    """One plan of a month, and the house's accounts."""
    plan, _ = Plan.objects.get_or_create(code="month", defaults={"name": "Monthly", "months": 1})
    begun = timezone.now().replace(year=2020)
    price, _ = Price.objects.get_or_create(plan=plan, defaults={"amount": PRICE, "starts_at": begun})
    return Shop(plan, price, ledger.revenue("RUB"), ledger.cash("sandbox", "RUB"), ledger.refunds("RUB"))


def people(count: int) -> list[Lot]:
    """Confirmed customers who have bought nothing."""
    return filled(count, ())


def waiting(count: int) -> list[Lot]:
    """Customers whose payment waits at the bank."""
    return filled(count, (_wait,))


def paid(count: int) -> list[Lot]:
    """Customers whose term has begun, and who have had their mail."""
    return filled(count, (_wait, _pay, _deliver))


def refunded(count: int, every: int = 10) -> list[Lot]:
    """The same; each tenth customer, or `every`, got half of it back."""
    return filled(count, (_wait, _pay, _deliver, lambda: _refund(every)))


def filled(count: int, steps: Sequence[Callable[[], None]], *, trusted: bool = False) -> list[Lot]:
    """So many customers, and what the steps give them. `trusted`: no trigger fires, no foreign key is looked at, and
    nothing is returned; for very many.
    """
    shop()
    with transaction.atomic(), connection.cursor() as cursor:
        if trusted:
            cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "CREATE TEMP TABLE lot ON COMMIT DROP AS SELECT gen_random_uuid() AS user_id,"
            " gen_random_uuid() AS subscription_id, gen_random_uuid() AS invoice_id, gen_random_uuid() AS payment_id,"
            " nextval('billing_invoice_number') AS number, n FROM generate_series(1, %s) n",
            [count],
        )
        into(
            "accounts_user",
            id="user_id",
            password="'!'",
            is_superuser="false",
            email="user_id || '@example.com'",
            name="'Vera Viewer'",
            is_staff="false",
            is_active="true",
            email_confirmed_at="now()",
            date_joined="now()",
        )
        for step in steps:
            step()
        if trusted:
            return []
        cursor.execute("SELECT user_id, subscription_id, invoice_id, payment_id, number FROM lot ORDER BY n")
        return [Lot(*row) for row in cursor.fetchall()]


def _wait() -> None:
    plan, price, revenue, *_ = shop()
    row = {"id": "subscription_id", "created_at": "now()", "updated_at": "now()", "user_id": "user_id"}
    into(
        "subscriptions_subscription",
        **row | {"auto_renew": "false", "trial": "false"},
        plan_id=str(plan.pk),
        price_id=str(price.pk),
        status="'pending'",
        cancel_reason="''",
        cancel_key="''",
    )
    into(
        "billing_invoice",
        **row | {"id": "invoice_id"},
        number="number",
        status="'open'",
        purpose="'subscription'",
        account_id=str(revenue.pk),
        total=str(PRICE),
        currency="'RUB'",
        expires_at="now() + interval '1 hour'",
        next_sweep_at="now() + interval '1 hour'",
    )
    into(
        "billing_invoiceline",
        invoice_id="invoice_id",
        position="1",
        product="'plan:month'",
        description="'Monthly'",
        quantity="1",
        unit_price=str(PRICE),
        discount="0",
        amount=str(PRICE),
    )
    into(
        "subscriptions_period",
        subscription_id="subscription_id",
        number="1",
        months="1",
        refund_policy="'unused_months'",
        invoice_id="invoice_id",
        created_at="now()",
    )
    into("billing_payment", **row | {"id": "payment_id", "invoice_id": "invoice_id"} | AT_THE_BANK)
    _tell("subscription", "created", "", "pending")
    _tell("invoice", "issued", "draft", "open")
    _tell("payment", "created", "", "created")
    _tell("payment", "pending", "created", "pending")


def _pay() -> None:
    _change(
        "billing_payment",
        "payment_id",
        f"status = 'succeeded', captured = {PRICE}, settled_at = now(), next_check_at = NULL",
    )
    _change("billing_invoice", "invoice_id", "status = 'paid', paid_at = now(), next_sweep_at = NULL")
    into(
        "billing_transfer",
        reference="'payment:' || payment_id",
        debit_id=str(shop().cash.pk),
        credit_id=str(shop().revenue.pk),
        amount=str(PRICE),
        currency="'RUB'",
        description="'Payment of invoice ' || number",
        at="now()",
        booked_at="now()",
    )
    _tell("payment", "succeeded", "pending", "succeeded")
    _tell("invoice", "paid", "open", "paid")


def _deliver() -> None:
    _change(
        "subscriptions_subscription",
        "subscription_id",
        "status = 'active', anchor_at = now(), valid_till = now() + interval '1 month',"
        " access_until = now() + interval '32 days', next_action_at = now() + interval '1 month'",
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE subscriptions_period row SET starts_at = now(), ends_at = now() + interval '1 month'"
            " FROM lot WHERE row.subscription_id = lot.subscription_id"
        )
    _tell("subscription", "activated", "pending", "active")
    for kind, handler in (("invoice.paid", ACTIVATE), ("payment.succeeded", MAIL)):
        _of_events(
            kind,
            "billing_delivery",
            event_id="event.id",
            handler=f"'{handler}'",
            status="'done'",
            attempts="1",
            next_attempt_at="now()",
            error="''",
            done_at="now()",
        )
    _of_events(
        "payment.succeeded",
        "notifications_message",
        id="gen_random_uuid()",
        event_id="event.id",
        recipient="lot.user_id || '@example.com'",
        subject="'Payment received'",
        body="repeat('we received your payment. ', 16)",
        status="'sent'",
        attempts="1",
        next_attempt_at="now()",
        error="''",
        created_at="now()",
        sent_at="now()",
    )


def _refund(every: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE lot ADD refund_id uuid")
        cursor.execute("UPDATE lot SET refund_id = gen_random_uuid() WHERE n %% %s = 0", [every])
    rows = "lot WHERE refund_id IS NOT NULL"
    into(
        "billing_refund",
        rows,
        id="refund_id",
        created_at="now()",
        updated_at="now()",
        payment_id="payment_id",
        status="'succeeded'",
        amount=str(PRICE // 2),
        currency="'RUB'",
        reason="'asked'",
        explanation="''",
        acquirer_refund_id="'ref_' || refund_id",
        decline_code="''",
        decline_message="''",
        raw="'{}'",
        checks="0",
        parked="''",
        settled_at="now()",
    )
    into(
        "billing_transfer",
        rows,
        reference="'refund:' || refund_id",
        debit_id=str(shop().refunds.pk),
        credit_id=str(shop().cash.pk),
        amount=str(PRICE // 2),
        currency="'RUB'",
        description="'Refund of invoice ' || number",
        at="now()",
        booked_at="now()",
    )
    _tell("refund", "requested", "", "created", rows)
    _tell("refund", "succeeded", "created", "succeeded", rows)


def _tell(noun: str, word: str, before: str, after: str, rows: str = "lot") -> None:
    subject = {"subject_type": f"'{noun}'", "subject_id": f"{noun}_id", "kind": f"'{noun}.{word}'"}
    states = {"from_state": f"'{before}'", "to_state": f"'{after}'"}
    into("billing_event", rows, **subject, **states, **EVENT, data=f"'{told('Monthly')}'")


def _of_events(kind: str, table: str, **columns: str) -> None:
    noun = kind.split(".")[0]
    rows = f"lot JOIN billing_event event ON event.subject_id = lot.{noun}_id AND event.kind = '{kind}'"
    into(table, rows, **columns)


def into(table: str, rows: str = "lot", /, **columns: str) -> None:
    """Inserts the columns, as SQL, of each row of the lot."""
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns.values())} FROM {rows}")


def _change(table: str, key: str, changes: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} row SET {changes}, updated_at = now() FROM lot WHERE row.id = lot.{key}")
