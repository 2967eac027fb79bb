"""After the killing: is everything that was accepted final, was anything charged twice, is every kopeck explained?"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg

from tests.killing.customers import Accepted, Caller, Notes, Refused
from tests.killing.stage import Stage
from tests.local_bank import Visitor

# What is not done yet. Mails in the hands of a killed worker wait for their lease of five minutes; those that died
# while they were handed over are parked on purpose.
UNFINISHED = {
    "payments": "billing_payment WHERE status IN ('created', 'pending', 'authorized', 'unknown')"
    " OR next_check_at IS NOT NULL",
    "refunds": "billing_refund WHERE status IN ('created', 'pending', 'unknown')",
    "invoices": "billing_invoice WHERE status = 'open'",
    "subscriptions": "subscriptions_subscription WHERE status = 'pending'",
    "callbacks": "billing_callback WHERE status = 'received'",
    "deliveries": "billing_delivery WHERE status = 'due'",
    "mails": "notifications_message WHERE status IN ('due', 'sending') AND next_attempt_at < now()",
}
# What two minutes would bring: the leases of processes that died with something in hand are over. A request that is not
# answered after a quarter of its minute is dead; the lease of one that lives must stay, it keeps its answer by it.
LEASES = (
    "UPDATE billing_requestkey SET leased_until = now() WHERE status IS NULL AND leased_until > now()"
    " AND leased_until < now() + interval '45 seconds'",
    "UPDATE billing_payment SET next_check_at = now() WHERE next_check_at > now()",
    "UPDATE billing_refund SET next_check_at = now() WHERE next_check_at > now()",
    "UPDATE billing_callback SET next_attempt_at = now() WHERE status = 'received' AND next_attempt_at > now()",
    "UPDATE billing_delivery SET next_attempt_at = now() WHERE status = 'due' AND next_attempt_at > now()",
    "UPDATE notifications_message SET next_attempt_at = now() WHERE status = 'due' AND next_attempt_at > now()",
)


class Books:
    """Our own books, read past the product."""

    def __init__(self, url: str) -> None:
        self.url = url

    def rows(self, sql: str) -> list[Any]:
        with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
            return connection.execute(sql).fetchall()

    def unfinished(self) -> dict[str, int]:
        """How many of what are not done yet."""
        counts = {name: self.rows(f"SELECT count(*) FROM {sql}")[0][0] for name, sql in UNFINISHED.items()}  # noqa: S608
        return {name: count for name, count in counts.items() if count}

    def end_leases(self) -> None:
        """Lets two minutes pass for whatever died with something in hand. The database may be away."""
        with suppress(psycopg.OperationalError), psycopg.connect(self.url, autocommit=True) as connection:
            for sql in LEASES:
                connection.execute(sql)


@dataclass
class Verdict:
    """What came out. `wrong` holds a sentence for each thing that must not be."""

    figures: dict[str, Any]
    wrong: list[str]


def judge(stage: Stage, notes: Notes, unfinished: dict[str, int]) -> Verdict:
    """Looks at both books when everything is quiet."""
    books, wrong = Books(stage.postgres.url), list(notes.odd)
    wrong += [f"{count} {name} are not final" for name, count in unfinished.items()]
    lines = [line for line in Visitor(stage.bank_url).operations() if line["state"] == "succeeded"]
    charges = [line for line in lines if line["kind"] == "charge"]
    refunds = [line for line in lines if line["kind"] == "refund"]
    doubles = _doubles(books, charges)
    wrong += doubles + _unexplained(books, charges, refunds)
    lost = _lost(books, notes) + _changed(stage, notes)
    wrong += lost
    status, words = stage.audit()
    if status:
        wrong.append(f"audit: exit status {status}\n{words}")
    figures = {
        "kills": {name: part.kills for name, part in stage.parts.items()},
        "fell_by_themselves": {name: part.falls for name, part in stage.parts.items() if part.falls},
        "accepted": dict(Counter(operation.kind for operation in notes.accepted)),
        "accepted_in_all": len(notes.accepted),
        "charges": len(charges),
        "refunds": len(refunds),
        "surplus_payments": books.rows("SELECT count(*) FROM billing_payment WHERE surplus")[0][0],
        "mails": dict(books.rows("SELECT status, count(*) FROM notifications_message GROUP BY status")),
        "double_charges": len(doubles),
        "lost_operations": len(lost),
        "repeated": dict(notes.seen),
        "answers": {str(status): count for status, count in sorted(notes.answers.items())},
        "audit": words.splitlines()[-1] if words else "",
    }
    return Verdict(figures, wrong)


def wait_until_final(stage: Stage, books: Books, seconds: float, *, hurry: bool) -> dict[str, int]:
    """Waits, so many seconds at most; what is still unfinished then. `hurry` ends the leases of the dead."""
    until = time.monotonic() + seconds
    while (unfinished := books.unfinished()) and time.monotonic() < until:
        stage.supervise()
        if hurry:
            books.end_leases()
        time.sleep(0.5)
    return unfinished


def _doubles(books: Books, charges: list[dict[str, Any]]) -> list[str]:
    """At the bank: one charge for an order, and one for an invoice."""
    invoice_of = {
        str(payment): str(invoice) for payment, invoice in books.rows("SELECT id, invoice_id FROM billing_payment")
    }
    orders = Counter(line["order_id"] for line in charges)
    invoices = Counter(invoice_of.get(line["order_id"], line["order_id"]) for line in charges)
    return [f"order {order} was charged {times} times" for order, times in orders.items() if times > 1] + [
        f"invoice {invoice} was charged {times} times" for invoice, times in invoices.items() if times > 1
    ]


def _unexplained(books: Books, charges: list[dict[str, Any]], refunds: list[dict[str, Any]]) -> list[str]:
    """Each kopeck at the bank is a payment or refund of ours, and the other way round."""
    sold = "SELECT id::text, captured FROM billing_payment WHERE captured > 0"
    back = "SELECT id::text, amount FROM billing_refund WHERE status = 'succeeded'"
    wrong = []
    for name, theirs, sql in (("charge", charges, sold), ("refund", refunds, back)):
        at_bank = {(line["order_id"], line["amount"]) for line in theirs}
        ours = {tuple(row) for row in books.rows(sql)}
        wrong += [f"{name} {order} of {amount} is at the bank alone" for order, amount in at_bank - ours]
        wrong += [f"{name} {order} of {amount} is with us alone" for order, amount in ours - at_bank]
    cash = books.rows(
        "SELECT coalesce(sum(CASE WHEN account.id = debit_id THEN amount ELSE -amount END), 0)"
        " FROM billing_transfer JOIN billing_account account ON account.id IN (debit_id, credit_id)"
        " WHERE account.kind = 'cash'"
    )[0][0]
    left = sum(line["amount"] for line in charges) - sum(line["amount"] for line in refunds)
    return wrong + ([f"the bank holds {left} for us, our cash account says {cash}"] if left != cash else [])


def _lost(books: Books, notes: Notes) -> list[str]:
    """Each accepted operation is there, once, and final; and staff's refunds are no more than were accepted."""
    ends = {
        "subscribe": dict(books.rows("SELECT id::text, status FROM subscriptions_subscription")),
        "pay again": dict(books.rows("SELECT id::text, status FROM billing_payment")),
        "refund": dict(books.rows("SELECT id::text, status FROM billing_refund")),
    }
    ends["unsubscribe"] = ends["subscribe"]
    final = {
        "subscribe": ("active", "cancelled", "ended", "abandoned"),
        "pay again": ("succeeded", "failed", "cancelled"),
        "refund": ("succeeded",),
        "unsubscribe": ("cancelled", "ended", "abandoned"),
    }
    wrong = []
    for operation in notes.accepted:
        state = ends[operation.kind].get(str(operation.answer["id"]))
        if state not in final[operation.kind]:
            wrong.append(f"{operation.kind} {operation.answer['id']} was accepted and is {state or 'not there'}")
    for kind, sql in {
        "subscribe": "SELECT count(*) FROM subscriptions_subscription",
        "refund": "SELECT count(*) FROM billing_refund WHERE reason = 'Sorry'",
    }.items():
        asked, made = (
            len({operation.key for operation in notes.accepted if operation.kind == kind}),
            books.rows(sql)[0][0],
        )
        if asked != made:
            wrong.append(f"{asked} keys of {kind} were accepted and {made} are there")
    return wrong


def _changed(stage: Stage, notes: Notes) -> list[str]:
    """Each key, used again, gives the answer that it was accepted with."""
    caller = Caller(stage.url, Notes())
    return [wrong for operation in notes.accepted if (wrong := _again(caller, operation))]


def _again(caller: Caller, operation: Accepted) -> str:
    try:
        told, _ = caller.call("POST", operation.path, operation.token, operation.body, operation.key)
    except Refused as refusal:
        return f"{operation.kind} {operation.answer['id']}, repeated with its key: {refusal}"
    return "" if told == operation.answer else f"{operation.kind} {operation.answer} became {told}"
