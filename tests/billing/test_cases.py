"""Cases whose news go on after a human has dealt with them: what a case gives back is booked once, when it is made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from moneyed import Money

from acquiring.types import Outcome, Status, Subject
from billing import audit, callbacks, ledger, reconciliation, resolutions
from billing.errors import Conflict
from billing.models import Callback, Case, Delivery, Payment
from tests import fake_acquirer
from tests.billing.conftest import too_much
from tests.billing.desk import AT, fresh, paid, start
from tests.fake_acquirer import FakeAcquirer
from tests.things import run_until_idle

pytestmark = pytest.mark.django_db
BACK = Money("100.00", "RUB")


@pytest.fixture
def doorbell(settings: Any) -> FakeAcquirer:
    """An acquirer that does not sign: its callbacks are only a doorbell."""
    settings.ACQUIRERS = {"fake": {**fake_acquirer.SETTING["fake"], "options": {"trusted": False}}}
    return fake_acquirer.installed()


def resolve(case: Case, how: str, at: Any = AT) -> Case:
    return resolutions.resolve(case.pk, how, actor="user:1", reason="ticket 1", at=at)


def refund_under_way(acquirer: FakeAcquirer, case: Case) -> None:
    """The money was asked to go back, and the acquirer takes its time; staff leave the case."""
    made = acquirer._refund

    def later(order: Any) -> Any:
        made(order)
        acquirer.operations[Subject.REFUND, order.our_id].status = Status.PENDING
        return acquirer._truth(Subject.REFUND, order.our_id)

    acquirer._refund = later
    with pytest.raises(Conflict, match="not given it back"):
        resolve(case, "give_back")
    resolve(case, "dismiss")


def ring(acquirer: FakeAcquirer, case: Case, **changes: Any) -> Callback:
    post = acquirer.callback(case.pk, Subject.REFUND, **changes)
    callbacks.receive("fake", "pay", post["headers"], post["data"], at=AT)
    callbacks.process_due(at=AT)
    return Callback.objects.get()


def in_suspense() -> Money:
    return ledger.balance(ledger.suspense("RUB"))


def right(acquirer: FakeAcquirer) -> None:
    """Nothing is left in suspense, our cash is what the acquirer has, and nothing makes another case."""
    assert in_suspense().amount == 0
    assert ledger.balance(ledger.cash("fake", "RUB")) == Money("299.00", "RUB")
    assert not audit.run(at=AT).breaches
    assert not reconciliation.run("fake", AT.date(), at=AT).opened and Case.objects.count() == 1


def test_B7_what_a_case_gave_back_is_booked_when_it_is_made_though_the_case_was_closed_before(
    acquirer: FakeAcquirer, case: Case
) -> None:
    refund_under_way(acquirer, case)
    assert (ring(acquirer, case, event="asked").status, in_suspense()) == ("processed", BACK)  # it is pending
    Callback.objects.all().delete()
    acquirer.settle(case.pk, Status.SUCCEEDED, Subject.REFUND)
    heard = ring(acquirer, case)

    assert (heard.status, heard.subject_type, heard.subject_id) == ("processed", "case", case.pk)
    right(acquirer)
    callbacks.retry(heard.pk, at=AT)
    right(acquirer)


def test_B7_the_statement_tells_it_where_the_callback_was_lost(acquirer: FakeAcquirer, case: Case) -> None:
    refund_under_way(acquirer, case)
    acquirer.settle(case.pk, Status.SUCCEEDED, Subject.REFUND)
    reconciliation.run("fake", AT.date(), at=AT)
    right(acquirer)


def test_B7_a_doorbell_about_a_refund_of_a_case_has_the_acquirer_asked(doorbell: FakeAcquirer) -> None:
    case = too_much(doorbell)
    refund_under_way(doorbell, case)
    ring(doorbell, case, status="succeeded")
    assert in_suspense() == BACK  # its words are not believed

    Callback.objects.all().delete()
    doorbell.settle(case.pk, Status.SUCCEEDED, Subject.REFUND)
    ring(doorbell, case)
    right(doorbell)


def test_B7_news_of_another_sum_than_a_case_asked_for_is_parked(acquirer: FakeAcquirer, case: Case) -> None:
    refund_under_way(acquirer, case)
    heard = ring(acquirer, case, status="succeeded", amount=9_999)

    assert heard.status == "parked" and "speaks of 99.99" in heard.note and "asked for 100.00" in heard.note
    assert in_suspense() == BACK


def test_B7_a_callback_about_the_refund_of_a_case_opens_no_second_case(acquirer: FakeAcquirer, case: Case) -> None:
    resolve(case, "give_back")
    assert ring(acquirer, case).status == "processed"
    right(acquirer)


def test_B7_a_payment_over_another_sum_that_is_given_up_is_told_with_its_invoice(acquirer: FakeAcquirer) -> None:
    payment = start()
    acquirer.pay(payment.pk)
    acquirer.operations["payment", str(payment.pk)].amount = Money("199.00", "RUB")
    [case] = reconciliation.run("fake", AT.date(), at=AT).opened
    resolve(case, "give_back")

    assert (fresh(payment).status, in_suspense()) == ("cancelled", Money("0.00", "RUB"))
    run_until_idle(AT)  # dunning and mails hear of it
    assert not Delivery.objects.exclude(error="").exists() and not Delivery.objects.exclude(status="done").exists()


def disputed(payment: Payment, taken: str, at: Any = AT) -> Case | None:
    """The acquirer says how much of a payment is taken back at present."""
    said = Outcome(Status.SUCCEEDED, payment.acquirer_payment_id, charged_back=Money(taken, "RUB"))
    return reconciliation.charged_back(payment, said, at=at)


def test_B7_a_payment_that_is_disputed_again_after_a_win_is_a_case_again(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    first = disputed(payment, "100.00")
    assert first is not None
    resolve(first, "won")
    assert disputed(payment, "100.00") is None  # news of the dispute that was won
    second = disputed(payment, "30.00")
    assert second is not None and (second.theirs, fresh(payment).charged_back) == (3_000, 3_000)
    assert disputed(payment, "30.00") is None
    third = disputed(payment, "50.00")
    assert third is not None and (third.theirs, fresh(payment).charged_back) == (2_000, 5_000)
    assert in_suspense() == Money("-50.00", "RUB")


def test_B7_two_disputes_of_one_payment_are_two_cases_where_each_has_an_id(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)

    def told(dispute: str, taken: str) -> Case | None:
        said = Outcome(Status.SUCCEEDED, payment.acquirer_payment_id, charged_back=Money(taken, "RUB"), dispute=dispute)
        return reconciliation.charged_back(payment, said, at=AT)

    first = told("dp_1", "30.00")
    assert first is not None and told("dp_2", "30.00") is not None
    resolve(first, "won")
    assert told("dp_1", "30.00") is None and told("dp_2", "30.00") is None  # late news of both
    grown = told("dp_2", "50.00")
    assert grown is not None and (grown.theirs, fresh(payment).charged_back) == (2_000, 5_000)


def test_B7_where_chargebacks_add_up_only_what_is_more_than_ever_is_new(
    acquirer: FakeAcquirer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acquirer, "capabilities", replace(acquirer.capabilities, chargebacks_add_up=True))
    payment = paid(acquirer)
    first = disputed(payment, "100.00")
    assert first is not None
    resolve(first, "won")
    second = disputed(payment, "130.00")
    assert second is not None and (second.theirs, fresh(payment).charged_back) == (3_000, 3_000)
    assert disputed(payment, "130.00") is None
