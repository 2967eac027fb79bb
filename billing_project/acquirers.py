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

BANK = env.str("BANK_API_URL", default="http://127.0.0.1:8010")  # the local bank, which plays each of them
BANK_MERCHANT = env.str("BANK_MERCHANT", default="boxoffice")
BANK_SECRET = env.str("BANK_SECRET", default="laptop-bank-secret")
BANK_CALLBACK_SECRET = env.list("BANK_CALLBACK_SECRETS", default=["laptop-callback-secret"])[0]
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


def _cloudpayments(callback_url: str) -> Entry:
    return {
        "backend": "acquiring.backends.cloudpayments.CloudPayments",
        "options": {
            "public_id": required("CLOUDPAYMENTS_PUBLIC_ID", BANK_MERCHANT),
            "api_secret": required("CLOUDPAYMENTS_API_SECRET", BANK_SECRET),
            # Those that verify while the API secret is being changed; none: that one. The local bank has its own.
            "callback_secrets": env.list(
                "CLOUDPAYMENTS_CALLBACK_SECRETS", default=[BANK_CALLBACK_SECRET] if DEBUG else []
            ),
            "url": _url("CLOUDPAYMENTS_URL", "cloudpayments", "https://api.cloudpayments.ru"),
            "page": env.str("CLOUDPAYMENTS_PAGE", default="order"),  # or "widget": their card form on our page
            "timeout": env.float("CLOUDPAYMENTS_TIMEOUT", default=30.0),
            "calls_at_once": env.int("CLOUDPAYMENTS_CALLS_AT_ONCE", default=30),  # 5 in test mode
        },
        "two_stage": env.bool("CLOUDPAYMENTS_TWO_STAGE", default=False),
        **_receipts("CLOUDPAYMENTS"),
    }


def _yookassa(callback_url: str) -> Entry:
    return {
        "backend": "acquiring.backends.yookassa.YooKassa",
        "options": {
            "shop_id": required("YOOKASSA_SHOP_ID", BANK_MERCHANT),
            "secret_key": required("YOOKASSA_SECRET_KEY", BANK_SECRET),
            "url": _url("YOOKASSA_URL", "yookassa/v3", "https://api.yookassa.ru/v3"),
            "address_header": env.str("YOOKASSA_ADDRESS_HEADER", default=""),  # set by our own proxy, in lower case
            "timeout": env.float("YOOKASSA_TIMEOUT", default=15.0),
        },
        "two_stage": env.bool("YOOKASSA_TWO_STAGE", default=False),
        **_receipts("YOOKASSA"),
    }


def _stripe(callback_url: str) -> Entry:
    return {
        "backend": "acquiring.backends.stripe.Stripe",
        "options": {
            "secret_key": required("STRIPE_SECRET_KEY", BANK_SECRET),
            "callback_secrets": secrets("STRIPE_CALLBACK_SECRETS", BANK_CALLBACK_SECRET),
            "url": _url("STRIPE_URL", "stripe", "https://api.stripe.com"),
            "timeout": env.float("STRIPE_TIMEOUT", default=80.0),
        },
        "two_stage": env.bool("STRIPE_TWO_STAGE", default=False),
    }


def _tbank(callback_url: str) -> Entry:
    return {
        "backend": "acquiring.backends.tbank.TBank",
        "options": {
            "terminal_key": required("TBANK_TERMINAL_KEY", BANK_MERCHANT),
            "passwords": secrets("TBANK_PASSWORDS", BANK_SECRET),
            "callback_url": callback_url,
            "url": _url("TBANK_URL", "tbank/v2", "https://securepay.tinkoff.ru/v2"),
            "repeat_refunds": env.bool("TBANK_REPEAT_REFUNDS", default=False),  # 1 where the terminal takes no SBP
            "timeout": env.float("TBANK_TIMEOUT", default=20.0),
        },
        "two_stage": env.bool("TBANK_TWO_STAGE", default=False),
        **_receipts("TBANK"),
    }


def _receipts(prefix: str) -> Entry:
    """Fiscal receipts (54-FZ), of the legal entity whose terminal this is; none unless <PREFIX>_RECEIPTS is 1."""
    if not env.bool(f"{prefix}_RECEIPTS", default=False):
        return {}
    return {
        "receipts": {
            "tax_system": env.str(f"{prefix}_TAX_SYSTEM", default=""),
            "vat": env.str(f"{prefix}_VAT", default="none"),
            "subject": env.str(f"{prefix}_RECEIPT_SUBJECT", default="service"),
            "mode": env.str(f"{prefix}_RECEIPT_MODE", default="full_payment"),
        }
    }


def _url(name: str, path: str, real: str) -> str:
    """Where an acquirer answers: the local bank on a laptop, the real one elsewhere, unless `name` says otherwise."""
    url: str = env.str(name, default=f"{BANK}/{path}" if DEBUG else real)
    return url


# The only list of them in the project.
ENTRIES: dict[str, Callable[[str], Entry]] = {
    "sandbox": _sandbox,
    "cloudpayments": _cloudpayments,
    "yookassa": _yookassa,
    "stripe": _stripe,
    "tbank": _tbank,
}
