"""An acquirer that asks before it takes the money gets a true answer, and nothing is kept of the question."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from acquiring.types import Notice, Reply, Verdict
from billing import callbacks, payments
from billing.models import Callback
from tests.billing.desk import AT, start
from tests.fake_acquirer import FakeAcquirer

pytestmark = pytest.mark.django_db


@pytest.fixture
def ask(acquirer: FakeAcquirer, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The acquirer asks about a payment; the verdict that it reads."""
    parse, verdicts = acquirer.parse, []

    def asks(kind: str, headers: Any, body: bytes) -> Notice:
        notice = parse(kind, headers, body)
        return replace(notice, asks=True, outcome=replace(notice.outcome, **changes))

    def reply(notice: Notice | None, verdict: Verdict) -> Reply:
        verdicts.append(verdict)
        return Reply()

    monkeypatch.setattr(acquirer, "parse", asks)
    monkeypatch.setattr(acquirer, "reply", reply)
    changes: dict[str, Any] = {}

    def ask(payment: Any, at: Any = AT, **said: Any) -> Verdict:
        changes.clear()
        changes.update(said)
        post = acquirer.callback(payment.pk)
        callbacks.receive("fake", "check", post["headers"], post["data"], at=at)
        return verdicts[-1]

    return ask


def test_an_open_payment_may_be_taken_and_nothing_is_kept_of_the_question(ask: Any) -> None:
    payment = start()
    assert ask(payment) is Verdict.ACCEPTED
    assert not Callback.objects.exists()


def test_another_amount_is_refused(ask: Any) -> None:
    payment = start()
    assert ask(payment, amount=payment.money * 10) is Verdict.WRONG_AMOUNT


def test_an_order_that_nobody_made_is_refused(ask: Any) -> None:
    assert ask(start(), our_id=str(uuid.UUID(int=7))) is Verdict.UNKNOWN_ORDER


def test_a_paid_or_closed_invoice_is_not_taken_again(ask: Any, acquirer: FakeAcquirer) -> None:
    payment = start()
    acquirer.pay(payment.pk)
    payments.check(payment.pk, at=AT)
    assert ask(payment) is Verdict.NOT_PAYABLE
    other = start()
    payments.cancel(other.pk, at=AT)
    assert ask(other) is Verdict.NOT_PAYABLE


def test_after_the_time_of_the_invoice_nothing_is_taken(ask: Any) -> None:
    payment = start()
    payment.invoice.expires_at = AT + timedelta(minutes=30)
    payment.invoice.save(update_fields=["expires_at"])
    assert ask(payment) is Verdict.ACCEPTED
    assert ask(payment, AT + timedelta(minutes=30)) is Verdict.EXPIRED
    assert ask(payment, AT + timedelta(minutes=30), our_id="nonsense") is Verdict.UNKNOWN_ORDER
