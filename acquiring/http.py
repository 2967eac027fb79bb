"""The one seam to the network: every call to an acquirer ends in an answer or in one of two exceptions."""

from __future__ import annotations

import json as jsonlib
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import requests
from requests.adapters import BaseAdapter as Adapter
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

log = logging.getLogger(__name__)

__all__ = ["Adapter", "Client", "Crowded", "NotSent", "Response", "ShutOut", "Unanswered", "exact", "redact"]

REDACTED = "[redacted]"
TURN = 5.0  # seconds: a customer waits, and a sweep counts on being heard well within its lease

# Compared in lower case without "_" and "-". The customer's e-mail goes too: raw answers are kept for years.
SECRET_FIELDS = frozenset(
    {
        "token", "rebillid", "paymentmethodid", "cardcryptogrampacket", "cryptogram",
        "cardnumber", "number", "pan", "cvc", "cvv", "cvn", "securitycode",
        "secret", "clientsecret", "secretkey", "password", "authorization", "signature", "apikey",
        "email", "customeremail", "accountemail", "receiptemail",
    }
)  # fmt: skip


class NotSent(Exception):
    """The acquirer certainly never acted on the request: it did not leave, or was refused at the door (429)."""


class Crowded(NotSent):
    """As many requests of ours as the acquirer bears were on their way: it is our own queue, and says nothing of it."""


