"""The acquirers in use: `ACQUIRERS=cloudpayments,yookassa` names them, the first is the default; one entry for each.

Only the entries that are named are read, so only their variables must be set. With DEBUG on each speaks, in its own
protocol, with the local bank (docs/acquirers.md).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from billing_project.environment import DEBUG, env, required, secrets

Entry = dict[str, Any]

BANK = env.str("BANK_API_URL", default="http://127.0.0.1:8010")  # the local bank
ALLOW_SANDBOX: bool = env.bool("ALLOW_SANDBOX", default=False)  # a public demonstration with play money
# New pages by currency, goods (codes of plans and products, "top_up") and share in percent; without a route the first
# acquirer takes all and the others stand by: [{"currency": "RUB", "goods": ["year"], "shares": {"a": 70, "b": 30}}]
ROUTES: list[Entry] = env.json("ACQUIRER_ROUTES", default=[])
CUSTOMER_CHOOSES: bool = env.bool("CUSTOMER_CHOOSES_ACQUIRER", default=False)  # else the routes choose
# So many calls without an answer, one after another, and an acquirer is down; tried again after a pause, twice as long
# each time, up to a quarter of an hour.
HEALTH: Entry = {
    "trip_after": env.int("ACQUIRER_TRIP_AFTER", default=5),
    "pause": timedelta(seconds=env.int("ACQUIRER_PAUSE_SECONDS", default=30)),
}


def read(callbacks: str) -> dict[str, Entry]:
    """`settings.ACQUIRERS`; `callbacks` is the public address below which each acquirer has its own.

    Raises ImproperlyConfigured with the name of the variable that is missing, or of an acquirer that nobody knows.
    """
    names = [name.strip() for name in required("ACQUIRERS", "sandbox").split(",") if name.strip()]
    if unknown := [name for name in names if name not in ENTRIES]:
        raise ImproperlyConfigured(f"ACQUIRERS names {unknown[0]!r}; there are: {', '.join(ENTRIES)}")
    return {name: ENTRIES[name](f"{callbacks}/{name}") for name in names}


def _sandbox(callback_url: str) -> Entry:
    return {
        "backend": "acquiring.backends.sandbox.Sandbox",
        "options": {
            "url": required("BANK_API_URL", BANK),
            "merchant": required("BANK_MERCHANT", "boxoffice"),
            "secret": required("BANK_SECRET", "laptop-bank-secret"),
            "callback_secrets": secrets("BANK_CALLBACK_SECRETS", "laptop-callback-secret"),
            "callback_url": callback_url,
            "timeout": env.float("BANK_TIMEOUT", default=10.0),  # seconds for an answer
        },
    }


def _url(name: str, path: str, real: str) -> str:
    """Where an acquirer answers: the local bank on a laptop, the real one elsewhere, unless `name` says otherwise."""
    url: str = env.str(name, default=f"{BANK}/{path}" if DEBUG else real)
    return url


# The only list of them in the project.
ENTRIES: dict[str, Callable[[str], Entry]] = {"sandbox": _sandbox}
