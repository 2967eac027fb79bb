"""The outbox: what happened reaches each handler once in effect, whatever dies on the way."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from typing import Any

import pytest
from celery import Celery
from django.db import IntegrityError, transaction

from billing import events, sweeps, wake
from billing.models import Account, Delivery, Event, Invoice, InvoiceLine
from tests.billing.desk import AT, DAY, HOUR, MINUTE, Died, bill, fresh, told
from tests.things import viewer

pytestmark = pytest.mark.django_db
KIND = "invoice.tested"


class Hands:
    """Handlers that remember what they were handed, and do what they are told."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.trouble: list[BaseException] = []

    def good(self, event: Event) -> None:
        self.seen.append(event.pk)

    def bad(self, event: Event) -> None:
        Account.objects.create(code=f"half:{event.pk}", kind="fees", currency="RUB")
        if self.trouble:
            raise self.trouble.pop(0)


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    """Handlers of KIND: only what a test registers."""
    monkeypatch.setitem(events._handlers, KIND, {})
    return Hands()


def happen(invoice: Invoice | None = None) -> Event:
    return events.emit(KIND, invoice or bill(), actor="system", at=AT)


def deliveries(event: Event) -> dict[str, str]:
    """The state of each delivery, by the handler's last name."""
    return {d.handler.rsplit(".", 1)[1]: d.status for d in event.deliveries.all()}


