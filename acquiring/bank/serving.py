"""Sockets: the two ports, and the gate that really closes one of them while the `refuse` fault is on."""

from __future__ import annotations

import logging
import threading
from typing import Any

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from acquiring.bank.house import Bank

log = logging.getLogger(__name__)


class QuietHandler(WSGIRequestHandler):
    """One request per connection (so that a closed port is really refused), and no line per request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Says nothing: the books tell more than an access log."""

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
        """Clients that leave, and ours that we hang up on, are no news."""


class Port:
    """A listening port that can be closed and opened again. `number` 0 takes any free one, once."""

    def __init__(self, host: str, number: int, app: Flask) -> None:
        self._host, self._app = host, app
        self._server: BaseWSGIServer | None = None
        self.number = number
        self.open()

    @property
    def is_open(self) -> bool:
        """Whether it listens."""
        return self._server is not None

    def open(self) -> None:
        """Begins to listen. Raises OSError when the port is taken."""
        server = _listen(self._host, self.number, self._app)
        self.number = server.port
        self._server = server
        # A short poll makes `close` quick; it wakes the idle process twenty times a second and no more.
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        """Closes the listening socket: further connections are refused. Requests already in go on."""
        if self._server is not None:
            server, self._server = self._server, None
            server.shutdown()
            server.server_close()


def _listen(host: str, number: int, app: Flask) -> BaseWSGIServer:
    try:
        return make_server(host, number, app, threaded=True, request_handler=QuietHandler)
    except SystemExit as taken:  # werkzeug's way to say that the port is in use
        raise OSError(f"port {number} is taken") from taken


class Gate:
    """Keeps the API port closed exactly while the faults say `refuse`."""

    def __init__(self, bank: Bank, port: Port) -> None:
        self._bank, self._port = bank, port
        self._lock = threading.Lock()
        bank.faults.on_change = self.look
        threading.Thread(target=self._watch, name="gate", daemon=True).start()

    def look(self) -> None:
        """Closes or opens the port, as it must be now."""
        with self._lock:
            refusing = self._bank.faults.refusing()
            try:
                if refusing and self._port.is_open:
                    self._port.close()
                elif not refusing and not self._port.is_open and not self._bank.stopping.is_set():
                    self._port.open()
            except OSError:
                log.warning("the API port %d is taken; trying again", self._port.number)

    def _watch(self) -> None:
        while not self._bank.stopping.wait(0.1):
            self.look()
