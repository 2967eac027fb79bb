"""The shop's worker and beat: sweeps that run when something is due, or late, twice, out of order, not for days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from billing import callbacks, checkouts, events, payments, receipts, refunds, request_keys
from billing.models import Callback, Delivery
from notifications import mailings
from simulation import database
from simulation.world import World
from subscriptions import endings, hours, next_plans, price_moves, reminders, renewals

# Each sweep, and when its next row is due.
SWEEPS: dict[str, tuple[Callable[..., int], str]] = {
    "callbacks": (
        callbacks.process_due,
        "SELECT min(next_attempt_at) FROM billing_callback WHERE status = 'received'",
    ),
    "payments": (
        payments.poll_due,
        "SELECT min(next_check_at) FROM billing_payment WHERE next_check_at IS NOT NULL",
    ),
    "refunds": (
        refunds.poll_due,
        "SELECT min(next_check_at) FROM billing_refund WHERE next_check_at IS NOT NULL",
    ),
    "receipts": (
        receipts.poll_due,
        "SELECT min(next_check_at) FROM billing_receipt WHERE next_check_at IS NOT NULL",
    ),
    "request keys": (
        request_keys.prune,
        "SELECT min(created_at) + interval '7 days' FROM billing_requestkey",
    ),
    "events": (
        events.deliver_due,
        "SELECT min(next_attempt_at) FROM billing_delivery WHERE status = 'due'",
    ),
    "checkouts": (
        checkouts.close_due,
        "SELECT min(next_sweep_at) FROM billing_invoice WHERE status = 'open'",
    ),
    "terms": (
        endings.end_due,
        "SELECT min(next_action_at) FROM subscriptions_subscription WHERE next_action_at IS NOT NULL",
    ),
    "renewals": (
        renewals.renew_due,
        "SELECT min(next_charge_at) FROM subscriptions_subscription WHERE next_charge_at IS NOT NULL",
    ),
    "next plans": (
        next_plans.begin_due,
        "SELECT min(switches_at) FROM subscriptions_subscription WHERE switches_at IS NOT NULL AND status <> 'paused'",
    ),
    "reminders": (
        reminders.remind_due,
        "SELECT min(remind_at) FROM subscriptions_subscription WHERE remind_at IS NOT NULL",
    ),
    "hours": (
        hours.charge_due,
        "SELECT min(next_tick_at) FROM subscriptions_meter WHERE next_tick_at IS NOT NULL",
    ),
    "price notices": (
        price_moves.tell_due,
        "SELECT min(move.created_at) FROM subscriptions_moving moving"
        " JOIN subscriptions_pricemove move ON move.id = moving.move_id"
        " WHERE moving.told_at IS NULL AND moving.settled_at IS NULL",
    ),
    "price moves": (price_moves.move_due, "SELECT min(due_at) FROM subscriptions_moving WHERE due_at IS NOT NULL"),
    "mails": (
        mailings.send_due,
        "SELECT min(next_attempt_at) FROM notifications_message WHERE status IN ('due', 'sending')",
    ),
}
DUES = "SELECT " + ", ".join(f"({sql})" for _, sql in SWEEPS.values())
AT_ONCE, SOON, LATER, DAYS = (1, 5), (10, 120), (300, 5400), (86_400, 4 * 86_400)
WOKEN = (1, 90)  # seconds after which it comes: it has other things to do
LATEST = timedelta(hours=12)  # at which it looks while nothing comes of its looking


class Worker:
    """Runs the sweeps. `next_at` is when it looks again; None while nothing is due at any time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = world.chance("worker")
        self._down_until: datetime | None = None
        self._quiet = 0  # runs since something came of one
        self._writes = -1  # as many as there were at the last look
        self._seen: dict[str, datetime] = {}  # when the next row of each sweep is due, as far as was looked
        self.next_at: datetime | None = None
        world.woken, world.worker_away = self._woken, self._away
        world.others.append(self.sweep_something)

    def dues(self) -> dict[str, datetime]:
        """When the next row of each sweep is due."""
        found = dict(zip(SWEEPS, database.rows(DUES)[0], strict=True))
        return {name: due for name, due in found.items() if due is not None}

    def plan(self) -> None:
        """Looks at what is due, and says when to run."""
        if self._writes != self._world.crashes.writes:
            self._writes, self._seen = self._world.crashes.writes, self.dues()
        if not self._seen:
            self.next_at = None
            return
        at = max(self._world.now, min(self._seen.values())) + self._lateness()
        self.next_at = max(at, self._down_until) if self._down_until else at

    def run(self) -> None:
        """Runs every sweep that has something due; now and then one twice, or in another order."""
        now, news = self._world.now, self._world.watch.news
        names = [name for name, due in self._seen.items() if due <= now]
        if self._world.trouble():
            self._dice.shuffle(names)
        for name in names:
            self._sweep(name)
            if self._world.trouble(0.2):
                self._sweep(name)
        if self._world.trouble(0.1):
            self._deliver_oddly()
        self._quiet = self._quiet + 1 if self._world.watch.news == news else 0

    def sweep_something(self) -> None:
        """One sweep runs now, due or not, while another process is in the middle of its work."""
        self._sweep(self._dice.choice(list(SWEEPS)))

    def _sweep(self, name: str) -> None:
        verb = SWEEPS[name][0]
        self._world.act("worker", f"sweep {name}", lambda: verb(at=self._world.now), counts=False)

    def _deliver_oddly(self) -> None:
        """An event reaches its handler again; others overtake one another."""
        world = self._world
        done = Delivery.objects.filter(status=Delivery.Status.DONE).order_by("-pk").values_list("pk", flat=True)[:50]
        if done:
            again = self._dice.choice(list(done))
            world.diary.fault("event_again")
            Delivery.objects.filter(pk=again).update(status=Delivery.Status.DUE, next_attempt_at=world.now)
        due = list(Delivery.objects.filter(status=Delivery.Status.DUE).order_by("pk").values_list("pk", flat=True)[:20])
        self._dice.shuffle(due)
        for pk in due:
            world.act("worker", f"deliver event {pk}", partial(events.deliver, pk, at=world.now), counts=False)

    def process_oddly(self) -> None:
        """Stored callbacks are acted on in another order than they came."""
        waiting = Callback.objects.filter(status=Callback.Status.RECEIVED).order_by("pk").values_list("pk", flat=True)
        rows = list(waiting[:20])
        self._dice.shuffle(rows)
        for pk in rows:
            self._world.act(
                "worker",
                f"process callback {pk}",
                partial(callbacks.process, pk, at=self._world.now),
                counts=False,
            )

    def _lateness(self) -> timedelta:
        if self._world.calm:
            return timedelta(seconds=1)
        draw = self._dice.random()
        soon, later = (0.0, 0.35) if self._world.unhurried else (0.1, 0.4)
        span = AT_ONCE if draw < soon else SOON if draw < later else LATER
        if self._world.trouble(0.005):
            span = DAYS
            self._world.diary.fault("worker_down")
            self._down_until = self._world.now + timedelta(seconds=self._dice.uniform(*span))
        idle = 2 ** min(self._quiet, 12)
        return min(timedelta(seconds=self._dice.uniform(*span) * idle), LATEST)

    def _away(self, till: datetime) -> None:
        """Nothing is swept until then."""
        self._world.diary.fault("worker_down")
        self._down_until = till
        self.next_at = max(self.next_at, till) if self.next_at else None

    def _woken(self) -> None:
        self._quiet = 0
        if self._world.unhurried:
            return
        if self._world.trouble():
            self._world.diary.fault("wake_up_lost")
            return
        soon = self._world.now + timedelta(seconds=self._dice.uniform(*WOKEN))
        if self._down_until is None or self._down_until <= soon:
            self.next_at = min(self.next_at, soon) if self.next_at else soon
