"""What staff did over the API, in the history that the admin keeps of each row and shows on its page."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.db.models import Model
from rest_framework.request import Request

from billing.api.people import caller

__all__ = ["ADDITION", "CHANGE", "DELETION", "note"]


def note(request: Request, row: Model, flag: int, changes: dict[str, Any] | None = None) -> None:
    """Writes that the caller added, changed or deleted `row`. Call it in the transaction of the deed itself, and
    before a row is gone.
    """
    told = ", ".join(f"{name}: {value}" for name, value in (changes or {}).items())
    message = f"Over the API. {told}".strip()
    LogEntry.objects.log_actions(caller(request).pk, [row], flag, change_message=message, single_object=True)