class ShutOut(NotSent):
    """Refused at the door (429): too many at once. `wait` is the pause that was asked for, if one was."""

    def __init__(self, message: str, wait: timedelta | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class Unanswered(Exception):
    """The request may have left and nothing that can be believed came back: nobody knows whether it was acted upon."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer that can be believed: any 2xx or 4xx with a JSON body (429 is `NotSent` instead)."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """Whether the acquirer accepted the request."""
        return 200 <= self.status < 300


def redact(data: Any, also: frozenset[str] = frozenset()) -> Any:
    """A copy of JSON-like `data` in which every secret field, at any depth, reads "[redacted]".

    `also` names further fields (lower case, without "_" and "-") of one acquirer. Empty values stay as they are.
    """
    hidden = SECRET_FIELDS | also
    if isinstance(data, Mapping):
        return {key: REDACTED if _is_secret(key, value, hidden) else redact(value, also) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [redact(item, also) for item in data]
    return data


def exact(data: Any) -> str:
    """JSON in which a Decimal is the very number it is. Raises TypeError or ValueError for what JSON cannot say."""
    match data:
        case Mapping():
            return "{" + ", ".join(f"{jsonlib.dumps(str(name))}: {exact(value)}" for name, value in data.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(exact(value) for value in data) + "]"
        case Decimal() if data.is_finite():
            return format(data, "f")
        case _:
            return jsonlib.dumps(data, allow_nan=False)


def _is_secret(key: object, value: object, hidden: frozenset[str]) -> bool:
    name = str(key).lower().replace("_", "").replace("-", "")
    return name in hidden and bool(value)


class Client:
    """Speaks JSON with one acquirer over kept-alive connections, one session per thread.

    `base_url`: scheme, host and optional path prefix. `auth`: a (user, password) pair or a requests' AuthBase.
    `timeout`: seconds to wait for the answer; `connect_timeout`: seconds to reach the host. `idempotency_header`:
    what this acquirer calls it. `adapter`: replaces the network (a simulator mounts an in-process application).
    `ca_bundle`: a file of certificates (PEM) to trust instead of the usual ones; ValueError where it is missing.
    `at_once`: no more requests than this are on their way together, of all threads; another one waits TURN seconds for
    its turn, and is Crowded then. 0: any number.
    Never retries, never follows a redirect, keeps no cookie and ignores the proxies of the environment.
    """

    def __init__(
        self,
        base_url: str,
        auth: tuple[str, str] | AuthBase | None = None,
        timeout: float = 10.0,
        *,
        connect_timeout: float = 2.0,
        idempotency_header: str = "Idempotency-Key",
        headers: Mapping[str, str] | None = None,
        adapter: Adapter | None = None,
        ca_bundle: str = "",
        at_once: int = 0,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._auth = auth
        self._timeout = (connect_timeout, timeout)
        self._idempotency_header = idempotency_header
        self._headers = dict(headers or {})
        self._adapter = adapter
        if ca_bundle and not Path(ca_bundle).is_file():
            raise ValueError(f"the file of certificates {ca_bundle!r} is not there")
        self._verify: bool | str = ca_bundle or True
        self._turns = threading.BoundedSemaphore(at_once) if at_once else None
        self._local = threading.local()

    def __repr__(self) -> str:
        return f"Client({self._base_url!r})"

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        form: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Sends one request and returns the acquirer's answer, a refusal (4xx) included. `json` may hold Decimals.

        Raises NotSent when the acquirer certainly did not act, Unanswered when nobody can know.
        """
        all_headers = {"Accept": "application/json", **self._headers, **(headers or {})}
        if idempotency_key:
            all_headers[self._idempotency_header] = idempotency_key
        started = time.monotonic()
        try:
            said = self._send(method, self._base_url + path, json=json, data=form, params=params, headers=all_headers)
            answer = _believe(said)
        except (NotSent, Unanswered) as problem:
            self._note(method, path, idempotency_key, type(problem).__name__, started)
            raise
        self._note(method, path, idempotency_key, str(answer.status), started)
        return answer

    def _send(self, method: str, url: str, **parts: Any) -> requests.Response:
        session = self._session()
        try:
            if (body := parts.pop("json")) is not None:
                parts["data"] = exact(body).encode()
                parts["headers"] = {"Content-Type": "application/json", **parts["headers"]}
            prepared = session.prepare_request(requests.Request(method, url, auth=self._auth, **parts))
        except (requests.RequestException, ValueError, TypeError) as problem:
            raise NotSent(f"the request could not be made: {type(problem).__name__}") from problem
        try:
            # `proxies` is spelled out: a session with trust_env=False would ask for none anyway.
            with self._turn():
                return session.send(
                    prepared, timeout=self._timeout, allow_redirects=False, proxies={}, verify=self._verify
                )
        except requests.RequestException as problem:
            if _never_left(problem):
                raise NotSent(f"no connection: {type(problem).__name__}") from problem
            raise Unanswered(f"no answer: {type(problem).__name__}") from problem

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self._turns is None:
            yield
            return
        if not self._turns.acquire(timeout=TURN):
            raise Crowded("as many requests of ours as the acquirer bears were on their way all the time")
        try:
            yield
        finally:
            self._turns.release()

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = False
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            adapter = self._adapter or HTTPAdapter(max_retries=0)
            session.mount("http://", adapter)
            session.mount("https://", adapter)
            self._local.session = session
        return session

    def _note(self, method: str, path: str, key: str | None, result: str, started: float) -> None:
        # Neither bodies, headers nor query strings: what is never written cannot leak.
        took = round((time.monotonic() - started) * 1000)
        log.info("%s %s%s key=%s -> %s in %d ms", method, self._base_url, path, key or "-", result, took)


def _never_left(problem: requests.RequestException) -> bool:
    """Whether the connection itself was not made (refused, no such host, too slow to connect)."""
    if isinstance(problem, requests.ConnectTimeout):
        return True
    if isinstance(problem, (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)):
        return True
    cause = problem.args[0] if problem.args else None
    return isinstance(getattr(cause, "reason", cause), (NewConnectionError, ConnectTimeoutError))


def _believe(said: requests.Response) -> Response:
    """The answer, if it is one. Raises ShutOut for 429; Unanswered for 3xx, 5xx and what is not JSON.

    A 401 or 407 need not be JSON.
    """
    status = said.status_code
    if status == 429:
        raise ShutOut("the acquirer is too busy (429)", _pause(said.headers))
    if status >= 500 or not (200 <= status < 300 or 400 <= status < 500):
        raise Unanswered(f"the acquirer answered {status}")
    try:
        return Response(status, jsonlib.loads(said.content))
    except ValueError as problem:
        if status in (401, 407):  # the door itself has answered, in whatever way doors do
            return Response(status, None)
        raise Unanswered(f"the acquirer answered {status} with something that is not JSON") from problem


def _pause(headers: Mapping[str, str]) -> timedelta | None:
    """What Retry-After says (RFC 9110, 10.2.3): seconds, or a date of the same clock as Date's; None for the rest."""
    said = headers.get("Retry-After", "").strip()
    try:
        wait = (
            timedelta(seconds=int(said))
            if said.isdecimal()
            else parsedate_to_datetime(said) - parsedate_to_datetime(headers["Date"])
        )
    except (ValueError, TypeError, KeyError, OverflowError):
        return None
    return wait if wait > timedelta() else None
