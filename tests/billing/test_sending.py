"""An order is given again only where the acquirer will know it for the same one, or the first is certainly over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from moneyed import Money

from acquiring.types import Decline, Outcome, Status, Subject
from billing import payments, reconciliation, refunds, resolutions, sweeps
from billing.errors import Conflict
from billing.models import Case, Payment
from tests.billing.desk import AT, DAY, HOUR, MINUTE, bill, fresh, give_back, paid, saved_card, start
from tests.fake_acquirer import FakeAcquirer, Fault

pytestmark = pytest.mark.django_db
WORKS = 10 * MINUTE
OVER = WORKS + 2 * MINUTE  # what is noted as its time may be a lease earlier than it was
SHUT_OUT = Outcome(Status.FAILED, decline=Decline.OUR_FAULT, code="unauthorized", message="Who are you?", shut_out=True)
REFUSED = Outcome(Status.FAILED, decline=Decline.OUR_FAULT, code="too_much", message="No.")
AGAIN = Outcome(Status.UNKNOWN, again=True, message="Ask me again.")


@pytest.fixture
def slow(acquirer: FakeAcquirer, monkeypatch: pytest.MonkeyPatch) -> FakeAcquirer:
    """An acquirer that may work ten minutes on an order, and might take its repeat for another one meanwhile."""
    can = replace(acquirer.capabilities, repeats_at_once=False, works_within=WORKS)
    monkeypatch.setattr(acquirer, "capabilities", can)
    return acquirer


def charge() -> Any:
    invoice = bill()
    return start(invoice, method_id=saved_card(invoice.user_id).pk)


def sent(acquirer: FakeAcquirer, method: str) -> int:
    return len(acquirer.called(method))


def test_M3_a_charge_is_not_sent_again_while_the_first_may_be_under_way(slow: FakeAcquirer) -> None:
    slow.program("charge", Fault.LOSE_REQUEST, Fault.LOSE_REQUEST)
    payment = charge()
    payments.check(payment.pk, at=AT + 11 * MINUTE)
    assert (sent(slow, "charge"), fresh(payment).status) == (1, "unknown")
    payments.check(payment.pk, at=AT + OVER)
    payments.check(payment.pk, at=AT + OVER + 11 * MINUTE)
    assert sent(slow, "charge") == 2
    assert payments.check(payment.pk, at=AT + 2 * OVER).status == "succeeded"
    assert sent(slow, "charge") == 3


def test_M3_one_that_knows_a_repeat_is_asked_again_at_once(acquirer: FakeAcquirer) -> None:
    acquirer.program("charge", Fault.LOSE_REQUEST)
    payment = charge()
    assert payments.check(payment.pk, at=AT + MINUTE).status == "succeeded"


def test_a_page_whose_address_was_lost_is_opened_again_at_once(slow: FakeAcquirer) -> None:
    slow.program("checkout", Fault.LOSE_REQUEST)
    payment = start()
    assert payments.check(payment.pk, at=AT + timedelta(seconds=3)).redirect_url


def test_M3_two_that_look_at_once_send_it_once(slow: FakeAcquirer) -> None:
    slow.program("charge", Fault.LOSE_REQUEST)
    payment = charge()
    later = AT + OVER

    def meanwhile() -> Outcome:
        payments.check(payment.pk, at=later)  # finds nothing, and sends it
        return Outcome.not_found()

    slow.program("fetch", meanwhile, Outcome.not_found())
    payments.check(payment.pk, at=later)
    assert sent(slow, "charge") == 2


def test_M3_what_was_sent_lately_is_not_given_up_as_never_arrived(slow: FakeAcquirer) -> None:
    slow.program("charge", *[Fault.LOSE_REQUEST] * 3)
    payment = charge()
    over = AT + slow.capabilities.idempotency_window - 5 * MINUTE
    payments.check(payment.pk, at=over - OVER - MINUTE)
    assert sent(slow, "charge") == 2
    assert payments.check(payment.pk, at=over - MINUTE).status == "unknown"
    assert sent(slow, "charge") == 2  # what is sent now might arrive after it was given up
    assert payments.check(payment.pk, at=over).status == "failed"


def test_M3_a_charge_sent_a_moment_ago_is_not_taken_for_nothing_there(slow: FakeAcquirer) -> None:
    slow.program("charge", *[Fault.LOSE_REQUEST] * 3)
    slow.program("void", *[Outcome.not_found()] * 3)
    payment = charge()
    payments.check(payment.pk, at=AT + HOUR)
    assert payments.cancel(payment.pk, at=AT + HOUR + 11 * MINUTE).is_live
    assert payments.cancel(payment.pk, at=AT + HOUR + OVER).status == "cancelled"


def test_M3_a_rival_that_was_given_up_on_its_way_is_asked_about_until_it_is_over(slow: FakeAcquirer) -> None:
    slow.program("charge", Fault.LOSE_REQUEST)
    slow.program("void", *[Outcome.not_found()] * 3)
    payment = charge()
    Payment.objects.filter(pk=payment.pk).update(status="cancelled", next_check_at=AT)  # another one paid the invoice
    payments.check(payment.pk, at=AT + MINUTE)
    assert fresh(payment).next_check_at is not None  # it may arrive yet
    payments.check(payment.pk, at=AT + OVER)
    assert fresh(payment).next_check_at is None


def test_M3_a_refund_is_not_sent_again_while_the_first_may_be_under_way(slow: FakeAcquirer) -> None:
    payment = paid(slow)
    slow.program("refund", Fault.LOSE_REQUEST)
    refund = give_back(payment)
    refunds.check(refund.pk, at=AT + 11 * MINUTE)
    assert sent(slow, "refund") == 1
    assert refunds.check(refund.pk, at=AT + OVER).status == "succeeded"
    assert slow.returned(payment.pk) == [payment.money]


def test_M4_a_refund_that_was_only_promised_is_sent_at_once(slow: FakeAcquirer) -> None:
    payment = paid(slow)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refunds, "submit", lambda pk, *, at: refunds.Refund.objects.get(pk=pk))  # the process died
        refund = give_back(payment)
    assert refunds.check(refund.pk, at=AT + MINUTE).status == "succeeded"


@pytest.mark.parametrize("no", [SHUT_OUT, Outcome.not_sent("connection refused")])
def test_M4_a_refund_that_never_came_there_is_sent_without_asking_first(slow: FakeAcquirer, no: Outcome) -> None:
    payment = paid(slow)
    slow.program("refund", no)
    refund = give_back(payment)
    assert fresh(refund).sent_at is None
    slow.program("fetch", Outcome.unknown("some refund of this payment was made, perhaps this one"))
    assert refunds.check(refund.pk, at=AT + MINUTE).status == "succeeded"


def test_M4_an_hour_of_wrong_credentials_costs_no_refund(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    acquirer.program("refund", SHUT_OUT, SHUT_OUT)
    refund = give_back(payment)
    assert fresh(refund).is_live
    assert refunds.check(refund.pk, at=AT + MINUTE).is_live
    assert refunds.check(refund.pk, at=AT + HOUR).status == "succeeded"


def test_M4_a_refusal_of_a_repeat_says_nothing_where_an_earlier_try_may_have_been_made(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    acquirer.program("refund", Fault.LOSE_ANSWER, REFUSED)
    acquirer.program("fetch", AGAIN)
    refund = give_back(payment)
    assert refunds.check(refund.pk, at=AT + MINUTE).status == "unknown"
    assert refunds.check(refund.pk, at=AT + HOUR).status == "succeeded"


def test_M2_a_refusal_of_what_was_certainly_not_made_is_one(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    acquirer.program("refund", Fault.LOSE_REQUEST, REFUSED)
    refund = give_back(payment)
    assert refunds.check(refund.pk, at=AT + MINUTE).status == "failed"


def test_a_sweep_leaves_to_the_next_one_what_it_cannot_reach_within_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    def clock() -> Iterator[float]:
        yield from (0.0, 1.0, 61.0)

    times = clock()
    monkeypatch.setattr("billing.sweeps.time.monotonic", lambda: next(times))
    done: list[int] = []
    assert sweeps.each([1, 2, 3], done.append, lease=2 * MINUTE) == 1
    assert done == [1]


@pytest.fixture
def case(slow: FakeAcquirer) -> Case:
    """The acquirer took 399 for an order of 299."""
    payment = paid(slow)
    slow.operations[Subject.PAYMENT, str(payment.pk)].amount = Money("399.00", "RUB")
    [case] = reconciliation.run("fake", AT.date(), at=AT).opened
    return case


def resolve(case: Case, at: Any) -> Case:
    return resolutions.resolve(case.pk, "give_back", actor="user:1", reason="ticket 1", at=at)


def test_B7_a_case_looks_first_what_became_of_what_it_gave_back_before(slow: FakeAcquirer, case: Case) -> None:
    slow.program("refund", Fault.LOSE_ANSWER)
    with pytest.raises(Conflict, match="not given it back"):
        resolve(case, AT)
    assert resolve(case, AT + 3 * DAY).status == "resolved"  # long after its key is forgotten
    assert sent(slow, "refund") == 1


@pytest.mark.parametrize("no", [SHUT_OUT, Outcome.not_sent("connection refused")])
def test_B7_a_case_whose_try_never_came_there_is_given_back_without_asking(
    slow: FakeAcquirer, case: Case, no: Outcome
) -> None:
    slow.program("refund", no)
    with pytest.raises(Conflict, match="not given it back"):
        resolve(case, AT)
    slow.program("fetch", Outcome.unknown("it cannot be looked up"))
    assert resolve(case, AT + MINUTE).status == "resolved"


def test_B7_a_case_is_not_given_back_twice_at_once(slow: FakeAcquirer, case: Case) -> None:
    slow.program("refund", Fault.LOSE_REQUEST)
    with pytest.raises(Conflict, match="not given it back"):
        resolve(case, AT)
    with pytest.raises(Conflict, match="still be under way"):
        resolve(case, AT + 11 * MINUTE)
    assert resolve(case, AT + OVER).status == "resolved"
    assert sent(slow, "refund") == 2


def test_B7_while_the_acquirer_cannot_say_a_case_sends_nothing(slow: FakeAcquirer, case: Case) -> None:
    slow.program("refund", Fault.LOSE_ANSWER)
    slow.program("fetch", Outcome.unknown("busy"))
    with pytest.raises(Conflict, match="not given it back"):
        resolve(case, AT)
    with pytest.raises(Conflict, match="busy"):
        resolve(case, AT + HOUR)
    assert sent(slow, "refund") == 1
