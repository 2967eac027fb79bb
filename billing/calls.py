"""Commit, call out, commit: an acquirer is never called inside a database transaction."""

from __future__ import annotations

from django.db import transaction

from acquiring import registry
from acquiring.base import Acquirer


def acquirer(name: str) -> Acquirer:
    """The acquirer called `name`, to be called now.

    Raises RuntimeError inside a transaction, whose locks would be held as long as a stranger takes to answer, and whose
    roll-back would forget what the stranger did; registry.UnknownAcquirer.
    """
    with transaction.atomic(durable=True):  # Django's own check; a test's outer transaction does not count
        pass
    return registry.get(name)
