"""A month by the hour: dry twice, another tariff, the scheduler off for a day. Every event, and no other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from moneyed import Money

from billing import audit, ledger, settlement, wallets
from billing.models import Event, Transfer
from subscriptions import cancellation, entitlements, metering
from subscriptions.explain import explain
from subscriptions.models import Period
from tests import fake_acquirer
from tests.subscriptions.hourly import AT, DAY, HOUR, tariff
from tests.things import run_until_idle, viewer

pytestmark = pytest.mark.django_db

TOP_UP = ["invoice.issued", "payment.created", "payment.pending", "payment.succeeded", "invoice.paid"]

WAYS = {
    ("cash", "wallet"): "top-up",
    ("wallet", "revenue"): "hours",
    ("wallet", "suspense"): "held",
    ("suspense", "cash"): "given back",
}


class Month:
    """One customer; `at` is the story's time."""

    def __init__(self, acquirer: fake_acquirer.FakeAcquirer) -> None:
        self.acquirer, self.at, self.user = acquirer, AT, viewer()
        self.seen = self.booked = self.read = 0

    def wait(self, span: timedelta, *, scheduler: bool = True) -> None:
        """Time passes, and the sweeps run each hour, unless the scheduler is off."""
        end = self.at + span
        while self.at < end:
            self.at = min(self.at + HOUR, end)
            if scheduler:
                run_until_idle(self.at)

    def put_in(self, rubles: int) -> None:
        payment = wallets.top_up(self.user.pk, wallets.TopUp(Money(rubles, "RUB")), actor="user", at=self.at)
        settlement.apply(payment.pk, self.acquirer.pay(payment.pk), actor="acquirer:fake", at=self.at)
        run_until_idle(self.at)

    def news(self) -> list[str]:
        """What was told since the last look."""
        rows = list(Event.objects.filter(pk__gt=self.seen).order_by("pk").values_list("pk", "kind"))
        self.seen = rows[-1][0] if rows else self.seen
        return [kind for _, kind in rows]

    def moved(self) -> list[str]:
        """The transfers since the last look, each with its sum."""
        rows = list(Transfer.objects.filter(pk__gt=self.booked).select_related("debit", "credit").order_by("pk"))
        self.booked = rows[-1].pk if rows else self.booked
        return [f"{WAYS[row.debit.kind, row.credit.kind]} {row.amount / 100:.2f}" for row in rows]

    def mails(self) -> list[str]:
        """The subjects of the mails since the last look."""
        new, self.read = mail.outbox[self.read :], len(mail.outbox)
        return [message.subject.replace("\u00a0", " ") for message in new]

    def why(self) -> str:
        """How the access is explained now."""
        return " ".join(explain(self.user, at=self.at)).replace("\u00a0", " ")

    @property
    def holds(self) -> Money:
        return ledger.held(ledger.wallet(self.user.pk, "RUB"))

    @property
    def watches(self) -> bool:
        return entitlements.may(self.user.pk, "cinema", at=self.at)


@pytest.fixture
def month(settings: Any) -> Month:
    settings.ACQUIRERS = fake_acquirer.SETTING
    tariff("hourly", 1_000)
    tariff("gold", 2_500)
    return Month(fake_acquirer.installed())


