"""What the pages share: who asks, what is theirs, and where the bank's page is."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import tzinfo
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from accounts.models import User
from billing.errors import Refused
from billing.models import Payment
from subscriptions.models import Period, Subscription

NOBODY = uuid.UUID(int=0)


class Request(HttpRequest):
    """The request of somebody who is logged in."""

    user: User


def actor(user: User) -> str:
    """Who does it, as events name them."""
    return f"user:{user.pk}"


def action(page: str) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """For a view that a button on `page` (a URL name with the same arguments, or with none) posts to.

    Whoever comes by a link, or has to log in first, lands on that page: after a log-in there is no form to send again.
    """

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @never_cache
        @wraps(view)
        def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            back = reverse(page, kwargs=kwargs if page == "payment" else None)
            if not request.user.is_authenticated:
                return redirect_to_login(back)
            if request.method != "POST":
                return redirect(back)
            return view(request, **kwargs)

        return guarded

    return decorate


def return_url() -> str:
    """Where the bank sends a customer back to; billing puts the payment's id in. `back` tells the page who comes."""
    return settings.PUBLIC_URL + reverse("payment", args=[NOBODY]).replace(str(NOBODY), "{payment}") + "?back=1"


def bank_page(payment: Payment) -> str:
    """Where the customer pays; empty where there is no page, or an address to which no browser should be sent."""
    try:
        address = urlsplit(payment.redirect_url)
    except ValueError:
        return ""
    waits = payment.status == Payment.Status.PENDING and not payment.parked
    return payment.redirect_url if waits and address.scheme in ("http", "https") and address.netloc else ""


def widget(payment: Payment) -> dict[str, Any]:
    """The script of the bank's card form and what to start it with; empty where there is none, or nothing to pay."""
    waits = payment.status == Payment.Status.PENDING and not payment.parked
    script = str(payment.widget.get("script", ""))
    return dict(payment.widget) if waits and script.startswith(("https://", "http://")) else {}


def to_bank(payment: Payment) -> HttpResponse:
    """On to the bank's page; to the payment's own page where the bank has none for us."""
    return HttpResponseRedirect(bank_page(payment) or reverse("payment", args=[payment.pk]))


def own_payment(user: User, payment_id: uuid.UUID) -> Payment:
    """A payment of this user's. Raises Http404 for somebody else's as for one that is not."""
    return get_object_or_404(Payment.objects.select_related("invoice__account"), pk=payment_id, user=user)


def period_of(invoice_id: uuid.UUID) -> Period | None:
    """The period that an invoice billed, with its plan; None where it billed something else."""
    return Period.objects.filter(invoice_id=invoice_id).select_related("subscription__plan").first()


def zone_of(period: Period | None) -> tzinfo:
    """The time zone in which people read about it."""
    return period.subscription.plan.zone if period else timezone.get_default_timezone()


def live_subscription(user: User) -> Subscription | None:
    """The one subscription that is running or waits for its payment."""
    return Subscription.objects.filter(user=user, status__in=Subscription.LIVE).select_related("plan", "price").first()


def own_subscription(request: Request) -> Subscription:
    """The subscription that a posted form was about. Raises Http404 for somebody else's and for no id at all."""
    try:
        wanted = uuid.UUID(request.POST.get("subscription", ""))
    except ValueError:
        raise Http404 from None
    return get_object_or_404(Subscription.objects.select_related("price"), user=request.user, pk=wanted)


def done(request: Request, deed: Callable[[Subscription], object], *, says: str, page: str = "account") -> HttpResponse:
    """Does one thing to the subscription that the form was about, and says so, or why not, on `page`."""
    subscription = own_subscription(request)
    try:
        deed(subscription)
    except Refused as refusal:
        messages.error(request, refusal.detail)
    else:
        messages.success(request, says)
    return redirect(page)


def waiting_payment(subscription: Subscription) -> Payment | None:
    """The newest payment of the first period of a subscription that waits for it."""
    return Payment.objects.filter(invoice__in=subscription.periods.values("invoice")).order_by("-created_at").first()
