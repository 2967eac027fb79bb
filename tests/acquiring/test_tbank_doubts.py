"""What is not known at T-Bank stays unknown: no network, only its answers and those of whoever stands before it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from acquiring.backends.tbank import TBank, mapping
from acquiring.http import NotSent, Response, Unanswered
from acquiring.reading import Malformed
from acquiring.types import Clue, Decline, Status, Subject
from tests.acquiring.far import charge
from tests.acquiring.tbank_json import NOW, ORDER, OURS, STATE, acquirer, order


@pytest.mark.parametrize("problem", [NotSent("429"), mapping.Refused({"ErrorCode": "403"})])
def test_a_charge_whose_fate_cannot_be_asked_about_is_unknown(
    monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    bank = TBank("terminal", ["password"], "http://shop.invalid", "http://127.0.0.1:9")
    new = {"Success": True, "ErrorCode": "0", "Status": "NEW", "PaymentId": "7", "OrderId": "1", "Amount": 29900}

    def call(method: str, body: dict[str, Any]) -> dict[str, Any]:
        return new if method == "Init" else {"Success": False, "ErrorCode": "999", "Message": "later", "PaymentId": "7"}

    def state(reference: str) -> None:
        raise problem

    monkeypatch.setattr(bank._wire, "known", lambda our_id: None)
    monkeypatch.setattr(bank._wire, "call", call)
    monkeypatch.setattr(bank._wire, "state", state)
    said = bank.charge(charge(token="101709"))
    assert (said.status, said.reference, said.decline) == (Status.UNKNOWN, "7", None)


@pytest.mark.parametrize(("status", "meant"), [(401, Status.FAILED), (403, Status.FAILED), (404, Status.UNKNOWN)])
def test_whoever_stands_before_t_bank_says_nothing_of_the_order(status, meant, monkeypatch):
    monkeypatch.setattr("acquiring.http.Client.request", lambda client, method, path, **parts: Response(status, {}))
    for outcome in (acquirer().checkout(order()), acquirer().charge(order(token="1"))):
        assert (outcome.status, outcome.shut_out) == (meant, meant is Status.FAILED)
    given = acquirer().refund(ORDER)  # it asks first, and then has asked for nothing
    assert given.shut_out or given.decline is Decline.NOT_SENT
    clue = Clue(payment_reference="1")
    assert {acquirer().fetch(subject, OURS, "1", clue).status for subject in Subject} == {Status.UNKNOWN}
    assert acquirer().void(OURS, "1").status is Status.UNKNOWN


@pytest.mark.parametrize("code", ["8", "204", "3029", "1005"])
def test_a_cancel_that_is_refused_says_nothing_of_the_payment(code, monkeypatch):
    def answer(client: object, method: str, path: str, **parts: Any) -> Response:
        refusal = {"Success": False, "ErrorCode": code, "Message": "No"}
        return Response(200, refusal if path == "/Cancel" else STATE | {"Status": "NEW"})

    monkeypatch.setattr("acquiring.http.Client.request", answer)
    said = acquirer().void(OURS, "3093639567")
    assert (said.status, said.code, said.decline) == (Status.UNKNOWN, code, None)
    old = acquirer(clock=lambda: NOW)
    found = old.fetch(Subject.PAYMENT, OURS, "3093639567", Clue(since=NOW - timedelta(hours=2)))
    assert (found.status, found.decline) == (Status.UNKNOWN, None)


@pytest.mark.parametrize("trouble", [Unanswered("silence"), Malformed("Status")])
def test_a_refund_of_which_only_the_question_before_it_failed_was_not_sent(trouble, monkeypatch):
    def nobody(client: object, method: str, path: str, **parts: Any) -> Response:
        assert path == "/GetState"
        raise trouble

    monkeypatch.setattr("acquiring.http.Client.request", nobody)
    assert acquirer().refund(ORDER).decline is Decline.NOT_SENT


def test_of_two_refunds_at_once_the_second_is_not_sent(monkeypatch):
    calls: list[str] = []

    def answer(client: object, method: str, path: str, **parts: Any) -> Response:
        calls.append(path)
        return Response(200, STATE | {"Status": "ASYNC_REFUNDING"})

    monkeypatch.setattr("acquiring.http.Client.request", answer)
    assert (acquirer().refund(ORDER).decline, calls) == (Decline.NOT_SENT, ["/GetState"])


def test_a_refund_is_not_sent_again_where_nobody_said_that_the_terminal_takes_no_sbp(monkeypatch):
    part = STATE | {"Status": "PARTIAL_REFUNDED"}
    monkeypatch.setattr("acquiring.http.Client.request", lambda client, method, path, **parts: Response(200, part))
    clue = Clue(payment_reference="3093639567")
    assert acquirer().fetch(Subject.REFUND, "r-1", "", clue).again is False
    assert acquirer(repeat_refunds=True).fetch(Subject.REFUND, "r-1", "", clue).again is True


@pytest.mark.parametrize(
    ("first", "second", "refusal", "meant"),
    [
        ("AUTHORIZING", "NEW", "", Status.PENDING),  # it may be paid yet
        ("NEW", "NEW", "8", Status.UNKNOWN),  # the first is not closed
        ("REJECTED", "NEW", "", Status.CANCELLED),
        ("CANCELED", "REJECTED", "", Status.CANCELLED),
    ],
)
def test_an_order_is_closed_when_every_page_of_it_is(first, second, refusal, meant, monkeypatch):
    pages = [STATE | {"PaymentId": str(number), "Status": word} for number, word in enumerate((first, second), 1)]

    def answer(client: object, method: str, path: str, *, json: dict[str, Any]) -> Response:
        if path == "/Cancel":
            refused = {"Success": False, "ErrorCode": refusal, "Message": "No"}
            return Response(200, refused if refusal and json["PaymentId"] == "1" else pages[1] | {"Status": "CANCELED"})
        known = json["OrderId"] == OURS
        return Response(200, STATE | {"Payments": pages} if known else {"Success": False, "ErrorCode": "335"})

    monkeypatch.setattr("acquiring.http.Client.request", answer)
    assert acquirer().void(OURS, "").status is meant
