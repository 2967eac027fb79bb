"""Renewals side by side: many charges at once, two sweeps at once, a click in the middle of a charge."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

from acquiring.types import Charge, Decline, Outcome
from billing import calls
from billing.models import Halt
from subscriptions import agreements, charging, renewals
from subscriptions.models import Period, Subscription
from tests import things
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.renewing import Renewing, declined
from tests.subscriptions.terms import at, fake_bank

pytestmark = pytest.mark.django_db(transaction=True)
MORNING = at("2026-01-31T12:00")
END = at("2026-02-28T12:00")
NEXT = at("2026-03-31T12:00")


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    things.plan("month", 1, 29_900)
    return fake_bank(settings)


def apart(*deeds: Any) -> None:
    """Does these things at the same time, each in a thread with a connection of its own."""

    def run(deed: Any) -> None:
        try:
            deed()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[deed]) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)


def test_M10_charges_of_one_sweep_are_at_the_bank_at_the_same_time(bank: FakeAcquirer, settings: Any) -> None:
    people = [Renewing(bank, "month", MORNING) for _ in range(4)]
    settings.CHARGES_AT_ONCE = 4
    all_there = threading.Barrier(4)  # breaks unless the four of them meet

    def meet() -> Outcome:
        all_there.wait(20)
        return declined()

    bank.program("charge", meet, meet, meet, meet)
    assert renewals.renew_due(at=END) == 4
    assert not all_there.broken
    assert [vera.payments[-1].decline for vera in people] == [Decline.RETRY_LATER] * 4
    assert {vera.row.next_charge_at for vera in people} == {END + timedelta(days=1)}


class Counted:
    """Counts the calls that the bank has at the same time, each of which lasts until others had time to come."""

    def __init__(self, bank: FakeAcquirer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.most, self._charge, self._turn = 0, 0, bank.charge, threading.Condition()
        monkeypatch.setattr(bank, "charge", self.charge)

    def charge(self, order: Charge) -> Outcome:
        with self._turn:
            self.now += 1
            self.most = max(self.most, self.now)
            self._turn.notify_all()
            self._turn.wait_for(lambda: self.now > 2, timeout=0.2)  # one too many would be seen here
        try:
            return self._charge(order)
        finally:
            with self._turn:
                self.now -= 1


@pytest.mark.parametrize("ordinary", [True, False])
def test_M10_an_acquirer_never_has_more_calls_at_once_than_it_bears(
    bank: FakeAcquirer, settings: Any, monkeypatch: pytest.MonkeyPatch, ordinary: bool
) -> None:
    people = [Renewing(bank, "month", MORNING) for _ in range(6)]
    settings.CHARGES_AT_ONCE, settings.CALLING_PROCESSES = 6, 2
    monkeypatch.setattr(bank, "capabilities", replace(bank.capabilities, calls_at_once=5))
    if not ordinary:  # each goes the long way
        monkeypatch.setattr(charging, "_started", lambda *_: {})
    counted = Counted(bank, monkeypatch)
    apart(*[lambda: renewals.renew_due(at=END, limit=3) for _ in range(2)])
    assert (counted.most, len(bank.called("charge"))) == (2, 6)
    things.run_until_idle(END)
    assert [vera.row.valid_till for vera in people] == [NEXT] * 6


def test_M10_what_an_acquirer_bears_is_shared_by_the_processes_and_no_limit_is_none(
    bank: FakeAcquirer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert calls.at_once("fake") == calls.at_once("gone") == 0
    monkeypatch.setattr(bank, "capabilities", replace(bank.capabilities, calls_at_once=30))
    assert calls.at_once("fake") == 5
    settings.CALLING_PROCESSES = 40
    assert calls.at_once("fake") == 1


def test_M3_two_sweeps_at_once_bill_and_charge_each_term_once(bank: FakeAcquirer) -> None:
    people = [Renewing(bank, "month", MORNING) for _ in range(6)]
    apart(*[lambda: renewals.renew_due(at=END, limit=2) for _ in range(4)])
    things.run_until_idle(END)
    assert [vera.row.valid_till for vera in people] == [NEXT] * 6
    assert len(bank.called("charge")) == 6
    assert Period.objects.filter(number=2).count() == 6


def test_M10_switching_off_in_the_middle_of_a_charge_ends_it(bank: FakeAcquirer) -> None:
    vera = Renewing(bank, "month", MORNING)

    def click() -> Outcome:
        apart(lambda: agreements.switch_off(vera.id, actor="vera", at=END))
        return Outcome.unknown("no answer in time")

    bank.program("charge", click)
    renewals.renew_due(at=END)
    vera.go(END + timedelta(minutes=5))
    assert (vera.invoices, vera.payments[-1].status) == (["paid", "uncollectible"], "cancelled")
    assert (vera.taken, vera.row.auto_renew) == (29_900, False)


def test_M10_a_sweep_that_would_charge_far_more_people_than_have_a_term_ending_stops(
    bank: FakeAcquirer, settings: Any
) -> None:
    settings.SWEEP_GUARD = settings.SWEEP_GUARD | {"least": 2}
    people = [Renewing(bank, "month", MORNING) for _ in range(5)]
    wrong = MORNING + timedelta(days=3)
    Subscription.objects.update(next_charge_at=wrong)
    assert renewals.renew_due(at=wrong) == 0
    assert (len(bank.called("charge")), Halt.objects.get().sweep) == (0, "renewals")
    Halt.objects.all().delete()
    Subscription.objects.update(next_charge_at=END)
    assert renewals.renew_due(at=END) == 5
    things.run_until_idle(END)
    assert {vera.row.valid_till for vera in people} == {NEXT}
