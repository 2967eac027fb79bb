"""What every request that leads to a payment has in common: how to pay, the figure that was shown, where to go."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from moneyed import Money

from billing import money
from billing.api.fields import AcquirerName, Flag, Input, ReturnUrl
from billing.models import Payment


class HowToPay(Input):
    """What every way to pay asks for."""

    acquirer = AcquirerName(required=False, max_length=32)
    return_url = ReturnUrl(required=False)
    save_card = Flag(required=False)


def how_to_pay(body: dict[str, Any]) -> dict[str, Any]:
    """The part of an order that every way to pay has."""
    return {
        "acquirer": body.get("acquirer", ""),
        "return_url": body.get("return_url", f"{settings.PUBLIC_URL}/payments/{{payment}}/?back=1"),
        "save_card": body.get("save_card", False),
    }


def figure(body: dict[str, Any], name: str, currency: str) -> Money | None:
    """An amount that may have been sent; None where it was not. Raises BadAmount."""
    return money.parse(body[name], currency) if name in body else None


def pay_at(payment: Payment) -> str | None:
    """Where a payment is paid; None when nothing can be paid there."""
    return (payment.is_live and payment.redirect_url) or None
