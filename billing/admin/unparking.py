"""The button by which staff take off their list what they have dealt with."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from billing import parking
from billing.admin import telling
from billing.admin.deeds import Deed, Done
from billing.models import Callback, Delivery


class DealtWith(Deed):
    slug, label, permission, bulk = "dealt-with", "Dealt with…", "billing.resolve_case", True

    def applies(self, row: Any) -> bool:
        return bool(row.parked if hasattr(row, "parked") else row.status == "parked")

    def tells(self, row: Any, at: datetime) -> list[tuple[str, str]]:
        return [
            ("Parked because", _why(row) or telling.NOTHING),
            ("What happens", "It leaves the list of what needs a human, and your reason is kept. Nothing is paid, "
             "returned or asked. What still goes on by itself may come back to the list."),
        ]  # fmt: skip

    def do(self, row: Any, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        actor, reason = f"user:{staff.pk}", data["reason"]
        if isinstance(row, Callback):
            parking.dismiss(row.pk, actor=actor, reason=reason, at=at)
        elif isinstance(row, Delivery):
            parking.give_up(row.pk, actor=actor, reason=reason, at=at)
        else:
            parking.unpark(type(row), row.pk, actor=actor, reason=reason, at=at)
        return Done("It is off the list; the reason is kept.")


def _why(row: Any) -> str:
    fields = {Callback: "note", Delivery: "error"}
    return str(getattr(row, fields.get(type(row), "parked")))
