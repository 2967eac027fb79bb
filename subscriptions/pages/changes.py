"""Another plan: at once for the difference, or from the next term on; a rest and its end; a trial."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from billing import money
from billing.errors import Refused
from subscriptions import changes, lifecycle, next_plans, offers, pauses, terms, trials
from subscriptions.models import Subscription
from subscriptions.pages.common import (
    Request,
    action,
    actor,
    done,
    live_subscription,
    own_subscription,
    return_url,
    to_bank,
)


@never_cache
@login_required
@require_safe
def choose(request: Request) -> HttpResponse:
    """Every other plan: what it costs now, and from the next term on; and whether one may rest."""
    now, live = timezone.now(), live_subscription(request.user)
    if live is None or live.plan.hourly or live.status not in (*terms.RUNNING, Subscription.Status.PAUSED):
        messages.info(request, "You have no running subscription whose plan could be changed.")
        return redirect("account")
    rows = [
        {"offer": offer, "switch": _switch(live, offer, now), "total": money.plain(offer.quote.total)}
        for offer in offers.on_sale(at=now)
        if offer.plan.pk != live.plan_id
    ]
    for row in rows:
        row["to_pay"] = money.plain(row["switch"].to_pay) if isinstance(row["switch"], changes.Switch) else ""
    context = {
        "subscription": live,
        "rows": rows,
        "card": live.method if live.method and live.method.removed_at is None else None,
        "rest": _rest(live, now),
        "back": pauses.return_preview(live, at=now) if live.status == Subscription.Status.PAUSED else None,
    }
    return render(request, "subscriptions/change.html", context)


@action("change")
def upgrade(request: Request) -> HttpResponse:
    """The difference is paid: on the bank's page, or by the saved card."""
    own, by_card = own_subscription(request), request.POST.get("by_saved_card") == "on"
    try:
        shown = money.parse(request.POST.get("expected_total", ""), own.price.currency)
        order = lifecycle.Order(plan=request.POST.get("plan", ""), return_url=return_url(), expected_total=shown)
        asked = changes.upgrade(own.pk, order, actor=actor(request.user), at=timezone.now(), by_saved_card=by_card)
    except money.BadAmount:
        raise Http404 from None
    except Refused as refusal:
        messages.error(request, f"{refusal.detail} Nothing was charged.")
        return redirect("change")
    return to_bank(asked.payment)


@action("change")
def next_plan(request: Request) -> HttpResponse:
    """Another plan from the next term on; without one, the plan of now goes on."""
    own, plan, now = own_subscription(request), request.POST.get("plan", ""), timezone.now()
    try:
        shown = money.parse(request.POST.get("expected_price", ""), own.price.currency)
        if plan:
            next_plans.plan_next(own.pk, plan, actor=actor(request.user), at=now, expected_price=shown)
        else:
            next_plans.keep_plan(own.pk, actor=actor(request.user), at=now, expected_price=shown)
    except money.BadAmount:
        raise Http404 from None
    except Refused as refusal:
        messages.error(request, f"{refusal.detail} Nothing has changed.")
    else:
        messages.success(request, "Noted for the next term. The running one stays as it is.")
    return redirect("change")


@action("change")
def pause(request: Request) -> HttpResponse:
    """A rest, where the plan leaves it to the customer."""
    who, now = actor(request.user), timezone.now()
    return done(
        request,
        lambda own: pauses.pause(own.pk, actor=who, at=now, by_customer=True),
        says="It rests. Nothing is charged; what is left is kept until you go on.",
    )


@action("change")
def resume(request: Request) -> HttpResponse:
    """The rest is over."""
    who, now = actor(request.user), timezone.now()
    return done(request, lambda own: pauses.resume(own.pk, actor=who, at=now), says="Welcome back: films play again.")


@action("plans")
def trial(request: Request) -> HttpResponse:
    """Some days for nothing."""
    try:
        begun = trials.begin(
            request.user.pk, request.POST.get("plan", ""), actor=actor(request.user), at=timezone.now()
        )
    except Refused as refusal:
        messages.error(request, refusal.detail)
        return redirect("plans")
    messages.success(request, f"{begun.plan.name} begins now, for nothing. It ends by itself.")
    return redirect("account")


def _switch(live: Subscription, offer: offers.Offer, now: datetime) -> changes.Switch | str:
    """What the plan would cost at once, or why it cannot be had at once."""
    try:
        return changes.preview(live, offer.plan.code, at=now)
    except Refused as refusal:
        return refusal.detail


def _rest(live: Subscription, now: datetime) -> pauses.Rest | None:
    if not live.plan.customers_may_pause:
        return None
    try:
        return pauses.preview(live, at=now)
    except Refused:
        return None
