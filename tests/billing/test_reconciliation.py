"""B7, where no bank is needed: many lines, odd lines, lines whose day is another."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from moneyed import Money

from acquiring.http import Unanswered
from acquiring.types import Outcome, StatementLine, Status, Subject
from billing import audit, ledger, reconciliation, resolutions, statements
from billing.errors import Invalid
from billing.models import Case, Payment, Refund
from tests.billing.desk import AT, give_back, paid
from tests.fake_acquirer import FakeAcquirer, Fault

pytestmark = pytest.mark.django_db
TODAY = AT.date()


def compare(day: Any = TODAY) -> reconciliation.Result:
    return reconciliation.run("fake", day, at=AT)


def queries(acquirer: FakeAcquirer) -> int:
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert not compare().opened
    return len(asked)


def test_B7_a_hundred_lines_that_agree_cost_no_more_queries_than_one(acquirer: FakeAcquirer) -> None:
    give_back(paid(acquirer))
    few = queries(acquirer)
    for _ in range(5):
        give_back(paid(acquirer), "10.00")
    assert queries(acquirer) == few


def test_B7_a_long_statement_is_compared_in_chunks(acquirer: FakeAcquirer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "CHUNK", 2)
    for _ in range(3):
        give_back(paid(acquirer), "10.00")
    lost = paid(acquirer)
    acquirer.forget(lost.pk)
    result = compare()

    assert result.lines == 6 and [(case.kind, case.payment) for case in result.opened] == [("missing_there", lost)]


def test_B7_what_is_listed_on_the_day_before_or_after_is_not_missing(acquirer: FakeAcquirer) -> None:
    refund = give_back(paid(acquirer), "10.00")
    for operation in acquirer.operations.values():
        operation.at -= timedelta(days=1)
    assert not compare().opened
    Payment.objects.update(settled_at=AT - timedelta(days=2))
    Refund.objects.filter(pk=refund.pk).update(settled_at=AT - timedelta(days=2))
    assert not compare(TODAY - timedelta(days=2)).opened and not Case.objects.exists()


@pytest.mark.parametrize(("status", "trouble"), [("failed", False), ("succeeded", True)])
def test_B7_of_a_bank_that_lists_nothing_only_what_is_booked_must_be_certain(
    acquirer: FakeAcquirer, monkeypatch: pytest.MonkeyPatch, status: str, trouble: bool
) -> None:
    monkeypatch.setattr(acquirer, "capabilities", replace(acquirer.capabilities, statements=False))
    payment = paid(acquirer)
    if status == "failed":
        acquirer.program("refund", Fault.DECLINE)
    assert give_back(payment, "10.00").status == status
    fetch, doubt = acquirer.fetch, Outcome.unknown("some money of this payment went back")
    monkeypatch.setattr(acquirer, "fetch", lambda of, *ids: doubt if of == Subject.REFUND else fetch(of, *ids))
    if trouble:
        with pytest.raises(Unanswered):
            compare()
    else:
        assert not compare().opened


@pytest.mark.parametrize("nasty", ["", "a\0", "１２", "' OR 1=1", "x" * 4000])
@pytest.mark.parametrize("subject", list(Subject))
def test_B7_a_line_about_nothing_of_ours_is_a_case_whatever_its_ids(
    acquirer: FakeAcquirer, monkeypatch: pytest.MonkeyPatch, subject: Subject, nasty: str
) -> None:
    said = Outcome(Status.SUCCEEDED, reference=nasty or "pay_x", our_id=nasty, amount=Money("5.00", "RUB"))
    monkeypatch.setattr(acquirer, "statement", lambda day: iter([StatementLine(subject, said, "pay_y")]))
    assert len(compare().opened) == 1 and not compare().opened


def differing(acquirer: FakeAcquirer, theirs: str) -> Case:
    """The acquirer took another sum than we have booked."""
    payment = paid(acquirer)
    acquirer.operations["payment", str(payment.pk)].amount = Money(theirs, "RUB")
    [case] = compare().opened
    return case


def test_B7_what_was_taken_on_top_is_given_back(acquirer: FakeAcquirer) -> None:
    case = differing(acquirer, "399.00")
    resolutions.resolve(case.pk, "give_back", actor="user:1", reason="ticket 1", at=AT)

    assert acquirer.returned(case.payment.pk) == [Money("100.00", "RUB")]
    assert ledger.balance(ledger.suspense("RUB")).amount == 0
    assert ledger.balance(ledger.cash("fake", "RUB")) == Money("299.00", "RUB")
    assert not audit.run(at=AT).breaches and not compare().opened


def test_B7_what_was_taken_too_little_cannot_be_given_back(acquirer: FakeAcquirer) -> None:
    case = differing(acquirer, "199.00")
    with pytest.raises(Invalid, match="no way"):
        resolutions.resolve(case.pk, "give_back", actor="user:1", reason="ticket 1", at=AT)


def test_B7_since_compares_every_day_up_to_yesterday(
    acquirer: FakeAcquirer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(acquirer, "statement", lambda day: asked.append(day) or iter(()))
    first = TODAY - timedelta(days=4)
    call_command("reconcile", "--acquirer=fake", f"--since={first}")
    assert asked == reconciliation.days_since(first, TODAY - timedelta(days=1))
    asked.clear()
    call_command("audit", "--acquirer=fake", f"--since={first}")
    assert asked == reconciliation.days_since(first, TODAY)


@pytest.mark.parametrize(
    "words",
    [
        ["reconcile", f"--since={TODAY + timedelta(days=1)}"],
        ["reconcile", f"--since={TODAY}", f"--day={TODAY}"],
        ["audit", f"--since={TODAY}"],
        ["audit", "--acquirer=fake", f"--since={TODAY}", f"--day={TODAY}"],
    ],
)
def test_B7_a_since_that_makes_no_sense_is_a_sentence_and_2(acquirer: FakeAcquirer, words: list[str]) -> None:
    with pytest.raises(CommandError, match="--since") as stop:
        call_command(*words)
    assert stop.value.returncode == 2
