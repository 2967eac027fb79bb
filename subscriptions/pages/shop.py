"""Plans and the checkout."""

from __future__ import annotations

import uuid
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from moneyed import Money
from rest_framework.exceptions import Throttled

from accounts.models import User
from accounts.throttles import guessing, retry_after
from acquiring import registry
from billing import money
from billing.errors import NotFound, Refused
from subscriptions import discounts, lifecycle, offers, trials
from subscriptions.calendar import anniversary
from subscriptions.forms import CheckoutForm
from subscriptions.models import Plan, Subscription
from subscriptions.pages.common import (
    Request,
    actor,
    live_subscription,
    return_url,
    to_bank,
    waiting_payment,
)


@dataclass(frozen=True, slots=True)
class Term:
    """When a term would run if it were paid now. `after` is the cancelled subscription that it would follow."""

    begins_at: datetime
    ends_at: datetime
    after: Subscription | None


@dataclass(frozen=True, slots=True)
class Shelf:
    """An offer as the page of plans shows it."""

    offer: offers.Offer
    per_month: Money
    about: bool  # per_month is rounded
    best: bool
    ends_at: datetime


@require_safe
def plans(request: HttpRequest) -> HttpResponse:
    """What is on sale; what one has already, and where to manage it."""
    now = timezone.now()
    user = request.user
    live = live_subscription(user) if user.is_authenticated else None
    ending = lifecycle.running_out(user.pk, at=now) if user.is_authenticated else None
    waiting = live is not None and live.status == Subscription.Status.PENDING
    context = {
        "shelves": _shelves(now, ending, user.pk if user.is_authenticated else None),
        "live": live,
        "waiting": waiting_payment(live) if live and waiting else None,
        "ending": ending,
        "trials": _trials(user.pk if user.is_authenticated else None, now),
        "may_buy": _may_buy(live),
        "cooling_off": _minutes(settings.COOLING_OFF),
    }
    return render(request, "subscriptions/plans.html", context)


@never_cache
@login_required
def checkout(request: Request, code: str) -> HttpResponse:
    """What one is about to buy, and the way to the bank's page."""
    now, typed = timezone.now(), _typed(request)
    try:
        offer = offers.find(code, at=now, user_id=request.user.pk)
    except NotFound:
        raise Http404 from None
    refusal, wait = "", 0
    try:
        with guessing(request, "promo", misses=discounts.MISSES, said=discounts.SLOWER) if typed else nullcontext():
            offer = offers.find(code, at=now, user_id=request.user.pk, promo_code=typed)
    except Throttled as error:
        wait = retry_after(error)
        refusal = f"{discounts.SLOWER} That is in {_minutes(timedelta(minutes=1 + wait // 60))}."
    except Refused as error:  # said on the page; on the way to the bank, the verb says it
        refusal = error.detail
    if not request.user.is_confirmed:
        return render(request, "subscriptions/confirm_first.html", {"plan": offer.plan}, status=403)
    if wait:
        return _slower(request, offer, now, refusal, wait)
    form = CheckoutForm(offer.price.currency, request.POST or None)
    if request.method != "POST" or "look" in request.POST:
        return _checkout_page(request, offer, now, refusal=refusal)
    if not form.is_valid():
        messages.error(request, "The form did not arrive whole. Please look it through and press the button again.")
        return _checkout_page(request, offer, now, status=400, refusal=refusal)
    return _subscribe(request, offer, form, now)


def _slower(request: Request, offer: offers.Offer, now: datetime, refusal: str, wait: int) -> HttpResponse:
    """The checkout without a code, for who guesses at codes."""
    response = _checkout_page(request, offer, now, status=429, refusal=refusal)
    response["Retry-After"] = str(wait)
    return response


def _trials(user_id: uuid.UUID | None, now: datetime) -> set[int]:
    """The plans that somebody may try for nothing; a stranger may, once they have signed up."""
    tried = [offer for offer in offers.on_sale(at=now) if offer.plan.trial_days]
    return {offer.plan.pk for offer in tried if user_id is None or trials.on_offer(user_id, offer)}


def _may_buy(live: Subscription | None) -> bool:
    """Whether a new term can be chosen: also in the days of grace, when the old one is over."""
    return live is None or live.status in (Subscription.Status.PENDING, Subscription.Status.PAST_DUE)


def _subscribe(request: Request, offer: offers.Offer, form: CheckoutForm, now: datetime) -> HttpResponse:
    order = lifecycle.Order(
        plan=offer.plan.code,
        acquirer=form.cleaned_data.get("acquirer", ""),
        return_url=return_url(),
        auto_renew=form.cleaned_data.get("save_card", False),
        promo_code=_typed(request),
        expected_total=form.cleaned_data["expected_total"],
        request_key=f"form:{offer.plan.code}:{form.cleaned_data['key']}",
    )
    try:
        payment = lifecycle.subscribe(request.user.pk, order, actor=actor(request.user), at=now).payment
    except Refused as error:
        return _refused(request, offer, error, now)
    if payment is None:
        messages.success(request, f"{offer.plan.name} begins now. There was nothing to pay.")
        return redirect("account")
    return to_bank(payment)


def _typed(request: Request) -> str:
    """The promo code that came with the page's address or its form."""
    form = request.POST if request.method == "POST" else request.GET
    return form.get("promo_code", "").strip()[:200]


