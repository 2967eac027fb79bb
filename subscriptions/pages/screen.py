"""Films: the list is open to all, a film to whoever has access."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from subscriptions import entitlements
from subscriptions import films as catalogue
from subscriptions.models import Subscription
from subscriptions.pages.common import live_subscription, waiting_payment


@never_cache
@require_safe
def films(request: HttpRequest) -> HttpResponse:
    """All films; the ones that do not open are shown locked."""
    owed: set[str] = set()
    if request.user.is_authenticated:
        owed = {entitlement.role for entitlement in entitlements.of(request.user.pk, at=timezone.now())}
    shown = [(film, film.role in owed) for film in catalogue.FILMS]
    return render(request, "subscriptions/films.html", {"films": shown, "locked": any(not opens for _, opens in shown)})


@never_cache
@require_safe
def film(request: HttpRequest, slug: str) -> HttpResponse:
    """One film, playing; the way to a subscription for whoever has none."""
    found = catalogue.find(slug)
    if found is None:
        raise Http404
    user = request.user
    if user.is_authenticated and entitlements.may(user.pk, found.role, at=timezone.now()):
        return render(request, "subscriptions/film.html", {"film": found})
    live = live_subscription(user) if user.is_authenticated else None
    waiting = waiting_payment(live) if live and live.status == Subscription.Status.PENDING else None
    return render(request, "subscriptions/film_locked.html", {"film": found, "waiting": waiting}, status=403)
