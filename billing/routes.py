"""At which acquirer a new page is opened: by currency, by what is bought and by share; what is down comes last."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings

from acquiring import registry
from billing import health
from billing.errors import Conflict, Invalid


def check(acquirer: str, currency: str) -> None:
    """Refuses what cannot be paid: raises Invalid `unknown_acquirer`, `currency_not_supported`; Conflict as `order`."""
    if acquirer:
        _asked(acquirer, currency)
    elif not _able(registry.names(), currency):
        raise Invalid(f"Nobody here takes {currency}.", "currency_not_supported")


def order(currency: str, user_id: uuid.UUID, *, goods: str = "", asked: str = "", at: datetime) -> list[str]:
    """The acquirers at which a customer's page may be opened, the best first; only `asked` where one was.

    `goods` is the code of what is bought, for the routes. One customer is led the same way each time.
    Raises Invalid as `check`; Conflict `no_acquirer` where staff have switched off what there is.
    """
    check(asked, currency)
    names = [asked] if asked else _by_share(_route(currency, goods), currency, user_id)
    found = health.willing(names, at=at)
    if not found:
        raise Conflict("Payments by card are switched off for the moment. Please try again later.", "no_acquirer")
    return found


def _asked(name: str, currency: str) -> None:
    try:
        capabilities = registry.get(name).capabilities
    except registry.UnknownAcquirer:
        raise Invalid("There is no such acquirer.", "unknown_acquirer") from None
    if currency not in capabilities.currencies:
        raise Invalid(f"{name} does not take {currency}.", "currency_not_supported")


def _route(currency: str, goods: str) -> Mapping[str, int]:
    """The shares of the first route that fits. Without one, the first acquirer takes all and the others stand by."""
    for route in settings.ACQUIRER_ROUTES:
        if _fits(route, currency, goods):
            shares: Mapping[str, int] = route["shares"]
            return shares
    able = _able(registry.names(), currency)
    return {name: 100 if name == able[0] else 0 for name in able}


def _fits(route: Mapping[str, Any], currency: str, goods: str) -> bool:
    wanted = route.get("goods")
    return route.get("currency", currency) == currency and (not wanted or goods in wanted)


def _by_share(shares: Mapping[str, int], currency: str, user_id: uuid.UUID) -> list[str]:
    """Weighted rendezvous: each customer draws once for each acquirer, and a share of 0 only stands by."""
    able = _able(list(shares), currency)
    drawn = {name: _draw(name, user_id) ** (1 / shares[name]) for name in able if shares[name]}
    return sorted(drawn, key=lambda name: -drawn[name]) + [name for name in able if not shares[name]]


def _draw(name: str, user_id: uuid.UUID) -> float:  # a likelihood, no money
    digest = hashlib.sha256(f"{name}:{user_id}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") + 1) / 2**64


def _able(names: list[str], currency: str) -> list[str]:
    return [name for name in names if currency in registry.get(name).capabilities.currencies]
