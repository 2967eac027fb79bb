"""Callbacks: signed and delivered from the books by background threads, so that a restart forgets none."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from acquiring.bank.journal import Journal
from acquiring.bank.records import Note
from acquiring.bank.tongues import TONGUES, Sealing

if TYPE_CHECKING:
    from acquiring.bank.house import Config

log = logging.getLogger(__name__)

ANSWER_WITHIN = 10  # seconds
LONGEST_ANSWER = 4096  # bytes that are read of it
AT_ONCE = 16  # payments whose callbacks are on their way at the same time


@dataclass(frozen=True, slots=True)
class Answer:
    """What a merchant answered to a callback; `status` is 0 where nothing came back. `word` is for the books."""

    status: int
    body: bytes
    word: str


Send = Callable[[str, bytes, Mapping[str, str]], Answer]


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Sends one callback. Never raises."""
    try:
        parts = urlsplit(url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=ANSWER_WITHIN)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request("POST", target, body, {"User-Agent": "local-bank", **headers})
            answer = connection.getresponse()
            status, content = answer.status, answer.read(LONGEST_ANSWER)
        finally:
            connection.close()
    except (OSError, HTTPException, ValueError) as problem:
        return Answer(0, b"", f"no answer ({type(problem).__name__})")
    return Answer(status, content, str(status))


class Courier:
    """Carries due callbacks, and between them looks after whatever else falls due (`chores`).

    One payment's or refund's callbacks go one after another; those of others do not wait for them. `send` is the road
    to merchants, which a simulator replaces.
    """

    def __init__(
        self,
        journal: Journal,
        config: Config,
        chores: Callable[[], None] = lambda: None,
        send: Send = post,
    ) -> None:
        self._journal, self._config, self._chores, self.send = journal, config, chores, send
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        journal.on_note = self.wake

    def start(self) -> None:
        """Begins to carry, in the background."""
        threading.Thread(target=self._run, name="courier", daemon=True).start()

    def wake(self) -> None:
        """Says that there is something new to carry."""
        self._wake.set()

    def stop(self) -> None:
        """Carries no more. What is on its way may arrive unrecorded, and is then sent again after the restart."""
        self._stopping.set()
        self._wake.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._chores()
                self._send_due()
            except Exception:
                if self._stopping.is_set():
                    return
                log.exception("the courier stumbled")
            self._wake.wait(0.2)
            self._wake.clear()

    def _send_due(self) -> None:
        for note in self._journal.due():
            with self._lock:
                if note.object_id in self._busy or len(self._busy) >= AT_ONCE:
                    continue
                self._busy.add(note.object_id)
            threading.Thread(target=self._carry, args=(note,), name="carrier", daemon=True).start()

    def _carry(self, note: Note) -> None:
        try:
            if not self._journal.still_due(note.id):  # the list was read before another carrier had finished
                return
            copies = [threading.Thread(target=self.deliver, args=(note,), daemon=True) for _ in range(note.copies)]
            for copy in copies:
                copy.start()
            self.deliver(note)
            for copy in copies:
                copy.join()
        finally:
            with self._lock:
                self._busy.discard(note.object_id)
            self._wake.set()

    def deliver(self, note: Note) -> None:
        """Makes one delivery and writes it down."""
        body, tongue = note.body.encode(), TONGUES[note.tongue]
        if isinstance(tongue, Sealing):
            body = tongue.sealed(self._config, body, note.forged)
        answer = self.send(note.url, body, tongue.headers(self._config, body, note.forged))
        if not self._stopping.is_set():
            self._journal.delivered(note.id, tongue.received(answer.status, answer.body), answer.word)
