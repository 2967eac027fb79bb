"""What a lost or hidden answer of CloudPayments must not become: money sent twice, or money that nobody knows of."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from moneyed import Money

from acquiring.backends.cloudpayments import lookups
from acquiring.http import Client, NotSent, Response, Unanswered
from acquiring.types import Outcome, Status, Subject
from tests.acquiring.far import Trips, charge, of, on_page, refund


@pytest.fixture
def paid(acquirer, far) -> Outcome:
    return Trips().pay(acquirer, far)


def at_lookups(monkeypatch: pytest.MonkeyPatch, path: str, answer: Response | Exception) -> None:
    """Every question at this path gets this answer."""
    ask = Client.request

    def asked(self: Client, method: str, where: str, **parts: Any) -> Response:
        if where != path:
            return ask(self, method, where, **parts)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(Client, "request", asked)


@pytest.mark.parametrize(
    "trouble",
    [
        NotSent("429"), Unanswered("silence"), Response(200, {"Success": False, "Message": "Not found"}),
        Response(403, {}), Response(200, []), Response(200, {"Success": True, "Model": {"Status": "?"}}),
    ],
    ids=["not sent", "silence", "not yet known", "refused", "nonsense", "unreadable"],
)  # fmt: skip
def test_a_refund_that_was_taken_in_keeps_its_id_whatever_the_lookup_says(acquirer, far, paid, monkeypatch, trouble):
    order = refund(paid, Money("100.00", "RUB"))
    with monkeypatch.context() as troubled:
        at_lookups(troubled, "/payments/get", trouble)
        taken = acquirer.refund(order)
    assert (taken.status, taken.our_id, taken.amount) == (Status.PENDING, order.our_id, order.amount)
    found = acquirer.fetch(Subject.REFUND, order.our_id, taken.reference, of(order))
    assert (found.status, found.reference) == (Status.SUCCEEDED, taken.reference)


def test_a_refund_is_not_absent_where_its_payment_says_that_money_went_back(acquirer, far, paid, monkeypatch):
    order = refund(paid, Money("100.00", "RUB"))
    assert acquirer.fetch(Subject.REFUND, order.our_id, "", of(order)).absent
    assert acquirer.refund(order).status is Status.SUCCEEDED
    payment = Client.request(
        acquirer._door._client, "POST", "/payments/get", json={"TransactionId": int(paid.reference)}
    )
    assert payment.body["Model"]["Refunded"] is True
    at_lookups(monkeypatch, "/v2/payments/find", payment)  # which does not list the refund yet
    found = acquirer.fetch(Subject.REFUND, order.our_id, "", of(order))
    assert (found.status, found.absent) == (Status.UNKNOWN, False)


def test_a_second_refund_is_absent_beside_a_first_that_explains_what_went_back(acquirer, far, paid):
    acquirer.refund(refund(paid, Money("100.00", "RUB")))
    order = refund(paid, Money("50.00", "RUB"))
    assert acquirer.fetch(Subject.REFUND, order.our_id, "", of(order)).absent
    nobody_says_when = replace(of(order), since=None)
    found = acquirer.fetch(Subject.REFUND, order.our_id, "", nobody_says_when)
    assert (found.status, found.absent) == (Status.UNKNOWN, False)


def test_what_went_back_long_before_explains_what_the_payment_says(acquirer, far, paid, monkeypatch):
    acquirer.refund(refund(paid, Money("100.00", "RUB")))
    order = refund(paid, Money("50.00", "RUB"))
    asked_later = replace(of(order), since=datetime.now(UTC) + timedelta(minutes=30))
    payment = Client.request(
        acquirer._door._client, "POST", "/payments/get", json={"TransactionId": int(paid.reference)}
    )
    at_lookups(monkeypatch, "/v2/payments/find", payment)  # the last operation of the order is no refund
    assert acquirer.fetch(Subject.REFUND, order.our_id, "", asked_later).absent


def test_a_page_that_was_paid_is_not_closed_because_a_later_try_was_declined(acquirer, far):
    order = charge()
    first = acquirer.checkout(order)
    far.forget()
    second = acquirer.checkout(order)  # another page for the same InvoiceId
    far.pay(first)
    far.pay(second, "retry_later")
    clue = on_page(second)
    assert acquirer.fetch(Subject.PAYMENT, order.our_id, "", clue).status is Status.PENDING  # the last is all it sees
    closed = acquirer.void(order.our_id, "", clue)
    assert (closed.status, closed.our_id, bool(closed.reference)) == (Status.SUCCEEDED, order.our_id, True)


def test_a_page_with_nothing_but_declined_tries_is_closed(acquirer, far):
    opened = acquirer.checkout(charge())
    for _ in range(2):
        far.pay(opened, "retry_later")
    unknown_when = replace(on_page(opened), since=None)
    assert acquirer.void(opened.our_id, "", on_page(opened)).status is Status.CANCELLED
    assert acquirer.void(opened.our_id, "", unknown_when).status is Status.UNKNOWN


def test_a_held_try_is_told_where_no_taken_one_is_hidden(acquirer, far):
    order = charge(capture=False)
    first = acquirer.checkout(order)
    far.forget()
    second = acquirer.checkout(order)
    far.pay(first)
    far.pay(second, "retry_later")
    found = lookups.earlier(acquirer._door, order.our_id, on_page(second))
    assert found is not None
    assert found.status is Status.AUTHORIZED
