"""M3, B7: the bank takes twice, takes less than was asked, or takes back: each is booked, bounded and shown."""

from __future__ import annotations

from typing import Any

import pytest
from moneyed import Money

from acquiring.types import Outcome, Status
from billing import payments, reconciliation, refunds, settlement
from billing.errors import Conflict
from billing.models import Callback, Case, Event, Payment, Refund
from subscriptions import cancellation
from tests.local_bank import eventually
from tests.scenarios.story import Story
from tests.scenarios.test_reconciliation import compare, resolve, right, suspense

pytestmark = pytest.mark.django_db(transaction=True)


def rub(amount: str) -> Money:
    return Money(amount, "RUB")


def paid(story: Story) -> Story:
    story.subscribe()
    story.pay()
    story.wait(minutes=1)
    assert story.payment.status == "succeeded"
    return story


def give_back(story: Story, rubles: str | None = None) -> Refund:
    amount = rub(rubles) if rubles else None
    return refunds.request(story.payment.pk, amount=amount, reason="asked", actor="user:1", at=story.at)


def is_given_back(story: Story) -> None:
    """The second capture is booked, has gone back by itself, is shown to staff, and changed nothing else."""
    again = Payment.objects.get(again_of=story.payment)
    [back] = again.refunds.all()
    assert (again.status, again.surplus, again.captured, again.refunded) == ("succeeded", True, 29_900, 29_900)
    assert (back.status, story.payment.refunded) == ("succeeded", 0)
    assert again.acquirer_payment_id in story.payment.parked and "given back by itself" in story.payment.parked
    assert story.watches and suspense().amount == 0
    returned = [each for each in story.bank.operations() if each["kind"] == "refund"]
    assert [each["order_id"] for each in returned] == [str(back.pk)]
    right(story)


def test_M3_a_second_capture_of_one_order_goes_back_by_itself(called: Story) -> None:
    called.subscribe()
    called.bank.fault("captured_twice")
    called.pay()
    eventually(lambda: Callback.objects.count() == 2)
    called.wait(minutes=1)

    is_given_back(called)
    assert Event.objects.filter(kind="payment.surplus").count() == 1
    assert set(Callback.objects.values_list("status", flat=True)) == {"processed"}
    assert {each.subject_id for each in Callback.objects.filter(kind="payment.succeeded")} == set(
        Payment.objects.values_list("pk", flat=True)
    )


def test_M3_a_second_capture_that_nobody_told_of_is_found_in_the_statement(story: Story) -> None:
    paid(story).bank.capture_again(story.payment.acquirer_payment_id)
    results = [compare(story), compare(story)]
    story.wait(minutes=1)

    is_given_back(story)
    assert not any(result.opened for result in results) and not compare(story).opened


def test_M3_the_second_capture_told_first_is_the_payment_and_the_other_goes_back(called: Story) -> None:
    """Callbacks overtake one another: whichever capture is heard of first counts."""
    called.subscribe()
    called.bank.fault("callback_delayed:2")
    called.bank.fault("captured_twice")
    called.pay()
    eventually(lambda: Callback.objects.count() == 1)
    called.wait(seconds=1)
    assert called.payment.status == "succeeded"
    eventually(lambda: Callback.objects.count() == 2)
    called.wait(minutes=1)

    is_given_back(called)


def test_M3_a_refund_of_the_first_capture_does_not_touch_the_second(story: Story) -> None:
    paid(story).bank.capture_again(story.payment.acquirer_payment_id)
    compare(story)
    story.wait(minutes=1)
    story.cancel("299.00")

    assert sorted(Refund.objects.values_list("status", "amount")) == [("succeeded", 29_900)] * 2
    assert story.payment.refunded == 29_900
    right(story)


def test_M3_a_capture_under_another_id_on_a_bank_that_is_away_is_asked_about_again(called: Story) -> None:
    paid(called).bank.capture_again(called.payment.acquirer_payment_id)
    eventually(lambda: Callback.objects.count() == 2)
    called.bank.stop()
    try:
        called.wait(seconds=1)
        assert Callback.objects.get(status="received").note
    finally:
        called.bank.start()
    called.wait(minutes=1)

    is_given_back(called)


