"""What every row with a state machine has in common. States change by transitions only, inside verbs that lock."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.db import models


class StatefulModel(models.Model):
    """`noun` is the row's name in events; `told_as` renames states whose event is not called as the state is."""

    noun: ClassVar[str]
    told_as: ClassVar[dict[str, str]] = {}
    status: str

    created_at = models.DateTimeField(db_index=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True

    def refresh_from_db(
        self, using: str | None = None, fields: Iterable[str] | None = None, from_queryset: Any = None
    ) -> None:
        """Reads the row anew.

        A protected state takes its first value only, so the old one is forgotten first. (django-fsm's own mixin lifts
        the protection meanwhile, for every row of every thread.)
        """
        if fields is None or "status" in (fields := list(fields)):
            self.__dict__.pop("status", None)
        super().refresh_from_db(using=using, fields=fields, from_queryset=from_queryset)

    @property
    def event_kind(self) -> str:
        """The event that tells of the state reached, such as "invoice.paid"."""
        return f"{self.noun}.{self.told_as.get(self.status, self.status)}"

    @property
    def customer_id(self) -> object:
        """Whom the row concerns."""
        raise TypeError(f"{type(self).__name__} names no customer")
