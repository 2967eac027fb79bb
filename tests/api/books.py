"""What an API call could have changed, to be compared before and after."""

from __future__ import annotations

from typing import Any

from billing.models import Callback, Event, Invoice, Payment, PaymentMethod, Refund, Transfer
from subscriptions.models import Period, Plan, Price, Subscription

TABLES = (Callback, Event, Invoice, Payment, PaymentMethod, Refund, Transfer, Period, Plan, Price, Subscription)


def books() -> dict[str, list[Any]]:
    """Every row of money and of promises."""
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in TABLES}
