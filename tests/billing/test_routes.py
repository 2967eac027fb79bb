"""B8: which acquirer a page is opened at, and that a customer is never charged at two."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest

from acquiring import registry
from acquiring.types import Outcome, Status
from billing import audit, health, payments, routes
from billing.errors import Conflict, Invalid
from billing.models import AcquirerHealth, Event, Payment
from tests import fake_acquirer
from tests.billing.desk import AT, bill
from tests.fake_acquirer import FakeAcquirer, Fault

pytestmark = pytest.mark.django_db

ENTRY = fake_acquirer.SETTING["fake"]


@pytest.fixture
def banks(settings: Any) -> dict[str, FakeAcquirer]:
    """Two acquirers; without a route "one" takes all and "two" stands by."""
    settings.ACQUIRERS = {"one": ENTRY, "two": ENTRY}
    settings.ACQUIRER_HEALTH = {"trip_after": 3, "pause": timedelta(seconds=30)}
    return {name: bank for name in ("one", "two") if isinstance(bank := registry.get(name), FakeAcquirer)}


def start(at: datetime = AT, **more: Any) -> Payment:
    return payments.start(bill().pk, actor="test", at=at, **more)


def state(name: str = "one") -> str:
    return AcquirerHealth.objects.get(name=name).status


def brings_down(bank: FakeAcquirer, at: datetime = AT) -> None:
    bank.program("checkout", *[Fault.LOSE_REQUEST] * 3)
    for _ in range(3):
        assert start(at).status == "unknown"


def test_the_first_takes_all_and_the_others_stand_by(banks: dict[str, FakeAcquirer]) -> None:
    assert routes.order("RUB", uuid.UUID(int=1), at=AT) == ["one", "two"]


def test_a_route_is_found_by_currency_and_goods(banks: dict[str, FakeAcquirer], settings: Any) -> None:
    settings.ACQUIRER_ROUTES = [
        {"currency": "RUB", "goods": ["year"], "shares": {"two": 100, "one": 0}},
        {"currency": "RUB", "shares": {"one": 100}},
    ]
    someone = uuid.UUID(int=1)
    assert routes.order("RUB", someone, goods="year", at=AT) == ["two", "one"]
    assert routes.order("RUB", someone, goods="month", at=AT) == ["one"]
    assert start(goods="year").acquirer == "two"


def test_shares_are_kept_over_many_customers_and_each_is_led_the_same_way(
    banks: dict[str, FakeAcquirer], settings: Any
) -> None:
    settings.ACQUIRER_ROUTES = [{"shares": {"one": 70, "two": 30}}]
    customers = [uuid.UUID(int=number) for number in range(2000)]
    first = [routes.order("RUB", customer, at=AT)[0] for customer in customers]
    assert 1300 < first.count("one") < 1500
    assert first == [routes.order("RUB", customer, at=AT)[0] for customer in customers]


def test_a_checkout_that_was_certainly_not_sent_moves_on(banks: dict[str, FakeAcquirer]) -> None:
    banks["one"].program("checkout", Fault.NOT_SENT)
    payment = start()
    assert (payment.acquirer, payment.status) == ("two", "pending")
    first = Payment.objects.exclude(pk=payment.pk).get()
    assert (first.acquirer, first.status, first.decline) == ("one", "failed", "not_sent")


def test_an_unknown_answer_moves_nowhere_and_a_second_click_finds_it(banks: dict[str, FakeAcquirer]) -> None:
    banks["one"].program("checkout", Fault.LOSE_ANSWER)
    payment = start()
    assert (payment.acquirer, payment.status) == ("one", "unknown")
    again = payments.start(payment.invoice_id, actor="test", at=AT)
    assert again.pk == payment.pk
    assert not banks["two"].operations


def test_who_asks_for_an_acquirer_gets_that_one_only(banks: dict[str, FakeAcquirer]) -> None:
    banks["one"].program("checkout", Fault.NOT_SENT)
    payment = start(acquirer="one")
    assert (payment.acquirer, payment.status) == ("one", "failed")
    with pytest.raises(Invalid):
        start(acquirer="three")


def test_one_that_does_not_answer_is_passed_over_until_it_is_well(banks: dict[str, FakeAcquirer]) -> None:
    brings_down(banks["one"])
    assert state() == "open"
    assert start().acquirer == "two"
    later = AT + timedelta(seconds=31)
    assert start(later).acquirer == "one"  # one customer tries it
    assert state() == "closed"
    kinds = Event.objects.filter(subject_type="acquirer").order_by("id").values_list("kind", flat=True)
    assert list(kinds) == ["acquirer.down", "acquirer.tried", "acquirer.well"]


def test_only_one_checkout_tries_an_acquirer_that_was_down(banks: dict[str, FakeAcquirer]) -> None:
    brings_down(banks["one"])
    later = AT + timedelta(seconds=31)
    someone = uuid.UUID(int=1)
    assert routes.order("RUB", someone, at=later) == ["one", "two"]
    assert routes.order("RUB", someone, at=later) == ["two", "one"]
    assert state() == "half_open"
    assert routes.order("RUB", someone, at=later + timedelta(seconds=31)) == ["one", "two"]  # whoever tried it has died


def test_one_that_stays_down_is_tried_less_and_less(banks: dict[str, FakeAcquirer]) -> None:
    brings_down(banks["one"])
    later = AT + timedelta(seconds=31)
    banks["one"].program("checkout", Fault.LOSE_REQUEST)
    assert start(later).acquirer == "one"
    row = AcquirerHealth.objects.get(name="one")
    assert (row.status, row.retry_at) == ("open", later + timedelta(seconds=60))


def test_a_decline_is_an_answer(banks: dict[str, FakeAcquirer]) -> None:
    banks["one"].program("checkout", Fault.LOSE_REQUEST, Fault.LOSE_REQUEST)
    start()
    start()
    start()  # answered: the count begins anew
    banks["one"].program("checkout", Fault.LOSE_REQUEST)
    start()
    assert (state(), AcquirerHealth.objects.get(name="one").failures) == ("closed", 1)


def test_when_all_are_down_they_are_asked_nevertheless(banks: dict[str, FakeAcquirer]) -> None:
    brings_down(banks["one"])
    for name in ("two",):
        AcquirerHealth.objects.create(
            name=name, status="open", retry_at=AT + timedelta(minutes=5), failures=3, created_at=AT
        )
    assert routes.order("RUB", uuid.UUID(int=1), at=AT) == ["one", "two"]


def test_payments_of_one_that_is_down_are_asked_about_again_after_its_pause(banks: dict[str, FakeAcquirer]) -> None:
    brings_down(banks["one"])
    Payment.objects.update(next_check_at=AT)
    assert payments.poll_due(at=AT + timedelta(seconds=1)) == 0
    banks["one"].program("fetch", Fault.LOSE_ANSWER)
    assert payments.poll_due(at=AT + timedelta(seconds=30), limit=1) == 1
    assert payments.poll_due(at=AT + timedelta(seconds=59)) == 0  # it did not answer
    assert payments.poll_due(at=AT + timedelta(seconds=60), limit=1) == 1
    assert state() == "closed"


@pytest.mark.parametrize("answer", [Outcome.not_found(), Outcome(Status.UNKNOWN, again=True)])
def test_one_that_knows_no_such_payment_is_well(banks: dict[str, FakeAcquirer], answer: Outcome) -> None:
    brings_down(banks["one"])
    Payment.objects.update(next_check_at=AT)
    banks["one"].program("fetch", answer)
    banks["one"].program("checkout", Fault.LOSE_REQUEST)  # it is sent again, and that fails once
    assert payments.poll_due(at=AT + timedelta(seconds=30), limit=1) == 1
    assert (state(), AcquirerHealth.objects.get().failures) == ("closed", 1)


def test_parameters_of_a_widget_say_nothing_of_the_acquirer(banks: dict[str, FakeAcquirer]) -> None:
    banks["one"].program("checkout", Fault.LOSE_REQUEST, Fault.LOSE_REQUEST)
    start()
    start()
    nobody_called = Outcome(Status.PENDING, widget={"publicId": "pk"})
    banks["one"].program("checkout", nobody_called)
    start()
    assert (state(), AcquirerHealth.objects.get().failures) == ("closed", 2)
    banks["one"].program("checkout", Fault.LOSE_REQUEST, nobody_called)
    start()
    assert state() == "open"
    assert start(AT + timedelta(seconds=31)).acquirer == "one"
    assert state() == "half_open"


def test_one_switched_off_gets_no_new_page_and_its_open_pages_go_on(banks: dict[str, FakeAcquirer]) -> None:
    waiting = start()
    health.all_rows(at=AT)
    health.switch_off("one", actor="user:1", reason="They announced a pause", at=AT)
    assert start().acquirer == "two"
    assert payments.start(waiting.invoice_id, actor="test", at=AT).pk == waiting.pk
    banks["one"].pay(waiting.pk)
    assert payments.check(waiting.pk, at=AT).status == "succeeded"
    with pytest.raises(Conflict, match="switched off"):
        start(acquirer="one")
    health.switch_off("two", actor="user:1", reason="So did they", at=AT)
    with pytest.raises(Conflict, match="switched off"):
        start()
    health.switch_on("one", actor="user:1", reason="Over", at=AT)
    assert start().acquirer == "one"
    assert not audit.run(at=AT, only=frozenset({"event.chain", "acquirer.state_told"})).breaches


def test_switching_twice_is_told(banks: dict[str, FakeAcquirer]) -> None:
    health.all_rows(at=AT)
    with pytest.raises(Conflict):
        health.switch_on("one", actor="user:1", reason="", at=AT)
    health.switch_off("one", actor="user:1", reason="", at=AT)
    with pytest.raises(Conflict):
        health.switch_off("one", actor="user:1", reason="", at=AT)
