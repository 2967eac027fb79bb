"""What is settled many at once is what is settled one by one: the same customers both ways, every column compared."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model, Q
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from acquiring.types import Status
from billing import batches, callbacks, events, ledger, payments, wallets
from billing.models import Account, Callback, Delivery, Event, Invoice, Payment, PaymentMethod, Refund, Transfer
from notifications.models import Message
from subscriptions import activations, cancellation
from subscriptions.models import Period, Subscription
from tests import fake_acquirer
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.terms import at, chosen, fake_bank, news, rub
from tests.things import plan, viewer, voided

pytestmark = pytest.mark.django_db
BEFORE, MORNING, NOON = at("2026-01-10T12:00"), at("2026-01-31T11:00"), at("2026-01-31T12:00")
SECOND = timedelta(seconds=1)
# Told by the machine: ids, our own clock's times, numbers from sequences, and what is encrypted with a random salt.
UNTOLD = {"id", "created_at", "updated_at", "booked_at", "number", "event_id", "token", "token_digest", "body"}
UNTOLD |= {"headers", "dedupe_key", "debit_id", "credit_id", "account_id", "method_id"}


@pytest.fixture
def bank(settings: Any, monkeypatch: Any) -> FakeAcquirer:
    told = fake_acquirer.told
    monkeypatch.setattr(fake_acquirer, "told", lambda of: replace(told(of), occurred_at=MORNING + 7 * SECOND))
    plan("month", 1, 29_900)
    plan("year", 12, 269_900, grace_days=3)
    ledger.cash("fake", "RUB"), ledger.suspense("RUB")
    return fake_bank(settings)


class Crowd:
    """Customers in all sorts of circumstances, each with a callback to come."""

    def __init__(self, bank: FakeAcquirer, name: str) -> None:
        self.bank, self.name, self._numbers = bank, name, count(1)
        self.users: list[User] = []

    def person(self) -> User:
        self.users.append(viewer(f"{self.name}-{next(self._numbers)}@example.com", name=f"Vera {len(self.users)}"))
        return self.users[-1]

    def begin(self, code: str = "month", **order: Any) -> Payment:
        return chosen(code, MORNING, self.person(), **order).payment

    def ring(self, payment: Payment, status: Status = Status.SUCCEEDED, **changes: Any) -> None:
        self.bank.settle(payment.pk, status) if status != Status.SUCCEEDED else self.bank.pay(payment.pk)
        post = self.bank.callback(payment.pk, **changes)
        callbacks.receive("fake", "pay", post["headers"], post["data"], at=MORNING)

    def ordinary(self, how_many: int = 3) -> None:
        for _ in range(how_many):
            self.ring(self.begin())

    def odd(self) -> None:
        """Each of them has something that the batch leaves to the long way."""
        self.ring(self.begin(auto_renew=True))
        self.ring(self.begin(save_card=True))
        self.ring(self.begin(), amount=1)
        self.ring(self.begin(), reference="pay_of_somebody")
        self.ring(self.begin(), Status.FAILED)
        twice = self.begin()
        self.ring(twice), self.ring(twice)
        late = self.begin()
        voided(late.invoice_id, MORNING)
        self.ring(late)

    def in_passing(self) -> None:
        """The batch settles them, and something else is beside the plain first term."""
        self.ring(self.begin("year"))
        again = self.person()
        first = chosen("year", BEFORE, again)
        self.bank.pay(first.payment.pk)
        payments.check(first.payment.pk, at=BEFORE)
        news(BEFORE)
        cancellation.cancel(first.subscription.pk, actor="test", at=BEFORE + timedelta(days=5))
        self.ring(chosen("month", MORNING, again).payment)
        wanted = wallets.TopUp(rub(500))
        self.ring(wallets.top_up(self.person().pk, wanted, actor="test", at=MORNING))


def one_by_one() -> None:
    while callbacks.process_due(at=NOON, limit=1):
        pass
    while events.deliver_due(at=NOON, limit=1):
        pass


def together() -> None:
    while callbacks.process_due(at=NOON):
        pass
    while events.deliver_due(at=NOON):
        pass


def rows_of(user: User) -> list[tuple[str, dict[str, Any]]]:
    """All that is written of a customer, in an order that both ways share."""
    paid = Payment.objects.filter(user=user).order_by("created_at", "pk")
    booked = Q(reference__in=[f"payment:{pk}" for pk in paid.values_list("pk", flat=True)])
    told = Event.objects.filter(user=user).order_by("id")
    found: list[Any] = [
        Subscription.objects.filter(user=user).order_by("created_at"),
        Period.objects.filter(subscription__user=user).order_by("subscription__created_at", "number"),
        Invoice.objects.filter(user=user).order_by("created_at"),
        paid,
        PaymentMethod.objects.filter(user=user),
        Refund.objects.filter(payment__user=user),
        Account.objects.filter(user=user),
        Transfer.objects.filter(booked).order_by("id"),
        told,
        Delivery.objects.filter(event__user=user).order_by("event_id", "handler"),
        Message.objects.filter(event__user=user).order_by("event_id"),
        Callback.objects.filter(subject_id__in=paid.values("pk")).order_by("pk"),
    ]
    return [(type(row).__name__, columns(row)) for query in found for row in query]


def columns(row: Model) -> dict[str, Any]:
    told = {f.attname: f.value_from_object(row) for f in row._meta.concrete_fields if f.attname not in UNTOLD}
    for name in {"plan_id", "price_id"} & told.keys():  # a small number, which may be an invoice's too
        told[name] = f"no{told[name]}"
    if isinstance(row, Transfer):
        told |= {"debit": row.debit.code, "credit": row.credit.code}
    if isinstance(row, Delivery | Message):
        told["event"] = (row.event.kind, row.event.subject_id)
    return told


def nameless(crowd: Crowd) -> list[str]:
    """Every row as text, with ids and numbers replaced by the order in which they first appear."""
    lines, known = [], dict[str, str]()
    numbers = {str(each) for each in Invoice.objects.filter(user__in=crowd.users).values_list("number", flat=True)}
    ours = re.compile(
        rf"[0-9a-f]{{8}}-(?:[0-9a-f]{{4}}-){{3}}[0-9a-f]{{12}}|(?:pay|ref)_\d+|\b(?:{'|'.join(numbers)})\b"
    )
    for user in crowd.users:
        for kind, row in rows_of(user):
            text = f"{kind} {row}".replace(f"{crowd.name}-", "")
            lines.append(ours.sub(lambda found: known.setdefault(found[0], f"#{len(known)}"), text))
    return lines


def gone(bank: FakeAcquirer, name: str, way: Callable[[], None]) -> Crowd:
    crowd = Crowd(bank, name)
    crowd.ordinary()
    crowd.odd()
    crowd.in_passing()
    way()
    return crowd


def test_many_at_once_write_what_one_by_one_writes(bank: FakeAcquirer, monkeypatch: Any) -> None:
    alone = nameless(gone(bank, "alone", one_by_one))
    long_way, process = [], callbacks.process
    monkeypatch.setattr(callbacks, "process", lambda pk, at: (long_way.append(pk), process(pk, at=at))[1])
    crowd = gone(bank, "crowd", together)
    many = nameless(crowd)
    assert len(long_way) == 8  # the odd ones, one of them twice
    for theirs, ours in zip(alone, many, strict=True):
        assert ours == theirs
    assert not Callback.objects.filter(status="received").exists()
    assert {row.status for row in Subscription.objects.filter(user=crowd.users[0])} == {"active"}


def test_a_replay_of_everything_changes_nothing(bank: FakeAcquirer, caplog: Any) -> None:
    crowd = gone(bank, "crowd", together)
    before = nameless(crowd)
    caplog.clear()
    Callback.objects.filter(status="processed").update(status="received", attempts=0, next_attempt_at=NOON)
    Delivery.objects.filter(status="done", done_at=NOON).update(status="due", attempts=0, next_attempt_at=NOON)
    together()
    assert nameless(crowd) == before
    assert " failed" not in caplog.text  # no batch had to be given up for it


def test_one_that_breaks_the_batch_is_found_and_the_others_go_on(bank: FakeAcquirer, monkeypatch: Any) -> None:
    crowd = Crowd(bank, "crowd")
    crowd.ordinary(5)
    poison = Payment.objects.get(user=crowd.users[2])
    Transfer.objects.create(  # somebody has booked it by hand: its reference is taken
        reference=f"payment:{poison.pk}",
        debit=ledger.cash("fake", "RUB"),
        credit=ledger.revenue("RUB"),
        amount=1,
        currency="RUB",
        description="by hand",
        at=NOON,
    )
    together()
    assert Subscription.objects.filter(status="active").count() == 4
    assert Message.objects.count() == 4
    left = Callback.objects.get(status="received")
    assert (left.attempts, "duplicate key" in left.note) == (1, True)


@pytest.mark.parametrize(
    ("module", "verb"), [(batches, "_book"), (activations, "_tell")], ids=["in the books", "in the first terms"]
)
def test_a_process_that_dies_within_a_batch_leaves_it_to_the_next(
    bank: FakeAcquirer, monkeypatch: Any, module: Any, verb: str
) -> None:
    class Died(BaseException):
        """Nothing catches it."""

    def die(*_: Any) -> None:
        raise Died

    crowd = Crowd(bank, "crowd")
    crowd.ordinary(4)
    with monkeypatch.context() as dying:
        dying.setattr(module, verb, die)
        with pytest.raises(Died):
            together()
    assert Event.objects.filter(kind="subscription.activated").count() == 0
    for minute in range(1, 4):
        callbacks.process_due(at=NOON + timedelta(minutes=minute))
        events.deliver_due(at=NOON + timedelta(minutes=minute))
    assert Subscription.objects.filter(status="active").count() == Transfer.objects.count() == 4
    assert Message.objects.count() == Event.objects.filter(kind="invoice.paid").count() == 4


def test_twice_as_many_cost_no_more_statements(bank: FakeAcquirer) -> None:
    def statements(name: str, how_many: int) -> int:
        Crowd(bank, name).ordinary(how_many)
        with CaptureQueriesContext(connection) as asked:
            callbacks.process_due(at=NOON)
            events.deliver_due(at=NOON)
        return len(asked)

    assert statements("few", 5) == statements("many", 10) < 60
