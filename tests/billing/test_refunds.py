"""Refunds: they count from the moment they are promised, are made once, and are never lost."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest
from moneyed import Money

from acquiring.types import Decline, Outcome, Status, Subject
from billing import ledger, refunds
from billing.errors import Conflict, Invalid, NotFound
from billing.models import Refund, Transfer
from tests.billing.desk import AT, DAY, HOUR, MINUTE, PRICE, Died, audit, fresh, give_back, paid, pass_time, start, told
from tests.fake_acquirer import FakeAcquirer, Fault

pytestmark = pytest.mark.django_db


def say(refund: Refund, outcome: Outcome, **more: Any) -> Refund:
    """The acquirer says this of the refund."""
    return refunds.apply(refund.pk, replace(outcome, **more), actor="acquirer:fake", at=AT)


REFUSED = Outcome(Status.FAILED, decline=Decline.STOP, code="too_late", message="Too late.")


def test_M2_a_full_refund_goes_back_the_way_the_money_came(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    refund = give_back(payment)
    assert (refund.status, refund.amount) == ("succeeded", 29_900)
    assert fresh(payment).refunded == 29_900
    transfer = Transfer.objects.get(reference=f"refund:{refund.pk}")
    assert (transfer.debit.code, transfer.credit.code) == ("refunds:RUB", "cash:fake:RUB")
    assert (told("refund.requested"), told("refund.succeeded")) == (1, 1)
    audit(acquirer)


def test_M2_parts_add_up_to_the_payment_and_no_further(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    give_back(payment, "100.00")
    with pytest.raises(Conflict) as refused:
        give_back(payment, "199.01")
    assert (refused.value.code, refused.value.facts) == ("over_refund", {"refundable": "199.00"})
    give_back(payment)
    with pytest.raises(Invalid, match="above zero"):
        give_back(payment)
    assert acquirer.returned(payment.pk) == [Money("100", "RUB"), Money("199", "RUB")]
    audit(acquirer)


def test_M2_a_promised_refund_counts_before_the_acquirer_knows_of_it(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    acquirer.program("refund", Fault.LOSE_REQUEST)
    assert give_back(payment, "200.00").status == "unknown"
    with pytest.raises(Conflict, match="No more than"):
        give_back(payment, "100.00")
    assert ledger.balance(ledger.refunds("RUB")) == Money(0, "RUB")


@pytest.mark.parametrize("amount", ["0", "-1.00"])
def test_M2_nothing_and_less_than_nothing_cannot_be_given_back(acquirer: FakeAcquirer, amount: str) -> None:
    with pytest.raises(Invalid, match="above zero"):
        give_back(paid(acquirer), amount)


def test_M2_only_money_that_came_goes_back_and_in_its_currency(acquirer: FakeAcquirer) -> None:
    with pytest.raises(Conflict, match="successful"):
        give_back(start())
    with pytest.raises(Invalid, match="RUB"):
        refunds.request(paid(acquirer).pk, amount=Money("1", "USD"), reason="", actor="user:2", at=AT)
    with pytest.raises(NotFound):
        refunds.request(uuid.uuid4(), amount=None, reason="", actor="user:2", at=AT)
    assert Refund.objects.count() == 0


def test_M3_one_request_key_is_one_refund(acquirer: FakeAcquirer) -> None:
    payment, other = paid(acquirer), paid(acquirer)
    first = give_back(payment, "10.00", request_key="k")
    assert give_back(payment, "10.00", request_key="k").pk == first.pk
    for of, amount in ((payment, "11.00"), (other, "10.00")):
        with pytest.raises(Conflict) as refused:
            give_back(of, amount, request_key="k")
        assert refused.value.code == "request_key_reused"
    assert acquirer.returned(payment.pk) == [Money("10", "RUB")]


@pytest.mark.parametrize("lost", [Fault.LOSE_REQUEST, Fault.LOSE_ANSWER, Fault.NOT_SENT])
@pytest.mark.parametrize("times", [1, 4])
def test_M4_a_refund_without_an_answer_is_made_once(acquirer: FakeAcquirer, lost: Fault, times: int) -> None:
    payment = paid(acquirer)
    acquirer.program("refund", *[lost] * times)
    refund = give_back(payment, "100.00")
    assert refund.status == ("created" if lost == Fault.NOT_SENT else "unknown")
    pass_time(*[MINUTE] * 10)
    assert fresh(refund).status == "succeeded"
    assert acquirer.returned(payment.pk) == [Money("100", "RUB")]
    assert {call.our_id for call in acquirer.called("refund")} == {str(refund.pk)}
    audit(acquirer)


def test_M4_a_process_that_died_after_the_promise_is_followed_by_the_sweep(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    acquirer.program("refund", Died())
    with pytest.raises(Died):
        give_back(payment)
    assert refunds.poll_due(at=AT + MINUTE) == 0  # its first call may be under way
    pass_time(2 * MINUTE)
    assert acquirer.returned(payment.pk) == [PRICE]
    audit(acquirer)


def test_M4_a_bank_away_for_two_days_gets_the_refund_when_it_is_back(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    acquirer.program("refund", *[Fault.LOSE_REQUEST] * 1000)
    acquirer.program("fetch", *[Outcome.unknown("no answer")] * 15)
    refund = give_back(payment)
    pass_time(*[6 * HOUR] * 8)
    assert fresh(refund).is_live
    acquirer._steps.clear()
    pass_time(2 * DAY, 6 * HOUR)
    assert fresh(refund).status == "succeeded"
    audit(acquirer)


def test_M13_a_refund_on_its_way_is_asked_about_until_it_is_made(acquirer: FakeAcquirer) -> None:
    acquirer.program("refund", Fault.PENDING)
    refund = give_back(paid(acquirer))
    pass_time(MINUTE)
    assert fresh(refund).status == "pending"
    acquirer.settle(refund.pk, Status.SUCCEEDED, Subject.REFUND)
    pass_time(HOUR)
    assert fresh(refund).status == "succeeded"
    audit(acquirer)


def test_odd_characters_do_not_keep_a_refund_out_of_the_books(acquirer: FakeAcquirer) -> None:
    acquirer.program(
        "refund", replace(REFUSED, status=Status.UNKNOWN, decline=None, message="\0", raw={"\ud800": "\0"})
    )
    refund = give_back(paid(acquirer))
    assert refund.status == "unknown"
    pass_time(MINUTE)
    audit(acquirer)


def test_M2_a_refused_refund_makes_room_for_another_and_is_shown_to_staff(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    acquirer.program("refund", REFUSED)
    refund = give_back(payment)
    assert (refund.status, refund.decline_code, refund.next_check_at) == ("failed", "too_late", None)
    assert "still waits" in refund.parked
    assert fresh(payment).refunded == 0
    give_back(payment)
    audit(acquirer)


def test_a_silence_of_days_is_shown_to_staff_and_the_answer_ends_it(acquirer: FakeAcquirer) -> None:
    acquirer.program("refund", Fault.PENDING)
    refund = give_back(paid(acquirer))
    for n in range(40):
        refunds.poll_due(at=AT + n * 6 * HOUR)
    assert "for days" in fresh(refund).parked
    say(refund, acquirer.settle(refund.pk, Status.SUCCEEDED, Subject.REFUND))
    assert (fresh(refund).status, fresh(refund).parked) == ("succeeded", "")


@pytest.mark.parametrize("again", [Status.FAILED, Status.CANCELLED, Status.PENDING, Status.UNKNOWN])
def test_a_refusal_heard_twice_stays_on_the_list_of_staff(acquirer: FakeAcquirer, again: Status) -> None:
    """The answer and then the callback: that is the usual case."""
    acquirer.program("refund", REFUSED)
    refund = give_back(paid(acquirer))
    say(refund, REFUSED, status=again)
    assert "still waits" in fresh(refund).parked
    assert told("refund.failed") == 1


def test_M2_a_refused_refund_that_was_made_after_all_is_booked(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    acquirer.program("refund", Fault.DECLINE)
    refund = give_back(payment)
    say(refund, acquirer.settle(refund.pk, Status.SUCCEEDED, Subject.REFUND))
    assert (fresh(refund).status, fresh(refund).parked, fresh(payment).refunded) == ("succeeded", "", 29_900)
    audit(acquirer)


def test_M2_a_refused_refund_made_after_all_although_the_sum_was_promised_again_is_parked(
    acquirer: FakeAcquirer,
) -> None:
    payment = paid(acquirer)
    acquirer.program("refund", Fault.DECLINE)
    refund = give_back(payment)
    give_back(payment)
    say(refund, acquirer.settle(refund.pk, Status.SUCCEEDED, Subject.REFUND))
    assert "promised again" in fresh(refund).parked
    assert (fresh(refund).status, fresh(payment).refunded) == ("failed", 29_900)


def test_M3_success_told_three_times_is_booked_once_and_a_late_failure_undoes_nothing(acquirer: FakeAcquirer) -> None:
    acquirer.program("refund", Fault.PENDING)
    refund = give_back(paid(acquirer))
    made = acquirer.settle(refund.pk, Status.SUCCEEDED, Subject.REFUND)
    for outcome in (made, made, made, REFUSED):
        assert say(refund, outcome).status == "succeeded"
    assert (told("refund.succeeded"), told("refund.failed")) == (1, 0)
    audit(acquirer)


ODD = {
    "another sum": {"amount": Money("1.00", "RUB")},
    "another currency": {"amount": Money("100.00", "USD")},
    "another order": {"our_id": "4c9b2a52-0000-4000-8000-000000000000"},
    "another refund": {"reference": "ref_of_somebody"},
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_M3_an_answer_that_cannot_be_ours_is_parked_and_books_nothing(
    acquirer: FakeAcquirer, odd: dict[str, Any]
) -> None:
    acquirer.program("refund", Fault.PENDING)
    refund = give_back(paid(acquirer), "100.00")
    made = acquirer.settle(refund.pk, Status.SUCCEEDED, Subject.REFUND)
    for _ in range(2):
        say(refund, made, **odd)
    assert fresh(refund).parked
    assert (fresh(refund).status, told("refund.parked")) == ("pending", 1)
    assert say(refund, made).status == "succeeded"


def test_M3_one_refund_of_the_acquirer_does_not_count_for_two_of_ours(acquirer: FakeAcquirer) -> None:
    payment = paid(acquirer)
    first = give_back(payment, "100.00")
    acquirer.program("refund", Outcome(Status.SUCCEEDED, first.acquirer_refund_id, amount=Money("100", "RUB")))
    second = give_back(payment, "100.00")
    assert first.acquirer_refund_id in second.parked
    assert second.status == "created"
