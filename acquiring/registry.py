"""Finds acquirers by the names in `settings.ACQUIRERS`, the only list of them."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from acquiring.base import Acquirer


class UnknownAcquirer(LookupError):
    """No acquirer goes by that name in `settings.ACQUIRERS`."""


@cache
def get(name: str) -> Acquirer:
    """The acquirer called `name`, one instance per process. Raises UnknownAcquirer."""
    try:
        entry: dict[str, Any] = settings.ACQUIRERS[name]
    except KeyError:
        raise UnknownAcquirer(name) from None
    backend: Acquirer = import_string(entry["backend"])(**entry.get("options", {}))
    return backend


def names() -> list[str]:
    """Names of the acquirers in use, the default one first."""
    return list(settings.ACQUIRERS)


def default() -> str:
    """The acquirer of a checkout that names none."""
    return names()[0]


def two_stage(name: str) -> bool:
    """Whether a sum is held first at this acquirer and taken by a second call (the entry's "two_stage")."""
    return bool(settings.ACQUIRERS[name].get("two_stage", False))


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting == "ACQUIRERS":
        get.cache_clear()


setting_changed.connect(_forget)
