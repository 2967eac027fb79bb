"""The bank inside this process: no sockets, and a crash point before and after every call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import requests
from django.utils.module_loading import import_string
from requests.adapters import BaseAdapter
from urllib3.connection import HTTPConnection
from urllib3.exceptions import NewConnectionError

from acquiring.bank.app import create_api_app
from acquiring.bank.house import Bank, Hangup
from acquiring.base import NO_CLUE, Acquirer
from acquiring.types import (
    Charge,
    Clue,
    Notice,
    Outcome,
    RefundOrder,
    Reply,
    StatementLine,
    Status,
    Subject,
    Verdict,
)

if TYPE_CHECKING:
    from simulation.world import World


class Line(BaseAdapter):
    """The wire to the bank: requests' adapter over the bank's application."""

    def __init__(self, bank: Bank) -> None:
        super().__init__()
        self._bank = bank
        self._door = create_api_app(bank)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        if self._bank.faults.refusing():  # its port is closed, so nothing leaves
            raise requests.ConnectionError(NewConnectionError(HTTPConnection("bank"), "refused"), request=request)
        answer = requests.Response()

        def begin(status: str, headers: object, problem: object = None) -> Callable[[bytes], object]:
            answer.status_code = int(status[:3])
            return lambda content: None

        try:
            answer._content = b"".join(self._door(_environ(request), begin))
        except Hangup as problem:
            raise requests.ReadTimeout(str(problem), request=request) from problem
        answer.request, answer.url = request, str(request.url)
        return answer

    def close(self) -> None:
        """Nothing is held open."""


def _environ(request: requests.PreparedRequest) -> dict[str, Any]:
    """A request as applications are given it: no more than this bank's looks at, as it is made very often."""
    parts, body = urlsplit(str(request.url)), request.body or b""
    content = body.encode() if isinstance(body, str) else body
    headers = {name.upper().replace("-", "_"): value for name, value in request.headers.items()}
    return {f"HTTP_{name}": value for name, value in headers.items()} | {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": unquote(parts.path),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname,
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": headers.get("CONTENT_TYPE", ""),
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(content),
    }


class Watched:
    """An acquirer of a world; whoever calls it may die before or after, and its bank may forget.

    `backend` names the one that is watched, `options` are its own.
    """

    def __init__(self, world: World, backend: str, **options: Any) -> None:
        self._inner: Acquirer = import_string(backend)(**options)
        self._world, self._call = world, world.crashes.call
        self.capabilities = self._inner.capabilities

    def checkout(self, charge: Charge) -> Outcome:
        return self._call(self._inner.checkout, charge)

    def charge(self, charge: Charge) -> Outcome:
        return self._call(self._inner.charge, charge)

    def capture(self, our_id: str, reference: str, charge: Charge) -> Outcome:
        return self._call(self._inner.capture, our_id, reference, charge)

    def void(self, our_id: str, reference: str, clue: Clue = NO_CLUE) -> Outcome:
        return self._call(self._inner.void, our_id, reference, clue)

    def refund(self, order: RefundOrder) -> Outcome:
        return self._call(self._inner.refund, order)

    def fetch(self, subject: Subject, our_id: str, reference: str = "", clue: Clue = NO_CLUE) -> Outcome:
        if self._is_hidden(our_id):
            return self._call(lambda: Outcome(Status.UNKNOWN, absent=True))
        self._world.release()
        return self._call(self._inner.fetch, subject, our_id, reference, clue)

    def statement(self, day: date) -> Iterator[StatementLine]:
        lines = self._call(lambda: list(self._inner.statement(day)))
        return iter([line for line in lines if not self._is_hidden(line.outcome.our_id)])

    def parse(self, kind: str, headers: Mapping[str, str], body: bytes) -> Notice:
        """Now and then a callback comes unsigned, as some acquirers' do: then it only rings."""
        self._world.release()
        notice = self._inner.parse(kind, headers, body)
        # Where the worker is unhurried what is ordinary waits together, so there most are signed.
        of_payments = 0.1 if self._world.unhurried else 0.6
        if self._world.trouble(2.0 if notice.subject == Subject.REFUND else of_payments):
            self._world.diary.fault("callback_unsigned")
            return replace(notice, trusted=False)
        return notice

    def reply(self, notice: Notice | None, verdict: Verdict) -> Reply:
        return self._inner.reply(notice, verdict)

    def _is_hidden(self, our_id: str) -> bool:
        until = self._world.hidden.get(our_id)
        return until is not None and self._world.now < until and not self._world.calm