def test_B7_a_chargeback_lowers_what_can_be_given_back(story: Story) -> None:
    paid(story).bank.charge_back(story.payment.acquirer_payment_id, 10_000)
    assert len(compare(story).opened) == 1
    with pytest.raises(Conflict, match=r"No more than 199\.00"):
        give_back(story, "200.00")
    seen = cancellation.preview(story.subscription, at=story.at)
    assert (story.payment.refundable, seen.refund) == (rub("199.00"), rub("199.00"))
    story.cancel("199.00")

    assert story.refund.status == "succeeded" and story.payment.refundable == rub("0")
    right(story)


def test_B7_a_growing_chargeback_books_the_difference_and_a_won_one_restores_it(story: Story) -> None:
    bank, reference = paid(story).bank, story.payment.acquirer_payment_id
    bank.charge_back(reference, 10_000)
    compare(story)
    bank.charge_back(reference, 5_000)
    for _ in range(2):
        compare(story)
    cases = list(Case.objects.order_by("theirs"))
    assert [(case.kind, case.theirs) for case in cases] == [("chargeback", 5_000), ("chargeback", 10_000)]
    assert (story.payment.charged_back, suspense()) == (15_000, rub("-150.00"))
    right(story)
    resolve(story, cases[0], "loss")
    assert story.payment.refundable == rub("149.00")
    resolve(story, cases[1], "won")

    assert (story.payment.charged_back, story.payment.refundable) == (5_000, rub("249.00"))
    assert not compare(story).opened and suspense().amount == 0


def test_B7_a_chargeback_after_a_promised_refund_is_booked_all_the_same(story: Story) -> None:
    """The bank returned the money although we had promised it too: nothing more can be promised, nothing is hidden."""
    paid(story)
    story.bank.fault("timeout_before")
    promised = give_back(story)
    assert promised.is_live
    story.bank.charge_back(story.payment.acquirer_payment_id)
    compare(story)

    assert (story.payment.refunded, story.payment.charged_back) == (29_900, 29_900)
    assert story.payment.refundable == rub("0")
    story.wait(minutes=3)
    assert story.refund.status == "failed" and "still waits" in story.refund.parked
    assert story.payment.refundable == rub("0")
    right(story)


@pytest.mark.parametrize(("in_cabinet", "left"), [(29_900, "0"), (10_000, "199.00")])
def test_B7_a_cabinet_refund_is_recorded_and_ours_is_of_the_rest(story: Story, in_cabinet: int, left: str) -> None:
    paid(story).bank.refund_in_cabinet(story.payment.acquirer_payment_id, in_cabinet)
    [case] = compare(story).opened
    resolve(story, case, "record")
    assert story.payment.refundable == rub(left)
    if story.payment.refundable:
        assert give_back(story).status == "succeeded"
    with pytest.raises(Conflict):
        give_back(story, "0.01")

    assert story.payment.refunded == 29_900 and not compare(story).opened
    right(story)


@pytest.fixture
def holding(story: Story, settings: Any) -> Story:
    """A sum that is held, at an acquirer that takes it by a second call."""
    settings.ACQUIRERS["sandbox"]["two_stage"] = True
    story.subscribe()
    story.pay()
    payments.check(story.payment.pk, at=story.at)
    assert story.payment.status == "authorized"
    return story


def test_B7_less_was_captured_than_was_asked(holding: Story) -> None:
    holding.bank.capture_in_cabinet(holding.payment.acquirer_payment_id, 10_000)
    [case] = compare(holding).opened
    assert "took 100.00" in holding.payment.parked
    assert (case.kind, case.theirs, case.ours) == ("amount_differs", 10_000, 0)
    resolve(holding, case, "give_back")

    assert holding.payment.status == "cancelled" and not holding.watches
    assert suspense() == rub("0") and not compare(holding).opened
    right(holding)


