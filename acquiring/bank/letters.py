"""What a callback is before it is sent."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Letter:
    """One callback as it will be sent. `about` is the id of what it tells of; `path` comes after the shop's address."""

    id: str
    type: str
    about: str
    body: str = field(repr=False)
    path: str = ""
