"""M3: `Idempotency-Key`. Same key and body: the first answer. Other body: 422. In flight: 409. Died: taken over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from threading import Event as Signal
from threading import Thread
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from acquiring.types import Outcome
from billing.api.idempotency import LEASE
from billing.models import Invoice, Payment, Refund, RequestKey
from subscriptions.models import Plan, Subscription
from tests.api.client import Api
from tests.fake_acquirer import FakeAcquirer

SUBSCRIBE = "subscriptions/subscribe"


@pytest.mark.django_db
@pytest.mark.parametrize("slash", ["", "/"])
def test_M3_the_same_key_and_body_get_the_first_answer_again(anna: Api, acquirer: FakeAcquirer, slash: str) -> None:
    first = anna.post(SUBSCRIBE, {"plan": "year"}, key="a-key")
    again = anna.post(SUBSCRIBE + slash, {"plan": "year"}, key="a-key")

    assert (again.status_code, again.json()) == (201, first.json())
    assert again["Idempotent-Replayed"] == "true" and "Idempotent-Replayed" not in first
    assert len(acquirer.called("checkout")) == 1


@pytest.mark.django_db
def test_M3_the_first_answer_is_given_even_when_the_world_has_moved_on(anna: Api, acquirer: FakeAcquirer) -> None:
    first = anna.post(SUBSCRIBE, {"plan": "year"}, key="a-key")
    anna.post("subscriptions/unsubscribe", {"subscription": first.data["id"]})

    assert anna.post(SUBSCRIBE, {"plan": "year"}, key="a-key").json() == first.json()
    assert Subscription.objects.count() == 1


@pytest.mark.django_db
def test_M3_the_same_key_with_another_body_or_address_is_refused(anna: Api) -> None:
    anna.post(SUBSCRIBE, {"plan": "year"}, key="a-key")

    for route, body in ((SUBSCRIBE, {"plan": "month"}), ("payments/payment", {"plan": "year"})):
        refused = anna.post(route, body, key="a-key")
        assert (refused.status_code, refused.data["code"]) == (422, "idempotency_key_reused")
    assert Subscription.objects.count() == 1


@pytest.mark.django_db
def test_M3_the_key_of_another_person_is_another_key(anna: Api, boris: Api) -> None:
    first = anna.post(SUBSCRIBE, {"plan": "year"}, key="a-key")
    other = boris.post(SUBSCRIBE, {"plan": "month"}, key="a-key")

    assert other.status_code == 201 and other.data["id"] != first.data["id"]


@pytest.mark.django_db
def test_M3_a_refusal_is_not_kept(anna: Api) -> None:
    body = {"plan": "year", "expected_total": "1.00"}
    assert anna.post(SUBSCRIBE, body, key="a-key").status_code == 409
    assert anna.post(SUBSCRIBE, {"plan": "year"}, key="a-key").status_code == 201


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "x" * 101, "a\tb", "ключ", "a\x7fb"])
def test_M12_a_key_that_is_none_is_refused(anna: Api, key: str) -> None:
    refused = anna.post(SUBSCRIBE, {"plan": "year"}, key=key)
    assert (refused.status_code, refused.data["code"]) == (400, "bad_idempotency_key")
    assert not Subscription.objects.exists()


@pytest.mark.django_db
def test_M3_a_refund_with_a_key_is_made_once(
    staff: Callable[..., Api], paid: dict[str, str], acquirer: FakeAcquirer
) -> None:
    clerk = staff("billing.refund_payment")
    body = {"payment": paid["payment"], "amount": "100.00", "reason": "Asked"}
    first = clerk.post("payments/refund", body, key="refund-1")
    assert clerk.post("payments/refund", body, key="refund-1").json() == first.json()
    assert clerk.post("payments/refund", body, key="refund-2").json()["id"] != first.json()["id"]
    assert len(acquirer.returned(paid["payment"])) == 2


@pytest.mark.django_db
def test_M3_a_worker_that_died_after_the_commit_is_taken_over_and_finds_its_refund(
    staff: Callable[..., Api], paid: dict[str, str], acquirer: FakeAcquirer
) -> None:
    clerk = staff("billing.refund_payment")
    body = {"payment": paid["payment"], "amount": "100.00", "reason": "Asked"}
    first = clerk.post("payments/refund", body, key="k")
    RequestKey.objects.update(status=None, answer=None)  # as if it had died before it kept the answer

    assert clerk.post("payments/refund", body, key="k").status_code == 409  # it may live still
    RequestKey.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    again = clerk.post("payments/refund", body, key="k")

    assert (again.status_code, again.data["id"]) == (201, first.data["id"])
    assert Refund.objects.count() == len(acquirer.returned(paid["payment"])) == 1
    assert clerk.post("payments/refund", body, key="k").json() == again.json()


@pytest.mark.django_db
def test_M8_a_worker_that_died_after_the_commit_is_taken_over_and_finds_its_cancellation(
    anna: Api, paid: dict[str, str], acquirer: FakeAcquirer
) -> None:
    """Found by killing the web server: the customer was told "not_cancellable" of what this very request had done."""
    body = {"subscription": paid["id"]}
    first = anna.post("subscriptions/unsubscribe", body, key="k")
    over = timezone.now() - timedelta(seconds=1)
    RequestKey.objects.filter(key="k").update(status=None, answer=None, leased_until=over)

    again = anna.post("subscriptions/unsubscribe", body, key="k")

    assert (again.status_code, again.json()) == (200, first.json())
    assert len(acquirer.returned(paid["payment"])) == 1


@pytest.mark.django_db
def test_M3_a_worker_that_died_after_the_commit_is_taken_over_and_finds_its_subscription(
    anna: Api, acquirer: FakeAcquirer
) -> None:
    acquirer.program("checkout", RuntimeError("killed"))
    assert anna.post(SUBSCRIBE, {"plan": "year"}, key="k").status_code == 500

    again = anna.post(SUBSCRIBE, {"plan": "year"}, key="k")

    assert again.status_code == 201
    assert Subscription.objects.count() == Invoice.objects.count() == Payment.objects.count() == 1


@pytest.mark.django_db
def test_M3_one_who_was_taken_over_does_not_undo_what_the_other_did(anna: Api, acquirer: FakeAcquirer) -> None:
    def taken_over() -> Outcome:
        RequestKey.objects.update(leased_until=timezone.now() + LEASE, status=201, answer={"theirs": True})
        raise RuntimeError("and then it fails")

    acquirer.program("checkout", taken_over)
    assert anna.post(SUBSCRIBE, {"plan": "year"}, key="k").status_code == 500
    assert RequestKey.objects.get().answer == {"theirs": True}


@pytest.mark.django_db
def test_M12_every_post_that_moves_money_or_creates_takes_a_key(
    anna: Api, staff: Callable[..., Api], paid: dict[str, str], acquirer: FakeAcquirer
) -> None:
    clerk = staff("subscriptions.add_plan", "billing.capture_payment")
    price = {"amount": "1.00", "currency": "RUB"}
    new = {"code": "week", "name": "Week", "months": 1, "price": price}
    requests: list[tuple[Api, str, Any]] = [
        (clerk, "subscriptions/plans/new", new),
        (clerk, "payments/confirm", {"payment": paid["payment"]}),
        (anna, "subscriptions/unsubscribe", {"subscription": paid["id"]}),
    ]
    for client, route, body in requests:
        first = client.post(route, body, key=route)
        again = client.post(route, body, key=route)
        assert first.status_code in (200, 201) and again["Idempotent-Replayed"] == "true"
        assert again.json() == first.json()
    born = anna.subscribe()
    for route, body in (("payments/payment", {"invoice": born["invoice"]}), (f"invoices/{born['invoice']}/void", {})):
        assert anna.post(route, body, key=route).json() == anna.post(route, body, key=route).json()
    assert RequestKey.objects.count() == 5 and Plan.objects.filter(code="week").count() == 1


@pytest.mark.django_db(transaction=True)
def test_M3_a_second_request_while_the_first_is_in_flight_is_told_to_wait(anna: Api, acquirer: FakeAcquirer) -> None:
    inside, go_on = Signal(), Signal()
    answers: list[Any] = []

    def slow() -> Outcome:
        inside.set()
        assert go_on.wait(20)
        return Outcome.unknown("slow")

    def first() -> None:
        try:
            answers.append(Api(anna.user).post(SUBSCRIBE, {"plan": "year"}, key="k"))
        finally:
            connection.close()

    acquirer.program("checkout", slow)
    thread = Thread(target=first)
    thread.start()
    try:
        assert inside.wait(20)
        second = anna.post(SUBSCRIBE, {"plan": "year"}, key="k")
    finally:
        go_on.set()
        thread.join(20)

    assert (second.status_code, second.data["code"]) == (409, "request_in_flight")
    assert answers[0].status_code == 201
    assert anna.post(SUBSCRIBE, {"plan": "year"}, key="k").json() == answers[0].json()
    assert Payment.objects.count() == len(acquirer.called("checkout")) == 1


@pytest.mark.django_db(transaction=True)
def test_M3_ten_clicks_at_once_are_one_payment(anna: Api, acquirer: FakeAcquirer) -> None:
    answers: list[Any] = []

    def click() -> None:
        try:
            answers.append(Api(anna.user).post(SUBSCRIBE, {"plan": "year"}))
        finally:
            connection.close()

    threads = [Thread(target=click) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert {answer.status_code for answer in answers} == {201} and len(answers) == 10
    assert len({answer.data["payment"] for answer in answers}) == 1
    assert Subscription.objects.count() == Invoice.objects.count() == Payment.objects.count() == 1
