"""Callbacks: signed and delivered from the books by background threads, so that a restart forgets none."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import threading
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from acquiring.bank.journal import Journal
from acquiring.bank.records import Note

log = logging.getLogger(__name__)

SIGNATURE_HEADER = "X-Bank-Signature"
ANSWER_WITHIN = 10  # seconds
AT_ONCE = 16  # payments whose callbacks are on their way at the same time


def sign(secret: str, body: bytes) -> str:
    """The signature of a callback: base64 of HMAC-SHA256 over the raw body."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def post(url: str, body: bytes, signature: str) -> tuple[bool, str]:
    """Delivers one callback: whether the merchant took it (2xx), and a word for the books. Never raises."""
    try:
        parts = urlsplit(url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=ANSWER_WITHIN)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Content-Type": "application/json", "User-Agent": "local-bank", SIGNATURE_HEADER: signature}
        try:
            connection.request("POST", target, body, headers)
            status = connection.getresponse().status
        finally:
            connection.close()
    except (OSError, HTTPException, ValueError) as problem:
        return False, f"no answer ({type(problem).__name__})"
    return 200 <= status < 300, str(status)


class Courier:
    """Carries due callbacks, and between them looks after whatever else falls due (`chores`).

    One payment's or refund's callbacks go one after another; those of others do not wait for them.
    """

    def __init__(
        self,
        journal: Journal,
        secret: str,
        chores: Callable[[], None] = lambda: None,
        send: Callable[[str, bytes, str], tuple[bool, str]] = post,
    ) -> None:
        self._journal, self._secret, self._chores, self._send = (journal, secret, chores, send)
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
        body = note.body.encode()
        signature = sign("not the secret" if note.forged else self._secret, body)
        ok, result = self._send(note.url, body, signature)
        if not self._stopping.is_set():
            self._journal.delivered(note.id, ok, result)
