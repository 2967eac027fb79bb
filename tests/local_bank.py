"""The local bank for tests: a real process on free ports, with its books in a folder that outlives it."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin

import requests

ROOT = Path(__file__).resolve().parent.parent
T = TypeVar("T")


class Visitor:
    """Whoever comes to a bank that runs at `url`: its control page, and its payment pages as a browser."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = requests.Session()
        self.http.trust_env = False

    def operations(self) -> list[dict[str, Any]]:
        """Every operation in which money moved or was tried, oldest first; amounts in minor units."""
        return self._control("GET", "operations")

    def callbacks(self) -> list[dict[str, Any]]:
        """Every callback with its state and attempts, oldest first."""
        return self._control("GET", "callbacks")

    def fault(self, name: str, count: int | None = None, rate: float | None = None, seed: int = 0) -> None:
        """Orders trouble: the next `count` times (1 unless told), or at a `rate` between 0 and 1."""
        body: dict[str, Any] = {"fault": name, "seed": seed}
        body |= {"rate": rate} if rate is not None else {"count": count or 1}
        self._control("POST", "faults", json=body)

    def clear_faults(self) -> None:
        """Ends every fault."""
        self._control("DELETE", "faults")

    def reset(self) -> None:
        """Empties the books and ends every fault."""
        self._control("POST", "reset")

    def forget_keys(self) -> None:
        """The time of every idempotency key is over."""
        self._control("POST", "forget")

    def expire(self, payment_id: str) -> None:
        """The time of a page is over now."""
        self._control("POST", f"payments/{payment_id}/expire")

    def refund_in_cabinet(self, payment_id: str, amount: int) -> dict[str, Any]:
        """A refund behind the shop's back, `amount` in minor units. Returns the refund object."""
        return self._control("POST", f"payments/{payment_id}/refund", json={"amount": amount})

    def charge_back(self, payment_id: str, amount: int | None = None) -> dict[str, Any]:
        """A dispute: `amount` (minor units) more, or what is left, is taken back. Returns the payment object."""
        more = {"json": {"amount": amount}} if amount else {}
        return self._control("POST", f"payments/{payment_id}/chargeback", **more)

    def capture_in_cabinet(self, payment_id: str, amount: int) -> dict[str, Any]:
        """A hold taken behind the shop's back, in full or less. Returns the payment object."""
        return self._control("POST", f"payments/{payment_id}/capture", json={"amount": amount})

    def capture_again(self, payment_id: str) -> dict[str, Any]:
        """The money of a paid order is taken once more. Returns the second payment object."""
        return self._control("POST", f"payments/{payment_id}/again")

    def open_again(self, payment_id: str) -> dict[str, Any]:
        """A page that was closed unpaid can be paid after all. Returns the payment object."""
        return self._control("POST", f"payments/{payment_id}/open")

    def _control(self, method: str, path: str, **parts: Any) -> Any:
        answer = self.http.request(method, f"{self.url}/control/{path}", timeout=10, **parts)
        assert answer.ok, answer.text
        return answer.json()

    def pay(
        self,
        payment_url: str,
        card: str = "4242424242424242",
        *,
        code: str = "1234",
        expiry: str = "12/38",
        cvc: str = "123",
    ) -> str:
        """Pays on the hosted page as a browser does: opens it, types a card, gives the code when asked.

        Returns the shop's address to which the customer is led back, "" when the page led nowhere (an error page).
        """
        answer = self._browse("GET", payment_url)
        if "payment was closed" not in answer.text:
            form = {"number": card, "expiry": expiry, "cvc": cvc, "pay": "1"}
            answer = self._browse("POST", payment_url, data=form)
        for _ in range(6):
            target = urljoin(answer.url, answer.headers.get("Location", ""))
            if not answer.is_redirect and answer.url.endswith("/3ds"):
                answer = self._browse("POST", answer.url, data={"code": code, "confirm": "1"})
            elif answer.is_redirect and target.startswith(self.url):
                answer = self._browse("GET", target)
            else:
                break
        if answer.is_redirect:
            return target
        back = re.search(r'id="back" href="([^"]*)"', answer.text)
        return unescape(back[1]) if back else ""

    def leave(self, payment_url: str) -> str:
        """Goes back to the shop without paying. Returns the shop's address."""
        return self._browse("POST", payment_url, data={"leave": "1"}).headers.get("Location", "")

    def _browse(self, method: str, url: str, **parts: Any) -> requests.Response:
        return self.http.request(method, url, timeout=10, allow_redirects=False, **parts)


class LocalBank(Visitor):
    """`python -m acquiring.bank` under a test's control. Starts at once; `stop` or leave the `with` block.

    `url`: pages, API and control. `api_url`: the API alone, whose port the `refuse` fault closes.
    A restart keeps the ports and the books.
    """

    merchant = "boxoffice"
    secret = "test-bank-secret"
    callback_secret = "test-callback-secret"

    def __init__(self, data: Path, callback_url: str = "") -> None:
        self._data, self._callback_url = data, callback_url
        self._process: subprocess.Popen[str] | None = None
        self._port = self._api_port = 0
        super().__init__("")
        self.api_url = ""
        self.start()

    def __enter__(self) -> LocalBank:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the process and waits until it serves. Raises RuntimeError when it does not come up."""
        command = [
            sys.executable,
            "-m",
            "acquiring.bank",
            "--data",
            str(self._data),
            "--callback-url",
            self._callback_url,
        ]
        command += ["--port", str(self._port), "--api-port", str(self._api_port)]
        command += ["--merchant", self.merchant, "--secret", self.secret, "--callback-secret", self.callback_secret]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()  # "" as soon as the process is gone
        ready = re.match(r"bank ready: (http://\S+:(\d+)) \(api (http://\S+:(\d+)),", line)
        if not ready:
            raise RuntimeError(f"the bank did not start: {line!r}")
        self.url, self.api_url = ready[1], ready[3]
        self._port, self._api_port = int(ready[2]), int(ready[4])

    def stop(self) -> None:
        """Ends the process as an operator does (SIGTERM)."""
        self._end(lambda process: process.terminate())

    def kill(self) -> None:
        """Ends the process as a power cut does (SIGKILL)."""
        self._end(lambda process: process.kill())

    def _end(self, how: Callable[[subprocess.Popen[str]], None]) -> None:
        process, self._process = self._process, None  # several threads may end it at once
        if process is not None:
            how(process)
            process.wait(timeout=10)
            assert process.stdout is not None
            process.stdout.close()


def eventually(look: Callable[[], T], seconds: float = 5.0) -> T:
    """The first true-like result of `look`, asked again and again. Raises AssertionError after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        result = look()
        if result:
            return result
        assert time.monotonic() < deadline, f"still {result!r} after {seconds} s"
        time.sleep(0.01)
