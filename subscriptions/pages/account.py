"""The account: what one has, the saved cards, payments, refunds and receipts."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import tzinfo

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.models import User
from billing import payments
from billing.errors import NotFound
from billing.models import Invoice, InvoiceLine, Payment, PaymentMethod, Refund
from subscriptions import lifecycle
from subscriptions.models import Period, Subscription
from subscriptions.pages.common import (
    Request,
    action,
    bank_page,
    live_subscription,
    period_of,
    waiting_payment,
    zone_of,
)
from subscriptions.pages.faces import Face, face, refund_face

SHOWN = 50  # newest payments on the page: years of them


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment as the account lists it."""

    payment: Payment
    face: Face
    what: str
    zone: tzinfo
    receipt: bool


@dataclass(frozen=True, slots=True)
class Returned:
    """A refund as the account lists it."""

    refund: Refund
    badge: str
    words: str
    zone: tzinfo


@never_cache
@login_required
@require_safe
def account(request: Request) -> HttpResponse:
    """Everything one has here, on one page."""
    now, user = timezone.now(), request.user
    live = live_subscription(user)
    waiting = waiting_payment(live) if live and live.status == Subscription.Status.PENDING else None
    rows = list(Payment.objects.filter(user=user).select_related("invoice").order_by("-created_at", "-id")[: SHOWN + 1])
    context = {
        "now": now,
        "live": live,
        "ending": lifecycle.running_out(user.pk, at=now),
        "waiting": waiting,
        "bank_page": bank_page(waiting) if waiting else "",
        "cards": PaymentMethod.objects.filter(user=user, removed_at=None).order_by("-created_at"),
        "paid": _payments(rows[:SHOWN]),
        "more": len(rows) > SHOWN,
        "returned": _refunds(user),
    }
    return render(request, "subscriptions/account.html", context)


@action("account")
def remove_card(request: Request) -> HttpResponse:
    """Forgets a saved card."""
    try:
        card = payments.remove_card(uuid.UUID(request.POST.get("card", "")), request.user.pk, at=timezone.now())
    except (ValueError, NotFound):
        messages.error(request, "There is no such card in your account.")
    else:
        messages.success(request, f"{card.brand} {card.mask} is removed and will not be charged.")
    return redirect("account")


@never_cache
@login_required
@require_safe
def receipt(request: Request, invoice_id: uuid.UUID) -> HttpResponse:
    """What was paid for, how, and what came back: for printing."""
    invoice = get_object_or_404(Invoice, pk=invoice_id, user=request.user, status=Invoice.Status.PAID)
    payment = invoice.payments.filter(status=Payment.Status.SUCCEEDED, surplus=False).first()
    period = period_of(invoice.pk)
    zone = zone_of(period)
    context = {
        "invoice": invoice,
        "lines": invoice.lines.order_by("position"),
        "payment": payment,
        "period": period,
        "zone": zone,
        "refunds": [_returned(refund, zone) for refund in payment.refunds.order_by("created_at")] if payment else [],
    }
    return render(request, "subscriptions/receipt.html", context)


def _payments(rows: list[Payment]) -> list[Paid]:
    invoices = [row.invoice_id for row in rows]
    zones = _zones(invoices)
    what = dict(
        InvoiceLine.objects.filter(invoice__in=invoices).order_by("-position").values_list("invoice_id", "description")
    )
    return [
        Paid(
            payment=row,
            face=face(row, row.invoice, None),
            what=what.get(row.invoice_id, str(row.invoice)),
            zone=zones.get(row.invoice_id, timezone.get_default_timezone()),
            receipt=row.status == Payment.Status.SUCCEEDED and not row.surplus,
        )
        for row in rows
    ]


def _refunds(user: User) -> list[Returned]:
    rows = list(
        Refund.objects.filter(payment__user=user).select_related("payment__invoice").order_by("-created_at")[:SHOWN]
    )
    zones = _zones([row.payment.invoice_id for row in rows])
    return [_returned(row, zones.get(row.payment.invoice_id, timezone.get_default_timezone())) for row in rows]


def _returned(refund: Refund, zone: tzinfo) -> Returned:
    badge, words = refund_face(refund)
    return Returned(refund, badge, words, zone)


def _zones(invoices: list[uuid.UUID]) -> dict[uuid.UUID, tzinfo]:
    """The time zone of the plan that each invoice billed."""
    periods = Period.objects.filter(invoice__in=invoices).select_related("subscription__plan")
    return {period.invoice_id: zone_of(period) for period in periods if period.invoice_id}