def test_events_that_another_worker_has_handed_over_meanwhile_trouble_no_handler_of_many(
    hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_many", {})
    batches: list[int] = []

    def many(told: Sequence[Event]) -> list[int]:
        batches.append(len(told))
        return [event.pk for event in told]

    events.on(KIND, many=many)(hands.good)
    made = [happen(), happen()]
    claim = sweeps.claim

    def claimed(*args: Any, **more: Any) -> list[int]:
        rows: list[int] = claim(*args, **more)
        for pk in rows:
            events.deliver(pk, at=AT)
        return rows

    monkeypatch.setattr(sweeps, "claim", claimed)
    events.deliver_due(at=AT)
    assert (hands.seen, batches) == ([event.pk for event in made], [])


def test_a_handler_is_handed_an_event_once(hands: Hands) -> None:
    events.on(KIND)(hands.good)
    event = happen()
    assert hands.seen == []  # not before the commit
    for _ in range(3):
        events.deliver_due(at=AT + DAY)
    assert hands.seen == [event.pk]
    events.deliver(event.deliveries.get().pk, at=AT + DAY)
    assert hands.seen == [event.pk]


def test_a_poison_event_is_parked_while_the_others_go_on(hands: Hands) -> None:
    events.on(KIND)(hands.good)
    events.on(KIND)(hands.bad)
    poison = happen()
    hands.trouble = [ValueError("poison")] * events.PARK_AFTER
    at = AT
    for _ in range(events.PARK_AFTER):
        assert deliveries(poison)["bad"] == "due"
        events.deliver_due(at=at)
        at += HOUR
    assert deliveries(poison) == {"good": "done", "bad": "parked"}
    assert poison.deliveries.get(status="parked").error == "ValueError: poison"
    later = happen()
    events.deliver_due(at=at)
    assert deliveries(later) == {"good": "done", "bad": "done"}
    assert events.deliver_due(at=at + DAY) == 0
    assert not Account.objects.filter(code=f"half:{poison.pk}").exists()


def test_what_a_human_takes_up_again_is_delivered(hands: Hands) -> None:
    events.on(KIND)(hands.bad)
    delivery = happen().deliveries.get()
    Delivery.objects.filter(pk=delivery.pk).update(status="parked", attempts=12)
    events.retry(delivery.pk, at=AT + DAY)
    events.deliver_due(at=AT + DAY)
    assert fresh(delivery).status == "done"
    events.retry(delivery.pk, at=AT + DAY)  # the button pressed twice
    assert fresh(delivery).status == "done"


def test_a_failed_handler_is_tried_again_later_and_leaves_nothing_half_done(hands: Hands) -> None:
    events.on(KIND)(hands.bad)
    event = happen()
    hands.trouble = [IntegrityError("once")]
    events.deliver_due(at=AT)
    assert not Account.objects.filter(code=f"half:{event.pk}").exists()
    assert events.deliver_due(at=AT) == 0
    events.deliver_due(at=AT + MINUTE)
    assert Account.objects.filter(code=f"half:{event.pk}").count() == 1
    assert deliveries(event) == {"bad": "done"}


@pytest.mark.django_db(transaction=True)
def test_a_handler_whose_work_is_refused_at_the_commit_is_parked_too(hands: Hands) -> None:
    """A foreign key is checked only there, after the handler has returned in peace."""

    def orphan(event: Event) -> None:
        InvoiceLine.objects.create(
            invoice_id=event.subject_id.__class__(int=0), product="p", description="d", unit_price=1, amount=1
        )

    events.on(KIND)(orphan)
    event = happen()
    for n in range(events.PARK_AFTER):
        events.deliver_due(at=AT + n * HOUR)
    delivery = event.deliveries.get()
    assert delivery.status == "parked"
    assert "foreign key" in delivery.error


@pytest.mark.django_db(transaction=True)
def test_M4_dying_between_the_handler_and_the_commit_has_the_event_delivered_again(hands: Hands) -> None:
    events.on(KIND)(hands.bad)
    event = happen()
    hands.trouble = [Died()]
    with pytest.raises(Died):
        events.deliver_due(at=AT)
    assert not Account.objects.filter(code=f"half:{event.pk}").exists()
    assert events.deliver_due(at=AT + MINUTE / 2) == 0  # the lease of the dead one
    events.deliver_due(at=AT + MINUTE)
    assert Account.objects.filter(code=f"half:{event.pk}").count() == 1


@pytest.mark.django_db(transaction=True)
def test_M4_a_lost_wake_up_only_delays(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(wake, "now", calls.append)
    events.on(KIND)(hands.good)
    event = happen()
    assert calls == ["billing.tasks.deliver_events"]
    events.deliver_due(at=AT + DAY)
    assert hands.seen == [event.pk]


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_is_not_told_and_wakes_nobody(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(wake, "now", calls.append)
    events.on(KIND)(hands.good)
    with transaction.atomic():
        happen()
        transaction.set_rollback(True)
    assert (calls, told(KIND), Delivery.objects.count()) == ([], 0, 0)


def test_a_handler_that_was_removed_from_the_code_is_shown_to_staff(
    hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    events.on(KIND)(hands.bad)
    event = happen()
    monkeypatch.setitem(events._handlers, KIND, {})
    for n in range(events.PARK_AFTER):
        events.deliver_due(at=AT + n * HOUR)
    assert deliveries(event) == {"bad": "parked"}


def test_an_event_keeps_who_whom_and_the_request(hands: Hands) -> None:
    user = viewer()
    token = events.request_id.set("req-1")
    try:
        event = events.emit(KIND, bill(user_id=user.pk), actor="user:1", at=AT, reason="why", data={"a": 1})
    finally:
        events.request_id.reset(token)
    stored = fresh(event)
    assert (stored.user_id, stored.actor, stored.reason, stored.request_id) == (user.pk, "user:1", "why", "req-1")
    assert stored.subject_type == "invoice"
    assert deliveries(event) == {}


# --- The broker ---


def closed_port() -> int:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        return int(nobody.getsockname()[1])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("broker", ["redis://127.0.0.1:{}/0", "amqp://127.0.0.1:{}//"])
def test_a_broker_that_is_down_neither_breaks_nor_slows_the_page(
    hands: Hands, monkeypatch: pytest.MonkeyPatch, broker: str
) -> None:
    app = Celery(broker=broker.format(closed_port()), set_as_current=False)
    monkeypatch.setattr(wake, "current_app", app)
    monkeypatch.setattr(wake, "_quiet_until", 0.0)
    events.on(KIND)(hands.good)
    begun = time.monotonic()
    for _ in range(5):
        happen()
    assert time.monotonic() - begun < 3  # left to itself, Celery tries for six seconds
    events.deliver_due(at=AT)
    assert len(hands.seen) == 5
    app.close()


def test_after_a_failure_the_broker_is_left_in_peace_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    class Down:
        @property
        def pool(self) -> Any:
            calls.append("connect")
            raise OSError("down")

    clock = [1000.0]
    monkeypatch.setattr(wake, "current_app", Down())
    monkeypatch.setattr(wake, "_quiet_until", 0.0)
    monkeypatch.setattr(wake.time, "monotonic", lambda: clock[0])
    for _ in range(3):
        wake.now("billing.tasks.poll_payments")
    assert len(calls) == 1
    clock[0] += wake.QUIET_SECONDS
    wake.now("billing.tasks.poll_payments")
    assert len(calls) == 2


def test_a_wake_up_reaches_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Celery(broker="memory://localhost", set_as_current=False)
    monkeypatch.setattr(wake, "current_app", app)
    monkeypatch.setattr(wake, "_quiet_until", 0.0)
    wake.now("billing.tasks.poll_payments")
    with app.connection_for_read() as connection:
        message = connection.SimpleQueue("celery").get(block=False)
        assert message.headers["task"] == "billing.tasks.poll_payments"
        message.ack()
    app.close()
