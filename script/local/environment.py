"""The environment that our programs get: what the person exported wins, the rest is laptop defaults.

Read with billing_project/settings.py: its DEBUG defaults are meant to meet what stands here.
"""

import os
from collections.abc import Mapping

from local.places import VAR

# Of another project, or with an effect on ours that its settings do not show.
FOREIGN = {
    "CELERY_BROKER_URL",  # beats the settings' broker without a word
    "CELERY_BROKER_READ_URL",
    "CELERY_BROKER_WRITE_URL",
    "CELERY_CONFIG_MODULE",
    "CELERY_RESULT_BACKEND",
    "DJANGO_SETTINGS_MODULE",
    "GUNICORN_CMD_ARGS",
    "PYTHONDONTWRITEBYTECODE",  # would cost each of five programs a second, at every start
    "WEB_CONCURRENCY",
}
# Worth a word at the start, because the program then talks to something that is not ours.
TELLING = ("DATABASE_URL", "BROKER_URL", "BANK_API_URL", "PUBLIC_URL", "HOST", "DEBUG", "EMAIL_BACKEND")


def without_postgres(environment: Mapping[str, str]) -> dict[str, str]:
    """Without PGHOST, PGOPTIONS and their kind, which every PostgreSQL program obeys."""
    return {name: value for name, value in environment.items() if not name.startswith("PG")}


def given(name: str) -> str:
    """What the person exported; an empty value counts as not given."""
    return os.environ.get(name, "")


def told() -> list[str]:
    """The names of what the person exported and should be reminded of."""
    return [name for name in TELLING if given(name)]


def base(database_url: str, broker_url: str) -> dict[str, str]:
    """For any program of ours that loads the settings."""
    environment = {name: value for name, value in os.environ.items() if name not in FOREIGN and value}
    if not given("DATABASE_URL"):
        environment = without_postgres(environment)
    local = ["127.0.0.1", "localhost"]
    for name in ("NO_PROXY", "no_proxy"):  # the local bank is not behind anybody's proxy
        environment[name] = ",".join([part for part in (environment.get(name), *local) if part])
    defaults = {"DEBUG": "1", "PYTHONUNBUFFERED": "1"}
    ours = {
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "DJANGO_SETTINGS_MODULE": "billing_project.settings",
    }
    return defaults | environment | ours


def server(database_url: str, broker_url: str, url: str, bank_api_url: str) -> dict[str, str]:
    """For the programs of `script/server`. The secrets are written out so that the bank and we have the same."""
    defaults = {
        "PUBLIC_URL": url,
        "BANK_API_URL": bank_api_url,
        "BANK_MERCHANT": "boxoffice",
        "BANK_SECRET": "laptop-bank-secret",
        "BANK_CALLBACK_SECRETS": "laptop-callback-secret",
        "EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend",
        "EMAIL_FILE_PATH": str(VAR / "mail"),
    }
    ours = base(database_url, broker_url)
    if ours["DEBUG"].lower() in ("1", "true", "on", "yes"):  # else the settings would refuse it
        defaults["CLOCK_FILE"] = str(VAR / "clock")
    return defaults | ours


def scheduler(env: dict[str, str]) -> dict[str, str]:
    """For beat, of the programs of `env`: it keeps the real time.

    django-celery-beat counts its intervals by Django's clock and its times of day by the machine's. With the first
    moved ahead, whatever is due by an interval would wait behind what is due at four tomorrow.
    """
    return env | {"CLOCK_FILE": ""}
