"""Callbacks that come before what they are about, or that only say "something went back": none is taken for done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from moneyed import Money

from acquiring.types import Notice, Outcome, ReceiptStatus, Status, Subject
from billing import callbacks, reconciliation, refunds, resolutions, settlement
from billing.models import Callback, Case, Payment, Receipt
from tests import fake_acquirer
from tests.billing.desk import AT, HOUR, MINUTE, SECOND, bill, fresh, give_back, paid, start
from tests.fake_acquirer import FakeAcquirer, Fault

pytestmark = pytest.mark.django_db

Ring = Callable[..., Callback]
REGISTERED = Outcome(Status.UNKNOWN, receipt=ReceiptStatus.REGISTERED)


@pytest.fixture
def register(settings: Any) -> FakeAcquirer:
    """An acquirer with a cash register."""
    settings.ACQUIRERS = {"fake": {**fake_acquirer.SETTING["fake"], "receipts": {"tax_system": "osn"}}}
    return fake_acquirer.installed()


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Ring:
    """The acquirer says whatever a test wants; the stored callback after the first try to act on it."""

    def ring(subject: Subject = Subject.PAYMENT, outcome: Outcome = REGISTERED, **more: Any) -> Callback:
        bank = fake_acquirer.installed()
        said = Notice(f"evt_{Callback.objects.count()}", subject, "notice", outcome, **more)
        monkeypatch.setattr(bank, "parse", lambda *_: said)
        callbacks.receive("fake", "notice", {}, b"{}", at=AT)
        callbacks.process_due(at=AT)
        return Callback.objects.latest("pk")

    return ring


def of_its_receipt(row: Any) -> dict[str, Any]:
    return {"outcome": replace(REGISTERED, our_id=str(row.pk)), "only_receipt": True}


@pytest.mark.parametrize("lists", [False, True])
def test_M3_money_of_a_payment_given_up_is_only_believed_when_asked_about_where_refunds_have_no_ids(
    ring: Ring, acquirer: FakeAcquirer, monkeypatch: pytest.MonkeyPatch, lists: bool
) -> None:
    """What we cancelled in the moment in which it was paid went back at once; the news of the money may come later."""
    monkeypatch.setattr(acquirer, "capabilities", replace(acquirer.capabilities, statements=lists))
    payment = start()
    settlement.apply(payment.pk, Outcome(Status.CANCELLED), actor="acquirer:fake", at=AT)
    gone = Outcome(Status.CANCELLED, payment.acquirer_payment_id, str(payment.pk))
    monkeypatch.setattr(acquirer, "fetch", lambda *_: gone)
    ring(outcome=Outcome(Status.SUCCEEDED, payment.acquirer_payment_id, str(payment.pk), payment.money))
    assert fresh(payment).status == ("succeeded" if lists else "cancelled")


def test_B6_a_receipt_that_is_told_of_before_its_payment_is_kept_until_the_payment_is_settled(
    register: FakeAcquirer, ring: Ring
) -> None:
    payment = start()
    early = ring(**of_its_receipt(payment))
    assert (early.status, early.next_attempt_at) == ("received", AT + SECOND)
    assert "not settled here yet" in early.note
    settlement.apply(payment.pk, register.pay(payment.pk), actor="acquirer:fake", at=AT)
    callbacks.process_due(at=AT + SECOND)
    assert (fresh(early).status, fresh(early).note) == ("processed", "")
    assert Receipt.objects.get().status == "registered"


def test_B6_a_receipt_that_is_told_of_before_its_refund_is_kept_until_the_refund_is_made(
    register: FakeAcquirer, ring: Ring
) -> None:
    register.program("refund", Fault.PENDING)
    refund = give_back(paid(register))
    early = ring(Subject.REFUND, **of_its_receipt(refund))
    assert early.status == "received"
    register.settle(refund.pk, Status.SUCCEEDED, Subject.REFUND)
    refunds.check(refund.pk, at=AT)
    callbacks.process_due(at=AT + SECOND)
    assert (fresh(early).status, Receipt.objects.get(refund=refund).status) == ("processed", "registered")


def test_B6_a_receipt_of_what_is_never_settled_is_parked_with_a_sentence(register: FakeAcquirer, ring: Ring) -> None:
    early = ring(**of_its_receipt(start()))
    for n in range(1, callbacks.PARK_AFTER):
        callbacks.process_due(at=AT + n * HOUR)
    assert (fresh(early).status, fresh(early).note) == (
        "parked",
        "The receipt of a payment that is not settled here yet. Ask the acquirer about it.",
    )


def test_B6_a_receipt_of_what_failed_is_done_and_so_is_one_that_nobody_asked_for(
    acquirer: FakeAcquirer, settings: Any, ring: Ring
) -> None:
    assert ring(**of_its_receipt(start())).status == "processed"  # no receipts are agreed upon with this acquirer
    settings.ACQUIRERS = {"fake": {**fake_acquirer.SETTING["fake"], "receipts": {"tax_system": "osn"}}}
    payment = start()
    settlement.apply(payment.pk, Outcome(Status.FAILED), actor="acquirer:fake", at=AT)
    assert ring(**of_its_receipt(payment)).status == "processed"


def test_B6_a_receipt_of_some_refund_waits_for_the_only_one_that_it_can_mean(
    register: FakeAcquirer, ring: Ring
) -> None:
    payment = paid(register)
    bell = {"payment_reference": payment.acquirer_payment_id, "only_receipt": True}
    register.program("refund", Fault.PENDING)
    refund = give_back(payment, "100.00")
    early = ring(Subject.REFUND, **bell)
    assert early.status == "received"
    register.settle(refund.pk, Status.SUCCEEDED, Subject.REFUND)
    refunds.check(refund.pk, at=AT)
    register.program("refund", Fault.PENDING)
    give_back(payment, "50.00")
    assert ring(Subject.REFUND, **bell).status == "processed"  # it may be either one's: the poll asks about both
    assert Receipt.objects.get(refund=refund).status == "pending"


class Tells:
    """An acquirer that lists nothing, and says of a payment how much of it went back."""

    def __init__(self, bank: FakeAcquirer, payment: Payment, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bank, "capabilities", replace(bank.capabilities, statements=False))
        self.payment, self.fetch = payment, bank.fetch
        self.back: str | None = None
        monkeypatch.setattr(bank, "fetch", self.told)

    def told(self, subject: Subject, our_id: str, *more: Any) -> Outcome:
        said = self.fetch(subject, our_id, *more)
        back = Money(self.back, "RUB") if self.back and our_id == str(self.payment.pk) else None
        return replace(said, refunded=back) if subject == Subject.PAYMENT else said


class Bell:
    """ "Money of this payment went back, so much in all"; rung, it gives the callback."""

    def __init__(self, tells: Tells, ring: Ring) -> None:
        self.payment = tells.payment
        self._tells, self._ring = tells, ring

    def __call__(self, back: str | None) -> Callback:
        self._tells.back = back
        reference = self.payment.acquirer_payment_id
        return self._ring(Subject.REFUND, Outcome(Status.UNKNOWN), trusted=False, payment_reference=reference)


@pytest.fixture
def bell(acquirer: FakeAcquirer, ring: Ring, monkeypatch: pytest.MonkeyPatch) -> Bell:
    return Bell(Tells(acquirer, paid(acquirer), monkeypatch), ring)


def sums() -> list[int]:
    """What the cases say was given back, in roubles."""
    return [case.theirs // 100 for case in Case.objects.order_by("theirs")]


def test_B7_a_bell_about_our_own_refund_is_explained_and_one_about_more_is_a_case(bell: Bell) -> None:
    give_back(bell.payment, "100.00")
    assert (bell("100.00").status, sums()) == ("processed", [])
    assert (bell("150.00").status, sums()) == ("processed", [50])
    case = Case.objects.get()
    assert (case.kind, case.payment, case.status) == ("unknown_refund", bell.payment, "open")
    assert (bell("150.00").status, sums()) == ("processed", [50])
    assert (bell("170.00").status, sums()) == ("processed", [20, 50])  # only what no case explains


def test_B7_a_refund_of_the_cabinet_that_was_recorded_is_explained(bell: Bell) -> None:
    bell("150.00")
    resolutions.resolve(Case.objects.get().pk, "record", actor="user:1", reason="ticket 1", at=AT)
    assert fresh(bell.payment).refunded_money == Money("150.00", "RUB")
    bell("150.00")
    bell("151.00")
    assert sums() == [1, 150]


def test_B7_the_daily_comparison_finds_the_case_of_the_bell_and_opens_no_other(bell: Bell) -> None:
    bell("150.00")
    for _ in range(2):
        assert not reconciliation.run("fake", AT.date(), at=AT).opened
    assert (sums(), Case.objects.get().status) == ([150], "open")
    bell("170.00")
    [case] = [case for case in Case.objects.all() if case.theirs == 2_000]
    Case.objects.filter(pk=case.pk).update(day=AT.date())
    assert not reconciliation.run("fake", AT.date(), at=AT).closed  # it still differs


def test_B7_where_nobody_says_how_much_went_back_a_human_looks_unless_a_refund_of_ours_explains_it(bell: Bell) -> None:
    assert "we did not ask for it" in bell(None).note
    give_back(bell.payment, "100.00")
    assert bell(None).status == "processed"


def test_B7_a_bell_that_cannot_be_looked_into_is_tried_again(bell: Bell, acquirer: FakeAcquirer) -> None:
    acquirer.program("fetch", Fault.LOSE_ANSWER)
    heard = bell("150.00")
    assert (heard.status, sums()) == ("received", [])
    callbacks.process_due(at=AT + SECOND)
    assert (fresh(heard).status, sums()) == ("processed", [150])


def test_B7_a_bell_about_what_a_case_gave_back_is_tried_again_until_the_acquirer_says(
    acquirer: FakeAcquirer, ring: Ring
) -> None:
    payment = paid(acquirer, bill())
    acquirer.operations["payment", str(payment.pk)].amount = Money("399.00", "RUB")
    [case] = reconciliation.run("fake", AT.date(), at=AT).opened
    resolutions.resolve(case.pk, "give_back", actor="user:1", reason="ticket 1", at=AT)
    acquirer.program("fetch", Fault.LOSE_ANSWER)
    said = Outcome(Status.SUCCEEDED, our_id=str(case.pk))
    heard = ring(Subject.REFUND, said, trusted=False)
    assert (heard.status, heard.subject_id) == ("received", case.pk)
    callbacks.process_due(at=AT + MINUTE)
    assert fresh(heard).status == "processed"
