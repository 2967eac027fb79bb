# ruff: noqa: S608  the statements are the test's own
"""B2: the audit finds each thing that may be wrong with the books, and nothing where they are right.

Each case corrupts one row past the guards (the constraint is dropped in the test's own transaction).
"""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from billing import audit, ledger, refunds
from billing.models import Payment
from subscriptions import lifecycle
from subscriptions.models import Plan
from tests.billing.desk import bill, give_back, paid
from tests.billing.fiscal import CASE_OPEN, HALTED, RECEIPTS, RECEIPTS_TOLD
from tests.billing.meters import METERS
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions import test_audit_changes, test_audit_prices, test_audit_renewals
from tests.subscriptions.shopping import settle
from tests.things import DAY, now, plan, run_until_idle, viewer

pytestmark = pytest.mark.django_db

TABLES = (
    "billing_transfer", "billing_event", "billing_refund", "billing_payment", "billing_invoice", "billing_invoiceline",
    "billing_account", "billing_delivery", "billing_callback", "subscriptions_subscription", "subscriptions_period",
    "subscriptions_change", "subscriptions_meter", "subscriptions_promocode", "subscriptions_redemption",
    "billing_receipt", "billing_acquirerhealth",
)  # fmt: skip
A_LONG_TIME = "now() - interval '60 days'"
CALLBACK = (
    "INSERT INTO billing_callback (acquirer, kind, dedupe_key, headers, body, status, attempts, next_attempt_at, note,"
    f" subject_type, received_at) VALUES ('fake', 'k', 'x', '{{}}', '', 'received', 1, {A_LONG_TIME}, '', '', now())"
)
STRAY = (
    "INSERT INTO billing_transfer (reference, debit_id, credit_id, amount, currency, description, at, booked_at)"
    " SELECT 'nobody:1', debit_id, credit_id, 1, currency, '', now(), now() FROM billing_transfer LIMIT 1"
)
FIRST = "(SELECT id FROM billing_payment WHERE status = 'succeeded' AND NOT surplus AND refunded = 0 LIMIT 1)"
BACK = "(SELECT id FROM billing_refund LIMIT 1)"


@pytest.fixture
def books(acquirer: FakeAcquirer) -> FakeAcquirer:
    """A cinema in which everything has happened: paid, refunded, paid twice, topped up, cancelled, waiting."""
    plan("month", 1, 29_900)
    for _ in range(3):
        order = lifecycle.Order(plan="month")
        settle(lifecycle.subscribe(viewer().pk, order, actor="test", at=now()).payment, now())
    lifecycle.subscribe(viewer().pk, lifecycle.Order(plan="month"), actor="test", at=now())
    give_back(paid(acquirer), "100.00")
    user = viewer()
    top_up = paid(acquirer, bill(user_id=user.pk, account=ledger.wallet(user.pk, "RUB")))
    give_back(top_up, "10.00")
    late = paid(acquirer)
    assert refunds.request(late.pk, amount=None, reason="all", actor="test", at=now()).status == "succeeded"
    run_until_idle(now())
    return acquirer


