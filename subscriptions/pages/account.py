"""The account: what one has, the saved cards, payments, refunds and receipts."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Sum
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.models import User
from billing import cards, ledger
from billing.errors import NotFound
from billing.models import Invoice, InvoiceLine, Payment, PaymentMethod, Refund
from subscriptions import agreements, lifecycle, offers, trials
from subscriptions.explain import explain, last_try
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
from subscriptions.pages.faces import Face, face, refund_face, shown

SHOWN = 50  # newest payments on the page: years of them
NEWS = timedelta(days=30)  # so long the account tells of a subscription that is over


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
    what: str = ""
    receipt: bool = False


@dataclass(frozen=True, slots=True)
class Past:
    """A subscription that was over lately, and the refund that its cancellation brought."""

    subscription: Subscription
    refund: Refund | None


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
        "past": _past(user, now),
        "waiting": waiting,
        "last_try": last_try(live) if live else "",
        "trial": live is not None and trials.runs(live),
        "next_charge": agreements.next_charge(live, at=now) if live else None,
        "next_price": offers.renewal(live, at=now).quote.total if live else None,
        "may_pay": live is not None and agreements.may_pay(live, at=now),
        "bank_page": bank_page(waiting) if waiting else "",
        "wallet": ledger.held(ledger.wallet(user.pk, "RUB")),
        "cards": PaymentMethod.objects.filter(user=user, removed_at=None).order_by("-created_at"),
        "paid": _payments(rows[:SHOWN]),
        "more": len(rows) > SHOWN,
        "returned": _refunds(user),
        "explanation": explain(user, at=now),
        "support": settings.SUPPORT_EMAIL,
    }
    return render(request, "subscriptions/account.html", context)


@action("account")
def remove_card(request: Request) -> HttpResponse:
    """Forgets a saved card."""
    try:
        card = cards.remove(uuid.UUID(request.POST.get("card", "")), request.user.pk, at=timezone.now())
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
    rows = list(shown(payment.refunds.order_by("created_at"))) if payment else []
    lines = list(invoice.lines.order_by("position"))
    back = sum((row.money for row in rows if row.status == Refund.Status.SUCCEEDED), invoice.money * 0)
    context = {
        "invoice": invoice,
        "lines": lines,
        "discounted": any(line.discount for line in lines),
        "payment": payment,
        "period": period,
        "zone": zone,
        "refunds": [_returned(refund, zone) for refund in rows],
        "given_back": back,
        "net": invoice.money - back,
    }
    return render(request, "subscriptions/receipt.html", context)


def _payments(rows: list[Payment]) -> list[Paid]:
    invoices = [row.invoice_id for row in rows]
    zones, what = _zones(invoices), _what(invoices)
    made = Refund.objects.filter(payment__in=rows, status=Refund.Status.SUCCEEDED).order_by()
    returned = dict(made.values("payment").annotate(sum=Sum("amount")).values_list("payment", "sum"))
    return [
        Paid(
            payment=row,
            face=face(row, row.invoice, None, returned=int(returned.get(row.pk, 0))),
            what=what.get(row.invoice_id, str(row.invoice)),
            zone=zones.get(row.invoice_id, timezone.get_default_timezone()),
            receipt=row.status == Payment.Status.SUCCEEDED and not row.surplus,
        )
        for row in rows
    ]


def _refunds(user: User) -> list[Returned]:
    found = shown(Refund.objects.filter(payment__user=user))
    rows = list(found.select_related("payment__invoice").order_by("-created_at")[:SHOWN])
    invoices = [row.payment.invoice_id for row in rows]
    zones, what = _zones(invoices), _what(invoices)
    return [
        _returned(
            row,
            zones.get(row.payment.invoice_id, timezone.get_default_timezone()),
            what=what.get(row.payment.invoice_id, str(row.payment.invoice)),
        )
        for row in rows
    ]


def _returned(refund: Refund, zone: tzinfo, what: str = "") -> Returned:
    badge, words = refund_face(refund)
    return Returned(refund, badge, words, zone, what, receipt=not refund.payment.surplus)


def _past(user: User, now: datetime) -> Past | None:
    """The subscription that was over last, while that is news."""
    over = [Subscription.Status.CANCELLED, Subscription.Status.ENDED, Subscription.Status.EXPIRED]
    lately = Subscription.objects.filter(user=user, status__in=over, access_until__lte=now, access_until__gt=now - NEWS)
    last = lately.select_related("plan").order_by("-access_until").first()
    if last is None:
        return None
    return Past(last, shown(Refund.objects.filter(request_key=f"cancel:{last.pk}")).first())


def _what(invoices: list[uuid.UUID]) -> dict[uuid.UUID, str]:
    """What each invoice is for: its first line."""
    lines = InvoiceLine.objects.filter(invoice__in=invoices).order_by("-position")
    return dict(lines.values_list("invoice_id", "description"))


def _zones(invoices: list[uuid.UUID]) -> dict[uuid.UUID, tzinfo]:
    """The time zone of the plan that each invoice billed."""
    periods = Period.objects.filter(invoice__in=invoices).select_related("subscription__plan")
    return {period.invoice_id: zone_of(period) for period in periods if period.invoice_id}
