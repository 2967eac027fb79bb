"""The wallet: what it holds and how it came to that, putting money in, paying from it, having it back."""

from __future__ import annotations

import re
import uuid

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from moneyed import Money

from accounts.fields import validate_printable
from billing import ledger, money, wallets
from billing.errors import Refused
from billing.models import Invoice
from subscriptions.forms import ShownAmount
from subscriptions.models import Period
from subscriptions.pages import tariffs
from subscriptions.pages.common import Request, action, actor, return_url, to_bank
from subscriptions.tariffs import spoken

CURRENCY = "RUB"  # of the shop's pages; the API has the others
LINES = 20


class TopUpForm(forms.Form):
    """What to put in. `key` is made anew for each page, so that a double click is one top-up."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    value = forms.CharField(
        max_length=24,
        label="How much, in rubles",
        widget=forms.TextInput(attrs={"inputmode": "decimal", "placeholder": "500"}),
    )
    description = forms.CharField(
        max_length=200, required=False, validators=[validate_printable], label="A note for your statement (optional)"
    )

    def clean_value(self) -> Money:
        typed = re.sub(r"\s", "", str(self.cleaned_data["value"])).replace(",", ".")
        try:
            return money.parse(typed, CURRENCY)
        except money.BadAmount as error:
            raise ValidationError(f"{str(error).capitalize()}.") from None


class CloseForm(forms.Form):
    """Having it all back: the figure that was shown."""

    expected_balance = ShownAmount(CURRENCY)


@never_cache
@login_required
@require_safe
def wallet(request: Request) -> HttpResponse:
    """What is there, and the statement."""
    return _page(request, TopUpForm(label_suffix="", initial={"key": uuid.uuid4()}))


@action("wallet")
def top_up(request: Request) -> HttpResponse:
    """On to the bank's page, to put money in."""
    form = TopUpForm(request.POST, label_suffix="")
    if not form.is_valid():
        return _page(request, form, status=400)
    wanted = wallets.TopUp(
        amount=form.cleaned_data["value"],
        description=form.cleaned_data["description"],
        return_url=return_url(),
        request_key=f"form:{form.cleaned_data['key']}",
    )
    try:
        return to_bank(wallets.top_up(request.user.pk, wanted, actor=actor(request.user), at=timezone.now()))
    except Refused as error:
        if error.code == "email_not_confirmed":
            messages.warning(request, error.detail)
            return redirect("account")
        form.add_error("value", error.detail)
        return _page(request, form, status=400)


@action("wallet")
def pay(request: Request) -> HttpResponse:
    """Pays an invoice of one's own from the wallet."""
    try:
        invoice = get_object_or_404(Invoice, pk=uuid.UUID(request.POST.get("invoice", "")), user=request.user)
    except ValueError:
        raise Http404 from None
    try:
        payment = wallets.pay(invoice.pk, actor=actor(request.user), at=timezone.now())
    except Refused as error:
        messages.error(request, f"{error.detail} Nothing was taken from the wallet.")
        return redirect("wallet")
    return redirect("payment", payment_id=payment.pk)


@action("wallet")
def close(request: Request) -> HttpResponse:
    """Everything back to the cards that filled the wallet."""
    form = CloseForm(request.POST)
    if not form.is_valid():
        messages.error(request, "The form did not arrive whole. Please look it through and press the button again.")
        return redirect("wallet")
    try:
        made = wallets.close(
            request.user.pk,
            CURRENCY,
            actor=actor(request.user),
            at=timezone.now(),
            reason="Closed by the customer",
            expected_balance=form.cleaned_data["expected_balance"],
            requested_by=request.user.pk,
        )
    except Refused as error:
        messages.error(request, f"{error.detail} Nothing was given back.")
    else:
        whole = sum((refund.money for refund in made), start=money.from_minor(0, CURRENCY))
        messages.success(request, f"{money.spoken(whole)} is on its way back to the cards that filled the wallet.")
    return redirect("wallet")


def _spans(transfers: list[int]) -> dict[int, str]:
    """For how long each charge by the hour was, by its transfer."""
    rows = Period.objects.filter(transfer__in=transfers).values_list("transfer_id", "starts_at", "ends_at")
    return {pk: spoken(ends_at - starts_at) for pk, starts_at, ends_at in rows if pk and starts_at and ends_at}


def _page(request: Request, form: TopUpForm, status: int = 200) -> HttpResponse:
    row = ledger.wallet(request.user.pk, CURRENCY)
    cursor = request.GET.get("before", "")
    before = int(cursor) if re.fullmatch(r"[0-9]{1,18}", cursor) else None
    lines = wallets.statement(row, before=before, count=LINES + 1)
    spans = _spans([line.id for line in lines])
    context = {
        "balance": ledger.held(row),
        "lines": [(line, spans.get(line.id, "")) for line in lines[:LINES]],
        "older": lines[LINES - 1].id if len(lines) > LINES else None,
        "form": form,
        "limit": wallets.limit(CURRENCY),
        **tariffs.told(request.user, timezone.now()),
    }
    return render(request, "subscriptions/wallet.html", context, status=status)
