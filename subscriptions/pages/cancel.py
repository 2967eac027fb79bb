"""Cancelling: first the exact figure and the last day, then the deed."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache

from billing import money
from billing.errors import Refused
from billing.models import Payment, Refund
from subscriptions import cancellation, lifecycle
from subscriptions.forms import CancelForm
from subscriptions.models import Subscription
from subscriptions.pages.common import Request, actor, live_subscription


@never_cache
@login_required
def cancel(request: Request) -> HttpResponse:
    """Shows what cancelling now means; does it when the page's own figure comes back."""
    now = timezone.now()
    if request.method != "POST":
        return _page(request, live_subscription(request.user), now)
    subscription = _posted(request)
    form = CancelForm(subscription.price.currency, request.POST)
    if not form.is_valid():
        if "expected_refund" in form.errors:
            messages.error(request, "The form did not arrive whole. Please look it through and press the button again.")
        return _page(request, subscription, now, form=form, status=400)
    try:
        done = cancellation.cancel(
            subscription.pk,
            actor=actor(request.user),
            at=now,
            reason=form.cleaned_data["reason"],
            expected_refund=form.cleaned_data["expected_refund"],
            requested_by=request.user.pk,
        )
    except Refused as error:
        return _refused(request, subscription, error, now)
    _tell(request, list(done.refunds))
    return redirect("account")


def _posted(request: Request) -> Subscription:
    """The subscription that the page was about. Raises Http404 for somebody else's and for no id at all.

    One that waits for its payment has its own button; here it would be closed without a look at the figure.
    """
    try:
        wanted = uuid.UUID(request.POST.get("subscription", ""))
    except ValueError:
        raise Http404 from None
    own = Subscription.objects.filter(user=request.user).exclude(status=Subscription.Status.PENDING)
    subscription = own.select_related("plan", "price").filter(pk=wanted).first()
    if subscription is None:
        raise Http404
    return subscription


def _refused(request: Request, subscription: Subscription, error: Refused, now: datetime) -> HttpResponse:
    if error.code == "stale_refund":
        messages.warning(request, f"{error.detail} Nothing was cancelled. Please look again before you do.")
        return _page(request, subscription, now, status=409)
    subscription = Subscription.objects.select_related("plan", "price").get(pk=subscription.pk)
    if subscription.cancelled_at:  # a double click: the second answer is the one that the browser shows
        _tell(request, cancellation.refunds_of(subscription))
    else:
        messages.info(request, error.detail)
    return redirect("account")


def _tell(request: Request, refunds: list[Refund]) -> None:
    text = "Your subscription is cancelled."
    for refund in refunds:
        if refund.status == Refund.Status.SUCCEEDED:
            text += f" {money.spoken(refund.money)} was given back."
        elif refund.status == Refund.Status.FAILED:
            text += (
                f" The bank did not take the refund of {money.spoken(refund.money)} by itself, so a person here sees "
                "to it; it is not lost."
            )
        else:
            text += f" {money.spoken(refund.money)} is on its way back."
    messages.success(request, text)


def _page(
    request: Request,
    subscription: Subscription | None,
    now: datetime,
    form: CancelForm | None = None,
    status: int = 200,
) -> HttpResponse:
    try:
        preview = cancellation.preview(subscription, at=now) if subscription else None
    except Refused:
        preview = None
    if subscription is None or preview is None:
        left = {"live": live_subscription(request.user), "ending": lifecycle.running_out(request.user.pk, at=now)}
        return render(request, "subscriptions/nothing_to_cancel.html", left, status=status)
    figures = {"subscription": subscription.pk, "expected_refund": money.plain(preview.refund)}
    if form is None or "expected_refund" in form.errors:
        form = CancelForm(subscription.price.currency, initial={**figures, "reason": request.POST.get("reason", "")})
    context = {
        "subscription": subscription,
        "preview": preview,
        "at_once": preview.access_until <= now,
        "card": _card(subscription),
        "form": form,
        "figures": figures,
    }
    return render(request, "subscriptions/cancel.html", context, status=status)


def _card(subscription: Subscription) -> str:
    """The card that the money would go back to."""
    paid = Payment.objects.filter(invoice__in=subscription.periods.values("invoice"), status=Payment.Status.SUCCEEDED)
    payment = paid.filter(surplus=False).order_by("-settled_at").first()
    return payment.card if payment else ""