def test_B7_what_was_captured_in_the_cabinet_in_full_is_the_payment(holding: Story) -> None:
    holding.bank.capture_in_cabinet(holding.payment.acquirer_payment_id, 29_900)
    assert not compare(holding).opened
    holding.wait(minutes=1)

    assert holding.payment.status == "succeeded" and holding.watches
    right(holding)


def late(story: Story) -> Payment:
    """A payment that a wrong answer called failed, and whose page was paid after all; its news were lost."""
    first = story.subscribe()
    wrong = Outcome(Status.FAILED, first.acquirer_payment_id)
    return settlement.apply(first.pk, wrong, actor="acquirer:sandbox", at=story.at)


def test_M3_the_statement_tells_that_an_older_payment_was_paid_while_a_newer_one_waits(story: Story) -> None:
    first = late(story)
    second = story.subscribe()
    story.bank.pay(first.redirect_url)
    assert not compare(story).opened
    story.wait(minutes=1)

    assert story.watches and Payment.objects.get(pk=first.pk).status == "succeeded"
    assert Payment.objects.get(pk=second.pk).status == "cancelled"
    assert not Refund.objects.exists()
    right(story)


def test_M3_the_statement_tells_that_an_older_payment_was_paid_after_the_newer_one(story: Story) -> None:
    first = late(story)
    paid(story)
    story.bank.pay(first.redirect_url)
    assert not compare(story).opened
    story.wait(minutes=1)

    assert Payment.objects.get(pk=first.pk).surplus and story.watches
    assert Refund.objects.get(payment=first).status == "succeeded" and suspense().amount == 0
    right(story)


def test_B7_surplus_that_a_won_dispute_returned_goes_to_the_customer(story: Story) -> None:
    again = paid(story).bank.capture_again(story.payment.acquirer_payment_id)
    story.bank.fault("refund_declined", count=1)
    compare(story)
    story.wait(minutes=1)
    second = Payment.objects.get(again_of=story.payment)
    story.bank.charge_back(again["id"])
    compare(story)
    assert (second.refunds.get().status, Payment.objects.get(pk=second.pk).refundable) == ("failed", rub("0"))

    case = Case.objects.get(kind="chargeback")
    resolve(story, case, "won")
    with pytest.raises(Conflict):
        resolve(story, case, "won")
    assert [(each.amount, each.status) for each in second.refunds.order_by("created_at")] == [
        (29_900, "failed"),
        (29_900, "created"),
    ]


def test_B7_a_cabinet_refund_of_our_payment_is_recorded_and_cannot_hide_in_suspense(story: Story) -> None:
    paid(story).bank.refund_in_cabinet(story.payment.acquirer_payment_id, 10_000)
    [case] = compare(story).opened
    with pytest.raises(Conflict) as refused:
        resolve(story, case, "book")
    assert refused.value.code == "record_it"
    story.bank.fault("refund_pending:3600", count=1)
    ours = give_back(story, "199.00")
    with pytest.raises(Conflict) as refused:
        resolve(story, case, "book")
    assert (refused.value.code, ours.is_live, suspense().amount) == ("refund_in_progress", True, 0)
    resolve(story, case, "record")
    assert story.payment.refunded == 29_900 and story.payment.refundable == rub("0")


def test_B7_a_cabinet_refund_told_before_its_payment_is_known_is_recorded_at_the_payment(story: Story) -> None:
    again = paid(story).bank.capture_again(story.payment.acquirer_payment_id)
    story.bank.refund_in_cabinet(again["id"], 10_000)
    said = Outcome(Status.SUCCEEDED, reference="ref_early", amount=rub("100.00"))
    case = reconciliation.unknown_refund("sandbox", said, again["id"], at=story.at)
    assert case is not None and case.payment is None
    compare(story)
    story.wait(minutes=1)
    second = Payment.objects.get(again_of=story.payment)
    with pytest.raises(Conflict):
        resolve(story, case, "book")

    Refund.objects.filter(payment=second).update(status="failed")
    resolve(story, case, "record")
    assert Case.objects.get(pk=case.pk).payment == second
    assert second.refunds.filter(status="succeeded").get().amount == 10_000
