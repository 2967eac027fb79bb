"""Plans and prices for staff: all of them, changed, priced, and old subscribers moved to another price."""

from __future__ import annotations

import re
import uuid
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api import people
from billing.api.fields import Flag, Input, Moment, Sum, Text, When, Whole, read, state
from billing.api.idempotency import idempotent
from billing.api.schema import in_path, says
from billing.errors import Invalid, NotFound
from subscriptions import price_moves, prices
from subscriptions.api import examples
from subscriptions.api.plans import TAG, PlanRules, PriceInput, named, priced
from subscriptions.models import Plan, Price, PriceMove

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


class MoveInput(Input):
    plan = Text(max_length=40)
    from_price = Whole(required=False, allow_null=True, min_value=1, max_value=2**62)
    to_price = Whole(min_value=1, max_value=2**62)
    effective_from = When()
    reason = Text(max_length=300)


class AnnounceInput(Input):
    expected_people = Whole(required=False, min_value=0, max_value=2**31)
    reason = Text(required=False, allow_blank=True, max_length=300)


class MovingShape(serializers.Serializer[Any]):
    subscription = serializers.UUIDField()
    old_price = Sum(help_text="What it pays now.")
    first_at = Moment(help_text="When it is first charged the new price, if it is renewed.")


class MoveShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    status = state(PriceMove.Status)
    plan = serializers.CharField(source="plan.code")
    from_price = serializers.IntegerField(source="from_price_id", allow_null=True)
    to_price = serializers.IntegerField(source="to_price_id")
    new_price = Sum(source="to_price.money")
    effective_from = Moment()
    people = serializers.SerializerMethodField(help_text="How many would move, or are in it.")
    who = serializers.SerializerMethodField(help_text=f"The first {SHOWN} who would move; empty once it is announced.")

    def get_people(self, move: PriceMove) -> int:
        draft = move.status == PriceMove.Status.DRAFT
        return price_moves.candidates(move).count() if draft else move.movings.count()

    @extend_schema_field(MovingShape(many=True))
    def get_who(self, move: PriceMove) -> Any:
        if move.status != PriceMove.Status.DRAFT:
            return []
        rows = [
            {
                "subscription": row.pk,
                "old_price": row.price.money,
                "first_at": price_moves.first_at(row, move.effective_from),
            }
            for row in price_moves.candidates(move)[:SHOWN]
        ]
        return MovingShape(rows, many=True).data


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


class NewMove(APIView):
    @says(
        "price_move_new",
        TAG,
        MoveShape,
        status=201,
        request=MoveInput,
        sends={"plan": "year", "to_price": 12, "effective_from": "2027-02-01T00:00:00+03:00", "reason": "Dearer films"},
        gets=examples.MOVE_JSON,
        refusals=(403, 404),
        keyed=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Propose to move old subscribers to another price: a preview, nobody is told. For staff."""
        people.demand(request, "subscriptions.add_pricemove")
        body = read(MoveInput, request.data)
        plan = body.pop("plan")
        if not re.fullmatch(r"[A-Za-z0-9_-]+", plan):
            raise NotFound("There is no such plan.", "plan_not_found")
        wanted = price_moves.Proposal(
            plan=named(plan).get(),
            to_price=_price(body["to_price"]),
            from_price=_price(body["from_price"]) if body.get("from_price") else None,
            effective_from=body["effective_from"],
            reason=body["reason"],
        )
        move = price_moves.propose(wanted, actor=people.actor(request), at=timezone.now())
        return Response(MoveShape(move).data, status=201)


class Move(APIView):
    @says("price_move", TAG, MoveShape, gets=examples.MOVE_JSON, refusals=(403, 404), parameters=[in_path("move_id")])
    def get(self, request: Request, move_id: str) -> Response:
        """One price move, and who would move. For staff."""
        people.demand(request, "subscriptions.view_pricemove")
        return Response(_shown(move_id))


class Announce(APIView):
    @says(
        "price_move_announce",
        TAG,
        MoveShape,
        request=AnnounceInput,
        sends={"expected_people": 1},
        gets=examples.MOVE_JSON,
        refusals=(403, 404),
        parameters=[in_path("move_id")],
        keyed=True,
    )
    @idempotent
    def post(self, request: Request, move_id: str) -> Response:
        """Tell those who move; each is moved when the date, and the days of notice, have come. For staff."""
        people.demand(request, "subscriptions.announce_pricemove")
        body = read(AnnounceInput, request.data)
        price_moves.announce(uuid.UUID(move_id), actor=people.actor(request), at=timezone.now(), **body)
        return Response(_shown(move_id))


def _shown(move_id: str) -> Any:
    move = PriceMove.objects.filter(pk=move_id).select_related("plan", "to_price").first()
    if move is None:
        raise NotFound("There is no such price move.", "price_move_not_found")
    return MoveShape(move).data


def _price(pk: int) -> Price:
    found = Price.objects.filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no such price.", "price_not_found")
    return found
