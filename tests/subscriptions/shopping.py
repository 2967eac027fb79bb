"""A customer in the shop, for tests of its pages."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django.test import Client

from accounts.models import User
from billing import events, payments
from billing.models import Payment
from subscriptions import lifecycle
from subscriptions.models import Subscription
from tests import fake_acquirer, things


def hidden(page: Any) -> dict[str, str]:
    """The hidden fields of a page's own form, and the code typed into it, as a browser would send them back."""
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text)
    fields += re.findall(r'<input [^>]*name="(promo_code)"[^>]* value="([^"]*)"', page.text)
    return {name: value for name, value in fields if name not in ("csrfmiddlewaretoken", "next")}


def check_out(client: Client, code: str = "month", **changes: str) -> Any:
    """Opens the checkout of a plan and presses its button."""
    url = f"/checkout/{code}/"
    return client.post(url, {**hidden(client.get(url)), **changes})


def payment_of(user: User) -> Payment:
    return Payment.objects.filter(user=user).latest("created_at")


def settle(payment: Payment, at: datetime) -> None:
    """The customer pays at the bank, and the news goes round."""
    fake_acquirer.installed().pay(payment.pk)
    payments.check(payment.pk, at=at)
    while events.deliver_due(at=at):
        pass


def subscribed(user: User, code: str = "month", at: datetime | None = None) -> Subscription:
    """A subscription bought and paid at `at`."""
    at = at or things.now()
    done = lifecycle.subscribe(user.pk, lifecycle.Order(plan=code), actor="test", at=at)
    settle(done.payment, at)
    done.subscription.refresh_from_db()
    return done.subscription
