"""What a simulation writes down: one line for each step, the faults, and what broke."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from datetime import datetime


class Diary:
    """The log of one run. `tell` gets each line; the digest is of all of them."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._hash = hashlib.sha256()
        self.step = 0
        self.operations = 0
        self.faults: Counter[str] = Counter()
        self.results: Counter[str] = Counter()

    def line(self, at: datetime, who: str, what: str, result: str) -> None:
        """Writes one line."""
        self.results[f"{what.split(' ')[0]}: {result.split(' ')[0]}"] += 1
        text = f"{self.step:06d} {at:%Y-%m-%d %H:%M:%S} {who}: {what}: {result}"
        self._hash.update(text.encode() + b"\n")
        self._tell(text)

    def fault(self, name: str) -> None:
        """Counts one fault."""
        self.faults[name] += 1

    @property
    def digest(self) -> str:
        """A fingerprint of everything written."""
        return self._hash.hexdigest()[:16]