def do(*statements: str) -> None:
    """These statements, past every trigger and constraint but the foreign keys."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype IN ('c', 'x')"
            " AND conrelid::regclass::text = ANY(%s)",
            [list(TABLES)],
        )
        for table, name in cursor.fetchall():
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        for statement in statements:
            cursor.execute(statement)
            assert cursor.rowcount != 0, statement


def broken(**more: Any) -> set[str]:
    return {finding.check.name for finding in audit.run(**{"at": now()} | more).breaches}


def test_B2_books_that_are_right_are_called_right(books: FakeAcquirer) -> None:
    out = StringIO()
    call_command("audit", stdout=out)
    report = audit.run(at=now())

    assert "The books are right" in out.getvalue() and not report.breaches and not report.told
    assert report.checks == len(audit.names()) and report.rows > 50


@pytest.mark.django_db
def test_B2_an_empty_database_is_right() -> None:
    call_command("audit", stdout=StringIO())


TOPPED_UP = "(SELECT 'hold:' || id FROM billing_refund WHERE status = 'succeeded' AND amount = 1000)"

CASES = {
    "wallet.held+*": [f"UPDATE billing_transfer SET amount = amount - 1 WHERE reference = {TOPPED_UP}"],
    "wallet.balance": ["UPDATE billing_account SET balance = balance + 1 WHERE kind = 'wallet'"],
    "cash.balance+payment.transfer": [
        f"UPDATE billing_transfer SET amount = amount + 1 WHERE reference = 'payment:' || {FIRST}"
    ],
    "payment.transfer": [
        "UPDATE billing_transfer SET credit_id = (SELECT id FROM billing_account WHERE kind = 'refunds')"
        f" WHERE reference = 'payment:' || {FIRST}"
    ],
    "refund.transfer": [
        "UPDATE billing_transfer SET debit_id = (SELECT id FROM billing_account WHERE kind = 'revenue')"
        " WHERE reference = (SELECT 'refund:' || r.id FROM billing_refund r JOIN billing_payment p ON p.id ="
        " r.payment_id JOIN billing_invoice i ON i.id = p.invoice_id JOIN billing_account a ON a.id = i.account_id"
        " WHERE a.kind = 'revenue' LIMIT 1)"
    ],
    "payment.transfer+cash.balance": [f"DELETE FROM billing_transfer WHERE reference = 'payment:' || {FIRST}"],
    "refund.transfer+cash.balance": [
        "DELETE FROM billing_transfer WHERE reference = (SELECT 'refund:' || r.id FROM billing_refund r JOIN"
        " billing_payment p ON p.id = r.payment_id JOIN billing_invoice i ON i.id = p.invoice_id JOIN billing_account a"
        " ON a.id = i.account_id WHERE a.kind = 'revenue' LIMIT 1)"
    ],
    "transfer.explained+cash.balance": [STRAY],
    "transfer.sound+transfer.explained": [
        STRAY.replace("debit_id, credit_id, 1", "debit_id, debit_id, 1"),
    ],
    "transfer.once+*": [
        "ALTER TABLE billing_transfer DROP CONSTRAINT transfer_reference",
        "INSERT INTO billing_transfer (reference, debit_id, credit_id, amount, currency, description, at, booked_at)"
        " SELECT reference, credit_id, debit_id, amount, currency, '', now(), now() FROM billing_transfer WHERE"
        " reference IN (SELECT reference FROM billing_transfer WHERE reference LIKE 'payment:%' LIMIT 1)",
    ],
    "payment.owed+invoice.state_told+*": [
        f"UPDATE billing_invoice SET status = 'void', paid_at = NULL WHERE id = (SELECT invoice_id FROM billing_payment"
        f" WHERE id = {FIRST})"
    ],
    "payment.surplus_returned+invoice.paid+payment.transfer": [
        f"UPDATE billing_payment SET surplus = true WHERE id = {FIRST}"
    ],
    "payment.refunded": [f"UPDATE billing_payment SET refunded = 1 WHERE id = {FIRST}"],
    "invoice.lines+invoice.line": ["UPDATE billing_invoiceline SET amount = amount + 1"],
    "invoice.lines+invoice.paid": ["UPDATE billing_invoice SET total = total + 1 WHERE status = 'paid'"],
    "payment.state_told": ["UPDATE billing_payment SET status = 'unknown' WHERE status = 'pending'"],
    "refund.state_told": [
        "INSERT INTO billing_event (kind, subject_type, subject_id, from_state, to_state, actor, reason, data,"
        f" request_id, at) SELECT 'refund.x', 'refund', {BACK}, 'succeeded', 'pending', '', '', '{{}}', '', now()"
    ],
    "case.state_told": [CASE_OPEN],
    "halt.state_told": [HALTED],
    **RECEIPTS,
    "payment.charged_back": [f"UPDATE billing_payment SET charged_back = 1 WHERE id = {FIRST}"],
    "payment.one_per_invoice+payment.state_told+*": [
        "DROP INDEX payment_one_live_or_successful",
        "UPDATE billing_payment SET invoice_id = (SELECT invoice_id FROM billing_payment WHERE status = 'pending')"
        f" WHERE id = {FIRST}",
        "UPDATE billing_payment SET status = 'unknown' WHERE status = 'pending'",
    ],
    "payment.currency+*": [
        "ALTER TABLE billing_payment DROP CONSTRAINT payment_invoice_currency",
        "UPDATE billing_payment SET currency = 'USD' WHERE status = 'pending'",
    ],
    "refund.moves_on+refund.state_told+*": [
        f"UPDATE billing_refund SET status = 'pending', next_check_at = {A_LONG_TIME} WHERE id = {BACK}"
    ],
    "invoice.state_told": ["UPDATE billing_invoice SET status = 'draft' WHERE status = 'open'"],
    "subscription.state_told": ["UPDATE subscriptions_subscription SET status = 'paused' WHERE status = 'active'"],
    "event.chain": ["UPDATE billing_event SET from_state = 'unknown' WHERE kind = 'payment.succeeded'"],
    "delivery.delivered": [f"UPDATE billing_delivery SET status = 'due', next_attempt_at = {A_LONG_TIME}"],
    "callback.acted_on": [CALLBACK],
    "payment.moves_on": [f"UPDATE billing_payment SET next_check_at = {A_LONG_TIME} WHERE status = 'pending'"],
    "message.sent": [f"UPDATE notifications_message SET status = 'sending', next_attempt_at = {A_LONG_TIME}"],
    "subscription.paid": [
        "UPDATE subscriptions_subscription SET valid_till = valid_till + interval '1 second' WHERE status = 'active'"
    ],
    "subscription.access": [
        "UPDATE subscriptions_subscription SET access_until = now() + interval '1 day' WHERE status = 'pending'"
    ],
    "subscription.access+": [  # longer than this plan's grace, shorter than another's
        "UPDATE subscriptions_subscription SET access_until = valid_till + interval '2 days 1 second'"
        " WHERE status = 'active'"
    ],
    "subscription.switches": [  # to a term that nobody paid ahead
        "UPDATE subscriptions_subscription SET next_plan_id = plan_id, next_price_id = price_id,"
        " switches_at = now() + interval '9 days' WHERE status = 'active'"
    ],
    "subscription.moves_on": ["UPDATE subscriptions_subscription SET next_action_at = NULL WHERE status = 'active'"],
    "period.sequence": [
        "INSERT INTO subscriptions_period (subscription_id, number, months, starts_at, ends_at, invoice_id, created_at,"
        " refund_policy) SELECT subscription_id, 2, 1, starts_at + interval '1 day', ends_at, NULL, now(), 'none'"
        " FROM subscriptions_period"
        " WHERE starts_at IS NOT NULL"
    ],
    "period.begun+subscription.paid": [
        "UPDATE subscriptions_period SET starts_at = NULL, ends_at = NULL",
        "ALTER TABLE billing_invoice DISABLE TRIGGER USER",
        f"UPDATE billing_invoice SET paid_at = {A_LONG_TIME} WHERE status = 'paid'",
    ],
    "subscription.pending": [
        "UPDATE subscriptions_period SET invoice_id = NULL WHERE invoice_id IN (SELECT id FROM billing_invoice WHERE"
        " status = 'open')"
    ],
}


@pytest.mark.parametrize("names", CASES)
def test_B2_each_thing_that_is_wrong_is_found_and_nothing_else(names: str, books: FakeAcquirer) -> None:
    do(*CASES[names])

    expected = set(names.split("+")) - {""}
    assert expected - {"*"} <= broken() if "*" in expected else broken() == expected


TOLD = {
    **RECEIPTS_TOLD,
    "payment.parked": "UPDATE billing_payment SET parked = 'why' WHERE status = 'pending'",
    "refund.parked": f"UPDATE billing_refund SET parked = 'why' WHERE id = {BACK}",
    "case.parked": CASE_OPEN,
    "halt.parked": HALTED,
    "callback.parked": CALLBACK.replace("'received'", "'parked'"),
    "delivery.parked": "UPDATE billing_delivery SET status = 'parked'",
    "message.parked": "UPDATE notifications_message SET status = 'parked'",
}


@pytest.mark.parametrize("name", TOLD)
def test_B2_each_kind_of_thing_that_waits_for_a_human_is_told(name: str, books: FakeAcquirer) -> None:
    do(TOLD[name])

    assert {finding.check.name for finding in audit.run(at=now()).told} == {name}


def test_B2_every_check_has_a_test_in_which_it_finds_what_it_is_for() -> None:
    # time alone breaks the first: a test of its own, below
    promos = {"promo.counted", "promo.used", "promo.saved"}
    others = {*test_audit_renewals.CASES, *test_audit_prices.CASES, *test_audit_changes.CASES}
    elsewhere = {"invoice.closed", *METERS, *promos, *others}
    tested = {name for names in CASES for name in names.split("+")} | TOLD.keys() | elsewhere
    assert tested - {"*", ""} == set(audit.names())


def test_B2_time_that_has_run_out_is_found(books: FakeAcquirer) -> None:
    later = now() + 30 * DAY

    assert broken(at=later) >= {"payment.moves_on"}
    assert not broken(at=now() + timedelta(minutes=30))


def test_B2_a_grace_that_was_promised_stays_right_when_the_plan_s_is_shortened(books: FakeAcquirer) -> None:
    Plan.objects.update(grace_days=0)

    assert not broken()


def test_B2_an_open_invoice_that_nobody_closed_is_found(books: FakeAcquirer) -> None:
    bill()

    assert "invoice.closed" in broken(at=now() + 3 * DAY)


def test_B2_the_rows_concerned_are_shown_and_counted(books: FakeAcquirer) -> None:
    do("UPDATE billing_payment SET refunded = refunded + 1 WHERE status = 'succeeded'")
    count, out = Payment.objects.filter(status="succeeded").count(), StringIO()
    with pytest.raises(CommandError, match=r"1 promises are broken") as stop:
        call_command("audit", "--shown=2", stdout=out)

    assert stop.value.returncode == 1
    assert f"BROKEN: payment.refunded: A payment's refunds add up, to no more than was taken. Rows: {count}" in str(
        out.getvalue()
    )
    assert out.getvalue().count("payment=") == 2 and f"and {count - 2} more" in out.getvalue()


def test_B2_what_is_parked_is_told_and_no_breach(books: FakeAcquirer) -> None:
    Payment.objects.filter(status="pending").update(parked="The acquirer took 1.00 ₽.")
    out = StringIO()
    call_command("audit", stdout=out)

    assert "payment.parked" in out.getvalue() and "1 wait for a human" in out.getvalue()


def test_B2_only_some_checks_and_an_unknown_one(books: FakeAcquirer) -> None:
    do("UPDATE billing_payment SET refunded = refunded + 1 WHERE status = 'succeeded'")
    call_command("audit", "--only=wallet.balance", "--timings", stdout=StringIO())
    with pytest.raises(CommandError, match=r"no check nonsense") as stop:
        call_command("audit", "--only=nonsense", stdout=StringIO())

    assert stop.value.returncode == 2


@pytest.mark.django_db(transaction=True)
def test_B2_the_audit_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(audit._checks, "writes", audit.Check("writes", "", "SELECT nextval('billing_invoice_number')"))
    with pytest.raises(audit.CannotAudit, match="read-only"):
        audit.run(at=now(), only=frozenset({"writes"}))