def test_W4_W9_a_month_by_the_hour(month: Month) -> None:
    month.put_in(1_000)  # a hundred hours
    assert month.news() == [*TOP_UP]
    assert month.moved() == ["top-up 1000.00"] and month.mails() == ["Payment received: 1 000.00 ₽"]
    subscription = metering.start(month.user.pk, "hourly", actor="user", at=month.at)
    assert month.news() == ["subscription.created", "subscription.activated"] and month.watches
    assert month.why() == (
        "Hourly costs 10.00 ₽ an hour, taken from the wallet for the time that it runs. The wallet holds 1 000.00 ₽: "
        "access goes on to 5 June 2026, 19:00 MSK."
    )

    month.wait(75 * HOUR)
    assert (month.holds, month.news(), month.moved()) == (Money(250, "RUB"), [], ["hours 10.00"] * 75)
    month.wait(HOUR)
    assert (month.news(), month.mails()) == (["subscription.running_low"], ["Your wallet lasts 24 hours more"])
    month.wait(DAY)
    assert (month.news(), month.mails()) == (["subscription.suspended"], ["Your wallet is empty"])
    assert not month.watches and "there is no access and nothing is charged until money is put in" in month.why()
    month.wait(3 * DAY)
    assert (month.holds, month.news(), month.moved()) == (Money(0, "RUB"), [], ["hours 10.00"] * 25)

    month.put_in(2_000)  # nothing for the gap
    assert month.news() == [*TOP_UP, "subscription.activated"] and month.watches
    assert month.moved() == ["top-up 2000.00"] and month.mails() == ["Payment received: 2 000.00 ₽"]
    month.wait(timedelta(hours=9, minutes=45))
    metering.change_tariff(subscription.pk, "gold", actor="user", at=month.at)
    assert (month.holds, month.news()) == (Money("1902.50", "RUB"), ["subscription.tariff_changed"])
    assert month.moved() == ["hours 10.00"] * 9 + ["hours 7.50"]
    assert month.why().startswith("Gold costs 25.00 ₽ an hour")

    month.wait(DAY, scheduler=False)  # and films go on
    assert month.watches and (month.holds, month.moved()) == (Money("1902.50", "RUB"), [])
    run_until_idle(month.at)
    assert (month.moved(), month.holds, month.news()) == (["hours 600.00"], Money("1302.50", "RUB"), [])

    month.wait(52 * HOUR)
    assert month.news() == ["subscription.running_low"] and month.moved() == ["hours 25.00"] * 52
    is_dry_while_the_scheduler_is_off(month)

    month.put_in(100)
    assert month.news() == [*TOP_UP, "subscription.activated"]  # and is not told again at once
    assert month.mails() == ["Payment received: 100.00 ₽"] and month.moved() == ["top-up 100.00"]
    month.wait(timedelta(minutes=90))
    cancellation.cancel(subscription.pk, actor="user", at=month.at)
    run_until_idle(month.at)
    assert month.news() == ["subscription.cancelled", "subscription.ended"]
    assert month.moved() == ["hours 25.00", "hours 12.50"]
    assert (month.holds, month.watches) == (Money("62.50", "RUB"), False)

    leave(month)


def is_dry_while_the_scheduler_is_off(month: Month) -> None:
    """Six minutes are left, and nobody looks for a day: films stop in time, and only those minutes are charged."""
    assert month.mails() == ["Your wallet lasts 23 hours 6 minutes more"] and month.holds == Money("2.50", "RUB")
    began = month.at
    month.at = began + timedelta(minutes=5)
    assert month.watches
    month.wait(DAY, scheduler=False)
    assert not month.watches and month.holds == Money("2.50", "RUB")
    run_until_idle(month.at)
    assert (month.moved(), month.holds) == (["hours 2.50"], Money(0, "RUB"))
    assert (month.news(), month.mails()) == (["subscription.suspended"], ["Your wallet is empty"])
    last = Period.objects.order_by("-number")[0]
    assert (last.starts_at, last.ends_at) == (began, began + timedelta(minutes=6))
    run_until_idle(month.at + DAY)
    month.at += DAY
    assert (month.moved(), month.news()) == ([], [])


def leave(month: Month) -> None:
    """All of the rest goes back, and the books are right."""
    assert wallets.close(month.user.pk, "RUB", actor="user", at=month.at, reason="leaving")[0].status == "succeeded"
    run_until_idle(month.at)
    assert month.news() == ["refund.requested", "wallet.closed", "refund.succeeded"]
    assert (month.moved(), month.mails()) == (
        ["held 62.50", "given back 62.50"],
        ["Gold is cancelled", "Refund made: 62.50 ₽"],
    )
    assert month.holds == Money(0, "RUB")
    earned = Money("3037.50", "RUB")
    assert ledger.balance(ledger.cash("fake", "RUB")) == earned == ledger.balance(ledger.revenue("RUB"))
    done = [each for each in month.acquirer.operations.values() if each.status == "succeeded" and each.amount]
    assert sum((-each.amount if each.payment_our_id else each.amount for each in done), Money(0, "RUB")) == earned
    assert [line.balance.amount for line in wallets.statement(ledger.wallet(month.user.pk, "RUB"))[:2]] == [0, 62.5]
    assert [finding.check.name for finding in audit.run(at=month.at).breaches] == []
