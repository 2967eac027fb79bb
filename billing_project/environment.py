"""Where settings come from: the environment. With DEBUG on every value has a default that fits a laptop."""

from __future__ import annotations

import environ
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()

DEBUG: bool = env.bool("DEBUG", default=False)


def required(name: str, laptop: str) -> str:
    """The variable `name`; its `laptop` value only where DEBUG is on. Raises ImproperlyConfigured otherwise."""
    value: str = env.str(name, default=laptop if DEBUG else "")
    if not value:
        raise ImproperlyConfigured(f"{name} must be set in the environment (or DEBUG=1 for a laptop)")
    return value


def secrets(name: str, laptop: str) -> list[str]:
    """Several secrets, comma-separated, while one is being changed. Raises ImproperlyConfigured as `required`."""
    return [secret.strip() for secret in required(name, laptop).split(",") if secret.strip()]
