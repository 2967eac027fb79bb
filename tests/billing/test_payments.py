"""Payments: committed before the acquirer hears of them, one at a time, asked about until they are known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from acquiring.types import Decline, Outcome, Status
from billing import cards, checkouts, invoices, payments, settlement
from billing.errors import Conflict, Invalid, NotFound
from billing.models import Payment
from tests.billing.desk import (
    AT,
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Died,
    audit,
    bill,
    fresh,
    paid,
    pass_time,
    saved_card,
    start,
)
from tests.fake_acquirer import CARD, FakeAcquirer, Fault
from tests.things import viewer

pytestmark = pytest.mark.django_db

REFUSED = Outcome(Status.FAILED, decline=Decline.OUR_FAULT, code="401", message="who are you?")


def test_M3_the_payment_is_committed_before_the_acquirer_hears_of_it(acquirer: FakeAcquirer) -> None:
    invoice = bill()
    acquirer.program("checkout", Died())
    with pytest.raises(Died):
        start(invoice)
    payment = invoice.payments.get()
    assert (payment.status, payment.acquirer) == ("created", "fake")
    assert [call.our_id for call in acquirer.called("checkout")] == [str(payment.pk)]


def test_M4_a_process_that_died_before_or_in_the_call_is_followed_by_the_sweep(acquirer: FakeAcquirer) -> None:
    acquirer.program("checkout", Died())
    with pytest.raises(Died):
        start()
    assert payments.poll_due(at=AT + MINUTE) == 0  # its first call may be under way
    assert payments.poll_due(at=AT + 2 * MINUTE) == 1
    payment = Payment.objects.get()
    assert payment.status == "pending"
    assert payment.redirect_url


def test_M3_a_second_start_finds_the_live_payment(acquirer: FakeAcquirer) -> None:
    invoice = bill()
    assert start(invoice).pk == start(invoice, at=AT + MINUTE).pk
    assert len(acquirer.called("checkout")) == 1


def test_M3_while_the_outcome_is_unknown_no_second_payment_begins(acquirer: FakeAcquirer) -> None:
    invoice = bill()
    acquirer.program("checkout", Fault.LOSE_ANSWER)
    first = start(invoice)
    assert first.status == "unknown"
    assert start(invoice).pk == first.pk
    assert len(acquirer.operations) == 1


@pytest.mark.parametrize("lost", [Fault.LOSE_REQUEST, Fault.LOSE_ANSWER])
@pytest.mark.parametrize("times", [1, 3])
def test_M3_a_charge_without_an_answer_is_made_once(acquirer: FakeAcquirer, lost: Fault, times: int) -> None:
    invoice = bill()
    acquirer.program("charge", *[lost] * times)
    payment = start(invoice, method_id=saved_card(invoice.user_id).pk)
    assert payment.status == "unknown"
    pass_time(*[MINUTE] * 10)
    assert fresh(payment).status == "succeeded"
    assert {call.our_id for call in acquirer.called("charge")} == {str(payment.pk)}
    audit(acquirer)


def test_M3_refused_connections_let_another_try_begin_at_once(acquirer: FakeAcquirer) -> None:
    invoice = bill()
    acquirer.program("checkout", Fault.NOT_SENT)
    first = start(invoice)
    assert (first.status, first.decline) == ("failed", "not_sent")
    assert start(invoice).pk != first.pk


def test_M3_not_sent_on_a_later_try_says_nothing_of_the_first(acquirer: FakeAcquirer) -> None:
    acquirer.program("checkout", Fault.LOSE_REQUEST, Fault.NOT_SENT)
    payment = start()
    pass_time(10 * SECOND)
    assert len(acquirer.called("checkout")) == 2
    assert fresh(payment).status == "unknown"


def test_M3_a_refused_later_try_says_nothing_of_the_first(acquirer: FakeAcquirer) -> None:
    """The first request is still on its way to the bank while our second one is refused for a wrong password."""
    acquirer.program("checkout", Fault.LOSE_REQUEST, REFUSED)
    payment = start()
    pass_time(10 * SECOND)
    assert fresh(payment).status == "unknown"


def test_M3_a_slow_first_call_that_never_left_does_not_kill_the_page_that_the_sweep_opened(
    acquirer: FakeAcquirer,
) -> None:
    def slow() -> Outcome:
        payments.poll_due(at=AT + 2 * MINUTE)
        return Outcome.not_sent("connection refused")

    acquirer.program("checkout", slow)
    payment = start()
    assert fresh(payment).status == "pending"
    assert fresh(payment).next_check_at is not None


def test_what_never_arrived_is_given_up_only_past_the_window_of_its_key(acquirer: FakeAcquirer) -> None:
    invoice = bill()
    acquirer.program("charge", *[Fault.LOSE_REQUEST] * 500)
    payment = start(invoice, method_id=saved_card(invoice.user_id).pk)
    payments.check(payment.pk, at=AT + DAY - 6 * MINUTE)
    assert fresh(payment).status == "unknown"
    tries = len(acquirer.called("charge"))
    payments.check(payment.pk, at=AT + DAY)
    assert (fresh(payment).status, fresh(payment).decline_code) == ("failed", "never_arrived")
    assert len(acquirer.called("charge")) == tries


def test_giving_up_looks_again_at_what_a_callback_told_meanwhile(acquirer: FakeAcquirer) -> None:
    acquirer.program("checkout", Fault.LOSE_REQUEST)
    payment = start()

    def late() -> Outcome:
        payments.submit(payment.pk, at=AT + DAY)  # the old request arrives now
        return Outcome.not_found()

    acquirer.program("fetch", late)
    payments.check(payment.pk, at=AT + DAY)
    assert fresh(payment).status == "pending"


def test_an_acquirer_that_cannot_close_what_it_never_saw_does_not_hold_a_payment_for_ever(
    acquirer: FakeAcquirer,
) -> None:
    acquirer.program("checkout", *[Fault.LOSE_REQUEST] * 9)
    acquirer.program("void", *[Outcome.not_found()] * 5000)
    payment = start()
    assert payments.cancel(payment.pk, at=AT + MINUTE).is_live  # its request may be on its way still
    payments.check(payment.pk, at=AT + 2 * HOUR)
    assert fresh(payment).status == "cancelled"
    late = AT + 3 * HOUR
    assert invoices.void(payment.invoice_id, actor="system", at=late, reason="over").status == "void"
    arrived = Outcome(Status.SUCCEEDED, "late", our_id=str(payment.pk), amount=payment.money)
    assert settlement.apply(payment.pk, arrived, actor="acquirer:fake", at=late).surplus  # and it goes back


def test_a_page_that_its_acquirer_cannot_close_is_given_up_and_followed(
    acquirer: FakeAcquirer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acquirer, "capabilities", replace(acquirer.capabilities, closes_pages=False))
    payment = start()
    acquirer.program("void", *[Outcome(Status.PENDING, payment.acquirer_payment_id)] * 3)
    assert payments.cancel(payment.pk, at=AT, patient=True).status == "pending"
    payments.cancel(payment.pk, at=AT)
    assert (fresh(payment).status, fresh(payment).next_check_at) == ("cancelled", AT + payments.LEASE)
    payments.poll_due(at=AT + payments.LEASE)
    assert fresh(payment).next_check_at  # it is open there still
    payments.poll_due(at=AT + HOUR)
    assert fresh(payment).next_check_at is None


def test_a_page_that_nobody_waits_for_is_not_opened_again(acquirer: FakeAcquirer) -> None:
    acquirer.program("checkout", Fault.LOSE_REQUEST)
    payment = start()
    payments.check(payment.pk, at=AT + HOUR)
    assert fresh(payment).status == "cancelled"
    assert len(acquirer.called("checkout")) == 1


@pytest.mark.parametrize("no", [Outcome.not_sent("connection refused"), REFUSED])
def test_a_page_that_could_not_be_closed_is_not_taken_for_closed(acquirer: FakeAcquirer, no: Outcome) -> None:
    payment = start()
    acquirer.program("void", no)
    assert payments.cancel(payment.pk, at=AT).status == "pending"
    acquirer.program("void", no)
    with pytest.raises(Conflict, match="in progress"):
        checkouts.close(payment.invoice_id, actor="system", at=AT, reason="over")


def test_M3_cancelling_a_page_that_was_paid_tells_that_it_was_paid(acquirer: FakeAcquirer) -> None:
    payment = start()
    acquirer.pay(payment.pk)
    assert payments.cancel(payment.pk, at=AT).status == "succeeded"
    audit(acquirer)


def test_two_stages_hold_then_take(acquirer: FakeAcquirer) -> None:
    acquirer.program("checkout", Fault.AUTHORIZE)
    payment = start()
    assert payment.status == "authorized"
    acquirer.program("capture", Fault.LOSE_ANSWER)
    assert payments.capture(payment.pk, at=AT).status == "authorized"
    assert payments.capture(payment.pk, at=AT).status == "succeeded"
    assert payments.capture(payment.pk, at=AT).status == "succeeded"
    assert len(acquirer.called("capture")) == 2
    audit(acquirer)
    with pytest.raises(Conflict, match="authorized"):
        payments.capture(start().pk, at=AT)


@pytest.mark.parametrize("no", [Outcome.not_sent("connection refused"), REFUSED])
def test_a_refused_capture_leaves_the_hold_as_it_is(acquirer: FakeAcquirer, no: Outcome) -> None:
    acquirer.program("checkout", Fault.AUTHORIZE)
    payment = start()
    acquirer.program("capture", no)
    assert payments.capture(payment.pk, at=AT).status == "authorized"


def test_a_removed_card_is_not_charged_by_a_later_try(acquirer: FakeAcquirer) -> None:
    invoice = bill()
    card = saved_card(invoice.user_id)
    acquirer.program("charge", Fault.LOSE_REQUEST)
    payment = start(invoice, method_id=card.pk)
    cards.remove(card.pk, invoice.user_id, at=AT)
    pass_time(MINUTE, HOUR)
    assert acquirer.took(payment.pk) is None
    assert fresh(payment).status == "cancelled"


def test_a_card_of_somebody_else_or_a_removed_one_cannot_pay(acquirer: FakeAcquirer) -> None:
    invoice, stranger = bill(), viewer()
    foreign, own = saved_card(stranger.pk), saved_card(invoice.user_id, replace(CARD, token="tok_other"))
    cards.remove(own.pk, invoice.user_id, at=AT)
    for card in (foreign, own):
        with pytest.raises(NotFound):
            start(invoice, method_id=card.pk)
    with pytest.raises(NotFound):
        cards.remove(foreign.pk, invoice.user_id, at=AT)
    assert acquirer.calls == []


def test_M13_somebody_who_watches_the_page_does_not_slow_the_checks_down(acquirer: FakeAcquirer) -> None:
    """Ten minutes of watching are two hundred hurried checks; the next one of the sweep's own is due soon after."""
    payment, at = start(), AT
    for _ in range(200):
        at += 3 * SECOND
        Payment.objects.filter(pk=payment.pk).update(updated_at=at - 3 * SECOND)  # auto_now is the real clock
        payments.hurry(payment.pk, at=at)
        assert payments.poll_due(at=at) == 1
    payment = fresh(payment)
    assert payment.parked == ""
    assert payment.next_check_at <= at + MINUTE


