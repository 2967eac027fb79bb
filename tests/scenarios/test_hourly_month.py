"""A month by the hour: dry twice, another tariff, the scheduler off for a day. Every event, and no other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from moneyed import Money

from billing import audit, ledger, settlement, wallets
from billing.models import Event, Transfer
from subscriptions import cancellation, entitlements, metering
from tests import fake_acquirer
from tests.subscriptions.hourly import AT, DAY, HOUR, tariff
from tests.things import run_until_idle, viewer

pytestmark = pytest.mark.django_db

TOP_UP = ["invoice.issued", "payment.created", "payment.pending", "payment.succeeded", "invoice.paid"]


class Month:
    """One customer; `at` is the story's time."""

    def __init__(self, acquirer: fake_acquirer.FakeAcquirer) -> None:
        self.acquirer, self.at, self.user, self.seen = acquirer, AT, viewer(), 0

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
    assert month.news() == TOP_UP
    subscription = metering.start(month.user.pk, "hourly", actor="user", at=month.at)
    assert month.news() == ["subscription.created", "subscription.activated"] and month.watches

    month.wait(75 * HOUR)
    assert (month.holds, month.news()) == (Money(250, "RUB"), [])
    month.wait(HOUR)
    assert month.news() == ["subscription.running_low"]
    month.wait(DAY)
    assert month.news() == ["subscription.suspended"] and not month.watches
    month.wait(3 * DAY)
    assert (month.holds, month.news()) == (Money(0, "RUB"), [])

    month.put_in(2_000)  # nothing for the gap
    assert month.news() == [*TOP_UP, "subscription.activated"] and month.watches
    month.wait(10 * HOUR)
    metering.change_tariff(subscription.pk, "gold", actor="user", at=month.at)
    assert (month.holds, month.news()) == (Money(1_900, "RUB"), ["subscription.tariff_changed"])

    month.wait(DAY, scheduler=False)  # and films go on
    assert month.watches and month.holds == Money(1_900, "RUB")
    run_until_idle(month.at)
    assert (month.holds, month.news()) == (Money(1_300, "RUB"), [])

    month.wait(52 * HOUR)
    assert month.news() == ["subscription.running_low", "subscription.suspended"]
    assert (month.holds, month.watches) == (Money(0, "RUB"), False)

    month.put_in(100)
    assert month.news() == [*TOP_UP, "subscription.activated"]  # and is not told again at once
    month.wait(timedelta(minutes=90))
    cancellation.cancel(subscription.pk, actor="user", at=month.at)
    run_until_idle(month.at)
    assert month.news() == ["subscription.cancelled", "subscription.ended"]
    assert (month.holds, month.watches) == (Money("62.50", "RUB"), False)

    leave(month)


def leave(month: Month) -> None:
    """All of the rest goes back, and the books are right."""
    assert wallets.close(month.user.pk, "RUB", actor="user", at=month.at, reason="leaving")[0].status == "succeeded"
    run_until_idle(month.at)
    assert month.news() == ["refund.requested", "wallet.closed", "refund.succeeded"]
    assert month.holds == Money(0, "RUB")
    taken = sum(Transfer.objects.filter(reference__startswith="meter:").values_list("amount", flat=True))
    assert taken == 310_000 - 6_250
    assert [finding.check.name for finding in audit.run(at=month.at).breaches] == []
