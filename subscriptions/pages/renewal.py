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
from subscriptions.models import Subscription
from subscriptions.pages.common import Request, action, actor, return_url, to_bank


@action("account")
def switch_on(request: Request) -> HttpResponse:
    """Each next term is charged to the card that was chosen."""
    now = timezone.now()
    subscription = _own(request)
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
    return redirect("account")


@action("account")
def switch_off(request: Request) -> HttpResponse:
    """Nothing is charged any more."""
    try:
        agreements.switch_off(_own(request).pk, actor=actor(request.user), at=timezone.now())
    except Refused as refusal:
        messages.error(request, refusal.detail)
    else:
        messages.success(request, "Renewal is off. Nothing will be charged; you keep what is paid to its end.")
    return redirect("account")


@action("account")
def pay(request: Request) -> HttpResponse:
    """The next term is paid now, on the bank's page."""
    subscription = _own(request)
    order = lifecycle.Order(
        plan=subscription.plan_id, return_url=return_url(), save_card=request.POST.get("save_card") == "on"
    )
    try:
        payment = agreements.pay(subscription.pk, order, actor=actor(request.user), at=timezone.now())
    except Refused as refusal:
        messages.error(request, refusal.detail)
        return redirect("account")
    return to_bank(payment)


def _own(request: Request) -> Subscription:
    """The subscription that the page was about. Raises Http404 for somebody else's and for no id at all."""
    try:
        wanted = uuid.UUID(request.POST.get("subscription", ""))
    except ValueError:
        raise Http404 from None
    found = Subscription.objects.filter(user=request.user, pk=wanted).first()
    if found is None:
        raise Http404
    return found
