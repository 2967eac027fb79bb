"""The end of a run: no more trouble, the clock moves until all is quiet, then every kopeck is looked for."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from typing import Any

from django.db import connection

from accounts.models import User
from billing import audit
from billing.models import Halt
from simulation.courier import Courier
from simulation.kopecks import Kopecks
from simulation.staff import Staff
from simulation.watch import PROMISES
from simulation.weather import Weather
from simulation.worker import SWEEPS, Worker
from simulation.world import World
from subscriptions import agreements, cancellation
from subscriptions.models import Subscription

PATIENCE = timedelta(days=30)  # of simulated time; whatever is not final by then is lost
ROUNDS = 3000
BETWEEN = timedelta(hours=1)  # that staff let go by: what they asked an acquirer for is surely over by then

# What an operation must not be in for ever.
UNFINISHED = {
    "payment": "SELECT id, status FROM billing_payment WHERE status IN ('created', 'pending', 'authorized', 'unknown')",
    "refund": "SELECT id, status FROM billing_refund WHERE status IN ('created', 'pending', 'unknown')",
    "invoice": "SELECT id, status FROM billing_invoice WHERE status IN ('draft', 'open')",
    "callback": "SELECT id, status FROM billing_callback WHERE status = 'received'",
    "delivery": "SELECT id, status FROM billing_delivery WHERE status = 'due'",
    "mail": "SELECT id, status FROM notifications_message WHERE status IN ('due', 'sending')",
    "closed page": "SELECT id, status FROM billing_payment WHERE next_check_at IS NOT NULL",
}
# What nobody may have to look at: the bank is honest, our code does not fail.
PARKED = {
    "payment": "SELECT id, parked FROM billing_payment WHERE parked <> ''",
    "callback": "SELECT id, note FROM billing_callback WHERE status = 'parked'",
    "event": "SELECT id, error FROM billing_delivery WHERE status = 'parked'",
}
WHOLE = {
    "An operation waits although its invoice is closed": """
        SELECT subscription.id FROM subscriptions_subscription subscription
          JOIN subscriptions_period period ON period.subscription_id = subscription.id AND period.number = 1
          JOIN billing_invoice invoice ON invoice.id = period.invoice_id
         WHERE subscription.status = 'pending' AND invoice.status <> 'open'""",
    "Somebody paid for a term that never began": """
        SELECT period.subscription_id FROM subscriptions_period period
          JOIN billing_invoice invoice ON invoice.id = period.invoice_id
         WHERE invoice.status = 'paid' AND period.starts_at IS NULL""",
    "Somebody has a term that nobody paid for": """
        SELECT period.subscription_id FROM subscriptions_period period
          JOIN billing_invoice invoice ON invoice.id = period.invoice_id
         WHERE invoice.status <> 'paid' AND period.starts_at IS NOT NULL""",
    "A subscription is not in the state that its times say": """
        SELECT id FROM subscriptions_subscription
         WHERE (status = 'active' AND valid_till <= %(at)s AND next_action_at IS NOT NULL)
            OR (status IN ('past_due', 'cancelled') AND access_until <= %(at)s)
            OR (status IN ('expired', 'ended') AND access_until > %(at)s)
            OR (status IN ('pending', 'abandoned') AND access_until IS NOT NULL)""",
}


class Closing:
    """Brings a world to rest and audits it."""

    def __init__(self, world: World, worker: Worker, courier: Courier, staff: Staff, weather: Weather) -> None:
        self._world, self._worker, self._courier, self._staff, self._weather = world, worker, courier, staff, weather
        self.double_charges = 0
        self.lost = 0

    def audit(self) -> None:
        """Rest, then the whole check. Breaches are noted in the world's watch."""
        self._last_day()
        self._weather.end()
        self._everybody_leaves()
        for _ in range(6):  # staff's second tries bring news of their own
            self._world.pass_time(self._world.now + BETWEEN)
            self._rest()
            self._staff.reconcile(self._days_that_differ())
            self._staff.tidy_up()
        self._rest()
        self._operations()
        self._parked()
        self._promises()
        self._bank_against_us()
        self._mails()
        self._product_s_own_audit()

    def _last_day(self) -> None:
        """While all still fails, staff deal with what waits for a human: later nobody may die of it any more."""
        for _ in range(2):
            self._staff.reconcile()
            self._staff.tidy_up()

    def _everybody_leaves(self) -> None:
        """Nobody renews any more and no clock runs by the hour: otherwise the world would never come to rest."""
        world, running = self._world, Subscription.objects.filter(status__in=Subscription.LIVE).select_related("plan")
        for row in running.order_by("created_at", "pk"):
            deed = cancellation.cancel if row.plan.hourly else agreements.switch_off
            if row.plan.hourly or row.auto_renew:
                world.act("visitor", f"leave {row.pk}", partial(deed, row.pk, actor="system", at=world.now))

    def _rest(self) -> None:
        """Lets time pass until nothing is unfinished, or patience ends."""
        world, until = self._world, self._world.now + PATIENCE
        quiet = 0
        for _ in range(ROUNDS):
            news = world.watch.news
            for bank in world.banks.values():
                bank.chores()
            self._courier.run()
            self._worker.plan()
            self._worker.run()
            if not any(self._rows(sql) for sql in UNFINISHED.values()) and self._courier.next_at is None:
                break
            quiet = 0 if world.watch.news > news else quiet + 1
            if quiet >= 20 and Halt.objects.filter(status__in=Halt.STANDING).exists():
                self._staff.tidy_up()  # what a stopped sweep leaves due would else be looked at each second
                quiet = 0
            dues = self._worker.dues()
            for endless in ("terms", "reminders", "price moves", "next plans"):
                dues.pop(endless, None)
            moments = [*dues.values(), *([self._courier.next_at] if self._courier.next_at else [])]
            next_at = max(min(moments, default=world.now), world.now + timedelta(seconds=1))
            world.pass_time(min(next_at, until + timedelta(seconds=1)))
            if world.now > until:
                break
        for name in ("next plans", "terms"):
            while (due := self._worker.dues().get(name)) and due <= world.now:
                SWEEPS[name][0](at=world.now)

    def _days_that_differ(self) -> list[date]:
        """The days of which the bank's books tell something that ours do not: nobody came for its statement in time."""
        return sorted({day for riddle in Kopecks(self._world).riddles() for day in riddle.days})

    def _operations(self) -> None:
        for name, sql in UNFINISHED.items():
            rows = self._rows(sql)
            self.lost += len(rows)
            for row in rows[:3]:
                self._world.watch.note(f"Not final: {name} {row[0]} is {row[1]}")

    def _parked(self) -> None:
        for name, sql in PARKED.items():
            for row in self._rows(sql)[:3]:
                self._world.watch.note(f"Parked: {name} {row[0]}: {row[1]}")

    def _promises(self) -> None:
        users = list(User.objects.order_by("pk").values_list("pk", flat=True))
        for sentence, sql in (PROMISES | WHOLE).items():
            rows = self._rows(sql, {"users": users, "at": self._world.now})
            if rows:
                self._world.watch.note(f"{sentence}: {rows[0][0]} ({len(rows)} in all)")

    def _bank_against_us(self) -> None:
        """Every kopeck in the bank's books is one of ours, and the other way round."""
        books, note = Kopecks(self._world), self._world.watch.note
        for riddle in books.riddles():
            self.lost += 1
            note(riddle.sentence)
        for invoice in books.charged_twice():
            self.double_charges += 1
            note(f"Charged twice: invoice {invoice}")
        ours, theirs = books.sums()
        if ours != theirs:
            note(f"Our books say {ours}, the banks' {theirs}")

    def _mails(self) -> None:
        watch = self._world.watch
        for name, times in watch.mails.items():
            if times > 1 and name not in watch.sent_again:
                watch.note(f"The mail {name} went out {times} times")

    def _product_s_own_audit(self) -> None:
        report = audit.run(at=self._world.now)
        for finding in report.breaches:
            self._world.watch.note(f"audit: {finding.check.name}: {finding.check.sentence} {finding.rows[:1]}")

    def _rows(self, sql: str, values: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(f"{sql} ORDER BY 1", values)
            return list(cursor.fetchall())
