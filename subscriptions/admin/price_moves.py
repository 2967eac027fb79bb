"""Price moves: propose one, look at who would move, announce it, withdraw it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString

from billing import money
from billing.admin import telling
from billing.admin.deeds import Deed, Done, ReasonForm, WithDeeds
from billing.admin.lists import as_id
from billing.errors import Refused
from subscriptions import price_moves
from subscriptions.models import Moving, Price, PriceMove, Subscription

if TYPE_CHECKING:
    MoveModelForm = forms.ModelForm[PriceMove]
    PriceChoices = forms.ModelChoiceField[Price]
else:
    MoveModelForm, PriceChoices = forms.ModelForm, forms.ModelChoiceField

PAGE = 50
ASKED = ("plan", "from_price", "to_price", "effective_from", "reason")


class PriceField(PriceChoices):
    """Prices by their plan, sum and start: the sum alone names none."""

    def label_from_instance(self, obj: Price) -> str:
        return f"{obj.plan}: {money.spoken(obj.money)}, from {telling.day(obj.starts_at)}"


class MoveForm(MoveModelForm):
    from_price = PriceField(
        Price.objects.select_related("plan"), required=False,
        help_text="Only those who have this price; empty: everyone of the plan whose price is another one.",
    )  # fmt: skip
    to_price = PriceField(Price.objects.select_related("plan"), help_text="Set it on the plan's page first.")

    class Meta:
        model = PriceMove
        fields = ASKED

    def proposal(self) -> price_moves.Proposal:
        return price_moves.Proposal(**{name: self.cleaned_data[name] for name in ASKED})

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                price_moves.check(self.proposal(), at=timezone.now())
            except Refused as refusal:
                self.add_error(None, refusal.detail)
        return data


class AnnounceForm(ReasonForm):
    expected_people = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


class Announce(Deed):
    slug, label, permission = "announce", "Announce…", "subscriptions.announce_pricemove"
    form, danger, confirm = AnnounceForm, True, "Tell them, and move them then"

    def applies(self, row: PriceMove) -> bool:
        return str(row.status) == PriceMove.Status.DRAFT

    def shown(self, row: PriceMove, at: datetime) -> dict[str, Any]:
        return {"expected_people": price_moves.candidates(row).count()}

    def tells(self, row: PriceMove, at: datetime) -> list[tuple[str, str]]:
        return [
            ("Plan", str(row.plan)),
            ("Who", f"{price_moves.candidates(row).count()} subscribers, as listed on the page before"),
            ("From", money.spoken(row.from_price.money) if row.from_price else "every other price that they have"),
            ("To", money.spoken(row.to_price.money)),
            ("When", telling.moment(row.effective_from)),
            ("What happens", "Each of them gets a mail now. From that day on what is billed to them costs the new "
             "price; what is paid, or billed already, stays as it is. Who cancels before is left alone."),
        ]  # fmt: skip

    def do(self, row: PriceMove, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        actor, people = f"user:{staff.pk}", data["expected_people"]
        price_moves.announce(row.pk, actor=actor, at=at, reason=data["reason"], expected_people=people)
        return Done(f"Announced: {people} subscribers are being told.")


class Withdraw(Deed):
    slug, label, permission = "withdraw", "Withdraw…", "subscriptions.announce_pricemove"
    confirm = "Withdraw it"

    def applies(self, row: PriceMove) -> bool:
        return row.status in (PriceMove.Status.DRAFT, PriceMove.Status.ANNOUNCED)

    def tells(self, row: PriceMove, at: datetime) -> list[tuple[str, str]]:
        told = row.movings.filter(settled_at=None, told_at__isnull=False).count()
        return [
            ("Were told and not moved yet", f"{told} subscribers: each gets a mail that their price stays"),
            ("Moved already", f"{row.movings.filter(outcome=Moving.Outcome.MOVED).count()}: they keep the new price"),
        ]

    def do(self, row: PriceMove, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        price_moves.withdraw(row.pk, actor=f"user:{staff.pk}", at=at, reason=data["reason"])
        return Done("Withdrawn: whoever was not moved keeps the old price.")


@admin.register(PriceMove)
class PriceMoveAdmin(WithDeeds):
    deeds = (Announce(), Withdraw())
    list_display = (
        telling.moment_column("created_at", "Proposed"),
        telling.link_column("plan", "Plan"),
        telling.money_column("to_price.money", "New price"),
        telling.moment_column("effective_from", "From"),
        telling.state_column(),
        "people",
        "moved",
    )
    list_filter = ("status", "plan")
    ordering = ("-created_at", "id")
    search_help_text = "A whole id (price move, price), or a plan's name or code"
    fields = (
        telling.state_column(), telling.link_column("plan", "Plan"),
        telling.money_column("from_price.money", "Only those who pay"),
        telling.money_column("to_price.money", "New price"), telling.moment_column("effective_from", "From"),
        "reason", telling.moment_column("created_at", "Proposed"), "id",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request).select_related("plan", "to_price", "from_price")
        done = Count("movings", filter=Q(movings__outcome=Moving.Outcome.MOVED))
        counted: QuerySet[Any] = rows.annotate(in_it=Count("movings"), moved_so_far=done)
        return counted

    def sought(self, request: HttpRequest, term: str) -> Q:
        found = as_id(term)
        return Q(pk=found) if found else Q(plan__name__icontains=term) | Q(plan__code=term)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("subscriptions.add_pricemove"))

    def get_fields(self, request: HttpRequest, obj: PriceMove | None = None) -> Any:
        return self.fields if obj else ASKED

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return super().get_readonly_fields(request, obj) if obj else []

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **(kwargs if obj else kwargs | {"form": MoveForm}))

    def save_model(self, request: HttpRequest, obj: PriceMove, form: Any, change: bool) -> None:
        made = price_moves.propose(form.proposal(), actor=f"user:{request.user.pk}", at=timezone.now())
        obj.pk, obj.created_at = made.pk, made.created_at

    @admin.display(description="Subscribers", ordering="in_it")
    def people(self, row: Any) -> int:
        return int(row.in_it)

    @admin.display(description="Moved", ordering="moved_so_far")
    def moved(self, row: Any) -> int:
        return int(row.moved_so_far)


def who_panel(request: HttpRequest, row: PriceMove) -> SafeString:
    """Who moves, from what, to what, when; and what became of it."""
    draft = row.status == PriceMove.Status.DRAFT
    rows: Any = price_moves.candidates(row) if draft else in_it(row)
    page = Paginator(rows, PAGE).get_page(request.GET.get("who"))
    names = request.user.has_perm("accounts.view_user")
    lines = [line(as_it_would_be(each, row) if draft else each, row, names=names) for each in page]
    context = {"move": row, "page": page, "lines": lines, "new": money.spoken(row.to_price.money)}
    return render_to_string("admin/boxoffice/price_move.html", context, request)


def as_it_would_be(subscription: Subscription, move: PriceMove) -> Moving:
    """What announcing would write about it."""
    return Moving(move=move, subscription=subscription, from_price=subscription.price_ahead)


def in_it(move: PriceMove) -> QuerySet[Moving]:
    shown = ("from_price", "subscription__user", "subscription__plan", "subscription__price")
    return move.movings.select_related(*shown).order_by("pk")


def line(row: Moving, move: PriceMove, *, names: bool) -> dict[str, Any]:
    """One of them, for the table; `names`: whether the reader may know who it is."""
    subscription, open_ = row.subscription, row.settled_at is None
    first = price_moves.first_at(subscription, row.due_at or move.effective_from) if open_ else None
    return {
        "subscription": telling.link(subscription),
        "customer": subscription.user.email if names else telling.NOTHING,
        "old": money.spoken(row.from_price.money),
        "first": telling.moment(first),
        "renews": subscription.auto_renew or subscription.plan.hourly,
        "told": telling.moment(row.told_at),
        "outcome": f"{row.get_outcome_display()} {row.why}",
    }


PriceMoveAdmin.extra_panels.append(who_panel)
