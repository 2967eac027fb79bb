"""Checking the options of an acquirer, as they stand in the settings."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings


def needed(whose: str, **given: str) -> None:
    """Raises ValueError, which names it, for the first that is empty."""
    for name, value in given.items():
        if not value:
            raise ValueError(f"{whose} needs {name}")


def several(whose: str, *, least: int = 1, **given: Sequence[str]) -> tuple[str, ...]:
    """The secrets of one option. Raises ValueError where they are no list, fewer than `least`, or one is empty."""
    ((name, values),) = given.items()
    if isinstance(values, str) or len(values) < least or not all(values):
        raise ValueError(f"{whose} needs {name}: a list of at least {least}, none of them empty")
    return tuple(values)


def at_least_one(whose: str, **given: int) -> int:
    """A number of one option. Raises ValueError where it is below 1."""
    ((name, number),) = given.items()
    if number < 1:
        raise ValueError(f"{whose} needs {name} to be 1 or more")
    return number


def share(bears: int) -> int:
    """How many of the calls that an acquirer bears at once are this process's: one at least; 0 for no limit."""
    return max(bears // max(settings.CALLING_PROCESSES, 1), 1) if bears else 0