def test_hurry_leaves_a_first_call_and_a_finished_payment_alone(acquirer: FakeAcquirer) -> None:
    done = paid(acquirer)
    acquirer.program("checkout", Died())
    with pytest.raises(Died):
        start()
    later = AT + MINUTE
    for payment in (done, Payment.objects.get(status="created")):
        payments.hurry(payment.pk, at=later)
    assert payments.poll_due(at=later) == 0


def test_what_cannot_be_paid_says_why(acquirer: FakeAcquirer) -> None:
    done = paid(acquirer)
    void = bill()
    invoices.void(void.pk, actor="system", at=AT, reason="over")
    for invoice, code in ((done.invoice, "invoice_paid"), (void, "invoice_closed")):
        with pytest.raises(Conflict) as refused:
            start(invoice)
        assert refused.value.code == code
    with pytest.raises(Conflict, match="over"):
        start(at=AT + HOUR)
    with pytest.raises(Invalid, match="no such acquirer"):
        start(acquirer="bank_of_nowhere")


def test_M4_an_acquirer_that_left_the_settings_is_shown_to_staff(acquirer: FakeAcquirer) -> None:
    lost, other = start(), start()
    Payment.objects.filter(pk=lost.pk).update(acquirer="gone")
    pass_time(*[HOUR] * 9)
    assert "cannot be asked" in fresh(lost).parked
    assert fresh(lost).next_check_at > AT + 9 * HOUR + MINUTE  # less and less often
    assert fresh(other).parked == ""
