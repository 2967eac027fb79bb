"""A dearer plan at once, by staff: the difference charged to the card that renews, offered by mail, or for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.utils import timezone

from billing import money
from billing.admin import telling
from billing.admin.deeds import Deed, Done, ReasonForm
from billing.errors import Refused
from billing.models import Payment
from subscriptions import changes, favours, lifecycle, offers, terms
from subscriptions.models import Plan, Subscription

STALE = "That figure is not of now any more; look again."


def about(row: Subscription) -> list[tuple[str, str]]:
    return [("Customer", row.user.email), ("Subscription", str(row))]


def switches(row: Subscription, at: datetime) -> Iterator[tuple[offers.Offer, changes.Switch | str]]:
    """Every other plan on sale with what changing to it means at `at`, or why it cannot be had at once."""
    for offer in offers.on_sale(at=at, currency=row.price.currency):
        if offer.plan.pk == row.plan_id:
            continue
        try:
            yield offer, changes.preview(row, offer.plan.code, at=at)
        except Refused as refusal:
            cheaper = refusal.code == "not_an_upgrade"
            yield offer, "It costs no more than what is left of the term." if cheaper else refusal.detail


class UpgradeForm(ReasonForm):
    """The choice carries the difference that was shown: another one by then is refused with the new figures."""

    choice = forms.ChoiceField(label="Plan", widget=forms.RadioSelect, error_messages={"invalid_choice": STALE})

    def __init__(self, *args: Any, row: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, row=row, **kwargs)
        self.order_fields(["choice", "reason"])
        field: Any = self.fields["choice"]
        field.choices = [
            (f"{offer.plan.code}:{money.plain(seen.to_pay)}", f"{offer.plan.name}: {money.spoken(seen.to_pay)} to pay")
            for offer, seen in switches(row, timezone.now())
            if isinstance(seen, changes.Switch)
        ]

    def order(self) -> lifecycle.Order:
        plan, _, total = self.cleaned_data["choice"].rpartition(":")
        return lifecycle.Order(plan=plan, expected_total=money.parse(total, self.row.price.currency))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        return data if self.errors else data | {"order": self.order()}


class Upgrade(Deed):
    """What the two ways have in common: the plans, each with its difference and how that was found."""

    form = UpgradeForm
    happens = ""

    def applies(self, row: Subscription) -> bool:
        return row.status == Subscription.Status.ACTIVE and not row.plan.hourly

    def tells(self, row: Subscription, at: datetime) -> list[tuple[str, str]]:
        plans = [
            (offer.plan.name, f"{seen.explanation} Then paid to {telling.moment(seen.ends_at)}.")
            if isinstance(seen, changes.Switch)
            else (offer.plan.name, f"Not at once. {seen}")
            for offer, seen in switches(row, at)
        ]
        return [*about(row), *plans, ("What happens", self.happens)]


class ByCard(Upgrade):
    slug, label, permission = "upgrade", "Dearer plan now, by card…", "billing.capture_payment"  # it takes money
    confirm, danger = "Charge the difference", True
    happens = (
        "The difference is charged to the card that renewals are charged to, at once, because they asked for it. The "
        "plan changes when it is paid, and they get a receipt. Declined, nothing changes."
    )

    def applies(self, row: Subscription) -> bool:
        return super().applies(row) and terms.will_renew(row)

    def tells(self, row: Subscription, at: datetime) -> list[tuple[str, str]]:
        return [*super().tells(row, at), ("Card", str(row.method))]

    def do(self, row: Subscription, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        asked = changes.upgrade(
            row.pk,
            data["order"],
            actor=f"user:{staff.pk}",
            at=at,
            by_saved_card=True,
            by_staff=True,
            reason=data["reason"],
        )
        payment, spoken = asked.payment, money.spoken(asked.payment.money)
        if payment.status == Payment.Status.SUCCEEDED:
            return Done(f"{spoken} is paid; {asked.change.plan.name} begins in a moment.")
        if payment.is_live:
            return Done(f"The bank has not answered yet; {asked.change.plan.name} begins when {spoken} is paid.")
        return Done(f"The bank did not take {spoken}: {payment.decline_message or 'no reason given'}", messages.ERROR)


class ByMail(Upgrade):
    slug, label, permission = "offer", "Offer a dearer plan by mail…", "subscriptions.switch_subscription"
    confirm = "Send the offer"
    happens = (
        "They get a mail with the difference, how it was found, and a link to the page where they pay it. Nothing "
        "changes unless they do; the page shows the figure of that moment."
    )

    def do(self, row: Subscription, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        order: lifecycle.Order = data["order"]
        seen = changes.offer(
            row.pk,
            order.plan,
            actor=f"user:{staff.pk}",
            at=at,
            reason=data["reason"],
            expected_total=order.expected_total,
        )
        return Done(f"{row.user.email} is sent the offer: {seen.offer.plan.name} for {money.spoken(seen.to_pay)}.")


class FavourForm(ReasonForm):
    plan = forms.ModelChoiceField(Plan.objects.filter(on_sale=True, hourly=False))
    field_order = ("plan", "reason")


class ForNothing(Deed):
    slug, label, permission = "favour", "Dearer plan now, for nothing…", "subscriptions.give_subscription"
    form, confirm = FavourForm, "Move them for nothing"

    def applies(self, row: Subscription) -> bool:
        return row.status == Subscription.Status.ACTIVE and not row.plan.hourly

    def tells(self, row: Subscription, at: datetime) -> list[tuple[str, str]]:
        then, till = (row.next_plan or row.plan).name, telling.moment(row.switches_at or row.valid_till)
        what = (
            f"They have the dearer plan at once, to {till}, where what is paid ends. Nothing is charged, and "
            "cancelling gives back what it would have given. "
            f"The next term is {then} again, at its price, unless they choose otherwise. "
            "They get a mail; the reason is not in it."
        )
        return [*about(row), ("What happens", what)]

    def do(self, row: Subscription, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        done = favours.upgrade(row.pk, data["plan"].code, actor=f"user:{staff.pk}", at=at, reason=data["reason"])
        return Done(f"They have {done.plan.name} now, to {telling.moment(done.switches_at or done.valid_till)}.")


UPGRADES = (ByCard(), ByMail(), ForNothing())
