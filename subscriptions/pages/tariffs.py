"""Tariffs by the hour on the wallet's page: begin one, change to another."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from accounts.models import User
from billing.errors import Refused
from subscriptions import metering, offers
from subscriptions.models import Subscription
from subscriptions.pages.common import Request, action, actor, live_subscription
from subscriptions.tariffs import spoken


def told(user: User, at: datetime) -> dict[str, Any]:
    """What the wallet's page says of tariffs: those on sale, the one that runs, and how long the money lasts."""
    live = live_subscription(user)
    hourly = live if live and live.plan.hourly else None
    lasts = spoken(hourly.access_until - at) if hourly and _runs(hourly, at) and hourly.access_until else ""
    tariffs = offers.tariffs(at=at)
    return {"tariffs": tariffs, "hourly": hourly, "lasts": lasts, "may_start": live is None, "key": uuid.uuid4()}


@action("wallet")
def start(request: Request) -> HttpResponse:
    """Begins the clock."""
    return _do(
        request,
        lambda code, now: metering.start(
            request.user.pk, code, actor=actor(request.user), at=now, request_key=f"form:{request.POST.get('key')}"
        ),
        "The clock runs: films are open.",
    )


@action("wallet")
def change(request: Request) -> HttpResponse:
    """Another tariff from now on."""
    live = live_subscription(request.user)
    if live is None or not live.plan.hourly:
        messages.info(request, "You have no subscription by the hour.")
        return redirect("wallet")
    pk = live.pk
    return _do(
        request,
        lambda code, now: metering.change_tariff(
            pk, code, actor=actor(request.user), at=now, reason="Changed by the customer"
        ),
        "The new tariff counts from now; what was used before is charged at the old one.",
    )


def _do(request: Request, deed: Any, done: str) -> HttpResponse:
    try:
        deed(request.POST.get("plan", "")[:40], timezone.now())
    except Refused as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, done)
    return redirect("wallet")


def _runs(subscription: Subscription, at: datetime) -> bool:
    return subscription.status == Subscription.Status.ACTIVE and subscription.has_access(at)
