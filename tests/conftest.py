from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.core.servers.basehttp import WSGIServer

from tests.local_bank import LocalBank


def sandbox_at(bank: LocalBank, callback_url: str = "", **options: Any) -> dict[str, Any]:
    """`settings.ACQUIRERS` with the given bank alone."""
    return {
        "sandbox": {
            "backend": "acquiring.backends.sandbox.Sandbox",
            "options": {
                "url": bank.api_url,
                "merchant": bank.merchant,
                "secret": bank.secret,
                "callback_secrets": [bank.callback_secret],
                "callback_url": callback_url,
                "timeout": 1.0,
                **options,
            },
        }
    }


@pytest.fixture(autouse=True)
def _laptop(settings: Any) -> None:
    """No worker listens in tests: wake-ups go to memory, and the tests run the sweeps themselves."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.CHARGES_AT_ONCE = 1  # a test's own transaction is seen by its own thread only
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()  # what throttles counted in another test


@pytest.fixture(scope="session")
def bank_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBank]:
    with LocalBank(tmp_path_factory.mktemp("bank")) as bank:
        yield bank


@pytest.fixture
def bank(bank_process: LocalBank, settings: Any) -> LocalBank:
    """The real local bank with empty books and no faults, as the only acquirer. Its callbacks go nowhere."""
    bank_process.reset()
    settings.ACQUIRERS = sandbox_at(bank_process)
    return bank_process


@pytest.fixture
def bank_that_calls(bank: LocalBank, settings: Any, live_server: Any) -> LocalBank:
    """The same, and its callbacks come to a real server of ours."""
    settings.ALLOWED_HOSTS = ["*"]
    settings.PUBLIC_URL = live_server.url
    settings.ACQUIRERS = sandbox_at(bank, f"{live_server.url}/api/v1/callbacks/sandbox")
    return bank


def pytest_configure(config: pytest.Config) -> None:
    WSGIServer.request_queue_size = 128  # of the live server: a crowd may knock at one moment
    django_settings.WHITENOISE_AUTOREFRESH = True  # static files as they lie, nothing collected
    django_settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
