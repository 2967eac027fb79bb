"""What staff do for a customer: another plan from the next term, a rest, and terms for nothing, to one or to many."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from accounts.admin import UserAdmin
from accounts.models import User
from billing import money
from billing.admin import telling
from billing.admin.deeds import Deed, Done, ReasonForm
from billing.errors import Refused
from subscriptions import grants, next_plans, offers, pauses, terms
from subscriptions.admin.upgrades import UPGRADES, about
from subscriptions.models import Plan, Subscription


class LengthForm(ReasonForm):
    months = forms.IntegerField(min_value=0, max_value=grants.MOST_MONTHS, required=False, initial=1)
    days = forms.IntegerField(min_value=0, max_value=grants.MOST_DAYS, required=False, help_text="Or days; not both.")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if not self.errors and bool(data.get("months")) == bool(data.get("days")):
            raise forms.ValidationError("Give months or days: one of the two.")
        return data


class GiveForm(LengthForm):
    plan = forms.ModelChoiceField(Plan.objects.filter(hourly=False))


class NextPlanForm(ReasonForm):
    plan = forms.ModelChoiceField(
        Plan.objects.filter(on_sale=True, hourly=False),
        required=False,
        help_text="None: the plan of now goes on.",
    )


def gift(plan: Plan, data: dict[str, Any]) -> grants.Gift:
    return grants.Gift(plan.code, months=data.get("months") or 0, days=data.get("days") or 0)


class Extend(Deed):
    slug, label, permission = "extend", "Extend for nothing…", "subscriptions.give_subscription"
    form, confirm, bulk = LengthForm, "Extend it for nothing", True

    def applies(self, row: Subscription) -> bool:
        return row.status in terms.RUNNING and not row.plan.hourly

    def tells(self, row: Subscription, at: datetime) -> list[tuple[str, str]]:
        ends = telling.moment(row.valid_till) if row.valid_till else ""
        what = "The term for nothing begins where the paid one ends. Nothing is charged, and nothing comes back for it."
        return [*about(row), ("Paid till", ends), ("What happens", what)]

    def do(self, row: Subscription, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        longer = grants.extend(row.pk, gift(row.plan, data), actor=f"user:{staff.pk}", at=at, reason=data["reason"])
        return Done(
            f"Extended: paid till {telling.moment(longer.valid_till)} now." if longer.valid_till else "Extended."
        )


class SetNextPlan(Deed):
    slug, label, permission = "next-plan", "Plan of the next term…", "subscriptions.switch_subscription"
    form, confirm = NextPlanForm, "Set the plan of the next term"

    def applies(self, row: Subscription) -> bool:
        return row.status == Subscription.Status.ACTIVE and not row.plan.hourly and row.switches_at is None

    def tells(self, row: Subscription, at: datetime) -> list[tuple[str, str]]:
        offered = ", ".join(f"{o.plan.name}: {money.spoken(o.price.money)}" for o in offers.on_sale(at=at))
        chosen = row.next_plan.name if row.next_plan else "none; the plan of now goes on"
        what = "The running term stays as it is. The next one is billed for the plan chosen, at its price of today."
        return [*about(row), ("Chosen so far", chosen), ("On sale", offered), ("What happens", what)]

    def do(self, row: Subscription, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        actor, reason = f"user:{staff.pk}", data["reason"]
        if data["plan"] is None:
            next_plans.keep_plan(row.pk, actor=actor, at=at, reason=reason)
            return Done("The plan of now goes on.")
        next_plans.plan_next(row.pk, data["plan"].code, actor=actor, at=at, reason=reason)
        return Done(f"From the next term on: {data['plan'].name}.")


class Pause(Deed):
    slug, label, permission = "pause", "Pause…", "subscriptions.pause_subscription"
    confirm = "Pause the subscription"

    def applies(self, row: Subscription) -> bool:
        return row.status == Subscription.Status.ACTIVE and not row.plan.hourly

    def tells(self, row: Subscription, at: datetime) -> list[tuple[str, str]]:
        return [*about(row), ("What happens", pauses.preview(row, at=at).explanation)]

    def do(self, row: Subscription, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        pauses.pause(row.pk, actor=f"user:{staff.pk}", at=at, reason=data["reason"])
        return Done("Paused: no access and no charge until it goes on.")


class Resume(Deed):
    slug, label, permission = "resume", "Go on after the pause…", "subscriptions.pause_subscription"
    confirm = "Go on with it"

    def applies(self, row: Subscription) -> bool:
        return bool(row.status == Subscription.Status.PAUSED)

    def tells(self, row: Subscription, at: datetime) -> list[tuple[str, str]]:
        seen = pauses.return_preview(row, at=at)
        return [*about(row), ("Paid till", telling.moment(seen.valid_till)), ("Why", seen.explanation)]

    def do(self, row: Subscription, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        on = pauses.resume(row.pk, actor=f"user:{staff.pk}", at=at, reason=data["reason"])
        return Done(f"It goes on, to {telling.moment(on.valid_till)}." if on.valid_till else "It goes on.")


DEEDS = (Extend(), *UPGRADES, SetNextPlan(), Pause(), Resume())


@admin.action(description="Give a term for nothing…")
def give_term(model_admin: Any, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
    """Gives the same term to everybody chosen, each for itself, and says who got it and who did not."""
    if not request.user.has_perm(Extend.permission):
        messages.error(request, "You may not give terms for nothing.")
        return None
    people = list(queryset[: grants.MOST_PEOPLE + 1])
    if len(people) > grants.MOST_PEOPLE:
        messages.warning(request, f"Choose {grants.MOST_PEOPLE} people at most.")
        return None
    form = GiveForm(request.POST if "confirmed" in request.POST else None)
    if not form.is_valid():
        hidden = [("action", "give_term"), ("confirmed", "1")]
        context = {
            "title": "Give a term for nothing",
            "opts": model_admin.opts,
            "deed": SimpleNamespace(danger=False, confirm="Give it to all of them"),
            "form": form,
            "rows": [user.email for user in people],
            "hidden": [*hidden, *((ACTION_CHECKBOX_NAME, str(user.pk)) for user in people)],
            "back": request.get_full_path(),
        }
        return TemplateResponse(
            request, "admin/boxoffice/deed.html", {**model_admin.admin_site.each_context(request), **context}
        )
    data, names = form.cleaned_data, {str(user.pk): user.email for user in people}
    try:
        outcomes = grants.give_many(
            names,
            gift(data["plan"], data),
            actor=f"user:{request.user.pk}",
            at=timezone.now(),
            reason=data["reason"],
        )
    except Refused as refusal:
        messages.error(request, refusal.detail)
        return None
    for outcome in outcomes:
        level = messages.SUCCESS if outcome.subscription else messages.WARNING
        messages.add_message(request, level, f"{names[outcome.who]}: {outcome.text}")
    return None


UserAdmin.extend(actions=[give_term])
