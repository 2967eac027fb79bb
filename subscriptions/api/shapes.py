"""What plans, quotes and subscriptions look like outside."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.api.fields import Moment, MoneyText, Sum, state
from billing.api.paying import pay_at
from billing.api.shapes import billed_for
from billing.models import Refund
from subscriptions import explain
from subscriptions.models import Period, Plan, Subscription


@billed_for
def subscriptions_billed(invoices: Iterable[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """The subscription that each invoice billed."""
    return dict(Period.objects.filter(invoice_id__in=invoices).values_list("invoice_id", "subscription_id"))


class SavingSerializer(serializers.Serializer[Any]):
    """What a term saves against its months bought one by one."""

    amount = MoneyText()
    currency = serializers.CharField(source="amount.currency.code")
    percent = serializers.IntegerField()


class OfferSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="plan.pk")
    code = serializers.CharField(source="plan.code")
    name = serializers.CharField(source="plan.name")
    description = serializers.CharField(source="plan.description")
    months = serializers.IntegerField(source="plan.months", help_text="Length of the term.")
    price = Sum(source="price.money", help_text="For the whole term.")
    saving = SavingSerializer(allow_null=True)
    roles = serializers.ListField(source="plan.roles", child=serializers.CharField())
    refund_policy = serializers.ChoiceField(Plan.RefundPolicy.choices, source="plan.refund_policy")
    grace_days = serializers.IntegerField(source="plan.grace_days")


class OffersSerializer(serializers.Serializer[Any]):
    """Every plan on sale: there are few, so they come on one page."""

    results = OfferSerializer(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class CandidateSerializer(serializers.Serializer[Any]):
    """A discount that was considered."""

    kind = serializers.ChoiceField([("personal", "Personal"), ("months", "Months"), ("promo", "Promo code")])
    name = serializers.CharField()
    saves = MoneyText()
    applied = serializers.BooleanField()
    why = serializers.CharField()


class QuoteSerializer(serializers.Serializer[Any]):
    plan = serializers.CharField(source="plan.code")
    total = MoneyText(source="quote.total")
    currency = serializers.CharField(source="quote.total.currency.code")
    list_price = MoneyText(source="quote.list_price")
    candidates = CandidateSerializer(source="quote.candidates", many=True)
    applied = serializers.CharField(source="quote.applied", allow_null=True, help_text="The discount that won.")
    promo_code = serializers.CharField(
        source="quote.promo_code", help_text="The code, where it won; empty where it stays unused."
    )
    explanation = serializers.SerializerMethodField()

    def get_explanation(self, offer: Any) -> str:
        return " ".join(explain.quote(offer))


class PlanSerializer(serializers.Serializer[Plan]):
    id = serializers.IntegerField()
    code = serializers.CharField()
    name = serializers.CharField()
    months = serializers.IntegerField()


class SubscriptionSerializer(serializers.Serializer[Subscription]):
    id = serializers.UUIDField()
    status = state(Subscription.Status)
    plan = PlanSerializer()
    price = Sum(source="price.money")
    valid_till = Moment(allow_null=True, help_text="End of what is paid.")
    access_until = Moment(allow_null=True, help_text="End of access: valid_till, and any grace.")
    auto_renew = serializers.BooleanField()
    next_plan = PlanSerializer(allow_null=True, help_text="The plan of the next term, where another one was chosen.")
    switches_at = Moment(allow_null=True, help_text="When `next_plan` begins, where its term is paid already.")
    trial = serializers.BooleanField(help_text="Whether it began as a trial.")
    paused_at = Moment(allow_null=True)
    started_at = serializers.SerializerMethodField()
    cancelled_at = Moment(allow_null=True)
    created_at = Moment()

    @extend_schema_field(Moment(allow_null=True))
    def get_started_at(self, row: Subscription) -> Any:
        """Months may be counted from a day before anybody came."""
        begun = max(row.anchor_at, row.created_at) if row.anchor_at else None
        return begun and Moment().to_representation(begun)


class CancellationSerializer(serializers.Serializer[Any]):
    """What cancelling now would mean; send `refund` along as `expected_refund`."""

    refund = MoneyText()
    currency = serializers.CharField(source="refund.currency.code")
    access_until = Moment()
    explanation = serializers.CharField()


class NextChargeSerializer(serializers.Serializer[Any]):
    """What will be charged by itself."""

    at = Moment()
    amount = MoneyText()
    currency = serializers.CharField(source="amount.currency.code")
    card = serializers.CharField(help_text="Brand, mask and expiry.")


class RenewalSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    status = state(Subscription.Status)
    auto_renew = serializers.BooleanField()
    next_charge = NextChargeSerializer(allow_null=True, help_text="null where nothing will be charged by itself.")


class DetailSerializer(SubscriptionSerializer):
    next_charge = NextChargeSerializer(allow_null=True, help_text="null where nothing will be charged by itself.")
    cancellation = CancellationSerializer(allow_null=True, help_text="null where there is nothing to cancel.")
    explanation = serializers.CharField(help_text="Why it gives access and until when, or why not, in words.")


class SubscribedSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="subscription.pk")
    status = state(Subscription.Status, source="subscription.status")
    invoice = serializers.UUIDField(source="invoice.pk")
    payment = serializers.UUIDField(source="payment.pk", allow_null=True, help_text="null when nothing is to be paid.")
    redirect_url = serializers.SerializerMethodField(help_text="Where to pay; null when nothing can be paid there.")

    def get_redirect_url(self, subscribed: Any) -> str | None:
        payment = subscribed.payment
        return pay_at(payment) if payment else None


class ReturnedSerializer(serializers.Serializer[Refund]):
    id = serializers.UUIDField()
    amount = MoneyText(source="money")
    currency = serializers.CharField()
    status = state(Refund.Status)


class UnsubscribedSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="subscription.pk")
    status = state(Subscription.Status, source="subscription.status")
    access_until = Moment(source="subscription.access_until", allow_null=True)
    refund = ReturnedSerializer(allow_null=True, help_text="The first of `refunds`.")
    refunds = ReturnedSerializer(many=True, help_text="More than one where a later term was paid already.")
    explanation = serializers.CharField(help_text="How the sum was found, in words.")


def subscriptions() -> QuerySet[Subscription]:
    """Subscriptions with all that their shape shows."""
    return Subscription.objects.select_related("plan", "price", "next_plan")


def subscriptions_json(rows: Iterable[Subscription]) -> Any:
    return SubscriptionSerializer(list(rows), many=True).data  # type: ignore[arg-type]  # many rows
