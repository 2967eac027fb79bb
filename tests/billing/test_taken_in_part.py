"""Cases "another amount": what was taken too much goes back, and is kept only when it is certain that it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from moneyed import Money

from acquiring.types import Outcome, Status
from billing import payments, reconciliation, settlement
from billing.errors import Conflict, Invalid
from billing.models import Case, Payment
from tests.billing.desk import AT, DAY, HOUR, MINUTE, fresh, start
from tests.billing.test_cases import BACK, in_suspense, resolve
from tests.fake_acquirer import FakeAcquirer, Fault

pytestmark = pytest.mark.django_db
LATER = AT + HOUR


def taken_in_part(acquirer: FakeAcquirer) -> tuple[Payment, Case]:
    """Of 299 asked for 199 were taken, and the statement tells of it."""
    payment = start()
    acquirer.pay(payment.pk)
    acquirer.operations["payment", str(payment.pk)].amount = Money("199.00", "RUB")
    [case] = reconciliation.run("fake", AT.date(), at=AT).opened
    return payment, case


def test_M3_what_was_taken_in_part_is_kept_only_where_the_acquirer_was_asked_in_vain_to_return_it(
    acquirer: FakeAcquirer,
) -> None:
    payment, case = taken_in_part(acquirer)
    with pytest.raises(Invalid, match="no way"):  # the customer would pay the invoice again
        resolve(case, "book")
    acquirer.program("refund", Fault.DECLINE)
    with pytest.raises(Conflict, match="has not given it back"):
        resolve(case, "give_back")
    resolve(case, "book")  # that was a no, so nothing is on its way
    assert (fresh(payment).status, in_suspense()) == ("cancelled", Money("199.00", "RUB"))


def test_B7_a_try_that_was_not_answered_may_still_be_acted_upon(acquirer: FakeAcquirer) -> None:
    payment, case = taken_in_part(acquirer)
    acquirer.program("refund", Fault.LOSE_REQUEST)
    with pytest.raises(Conflict, match="has not given it back"):
        resolve(case, "give_back")
    with pytest.raises(Conflict, match="wait for its answer"):
        resolve(case, "book")
    resolve(case, "book", at=LATER)
    assert (fresh(payment).status, in_suspense()) == ("cancelled", Money("199.00", "RUB"))


def test_B7_a_refusal_says_nothing_of_the_try_before_it(acquirer: FakeAcquirer, case: Case) -> None:
    acquirer.program("refund", Fault.LOSE_REQUEST)
    with pytest.raises(Conflict, match="has not given it back"):
        resolve(case, "give_back")
    acquirer.program("refund", Fault.DECLINE)
    with pytest.raises(Conflict, match="has not given it back"):
        resolve(case, "give_back", at=AT + timedelta(seconds=30))
    with pytest.raises(Conflict, match="may still give it back"):
        resolve(case, "book", at=AT + timedelta(seconds=31))
    resolve(case, "book", at=LATER)


def test_B7_nobody_books_what_somebody_else_has_given_back_at_the_same_moment(
    acquirer: FakeAcquirer, case: Case
) -> None:
    acquirer.program("refund", Fault.DECLINE)
    with pytest.raises(Conflict, match="has not given it back"):
        resolve(case, "give_back")

    def meanwhile() -> Outcome:
        Case.objects.filter(pk=case.pk).update(sent_at=LATER)
        return Outcome.not_found()

    acquirer.program("fetch", meanwhile)
    with pytest.raises(Conflict, match="Somebody else"):
        resolve(case, "book", at=LATER)
    assert Case.objects.get().status == "open"


def test_B7_where_nobody_can_say_staff_have_the_word_after_a_day(acquirer: FakeAcquirer, case: Case) -> None:
    acquirer.program("refund", Fault.LOSE_REQUEST)
    with pytest.raises(Conflict, match="has not given it back"):
        resolve(case, "give_back")
    acquirer.program("fetch", Outcome.unknown("?"), Outcome.unknown("?"))
    with pytest.raises(Conflict, match="may still give it back"):
        resolve(case, "book", at=LATER)
    resolve(case, "book", at=AT + DAY)
    assert in_suspense() == BACK


@pytest.mark.parametrize("lists", [True, False])
def test_B7_that_it_went_back_is_staff_s_word_only_where_the_acquirer_tells_of_no_refund(
    acquirer: FakeAcquirer, case: Case, monkeypatch: pytest.MonkeyPatch, lists: bool
) -> None:
    monkeypatch.setattr(acquirer, "capabilities", replace(acquirer.capabilities, statements=lists))
    with pytest.raises(Invalid):  # nobody was asked for it
        resolve(case, "went_back")
    acquirer.program("refund", Fault.LOSE_ANSWER)
    with pytest.raises(Conflict, match="has not given it back"):
        resolve(case, "give_back")
    if lists:
        with pytest.raises(Invalid):
            resolve(case, "went_back")
    else:
        resolve(case, "went_back")
        assert (in_suspense().amount, Case.objects.get().resolution) == (0, "went_back")


def test_B7_a_payment_over_another_sum_is_given_up_when_its_case_is_left(acquirer: FakeAcquirer) -> None:
    payment, case = taken_in_part(acquirer)
    resolve(case, "dismiss")
    assert (fresh(payment).status, fresh(payment).parked, fresh(payment).next_check_at) == ("cancelled", "", None)


def test_B7_a_case_that_closed_by_itself_has_dealt_with_nothing(acquirer: FakeAcquirer) -> None:
    payment, case = taken_in_part(acquirer)
    resolve(case, "dismiss")
    Case.objects.update(resolution="vanished")
    told = Outcome(Status.SUCCEEDED, amount=Money("199.00", "RUB"), reference=fresh(payment).acquirer_payment_id)
    assert "took 199" in settlement.apply(payment.pk, told, actor="acquirer:fake", at=AT).parked


@pytest.mark.parametrize("made", [True, False])
def test_B7_what_may_still_go_back_is_not_kept_in_suspense(acquirer: FakeAcquirer, case: Case, made: bool) -> None:
    acquirer.program("refund", Fault.PENDING)
    with pytest.raises(Conflict, match="has not given it back"):
        resolve(case, "give_back")
    with pytest.raises(Conflict, match="may still give it back"):
        resolve(case, "book")
    acquirer.operations["refund", str(case.pk)].status = Status.SUCCEEDED if made else Status.FAILED
    reconciliation.run("fake", AT.date(), at=AT)
    assert Case.objects.get().status == "open"  # whatever the statement says now
    if made:
        with pytest.raises(Conflict, match="has given it back meanwhile"):
            resolve(case, "book")
        resolve(case, "give_back")
    else:
        resolve(case, "book", at=LATER)
    assert in_suspense() == (Money("0.00", "RUB") if made else BACK)


def test_B7_news_of_what_a_case_has_dealt_with_put_nothing_on_the_list_again(acquirer: FakeAcquirer) -> None:
    payment, case = taken_in_part(acquirer)
    resolve(case, "give_back")
    Payment.objects.filter(pk=payment.pk).update(next_check_at=AT)  # "it is held there", told late, has it asked about
    payments.check(payment.pk, at=AT + MINUTE)
    told = Outcome(Status.SUCCEEDED, amount=Money("199.00", "RUB"), reference=fresh(payment).acquirer_payment_id)
    settlement.apply(payment.pk, told, actor="acquirer:fake", at=AT + MINUTE)
    assert (fresh(payment).parked, fresh(payment).next_check_at) == ("", None)
    other = replace(told, amount=Money("198.00", "RUB"))
    assert "took 198" in settlement.apply(payment.pk, other, actor="acquirer:fake", at=AT + MINUTE).parked


def test_B7_what_the_acquirer_would_know_again_is_asked_for_again_before_it_is_kept(
    acquirer: FakeAcquirer, case: Case
) -> None:
    acquirer.program("refund", Fault.LOSE_ANSWER)
    with pytest.raises(Conflict, match="has not given it back"):
        resolve(case, "give_back")
    acquirer.program("fetch", Outcome(Status.UNKNOWN, again=True), Outcome(Status.UNKNOWN, again=True))
    with pytest.raises(Conflict, match="give it back once more"):
        resolve(case, "book")
    resolve(case, "give_back")
    assert in_suspense().amount == 0 and len(acquirer.called("refund")) == 2
