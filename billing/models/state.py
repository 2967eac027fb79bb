"""What every row with a state machine has in common. States change by transitions only, inside verbs that lock."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django_fsm import FSMModelMixin


class StatefulModel(FSMModelMixin, models.Model):
    """`noun` is the row's name in events; `told_as` renames states whose event is not called as the state is."""

    noun: ClassVar[str]
    told_as: ClassVar[dict[str, str]] = {}
    status: str

    created_at = models.DateTimeField(db_index=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True

    @property
    def event_kind(self) -> str:
        """The event that tells of the state reached, such as "invoice.paid"."""
        return f"{self.noun}.{self.told_as.get(self.status, self.status)}"

    @property
    def customer_id(self) -> object:
        """Whom the row concerns."""
        raise TypeError(f"{type(self).__name__} names no customer")
