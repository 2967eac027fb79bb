"""The HTTP seam against bare sockets: what was not sent, what nobody knows, and what is an answer."""

from __future__ import annotations

import io
import logging
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter

from acquiring.http import Client, NotSent, Response, ShutOut, Unanswered, redact


def answering(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def whole_request(line: socket.socket) -> bytes:
    """Head and body, which may come in two pieces."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += line.recv(65536)
    head, _, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head.lower())
    while length and len(body) < int(length[1]):
        body += line.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def server(reply: bytes | None) -> Iterator[tuple[str, list[bytes]]]:
    """Takes connections, notes what came and sends `reply`; hangs for None, hangs up for b""."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            try:
                line, _ = listener.accept()
            except OSError:
                return
            with line:
                heard.append(whole_request(line))
                if reply is None:
                    over.wait(5)
                else:
                    line.sendall(reply)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def ask(url: str, **parts) -> Response:
    return Client(url, ("us", "s3cret"), timeout=0.3, connect_timeout=0.3).request("POST", "/pay", **parts)


@pytest.mark.parametrize(("status", "ok"), [("200 OK", True), ("201 Created", True), ("404 Not Found", False)])
def test_an_answer_in_json_is_an_answer(status, ok):
    with server(answering(status, b'{"a": 1}')) as (url, _):
        answer = ask(url, json={})
    assert (answer.status, answer.body, answer.ok) == (int(status[:3]), {"a": 1}, ok)


def test_a_refused_connection_was_not_sent():
    with server(b"") as (url, _):
        pass
    with pytest.raises(NotSent):
        ask(url, json={})


def test_a_host_nobody_knows_was_not_sent():
    with pytest.raises(NotSent):
        ask("http://nobody.invalid", json={})


def test_a_host_that_does_not_take_the_connection_was_not_sent():
    # A queue of one, filled: further connections wait for ever.
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(deaf.getsockname())
        with pytest.raises(NotSent):
            ask(f"http://127.0.0.1:{deaf.getsockname()[1]}", json={})
        for each in waiting:
            each.close()


@pytest.mark.parametrize("url", ["", "nonsense", "http://", "http://[::1", "ftp://127.0.0.1"])
def test_an_address_that_is_none_was_not_sent(url):
    with pytest.raises(NotSent):
        ask(url, json={})


def test_what_is_no_json_was_not_sent():
    with server(answering("200 OK", b"{}")) as (url, heard), pytest.raises(NotSent):
        ask(url, json={"a": object()})
    assert heard == []


def test_too_many_requests_was_not_acted_upon():
    with server(answering("429 Too Many Requests", b"{}")) as (url, _), pytest.raises(ShutOut):
        ask(url, json={})


@pytest.mark.parametrize("status", ["401 Unauthorized", "407 Proxy Authentication Required"])
def test_a_door_may_answer_in_whatever_words(status):
    with server(answering(status, b"<html>a door</html>")) as (url, _):
        assert ask(url, json={}) == Response(int(status[:3]), None)


@pytest.mark.parametrize(
    "reply",
    [
        None,
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"nonsense\r\n\r\n",
        answering("500 Internal Server Error", b"{}"),
        answering("503 Service Unavailable", b'{"status": "succeeded"}'),
        answering("200 OK", b"<html>"),
        answering("200 OK", b""),
        answering("200 OK", b"\xff\xfe"),
        answering("403 Forbidden", b"<html>a wall</html>"),
        answering("302 Found", b"{}", "Location: http://127.0.0.1:9/"),
    ],
    ids=["silence", "hung up", "cut", "nonsense", "500", "503", "html", "empty", "bytes", "403 html", "redirect"],
)
def test_what_cannot_be_believed_is_unanswered_and_asked_once(reply):
    with server(reply) as (url, heard), pytest.raises(Unanswered):
        ask(url, json={"a": 1})
    assert len(heard) == 1


@pytest.mark.parametrize("reply", [None, b""], ids=["silence", "hung up"])
def test_a_lookup_is_asked_once_too(reply):
    with server(reply) as (url, heard), pytest.raises(Unanswered):
        Client(url, timeout=0.3).request("GET", "/")
    assert len(heard) == 1


def test_the_request_carries_its_key_and_our_name():
    with server(answering("200 OK", b"{}")) as (url, heard):
        ask(url, json={"a": 1}, idempotency_key="key-1", headers={"X-More": "1"})
    text = heard[0].decode().lower()
    for expected in ("post /pay http/1.1", "idempotency-key: key-1", "authorization: basic", "x-more: 1", '{"a": 1}'):
        assert expected in text


def test_a_form_goes_as_a_form_and_the_key_by_another_name():
    with server(answering("200 OK", b"{}")) as (url, heard):
        client = Client(url, timeout=1, idempotency_header="X-Request-ID", headers={"X-Ours": "2"})
        client.request("POST", "/v1", form={"amount": "100"}, idempotency_key="k")
    text = heard[0].decode()
    for expected in ("application/x-www-form-urlencoded", "X-Request-ID: k", "X-Ours: 2", "amount=100"):
        assert expected in text


def test_proxies_of_the_environment_are_ignored(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with server(answering("200 OK", b"{}")) as (url, _):
        assert ask(url, json={}).ok


def test_another_adapter_replaces_the_network():
    class Within(BaseAdapter):
        def send(self, request: Any, **parts: Any) -> requests.Response:
            answer = requests.Response()
            answer.status_code, answer.raw, answer.url = 200, io.BytesIO(b'{"in": "process"}'), request.url
            return answer

        def close(self) -> None:
            pass

    assert Client("http://bank.invalid", adapter=Within()).request("GET", "/").body == {"in": "process"}


def test_no_cookie_is_kept():
    with server(answering("200 OK", b"{}", "Set-Cookie: a=b", "Connection: close")) as (url, heard):
        client = Client(url, timeout=1)
        client.request("GET", "/")
        client.request("GET", "/")
    assert b"Cookie" not in heard[1]


def test_each_call_is_one_line_without_secrets(caplog):
    caplog.set_level(logging.INFO, "acquiring.http")
    with server(answering("200 OK", b'{"token": "tok_1"}')) as (url, _):
        ask(url, json={"token": "tok_2"}, params={"order_id": "o-9"}, idempotency_key="key-1")
    assert len(caplog.records) == 1
    assert "POST" in caplog.text
    assert "key=key-1 -> 200" in caplog.text
    for secret in ("tok_1", "tok_2", "s3cret", "Basic", "o-9"):
        assert secret not in caplog.text


def test_secrets_are_cut_out_at_any_depth_and_the_original_stays():
    data = {"card": {"token": "t", "Card-Number": "4", "mask": "4242"}, "list": [{"CVC": 1}], "RebillId": "", "ok": 1}
    assert redact(data) == {
        "card": {"token": "[redacted]", "Card-Number": "[redacted]", "mask": "4242"},
        "list": [{"CVC": "[redacted]"}],
        "RebillId": "",
        "ok": 1,
    }
    assert data["card"]["token"] == "t"
    assert redact({"id": "pm_1"}, also=frozenset({"id"})) == {"id": "[redacted]"}
