"""The page of one payment: it follows the bank by itself, and offers what can be done next."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from moneyed import Money

from accounts.models import User
from billing import checkouts, ledger, payments
from billing.errors import Refused
from billing.models import Account, Invoice, Payment, Refund
from subscriptions import entitlements, films, lifecycle
from subscriptions.explain import explain
from subscriptions.models import Period, Subscription
from subscriptions.pages.common import (
    Request,
    action,
    actor,
    bank_page,
    live_subscription,
    own_payment,
    period_of,
    return_url,
    to_bank,
    waiting_payment,
    widget,
    zone_of,
)
from subscriptions.pages.faces import face, refund_face, shown

LOOKS = 10  # so often a page without scripts looks for the bank's news before it says again that the bank waits


@never_cache
@login_required
@require_safe
def payment(request: Request, payment_id: uuid.UUID) -> HttpResponse:
    """The whole page."""
    seen = _look(request, payment_id, timezone.now())
    if seen["back"]:
        seen["refresh"] = f"3;url=?back={seen['back'] + 1}"
    else:
        seen["refresh"] = "10" if seen["face"].look in ("pending", "parked") else "3"
    return render(request, "subscriptions/payment.html", seen)


@never_cache
@login_required
@require_safe
def state(request: Request, payment_id: uuid.UUID) -> HttpResponse:
    """The part of the page that changes, for the script that asks for it."""
    return render(request, "subscriptions/_payment_state.html", _look(request, payment_id, timezone.now()))


@action("payment")
def pay_again(request: Request, payment_id: uuid.UUID) -> HttpResponse:
    """Another attempt after one that failed or was closed."""
    failed = own_payment(request.user, payment_id)
    period = period_of(failed.invoice_id)
    if period is None:
        messages.error(request, "This payment cannot be tried again from here.")
        return redirect("payment", payment_id=payment_id)
    order = lifecycle.Order(
        plan=period.subscription.plan_id,
        return_url=return_url(),
        save_card=failed.save_card,
    )
    try:
        again = lifecycle.pay_again(period.subscription_id, order, actor=actor(request.user), at=timezone.now())
    except Refused as error:
        return _cannot_pay_again(request, failed, error)
    return to_bank(again)


@action("account")
def drop(request: Request) -> HttpResponse:
    """Gives up a checkout that was not paid; a payment that arrives meanwhile is kept."""
    subscription = live_subscription(request.user)
    if subscription is None or subscription.status != Subscription.Status.PENDING:
        messages.info(request, "There is no unfinished checkout to drop.")
        return redirect("account")
    attempt = waiting_payment(subscription)
    invoice_id = lifecycle.first_invoice(subscription).pk
    now, by, why = timezone.now(), actor(request.user), "Dropped by the customer"
    try:
        # Not cancellation.cancel: were it paid this very moment, that would cancel what was just bought.
        checkouts.close(invoice_id, actor=by, at=now, reason=why)
        lifecycle.abandon(invoice_id, actor=by, at=now, reason=why)
    except Refused as error:
        if error.code == "invoice_paid":
            messages.info(request, "The payment has just arrived, so there was nothing to drop.")
        else:
            messages.warning(
                request, "The bank has not said yet what became of the payment. Please wait for its answer."
            )
        return redirect("payment", payment_id=attempt.pk) if attempt else redirect("account")
    messages.success(request, "Dropped. Nothing was charged.")
    return redirect("plans")


def _cannot_pay_again(request: Request, failed: Payment, error: Refused) -> HttpResponse:
    subscription = live_subscription(request.user)
    if error.code == "invoice_paid" or (subscription and subscription.status != Subscription.Status.PENDING):
        messages.info(request, "It is paid already.")
        return redirect("account")
    if error.code in ("not_pending", "invoice_closed"):
        messages.warning(request, "This checkout was closed, and nothing was charged. Please choose a plan again.")
        return redirect("plans")
    messages.error(request, error.detail)
    return redirect("payment", payment_id=failed.pk)


def _look(request: Request, payment_id: uuid.UUID, now: datetime) -> dict[str, Any]:
    """What there is to see of one's payment. Somebody is looking, so a live one is asked about soon."""
    found = own_payment(request.user, payment_id)
    if found.is_live:
        payments.hurry(found.pk, at=now)
    period = period_of(found.invoice_id)
    subscription = period.subscription if period else None
    back = _back(request)
    refunds = [(refund, *refund_face(refund)) for refund in shown(found.refunds.order_by("created_at"))]
    returned = sum(refund.amount for refund, *_ in refunds if refund.status == Refund.Status.SUCCEEDED)
    seen = face(found, found.invoice, subscription, returned=returned, back=back > 0)
    may_watch = found.status == Payment.Status.SUCCEEDED and _may_watch(request.user, now)
    back_soon = any(refund.is_live for refund, *_ in refunds)
    other = _other(found)
    version = [
        seen.look,
        seen.title,
        bank_page(found),
        str(other),
        str(_can_retry(found, period, other)),
        str(may_watch),
    ]
    return {
        "payment": found,
        "period": period,
        "first": period is not None and period.number == 1,
        "what": found.invoice.lines.order_by("position").first(),
        "subscription": subscription,
        "zone": zone_of(period),
        "face": seen,
        "back": back,
        "final": seen.settled and not back_soon,
        "bank_page": bank_page(found),
        "widget": widget(found),
        "can_retry": _can_retry(found, period, other),
        "from_wallet": _from_wallet(found),
        "other": other,
        "refunds": refunds,
        "may_watch": may_watch,
        "receipt": found.status == Payment.Status.SUCCEEDED and not found.surplus,
        "explanation": [*explain(found, at=now), *(told for row, *_ in refunds for told in explain(row, at=now))],
        "support": settings.SUPPORT_EMAIL,
        # Equal while there is nothing new to say: the script then leaves the page, and who listens to it, in peace.
        "version": "|".join([*version, *(f"{refund.pk}{words}" for refund, _, words in refunds)]),
    }


def _from_wallet(found: Payment) -> Money | None:
    """What the wallet holds, where it could pay this invoice instead of the card."""
    invoice = found.invoice
    if invoice.status != Invoice.Status.OPEN or invoice.account.kind == Account.Kind.WALLET or found.parked:
        return None
    held = ledger.held(ledger.wallet(found.user_id, invoice.currency))
    return held if held >= invoice.money else None


def _may_watch(user: User, now: datetime) -> bool:
    return any(entitlements.may(user.pk, role, at=now) for role in {film.role for film in films.FILMS})


def _back(request: Request) -> int:
    """Which look this is since the bank sent the customer back; 0: it did not, or long ago."""
    looks = request.GET.get("back", "")
    return int(looks) if looks in map(str, range(1, LOOKS + 1)) else 0


def _other(found: Payment) -> Payment | None:
    """The attempt that counts where this one does not: the live or successful one of the same invoice."""
    if found.is_live or (found.status == Payment.Status.SUCCEEDED and not found.surplus):
        return None
    counting = [*Payment.LIVE, Payment.Status.SUCCEEDED]
    return found.invoice.payments.filter(status__in=counting, surplus=False).exclude(pk=found.pk).first()


def _can_retry(found: Payment, period: Period | None, other: Payment | None) -> bool:
    dead = found.status in (Payment.Status.FAILED, Payment.Status.CANCELLED) and not found.parked
    waits = period is not None and period.subscription.status == Subscription.Status.PENDING
    return dead and waits and other is None and found.invoice.status == Invoice.Status.OPEN
