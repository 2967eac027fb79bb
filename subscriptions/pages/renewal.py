"""The next term: by a saved card from now on, by no card any more, or paid now on the bank's page."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from billing import money
from billing.errors import Refused
from subscriptions import agreements, lifecycle
from subscriptions.pages.common import Request, action, actor, done, own_subscription, return_url, to_bank


@action("account")
def switch_on(request: Request) -> HttpResponse:
    """Each next term is charged to the card that was chosen."""
    now = timezone.now()
    subscription = own_subscription(request)
    try:
        method = uuid.UUID(request.POST.get("card", ""))
        agreed = agreements.agree(subscription.pk, method_id=method, actor=actor(request.user), at=now)
    except ValueError:
        raise Http404 from None
    except Refused as refusal:
        messages.error(request, f"{refusal.detail} Nothing has changed.")
        return redirect("account")
    seen = agreements.next_charge(agreed, at=now)
    if seen and seen.at <= now:
        messages.success(request, f"Thank you. {seen.card.brand} {seen.card.mask} is being charged now.")
    elif seen:
        sum_ = money.spoken(seen.amount)
        messages.success(
            request, f"From now on it renews by itself: next, {sum_} by {seen.card.brand} {seen.card.mask}."
        )
    else:
        messages.warning(request, "This card was declined for the next term and is not tried again for it.")
    return redirect("account")


@action("account")
def switch_off(request: Request) -> HttpResponse:
    """Nothing is charged any more."""
    who, now = actor(request.user), timezone.now()
    return done(
        request,
        lambda own: agreements.switch_off(own.pk, actor=who, at=now),
        says="Renewal is off. Nothing will be charged; you keep what is paid to its end.",
    )


@action("account")
def pay(request: Request) -> HttpResponse:
    """The next term is paid now, on the bank's page."""
    subscription = own_subscription(request)
    order = lifecycle.Order(
        plan=subscription.plan_id, return_url=return_url(), save_card=request.POST.get("save_card") == "on"
    )
    try:
        payment = agreements.pay(subscription.pk, order, actor=actor(request.user), at=timezone.now())
    except Refused as refusal:
        messages.error(request, refusal.detail)
        return redirect("account")
    if payment is None:
        messages.success(request, "There was nothing to pay: the next term is yours.")
        return redirect("account")
    return to_bank(payment)
