"""Plans and prices for staff: all of them, changed, and priced."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api import people
from billing.api.fields import Flag, Moment, Sum, Text, When, read
from billing.api.idempotency import idempotent
from billing.api.schema import in_path, says
from billing.errors import Invalid
from subscriptions import prices
from subscriptions.api import examples
from subscriptions.api.plans import TAG, PlanRules, PriceInput, named, priced
from subscriptions.models import Plan, Price

PLAN = in_path("plan", OpenApiTypes.STR, "Its id or its code.")
SHOWN = 20  # of those who would move


class PriceShape(serializers.Serializer[Price]):
    id = serializers.IntegerField()
    price = Sum(source="money", help_text="For the whole term, or an hour.")
    starts_at = Moment()
    frozen = serializers.SerializerMethodField(help_text="Whether somebody has it, had it or was told of it.")

    def get_frozen(self, price: Price) -> bool:
        return prices.used(price)


class StaffPlanShape(serializers.Serializer[Plan]):
    id = serializers.IntegerField()
    code = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    hourly = serializers.BooleanField()
    months = serializers.IntegerField()
    roles = serializers.ListField(child=serializers.CharField())
    refund_policy = serializers.ChoiceField(Plan.RefundPolicy.choices)
    grace_days = serializers.IntegerField()
    renewal_lead_hours = serializers.IntegerField()
    reminder_days = serializers.IntegerField()
    time_zone = serializers.CharField()
    on_sale = serializers.BooleanField()
    hidden = serializers.BooleanField()
    archived = serializers.BooleanField()
    sale_from = Moment(allow_null=True)
    sale_until = Moment(allow_null=True)
    position = serializers.IntegerField()
    prices = PriceShape(many=True)


class StaffPlansShape(serializers.Serializer[Any]):
    results = StaffPlanShape(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class PlanChange(PlanRules):
    """Each member that is sent is set; the others stay."""

    name = Text(required=False, max_length=80)
    on_sale = Flag(required=False)
    archived = Flag(required=False, help_text="Never sold again; those who have it go on renewing.")


class NewPriceInput(PriceInput):
    starts_at = When(required=False, help_text="From when it counts for new subscribers; now, when not given.")


class AllPlans(APIView):
    @says(
        "plans_all",
        TAG,
        StaffPlansShape,
        gets={"results": [examples.STAFF_PLAN_JSON], "next": None, "previous": None},
        refusals=(403,),
    )
    def get(self, request: Request) -> Response:
        """Every plan, on sale or not, with all its prices. For staff."""
        people.demand(request, "subscriptions.view_plan")
        rows = Plan.objects.prefetch_related("prices")
        return Response(StaffPlansShape({"results": rows, "next": None, "previous": None}).data)


class ChangePlan(APIView):
    @says(
        "plan_change",
        TAG,
        StaffPlanShape,
        request=PlanChange,
        sends={"hidden": True, "sale_until": "2027-01-01T00:00:00+03:00"},
        gets=examples.STAFF_PLAN_JSON,
        refusals=(400, 403, 404),
        parameters=[PLAN],
    )
    def post(self, request: Request, plan: str) -> Response:
        """Change the rules of a plan, hide it, archive it, or set when it is sold. Code and length stay. For staff."""
        people.demand(request, "subscriptions.change_plan")
        row = named(plan).get()
        body = read(PlanChange, request.data)
        begins, ends = body.get("sale_from", row.sale_from), body.get("sale_until", row.sale_until)
        if begins and ends and ends <= begins:
            raise Invalid("The sale ends after it begins.", "invalid")
        for name, value in body.items():
            setattr(row, name, value)
        row.save(update_fields=list(body))
        return Response(StaffPlanShape(row).data)


class NewPrice(APIView):
    @says(
        "price_new",
        TAG,
        PriceShape,
        status=201,
        request=NewPriceInput,
        sends={"amount": "2999.00", "currency": "RUB", "starts_at": "2027-01-01T00:00:00+03:00"},
        gets=examples.PRICE_JSON,
        refusals=(403, 404),
        parameters=[PLAN],
        keyed=True,
    )
    @idempotent
    def post(self, request: Request, plan: str) -> Response:
        """Set what a plan costs new subscribers from a time on. Whoever has it keeps their price. For staff."""
        people.demand(request, "subscriptions.add_price")
        row, now = named(plan).get(), timezone.now()
        body = read(NewPriceInput, request.data)
        made = prices.add(row, priced(body), starts_at=body.get("starts_at", now), at=now)
        return Response(PriceShape(made).data, status=201)
