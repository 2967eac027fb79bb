"""Sweeps: what is due is found, taken by one process at a time, and one row's trouble is nobody else's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import transaction

from acquiring import asking
from acquiring.types import Decline, Outcome, Status
from billing import callbacks, checkouts, health, payments, refunds, sweeps
from billing.models import AcquirerHealth, Callback, Payment
from tests.billing.desk import AT, DAY, HOUR, MINUTE, SECOND, Died, fresh, give_back, paid, start, together
from tests.fake_acquirer import FakeAcquirer, Fault

pytestmark = pytest.mark.django_db


def notice(due: Any = AT, key: str = "") -> Callback:
    return Callback.objects.create(
        acquirer="fake", dedupe_key=key or str(Callback.objects.count()), body="{}", next_attempt_at=due, received_at=AT
    )


def claim(limit: int = 10, at: Any = AT) -> list[int]:
    return sweeps.claim(
        Callback.objects.filter(status="received"),
        "next_attempt_at",
        at=at,
        lease=MINUTE,
        limit=limit,
        counter="attempts",
    )


def test_what_is_due_is_taken_oldest_first_and_counted() -> None:
    late, later, now_due, not_yet = notice(AT - DAY), notice(AT - HOUR), notice(AT), notice(AT + SECOND)
    assert claim(limit=2) == [late.pk, later.pk]
    assert claim() == [now_due.pk]
    assert [fresh(row).attempts for row in (late, now_due, not_yet)] == [1, 1, 0]


def test_a_row_in_hand_is_left_alone_until_its_lease_is_over() -> None:
    row = notice()
    assert claim() == [row.pk]
    assert claim(at=AT + MINUTE - SECOND) == []
    assert claim(at=AT + MINUTE) == [row.pk]  # whoever had it has died


def test_a_missed_day_is_caught_up() -> None:
    rows = [notice(AT - n * HOUR) for n in range(24)]
    assert len(claim(limit=100)) == len(rows)


def test_a_counter_at_its_end_stops_nobody(acquirer: FakeAcquirer) -> None:
    """A column of two bytes overflowed after 45 days of a check every two minutes, and took every other row along."""
    payment, other = start(), start()
    Payment.objects.filter(pk=payment.pk).update(checks=32_767)
    for _ in range(3):
        assert payments.poll_due(at=AT + DAY) in (0, 2)
    assert fresh(other).checks == 1


@pytest.mark.django_db(transaction=True)
def test_rows_that_another_connection_holds_are_passed_over() -> None:
    rows = [notice() for _ in range(4)]
    with transaction.atomic():
        held = list(Callback.objects.select_for_update().filter(pk__in=[rows[0].pk, rows[2].pk]))
        (taken,) = together(1, lambda _: claim())
        assert taken == [rows[1].pk, rows[3].pk]
        assert len(held) == 2
    assert claim() == [rows[0].pk, rows[2].pk]


@pytest.mark.django_db(transaction=True)
def test_eight_sweeps_at_once_take_every_row_once() -> None:
    rows = {notice().pk for _ in range(60)}
    taken = [pk for part in together(8, lambda _: claim(limit=10) + claim(limit=10)) for pk in part]
    taken += claim(limit=60)
    assert sorted(taken) == sorted(rows)
    assert set(Callback.objects.values_list("attempts", flat=True)) == {1}


def test_a_row_that_fails_does_not_stop_the_others() -> None:
    done = []

    def verb(row: int) -> None:
        if row == 2:
            raise ValueError("trouble")
        done.append(row)

    def worse(row: int, error: Exception) -> None:
        raise RuntimeError("and more trouble")

    assert sweeps.each([1, 2, 3], verb, worse) == 2
    assert done == [1, 3]


def test_a_process_that_dies_leaves_the_rest_to_the_next_sweep(acquirer: FakeAcquirer) -> None:
    rows = [start(), start(), start()]
    acquirer.program("fetch", Died())
    with pytest.raises(Died):
        payments.poll_due(at=AT + MINUTE)
    for row in rows:
        acquirer.pay(row.pk)
    assert payments.poll_due(at=AT + MINUTE) == 0
    payments.poll_due(at=AT + MINUTE + payments.LEASE)
    assert {fresh(row).status for row in rows} == {"succeeded"}


def test_an_earlier_row_that_is_unpaid_or_broken_leaves_the_later_ones_right(acquirer: FakeAcquirer) -> None:
    unpaid, broken, good = start(), start(), start()
    acquirer.pay(good.pk)
    Payment.objects.filter(pk=broken.pk).update(acquirer="gone")
    payments.poll_due(at=AT + MINUTE)
    assert [fresh(row).status for row in (unpaid, broken, good)] == ["pending", "pending", "succeeded"]


def test_a_refund_that_cannot_be_asked_about_is_set_back_and_shown_to_staff(acquirer: FakeAcquirer) -> None:
    acquirer.program("refund", Fault.PENDING)
    payment = paid(acquirer)
    refund = give_back(payment)
    Payment.objects.filter(pk=payment.pk).update(acquirer="gone")
    tries = sum(refunds.poll_due(at=AT + n * MINUTE) for n in range(300))
    assert "cannot be asked" in fresh(refund).parked
    assert tries < 12
    Payment.objects.filter(pk=payment.pk).update(acquirer="fake")
    refunds.check(refund.pk, at=AT + DAY)
    assert fresh(refund).parked == ""


@pytest.mark.parametrize(
    "sweep",
    [payments.poll_due, refunds.poll_due, callbacks.process_due, checkouts.close_due],
    ids=lambda s: s.__module__,
)
def test_with_nothing_due_a_sweep_does_nothing(sweep: Any, acquirer: FakeAcquirer) -> None:
    give_back(paid(acquirer))
    calls = len(acquirer.calls)
    assert sweep(at=AT + 30 * DAY) == 0
    assert len(acquirer.calls) == calls


def test_back_off_takes_the_steps_in_turn_and_stays_at_the_last() -> None:
    assert [sweeps.back_off(n, SECOND, MINUTE, HOUR) for n in (-1, 0, 1, 2, 3, 99)] == [
        SECOND, SECOND, MINUTE, HOUR, HOUR, HOUR,
    ]  # fmt: skip


def test_back_off_is_no_shorter_than_the_acquirer_wishes_and_no_longer_than_an_hour_for_it() -> None:
    wishes = [None, SECOND, 5 * MINUTE, DAY]
    assert [sweeps.back_off(0, MINUTE, wish=wish) for wish in wishes] == [MINUTE, MINUTE, 5 * MINUTE, HOUR]


BUSY = Outcome(Status.FAILED, decline=Decline.NOT_SENT, code="not_sent", shut_out=True, wait=20 * MINUTE, message="429")


def test_a_payment_and_a_refund_are_left_alone_as_long_as_a_busy_acquirer_asks(acquirer: FakeAcquirer) -> None:
    acquirer.program("refund", BUSY)
    refund = give_back(paid(acquirer))
    waiting = start()
    acquirer.program("fetch", replace(Outcome.unknown("429"), wait=20 * MINUTE))
    payments.check(waiting.pk, at=AT + MINUTE)
    assert fresh(refund).next_check_at == AT + 20 * MINUTE
    assert fresh(waiting).next_check_at == AT + 21 * MINUTE


def test_an_acquirer_that_is_down_is_tried_again_when_it_asks_to_be(acquirer: FakeAcquirer, settings: Any) -> None:
    settings.ACQUIRER_HEALTH = {"trip_after": 1, "pause": MINUTE}
    for wait, pause in ((None, MINUTE), (5 * MINUTE, 5 * MINUTE), (DAY, 15 * MINUTE)):
        AcquirerHealth.objects.all().delete()
        health.note("fake", replace(BUSY, wait=wait), at=AT)
        assert AcquirerHealth.objects.get().retry_at == AT + pause


def retried_at() -> Any:
    return AcquirerHealth.objects.get().retry_at


def call_one_that_is_down(acquirer: FakeAcquirer, call: str, *answers: Any) -> None:
    """The call of a sweep, ten minutes after the acquirer was found down, when its pause is over."""
    page, refund = start(), None
    if call != "void":
        acquirer.program("refund", Outcome.unknown("no answer"))
        refund = give_back(paid(acquirer))
    health.note("fake", Outcome.unknown("no answer"), at=AT)
    assert retried_at() == AT + 10 * MINUTE
    acquirer.program(call, *answers)
    payments.cancel(page.pk, at=AT + 10 * MINUTE) if refund is None else refunds.check(refund.pk, at=AT + 10 * MINUTE)


def test_one_row_at_a_time_is_asked_about_where_an_acquirer_is_down(acquirer: FakeAcquirer, settings: Any) -> None:
    """Each call would wait as long as a call may; a batch of them would keep the worker from all the other sweeps."""
    settings.ACQUIRER_HEALTH = {"trip_after": 1, "pause": 10 * MINUTE}
    waiting = [start() for _ in range(3)]
    acquirer.program("refund", Outcome.unknown("no answer"))
    refund = give_back(paid(acquirer))
    health.note("fake", Outcome.unknown("no answer"), at=AT)
    acquirer.program("fetch", *[replace(Outcome.unknown("no answer"), wait=12 * MINUTE)] * 2)
    asked = len(acquirer.called("fetch"))

    def sweep(minutes: int) -> int:
        payments.poll_due(at=AT + minutes * MINUTE)
        refunds.poll_due(at=AT + minutes * MINUTE)
        return len(acquirer.called("fetch")) - asked

    assert [sweep(minutes) for minutes in (9, 10, 11, 21, 22, 23)] == [0, 1, 1, 1, 2, 2]
    assert (AcquirerHealth.objects.get().status, fresh(refund).status) == ("open", "unknown")
    acquirer.pay(waiting[0].pk)
    assert sweep(34) > 2 and AcquirerHealth.objects.get().status == "closed"  # one is answered,
    payments.poll_due(at=AT + HOUR), refunds.poll_due(at=AT + HOUR)  # so all are asked about
    assert {payment.checks > 0 for payment in map(fresh, waiting)} == {True}
    assert fresh(refund).status == "succeeded"


def test_who_takes_the_turn_of_a_pause_leaves_none_to_the_others(acquirer: FakeAcquirer, settings: Any) -> None:
    """Also where nothing was heard of the acquirer itself: our own queue was full."""
    settings.ACQUIRER_HEALTH = {"trip_after": 1, "pause": 10 * MINUTE}
    [start() for _ in range(2)]
    acquirer.program("refund", Fault.PENDING)
    refund = give_back(paid(acquirer))
    health.note("fake", Outcome.unknown("no answer"), at=AT)
    acquirer.program("fetch", replace(Outcome.unknown("30 calls are under way"), code=asking.CROWDED))
    payments.poll_due(at=AT + 10 * MINUTE)
    assert retried_at() == AT + 20 * MINUTE
    payments.poll_due(at=AT + 11 * MINUTE), refunds.poll_due(at=AT + 19 * MINUTE)
    assert len(acquirer.called("fetch")) == 1 and fresh(refund).checks == 0
    refunds.poll_due(at=AT + 20 * MINUTE)
    assert len(acquirer.called("fetch")) == 2


def test_of_two_workers_that_saw_the_pause_end_one_asks(acquirer: FakeAcquirer, settings: Any) -> None:
    settings.ACQUIRER_HEALTH = {"trip_after": 1, "pause": 10 * MINUTE}
    waiting, rows = start(), Payment.objects.all()
    health.note("fake", Outcome.unknown("no answer"), at=AT)
    seen = AcquirerHealth.objects.get()
    turns = [health._first(seen, rows, AT + 10 * MINUTE) for _ in range(2)]
    assert turns == [waiting.pk, None]


def test_a_refund_that_is_sent_finds_an_acquirer_well_again(acquirer: FakeAcquirer, settings: Any) -> None:
    settings.ACQUIRER_HEALTH = {"trip_after": 1, "pause": 10 * MINUTE}
    acquirer.program("refund", replace(BUSY, wait=None), BUSY)
    refund = give_back(paid(acquirer))
    health.note("fake", BUSY, at=AT)
    refunds.poll_due(at=AT + 15 * MINUTE)  # never sent, so sent and not asked about: in vain
    assert (fresh(refund).status, retried_at()) == ("created", AT + 30 * MINUTE)
    refunds.poll_due(at=AT + HOUR)
    assert (fresh(refund).status, AcquirerHealth.objects.get().status) == ("succeeded", "closed")


@pytest.mark.parametrize("call", ["void", "fetch"])
def test_one_unanswered_call_leaves_an_acquirer_that_is_down_alone_for_another_while(
    acquirer: FakeAcquirer, settings: Any, call: str
) -> None:
    settings.ACQUIRER_HEALTH = {"trip_after": 1, "pause": 10 * MINUTE}
    call_one_that_is_down(acquirer, call, Outcome.unknown("no answer"))
    assert retried_at() == AT + 20 * MINUTE


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("void", Outcome(Status.PENDING)),
        ("fetch", Outcome(Status.PENDING)),
        ("fetch", Outcome.not_found()),
        ("fetch", Outcome(Status.FAILED, decline=Decline.OUR_FAULT, code="insufficient_funds")),
    ],
)
def test_an_answer_finds_an_acquirer_well_again(
    acquirer: FakeAcquirer, settings: Any, call: str, answer: Outcome
) -> None:
    settings.ACQUIRER_HEALTH = {"trip_after": 1, "pause": 10 * MINUTE}
    call_one_that_is_down(acquirer, call, answer)
    assert AcquirerHealth.objects.get().status == "closed"


def test_our_own_queue_leaves_an_acquirer_that_is_down_as_it_is(acquirer: FakeAcquirer, settings: Any) -> None:
    settings.ACQUIRER_HEALTH = {"trip_after": 1, "pause": 10 * MINUTE}
    call_one_that_is_down(acquirer, "fetch", replace(Outcome.unknown("30 calls are under way"), code=asking.CROWDED))
    assert (AcquirerHealth.objects.get().status, retried_at()) == ("open", AT + 10 * MINUTE)


def test_our_own_queue_says_nothing_of_an_acquirer(acquirer: FakeAcquirer, settings: Any) -> None:
    settings.ACQUIRER_HEALTH = {"trip_after": 1, "pause": MINUTE}
    health.note("fake", Outcome(Status.FAILED, decline=Decline.NOT_SENT, code="crowded"), at=AT)
    assert not AcquirerHealth.objects.exists()
