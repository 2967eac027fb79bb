"""The bank put together from its parts. Usable without a socket, by a simulator."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import current_app

from acquiring.bank import records
from acquiring.bank.books import Books
from acquiring.bank.callbacks import Courier
from acquiring.bank.desk import Desk
from acquiring.bank.faults import Faults
from acquiring.bank.journal import Journal, mint
from acquiring.bank.returns import Returns

HOLD = 60.0  # seconds that an unanswered request is kept hanging


class Hangup(ConnectionError):
    """Ends a request with no answer at all. The server closes the connection without a word."""


@dataclass(frozen=True, slots=True)
class Config:
    """What the bank is told at the start. `callback_url` is for payments that bring none ({acquirer}: theirs).

    `now` is the clock of signatures, which the bank sets to its own.
    """

    merchant: str = "boxoffice"
    secret: str = field(default="laptop-bank-secret", repr=False)
    callback_secret: str = field(default="laptop-callback-secret", repr=False)
    callback_url: str = ""
    shop_name: str = "Boxoffice"
    now: Callable[[], datetime] = field(default=records.now, repr=False, compare=False)


class Bank:
    """Every part of the bank. `now` and `new_id` may be a simulator's; `pause` waits some seconds."""

    def __init__(
        self,
        config: Config,
        store: Path | str = ":memory:",
        *,
        public_url: str = "",
        now: Callable[[], datetime] = records.now,
        new_id: Callable[[str], str] = mint,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Any] | None = None,
    ) -> None:
        self.config = config
        self.stopping = threading.Event()
        self.pause = pause or self.stopping.wait
        self.books = Books(store)
        self.faults = Faults(clock)
        self.journal = Journal(
            self.books, self.faults, now, public_url=public_url, callback_url=config.callback_url, new_id=new_id
        )
        self.desk = Desk(self.books, self.journal, self.faults)
        self.returns = Returns(self.books, self.journal, self.faults)
        self.courier = Courier(self.journal, replace(config, now=now), self.chores)
        self.api_port = 0

    def chores(self) -> None:
        """What falls due by itself: pages expire, pending refunds end."""
        self.desk.expire_due()
        self.returns.settle_due()

    def close(self) -> None:
        """Stops waiting requests and callbacks, and closes the books."""
        self.stopping.set()
        self.courier.stop()
        self.books.close()

    def hang(self, environ: dict[str, Any]) -> None:
        """Keeps a request waiting, as long as its client does (60 s at most), then raises Hangup."""
        line: socket.socket | None = environ.get("werkzeug.socket")
        waited = 0.0
        while line is not None and waited < HOLD and not self.stopping.wait(0.1) and not _left(line):
            waited += 0.1
        self.hang_up(environ)

    def hang_up(self, environ: dict[str, Any]) -> None:
        """Closes the connection of a request unanswered: raises Hangup."""
        line: socket.socket | None = environ.get("werkzeug.socket")
        if line is not None:
            with suppress(OSError):  # the client was faster
                line.shutdown(socket.SHUT_RDWR)
        raise Hangup("hung up")


def _left(line: socket.socket) -> bool:
    """Whether the client has closed its end."""
    try:
        readable, _, _ = select.select([line], [], [], 0)
        return bool(readable) and line.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True


def the_bank() -> Bank:
    """The bank of the request being served."""
    bank: Bank = current_app.extensions["bank"]
    return bank
