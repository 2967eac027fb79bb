"""Nothing in a simulation is left to chance: ids and the time of day come from the seed and the simulated clock."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from random import Random
from types import SimpleNamespace
from unittest.mock import patch

from django.utils import timezone


def dice(seed: object, *what: object) -> Random:
    """Dice of their own for one purpose, so that one subscriber's throws do not change another's."""
    return Random(":".join(map(str, (seed, *what))))  # noqa: S311  dice, no secrets


@contextmanager
def seeded(seed: object, now: Callable[[], datetime]) -> Iterator[None]:
    """`uuid.uuid4` draws from the seed, `timezone.now` tells the simulated time.

    Models hold `uuid.uuid4` itself as their default, so it is the source of bytes under it that is replaced.
    """
    ids = dice(seed, "ids")
    with patch.object(uuid, "os", SimpleNamespace(urandom=ids.randbytes)), patch.object(timezone, "now", now):
        yield