def _chosen(request: Request, offer: offers.Offer) -> dict[str, object]:
    """What was chosen on this page before. A consent stands while its price does, and no link ticks it."""
    same_price = request.POST.get("list_price") == money.plain(offer.quote.list_price)
    chosen: dict[str, object] = {"save_card": same_price and request.POST.get("save_card") == "on"}
    if request.POST.get("acquirer") in registry.names():
        chosen["acquirer"] = request.POST["acquirer"]
    return chosen


def _refused(request: Request, offer: offers.Offer, error: Refused, now: datetime) -> HttpResponse:
    if error.code == "stale_total":
        messages.warning(request, f"{error.detail} Nothing was charged. Please look again before you pay.")
        return _checkout_page(request, offer, now, status=409)
    if error.code.startswith("promo_"):
        offer = replace(offer, discounts=replace(offer.discounts, promo=None))
        messages.warning(request, "Nothing was charged. Please look again before you pay.")
        return _checkout_page(request, offer, now, status=409, refusal=error.detail)
    if error.code == "email_not_confirmed":
        return render(request, "subscriptions/confirm_first.html", {"plan": offer.plan}, status=403)
    if error.code == "plan_not_found":
        raise Http404
    live = live_subscription(request.user)
    if error.code == "payment_in_progress" and live and (payment := waiting_payment(live)):
        messages.warning(
            request, "The bank has not said yet what became of your last payment. Please wait for it; then choose anew."
        )
        return redirect("payment", payment_id=payment.pk)
    if error.code == "already_subscribed":
        messages.info(request, "You have a subscription already: here it is.")
        return redirect("account")
    messages.error(request, f"{error.detail} Nothing was charged.")
    return redirect("checkout", code=offer.plan.code)


def _checkout_page(
    request: Request, offer: offers.Offer, now: datetime, status: int = 200, refusal: str = ""
) -> HttpResponse:
    live = live_subscription(request.user)
    waiting = None
    if live and not _may_buy(live):
        messages.info(request, f"You have a subscription already: {live.plan.name}.")
        return redirect("account")
    if live and live.status == Subscription.Status.PENDING:
        waiting = waiting_payment(live)
    shown = {"key": uuid.uuid4(), "expected_total": money.plain(offer.quote.total)}
    fresh = CheckoutForm(offer.price.currency, initial=shown | _chosen(request, offer))
    context = {
        "offer": offer,
        "form": fresh,
        "term": _term(offer.plan, request.user, now),
        "whole": offer.price.money + offer.saving.amount if offer.saving else offer.price.money,
        "promo_code": _typed(request),
        "promo_refusal": refusal,
        "live": live,
        "waiting": waiting,
        "refund_rule": refund_rule(offer.plan),
    }
    return render(request, "subscriptions/checkout.html", context, status=status)


def refund_rule(plan: Plan) -> list[str]:
    """The refund rule of a plan in two plain sentences."""
    window = _minutes(settings.COOLING_OFF)
    soon = f"Cancel within {window} of paying and all of it comes back."
    month = "the month" if plan.months == 1 else "the term"
    rules = {
        Plan.RefundPolicy.UNUSED_MONTHS: [
            soon,
            "Cancel later and you get back the price of every month that has not begun; you watch on to the end of the "
            "month in progress."
            if plan.months > 1
            else "Cancel later and nothing comes back for the month that has begun; you watch on to its end.",
        ],
        Plan.RefundPolicy.PRO_RATA_DAYS: [
            soon,
            "Cancel later and you get back the price of every whole day that is left; access ends at once.",
        ],
        Plan.RefundPolicy.WINDOW_ONLY: [
            soon,
            f"Cancel later and nothing comes back; you watch on to the end of {month}.",
        ],
        Plan.RefundPolicy.NONE: [
            "This plan gives no money back.",
            f"You can cancel at any time, and watch on to the end of {month}.",
        ],
    }
    return rules[Plan.RefundPolicy(plan.refund_policy)]


def _term(plan: Plan, user: User | None, now: datetime) -> Term:
    """The term as `lifecycle.activate` would begin it now."""
    after = lifecycle.running_out(user.pk, at=now) if user else None
    begins_at = lifecycle.begins_at(after, at=now)
    return Term(begins_at, anniversary(begins_at, plan.months, plan.zone), after)


def _shelves(now: datetime, ending: Subscription | None, user_id: uuid.UUID | None) -> list[Shelf]:
    found = offers.listed(offers.on_sale(at=now, user_id=user_id))
    best = max((o for o in found if o.saving), key=lambda o: o.saving.percent if o.saving else 0, default=None)
    begins_at = lifecycle.begins_at(ending, at=now)
    shelves = []
    for offer in found:
        months, total = offer.plan.months, offer.quote.total
        per_month = money.fraction(total, 1, months)
        shelves.append(
            Shelf(
                offer=offer,
                per_month=per_month,
                about=per_month * months != total,
                best=offer is best,
                ends_at=anniversary(begins_at, months, offer.plan.zone),
            )
        )
    return shelves


def _minutes(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if minutes in (1, 60):
        return "one minute" if minutes == 1 else "one hour"
    return f"{minutes} minutes" if minutes % 60 else f"{minutes // 60} hours"
