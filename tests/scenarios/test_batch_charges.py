"""Next terms charged many at once are what they are charged one by one: the same customers both ways, every column."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import connection

from acquiring.types import Charge, Decline, Outcome
from billing import batches, cards, charges, events, ledger, payments
from billing.models import Invoice, Payment
from subscriptions import renewals
from subscriptions.models import Subscription
from tests import fake_acquirer
from tests.fake_acquirer import FakeAcquirer
from tests.scenarios.test_batches import Crowd, nameless
from tests.subscriptions.renewing import declined
from tests.subscriptions.terms import at, fake_bank, news
from tests.things import plan

pytestmark = pytest.mark.django_db(transaction=True)
MORNING, END = at("2026-01-31T11:00"), at("2026-02-28T11:00")
ANSWERS = {
    "6": declined(),
    "7": declined(Decline.STOP, "The card is blocked."),
    "8": Outcome.unknown("no answer in time"),
    "9": declined(Decline.NOT_SENT, "The bank is out of reach."),
}


@pytest.fixture
def bank(settings: Any, monkeypatch: Any) -> FakeAcquirer:
    plan("month", 1, 29_900)
    plan("year", 12, 269_900)
    ledger.cash("fake", "RUB"), ledger.suspense("RUB")
    told = fake_acquirer.told
    monkeypatch.setattr(fake_acquirer, "told", lambda of: replace(told(of), occurred_at=END))
    bank = fake_bank(settings)
    charge = bank.charge

    def by_person(asked: Charge) -> Outcome:
        number = asked.customer_email.split("@")[0].split("-")[1]
        return ANSWERS.get(number) or charge(asked)

    monkeypatch.setattr(bank, "charge", by_person)
    return bank


class Renewed(Crowd):
    """Customers whose term by card is over: five ordinary ones, four whom the bank says no, and some odd ones."""

    def __init__(self, bank: FakeAcquirer, name: str) -> None:
        super().__init__(bank, name)
        for _ in range(13):
            payment = self.begin(auto_renew=True)
            bank.pay(payment.pk)
            payments.check(payment.pk, at=MORNING)
        news(MORNING)
        self.cards = [Subscription.objects.get(user=user).method_id for user in self.users]
        self.remove_card(10)
        Subscription.objects.filter(user=self.users[11]).update(auto_renew=False, next_charge_at=None)

    def remove_card(self, number: int) -> None:
        cards.remove(self.cards[number], self.users[number].pk, at=MORNING)

    def renew(self, settings: Any, at_once: int) -> list[str]:
        settings.CHARGES_AT_ONCE = at_once
        renewals.renew_due(at=END)
        before = nameless(self)
        while events.deliver_due(at=END):
            pass
        return before + nameless(self)


def test_M10_many_charged_at_once_write_what_one_by_one_writes(
    bank: FakeAcquirer, settings: Any, monkeypatch: Any
) -> None:
    alone = Renewed(bank, "alone").renew(settings, 1)
    long_way, charge = [], renewals.charge
    monkeypatch.setattr(renewals, "charge", lambda pk, at: (long_way.append(pk), charge(pk, at=at))[1])
    crowd = Renewed(bank, "crowd")
    for theirs, ours in zip(alone, crowd.renew(settings, 4), strict=True):
        assert ours == theirs
    assert len(long_way) == 5  # four after their answer, and the one without a card
    made = Payment.objects.filter(user__in=crowd.users, created_at=END)
    assert sorted(made.values_list("status", flat=True)) == ["failed"] * 3 + ["succeeded"] * 7 + ["unknown"]
    assert Invoice.objects.filter(user__in=crowd.users, status="paid", created_at=END).count() == 7


def test_a_card_removed_while_its_charge_waits_for_a_free_thread_is_not_charged(
    bank: FakeAcquirer, settings: Any, monkeypatch: Any
) -> None:
    crowd, send = Renewed(bank, "crowd"), charges.send

    def too_late(each: charges.Started) -> Any:
        if each.payment.method_id == crowd.cards[2]:
            crowd.remove_card(2)
        return send(each)

    monkeypatch.setattr(charges, "FRESH", -1.0)  # all of them had to wait
    monkeypatch.setattr(charges, "send", too_late)
    crowd.renew(settings, 4)
    [left] = Payment.objects.filter(user=crowd.users[2], created_at=END)
    assert (left.status, left.captured) == ("cancelled", 0)
    assert Payment.objects.get(user=crowd.users[1], created_at=END).status == "succeeded"


def test_a_batch_that_breaks_is_settled_one_by_one(bank: FakeAcquirer, settings: Any, monkeypatch: Any) -> None:
    crowd = Renewed(bank, "crowd")
    monkeypatch.setattr(batches, "write", lambda *_, **__: 1 / 0)
    crowd.renew(settings, 4)
    assert Payment.objects.filter(user__in=crowd.users, created_at=END, status="succeeded").count() == 7


def test_news_that_are_faster_than_the_sweep_are_not_overwritten(
    bank: FakeAcquirer, settings: Any, monkeypatch: Any
) -> None:
    crowd, settle = Renewed(bank, "crowd"), charges.settle

    def and_deliver(*args: Any, **more: Any) -> Any:
        settled = settle(*args, **more)
        while events.deliver_due(at=END):
            pass
        return settled

    monkeypatch.setattr(charges, "settle", and_deliver)
    crowd.renew(settings, 4)
    begun = Subscription.objects.get(user=crowd.users[0])
    assert begun.next_charge_at == begun.valid_till and begun.periods.count() == 2


def test_a_charge_holds_no_connection_while_the_bank_thinks(
    bank: FakeAcquirer, settings: Any, monkeypatch: Any
) -> None:
    held = []
    charge = bank.charge

    def thinking(asked: Charge) -> Outcome:
        held.append(connection.connection)
        return charge(asked)

    monkeypatch.setattr(bank, "charge", thinking)
    for name, at_once in (("many", 4), ("alone", 1)):
        Renewed(bank, name).renew(settings, at_once)
    assert len(held) == 22 and set(held) == {None}
