"""Django as in production, but with the laptop's secrets and a bank inside the process."""

from __future__ import annotations

import os
from typing import Any

SETTINGS: dict[str, Any] = {
    "DEBUG": False,  # it would keep every statement in memory
    "ALLOWED_HOSTS": ["*"],
    "ROOT_URLCONF": "benchmarks.urls",
    "EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend",
    "ACQUIRERS": {"sandbox": {"backend": "benchmarks.bank.at_once"}},
    "WHITENOISE_AUTOREFRESH": True,  # nothing was collected
}


def start() -> None:
    """Sets Django up. DATABASE_URL and BROKER_URL come from the environment."""
    os.environ.update(DEBUG="1", DJANGO_SETTINGS_MODULE="billing_project.settings")
    os.environ.setdefault("LOG_LEVEL", "ERROR")
    import django
    from django.conf import settings

    for name, value in SETTINGS.items():
        setattr(settings, name, value)
    django.setup()
