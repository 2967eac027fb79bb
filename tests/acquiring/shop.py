"""A shop that only listens: takes callbacks, and answers them as it is told."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.local_bank import eventually


@dataclass(frozen=True)
class Delivery:
    """One callback as it arrived. Header names are in lower case."""

    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.body)


class Shop:
    """Listens on a free port. `answers` are the next statuses, `words` the next bodies; after them all is taken."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.answers: list[int] = []
        self.words: list[bytes] = []
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                shop.deliveries.append(Delivery(headers, body))
                self.send_response(shop.answers.pop(0) if shop.answers else 200)
                self.end_headers()
                self.wfile.write(shop.words.pop(0) if shop.words else b"OK")

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/callbacks"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def wait_for(self, number: int, seconds: float = 5.0) -> list[Delivery]:
        """The first `number` deliveries, as soon as they are here."""
        eventually(lambda: len(self.deliveries) >= number, seconds)
        return self.deliveries[:number]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
