"""B7: what happens at the bank behind our back is found, shown and resolved; the books are right all the while."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from moneyed import Money

from billing import audit, ledger, reconciliation, resolutions
from billing.errors import Conflict, Invalid
from billing.models import Callback, Case, Event, Invoice, Payment, Refund, Transfer
from tests.local_bank import eventually
from tests.scenarios.story import Story
from tests.things import now, run_until_idle

pytestmark = pytest.mark.django_db(transaction=True)


def today() -> date:
    return now().astimezone(UTC).date()


def compare(story: Story) -> reconciliation.Result:
    return reconciliation.run("sandbox", today(), at=story.at)


def right(story: Story) -> None:
    """The books are right, and cash is what the bank has."""
    assert not audit.run(at=story.at).breaches
    done = [each for each in story.bank.operations() if each["state"] == "succeeded"]
    at_the_bank = sum(int(each["amount"]) * (1 if each["kind"] == "charge" else -1) for each in done)
    assert ledger.balance(ledger.cash("sandbox", "RUB")) == Money(at_the_bank, "RUB") / 100


def suspense() -> Money:
    return ledger.balance(ledger.suspense("RUB"))


def resolve(story: Story, case: Case, how: str) -> Case:
    return resolutions.resolve(case.pk, how, actor="user:1", reason="ticket 1", at=story.at)


@pytest.fixture
def paid(story: Story) -> Story:
    story.subscribe()
    story.pay()
    story.wait(minutes=1)
    assert story.payment.status == "succeeded"
    return story


def test_B7_a_day_that_agrees_has_no_cases(paid: Story) -> None:
    result = compare(paid)
    out = StringIO()
    call_command("reconcile", "--acquirer=sandbox", f"--day={today()}", stdout=out)

    assert (result.lines, Case.objects.count()) == (1, 0) and "1 lines, 0 new cases" in out.getvalue()
    right(paid)


def test_B7_a_refund_made_in_the_cabinet_is_recorded_and_nobody_is_called(paid: Story) -> None:
    paid.bank.refund_in_cabinet(paid.payment.acquirer_payment_id, 10_000)
    first, second = compare(paid), compare(paid)
    [case] = first.opened
    with pytest.raises(CommandError, match="1 cases are open"):
        call_command("reconcile", f"--day={today()}", stdout=StringIO())
    before = len(paid.bank.operations())
    resolve(paid, case, "record")
    again = compare(paid)

    assert (case.kind, case.payment, second.opened, again.opened) == ("unknown_refund", paid.payment, [], [])
    refund = Refund.objects.get()
    assert (refund.status, refund.amount, refund.payment.refunded) == ("succeeded", 10_000, 10_000)
    assert len(paid.bank.operations()) == before and paid.watches
    assert [*Event.objects.filter(subject_id=case.pk).values_list("kind", flat=True)] == [
        "case.opened",
        "case.resolved",
    ]
    right(paid)


def test_B7_a_cabinet_refund_s_callback_opens_the_same_case(called: Story) -> None:
    called.subscribe()
    called.pay()
    called.wait(minutes=1)
    called.bank.refund_in_cabinet(called.payment.acquirer_payment_id, 10_000)
    eventually(lambda: Callback.objects.filter(kind="refund.succeeded").exists())
    called.wait(minutes=1)

    assert Case.objects.get().kind == "unknown_refund" and not compare(called).opened
    assert not Callback.objects.exclude(status="processed").exists()


def test_B2_the_audit_asks_the_acquirer_too(paid: Story) -> None:
    out = StringIO()
    call_command("audit", "--acquirer=sandbox", stdout=out)
    paid.bank.refund_in_cabinet(paid.payment.acquirer_payment_id, 10_000)
    with pytest.raises(CommandError, match="1 promises are broken"):
        call_command("audit", "--acquirer=sandbox", f"--day={today()}", stdout=out)
    with pytest.raises(CommandError, match="no acquirer nobody") as stop:
        call_command("audit", "--acquirer=nobody", stdout=out)

    assert "The books are right" in out.getvalue() and "BROKEN: acquirer.agrees" in out.getvalue()
    assert stop.value.returncode == 2


@pytest.mark.parametrize(("how", "in_cash"), [("loss", 0), ("won", 29_900)])
def test_B7_a_chargeback_is_booked_at_once_and_ends_as_staff_say(paid: Story, how: str, in_cash: int) -> None:
    paid.bank.charge_back(paid.payment.acquirer_payment_id)
    [case] = compare(paid).opened
    assert (case.kind, case.theirs, suspense()) == ("chargeback", 29_900, Money("-299.00", "RUB"))
    right(paid)
    assert not compare(paid).opened and Transfer.objects.filter(reference=f"case:{case.pk}").count() == 1
    resolve(paid, case, how)

    assert suspense().amount == 0 and ledger.balance(ledger.cash("sandbox", "RUB")).amount * 100 == in_cash
    assert not audit.run(at=paid.at).breaches
    with pytest.raises(Conflict, match="resolved already"):
        resolve(paid, case, how)


def test_B7_a_chargeback_s_callback_opens_a_case(called: Story) -> None:
    called.subscribe()
    called.pay()
    called.wait(minutes=1)
    called.bank.charge_back(called.payment.acquirer_payment_id)
    eventually(lambda: Callback.objects.filter(kind="chargeback.created").exists())
    called.wait(minutes=1)

    assert Case.objects.get().kind == "chargeback"
    right(called)


def test_B7_a_payment_whose_news_were_lost_is_settled_and_no_case(story: Story) -> None:
    story.subscribe()
    story.pay()
    assert story.payment.status == "pending"
    result = compare(story)
    run_until_idle(story.at)

    assert not result.opened and story.payment.status == "succeeded" and story.watches
    right(story)


@pytest.fixture
def stranger(paid: Story) -> Story:
    """The bank took money for a payment that is gone here: as after a restored backup."""
    order: dict[str, Any] = {
        "order_id": "somebody-else", "amount": 5_000, "currency": "RUB", "description": "x", "customer": "c",
        "email": "", "callback_url": "", "capture": True, "expires_at": None, "return_url": "", "save_card": False,
    }  # fmt: skip
    from acquiring import registry

    client: Any = registry.get("sandbox")
    answer = client._client.request("POST", "/api/payments", json=order, idempotency_key="somebody-else")
    paid.bank.pay(answer.body["payment_url"])
    return paid


@pytest.mark.parametrize(("how", "left"), [("book", "50.00"), ("give_back", "0.00")])
def test_B7_money_that_we_do_not_know_is_booked_or_given_back(stranger: Story, how: str, left: str) -> None:
    [case] = compare(stranger).opened
    resolve(stranger, case, how)

    assert (case.kind, suspense()) == ("missing_here", Money(left, "RUB"))
    assert not compare(stranger).opened
    right(stranger)


def test_B7_a_refund_that_is_not_made_leaves_the_case_open_and_is_made_once(stranger: Story) -> None:
    [case] = compare(stranger).opened
    stranger.bank.fault("timeout_after")
    with pytest.raises(Conflict, match="Try again"):
        resolve(stranger, case, "give_back")
    resolve(stranger, case, "give_back")

    assert len([each for each in stranger.bank.operations() if each["kind"] == "refund"]) == 1
    right(stranger)


def test_B7_a_payment_that_the_bank_does_not_know_is_a_case_until_it_does(paid: Story) -> None:
    Payment.objects.update(acquirer_payment_id="pay_nowhere", settled_at=now())
    payment = paid.payment
    paid.bank.reset()
    [case] = compare(paid).opened
    assert (case.kind, case.ours, case.theirs) == ("missing_there", 29_900, 0)
    with pytest.raises(Conflict, match="still differs"):
        resolve(paid, case, "ask")
    with pytest.raises(Invalid, match="no way"):
        resolve(paid, case, "book")
    Payment.objects.update(settled_at=now() - timedelta(days=9))
    result = compare(paid)

    assert [each.pk for each in result.closed] == [case.pk] and payment.cases.get().resolution == "vanished"


def test_B7_a_part_that_was_captured_goes_back_and_the_payment_is_given_up(story: Story) -> None:
    story.subscribe()
    story.pay()
    Payment.objects.update(amount=30_000)  # what we asked for is not what the bank took
    [case] = compare(story).opened
    assert (case.kind, case.theirs, story.payment.status) == ("amount_differs", 29_900, "pending")
    resolve(story, case, "give_back")

    assert suspense().amount == 0 and story.payment.status == "cancelled"
    assert not compare(story).opened
    story.wait(hours=2)
    assert Invoice.objects.get().status == "void" and story.payment.parked == ""
    right(story)


def test_B7_without_a_statement_nothing_is_said(story: Story) -> None:
    story.bank.fault("refuse", count=30)
    with pytest.raises(CommandError, match="gave no statement") as stop:
        call_command("reconcile", "--acquirer=sandbox", stdout=StringIO())
    story.bank.clear_faults()

    assert stop.value.returncode == 2 and not Case.objects.exists()
    with pytest.raises(CommandError, match="no acquirer nobody"):
        call_command("reconcile", "--acquirer=nobody", stdout=StringIO())
