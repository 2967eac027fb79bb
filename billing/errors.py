"""Refusals that a caller can act on. Mouths translate them; the code is stable and part of the API's contract."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """A verb did nothing, and says why. `code` is stable, `detail` is a sentence for the person who asked."""

    code = "refused"

    def __init__(self, detail: str, code: str | None = None, **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.code
        self.facts = facts


class Invalid(Refused):
    """The request itself is wrong, and will be wrong again."""

    code = "invalid"


class Forbidden(Refused):
    """This person may not do that."""

    code = "forbidden"


class NotFound(Refused):
    """There is no such thing, or it is somebody else's."""

    code = "not_found"


class Conflict(Refused):
    """The thing is in a state that does not allow it, or a figure is stale."""

    code = "conflict"
