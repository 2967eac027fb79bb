"""An acquirer that bears only so much: no more requests than that are on their way, and a pause it asks for is kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
import requests
from django.test import override_settings
from moneyed import Money
from requests.adapters import BaseAdapter

from acquiring import asking, http, options
from acquiring.backends.cloudpayments import CloudPayments
from acquiring.http import Client
from acquiring.types import Decline, Outcome, RefundOrder, Status, Subject
from tests.acquiring.test_http import answering, server

SECONDS = timedelta(seconds=1)


class Desk(BaseAdapter):
    """Answers when it is told to, and counts who stands before it."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.most, self.open, self._count = 0, 0, threading.Event(), threading.Condition()

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        with self._count:
            self.now += 1
            self.most = max(self.most, self.now)
            self._count.notify_all()
        self.open.wait(20)
        with self._count:
            self.now -= 1
        answer = requests.Response()
        answer.status_code, answer._content, answer.url = 200, b'{"Success": true}', request.url or ""
        return answer

    def close(self) -> None:
        """Nothing is held."""

    def is_before(self, number: int) -> bool:
        with self._count:
            return self._count.wait_for(lambda: self.now >= number, timeout=20)


def apart(number: int, deed: Callable[[], object]) -> list[threading.Thread]:
    threads = [threading.Thread(target=deed) for _ in range(number)]
    for thread in threads:
        thread.start()
    return threads


def test_no_more_requests_than_it_bears_are_on_their_way_and_the_others_wait_their_turn() -> None:
    desk, answers = Desk(), []
    client = Client("http://bank.example", timeout=20, adapter=desk, at_once=3)
    crowd = apart(8, lambda: answers.append(client.request("GET", "/").status))
    assert desk.is_before(3)
    desk.open.set()
    for thread in crowd:
        thread.join(20)
    assert (answers, desk.most) == ([200] * 8, 3)


def test_one_whose_turn_does_not_come_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TURN", 0.2)
    desk = Desk()
    client = Client("http://bank.example", timeout=20, adapter=desk, at_once=1)
    [busy] = apart(1, lambda: client.request("GET", "/"))
    assert desk.is_before(1)
    told = asking.told(lambda: Outcome(Status.PENDING) if client.request("GET", "/") else Outcome(Status.FAILED))
    assert (told.decline, told.shut_out, told.code) == (Decline.NOT_SENT, False, asking.CROWDED)
    desk.open.set()
    busy.join(20)
    assert client.request("GET", "/").ok  # the place is free again


def test_every_kind_of_call_of_cloudpayments_takes_its_share() -> None:
    desk = Desk()
    with override_settings(CALLING_PROCESSES=2):
        cloud = CloudPayments("pk", "secret", url="http://bank.example", calls_at_once=5, adapter=desk)
    assert cloud.capabilities.calls_at_once == 5
    sum_of = Money(100, "RUB")
    crowd = [
        *apart(3, lambda: cloud.fetch(Subject.PAYMENT, "our-1", "17")),
        *apart(3, lambda: cloud.refund(RefundOrder("r-1", "our-1", "17", sum_of, "sorry"))),
        *apart(3, lambda: cloud.void("our-1", "17")),
    ]
    assert desk.is_before(2)
    desk.open.set()
    for thread in crowd:
        thread.join(20)
    assert desk.most == 2


def test_the_share_of_a_process_is_one_at_least_and_no_limit_is_none() -> None:
    with override_settings(CALLING_PROCESSES=4):
        assert [options.share(bears) for bears in (0, 3, 4, 30)] == [0, 1, 1, 7]


def test_a_terminal_that_bears_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="CloudPayments needs calls_at_once to be 1 or more"):
        CloudPayments("pk", "secret", calls_at_once=0)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        (["Retry-After: 120"], 120 * SECONDS),
        (["Date: Sat, 21 Nov 2026 10:00:00 GMT", "Retry-After: Sat, 21 Nov 2026 10:01:30 GMT"], 90 * SECONDS),
        (["Date: Sat, 21 Nov 2026 10:00:00 GMT", "Retry-After: Sat, 21 Nov 2026 09:00:00 GMT"], None),
        (["Retry-After: Sat, 21 Nov 2026 10:01:30 GMT"], None),
        (["Retry-After: soon"], None), (["Retry-After: 0"], None), (["Retry-After: -5"], None),
        (["Retry-After: 99999999999999999999"], None), ([], None),
    ],
)  # fmt: skip
def test_a_pause_that_is_asked_for_comes_with_the_outcome(headers: list[str], wait: timedelta | None) -> None:
    with server(answering("429 Too Many Requests", b"", *headers)) as (url, _):
        client = Client(url, timeout=2)

        def ask() -> Outcome:
            client.request("POST", "/pay")
            raise AssertionError("it was let in")

        order, question = asking.told(ask), asking.looked_up(ask)
    assert (order.status, order.decline, order.shut_out, order.wait) == (Status.FAILED, Decline.NOT_SENT, True, wait)
    assert (question.status, question.shut_out, question.wait) == (Status.UNKNOWN, False, wait)


def test_what_was_not_sent_for_another_reason_asks_for_no_pause() -> None:
    outcome = asking.told(lambda: Client("http://nobody.invalid").request("GET", "/") and Outcome(Status.PENDING))
    assert (outcome.shut_out, outcome.wait) == (False, None)
