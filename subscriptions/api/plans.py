"""Plans and quotes over HTTP."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from zoneinfo import available_timezones

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from moneyed import Money
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.throttles import guessing
from acquiring import registry
from billing import money
from billing.api import people
from billing.api.fields import Amount, Flag, Input, Text, When, Whole, read
from billing.api.idempotency import idempotent
from billing.api.schema import in_path, says
from billing.errors import Conflict, Invalid, NotFound
from subscriptions import discounts, offers
from subscriptions.api import examples, shapes
from subscriptions.models import Plan, Price

TAG = "plans"
CODE = r"[a-z][a-z0-9-]{0,39}"  # begins with a letter, so that no code is mistaken for an id
LONGEST_TERM, LONGEST_GRACE, LONGEST_LEAD = 120, 60, 15 * 24  # months, days, hours; the database has the same bounds


@extend_schema_field({"oneOf": [{"type": "string", "pattern": "^[A-Za-z0-9_-]{1,40}$"}, {"type": "integer"}]})
class PlanRef(serializers.Field[str, Any, str, Any]):
    """A plan by its id or its code."""

    default_error_messages = {"invalid": "This is neither a plan's id nor its code."}

    def to_internal_value(self, data: Any) -> str:
        if isinstance(data, int) and not isinstance(data, bool) and 0 < data < 2**63:
            return str(data)
        if not isinstance(data, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", data):
            self.fail("invalid")
        return data


def promo_code_field() -> Text:
    return Text(required=False, allow_blank=True, allow_null=True, max_length=40, help_text="In whatever case.")


class QuoteInput(Input):
    plan = PlanRef()
    promo_code = promo_code_field()


class PriceInput(Input):
    amount = Amount()
    currency = Text(min_length=3, max_length=3)


class PlanRules(Input):
    """What may be said of a plan, new or not."""

    description = Text(required=False, allow_blank=True, max_length=2000)
    roles = serializers.ListField(required=False, child=Text(max_length=40), min_length=1, max_length=20)
    refund_policy = serializers.ChoiceField(Plan.RefundPolicy.choices, required=False)
    grace_days = Whole(required=False, min_value=0, max_value=LONGEST_GRACE)
    renewal_lead_hours = Whole(required=False, min_value=0, max_value=LONGEST_LEAD)
    reminder_days = Whole(required=False, min_value=0, max_value=LONGEST_GRACE)
    time_zone = Text(required=False, max_length=40)
    hidden = Flag(required=False, help_text="On no list; sold to whoever knows its code.")
    sale_from = When(required=False, allow_null=True, help_text="Sold from then on; null: at once.")
    sale_until = When(required=False, allow_null=True, help_text="Sold until then; null: without an end.")
    position = Whole(required=False, min_value=0, max_value=32767)

    def validate_time_zone(self, name: str) -> str:
        if name not in available_timezones():
            raise serializers.ValidationError("This is not a time zone, such as Europe/Moscow.")
        return name

    def validate_roles(self, roles: list[str]) -> list[str]:
        if not all(re.fullmatch(CODE, role) for role in roles):
            raise serializers.ValidationError("A role is small letters, digits and hyphens.")
        return roles

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        begins, ends = attrs.get("sale_from"), attrs.get("sale_until")
        if begins and ends and ends <= begins:
            raise serializers.ValidationError({"sale_until": "The sale ends after it begins."})
        return attrs


class PlanInput(PlanRules):
    code = Text(max_length=40)
    name = Text(max_length=80)
    months = Whole(min_value=1, max_value=LONGEST_TERM)
    price = PriceInput()

    def validate_code(self, code: str) -> str:
        if not re.fullmatch(CODE, code) or code in ("new", "all"):  # they are addresses of their own
            raise serializers.ValidationError("A code is small letters, digits and hyphens, and begins with a letter.")
        return code


class Plans(APIView):
    permission_classes = (AllowAny,)

    @says(
        "plans",
        TAG,
        shapes.OffersSerializer,
        gets={"results": [examples.PLAN_JSON], "next": None, "previous": None},
        public=True,
    )
    def get(self, request: Request) -> Response:
        """Every plan on sale, with its price of now and what it saves. Needs no login."""
        on_sale = offers.listed(offers.on_sale(at=timezone.now()))
        return Response(shapes.OffersSerializer({"results": on_sale, "next": None, "previous": None}).data)


class PlanDetail(APIView):
    def get_permissions(self) -> Any:
        return [AllowAny()] if self.request.method in ("GET", "HEAD") else super().get_permissions()

    @says(
        "plan",
        TAG,
        shapes.OfferSerializer,
        gets=examples.PLAN_JSON,
        refusals=(404,),
        parameters=[in_path("plan", OpenApiTypes.STR, "Its id or its code.")],
        public=True,
    )
    def get(self, request: Request, plan: str) -> Response:
        """One plan on sale, by its id or code. Needs no login."""
        return Response(shapes.OfferSerializer(offers.find(plan, at=timezone.now())).data)

    @says(
        "plan_withdraw",
        TAG,
        None,
        status=204,
        refusals=(403, 404),
        parameters=[in_path("plan", OpenApiTypes.STR, "Its id or its code.")],
    )
    def delete(self, request: Request, plan: str) -> Response:
        """Take a plan off sale. Those who have it keep it. For staff."""
        people.demand(request, "subscriptions.change_plan")  # nothing is deleted
        named(plan).update(on_sale=False)
        return Response(status=204)


class NewPlan(APIView):
    @says(
        "plan_new",
        TAG,
        shapes.OfferSerializer,
        status=201,
        request=PlanInput,
        sends=examples.NEW_PLAN,
        gets=examples.PLAN_JSON,
        refusals=(403,),
        keyed=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Put a new plan on sale, at its first price, from now on. For staff."""
        people.demand(request, "subscriptions.add_plan")
        body = read(PlanInput, request.data)
        price = priced(body.pop("price"))
        now = timezone.now()
        try:
            with transaction.atomic():
                plan = Plan.objects.create(**body)
                first = Price.objects.create(
                    plan=plan, amount=money.to_minor(price), currency=price.currency.code, starts_at=now
                )
        except IntegrityError:
            raise Conflict("There is a plan with this code already.", "plan_exists") from None
        if plan.is_sold(now):
            offer = offers.find(plan.pk, at=now, currency=price.currency.code)
        else:
            offer = offers.Offer(plan, first, None)
        return Response(shapes.OfferSerializer(offer).data, status=201)


class Quote(APIView):
    @says(
        "quote",
        TAG,
        shapes.QuoteSerializer,
        request=QuoteInput,
        sends={"plan": "year", "promo_code": "SPRING"},
        gets=examples.QUOTE_JSON,
        refusals=(400, 404, 409, 429),
    )
    def post(self, request: Request) -> Response:
        """What a plan costs the caller now: each discount that was considered, which one is applied, and why. Send
        `total` and the code along when subscribing.

        A code that cannot be used is refused: `promo_not_found`, `promo_expired`, `promo_not_begun`, `promo_used_up`,
        `promo_used_by_you`, `promo_other_plan`, `promo_other_currency`; after too many of them, 429 `throttled`. One
        that would save less than the caller's other discounts is not applied and stays unused.
        """
        body = read(QuoteInput, request.data)
        code = body.get("promo_code") or ""
        with guessed(request, code):
            offer = offers.find(body["plan"], at=timezone.now(), user_id=people.caller(request).pk, promo_code=code)
        return Response(shapes.QuoteSerializer(offer).data)


def guessed(request: Request, code: str) -> AbstractContextManager[None]:
    """Around the use of a promo code that the caller sent, if any: guessing is slowed. Raises Throttled."""
    if not code.strip():
        return nullcontext()
    return guessing(request, "promo", misses=discounts.MISSES, said=discounts.SLOWER)


def named(plan: str) -> QuerySet[Plan]:
    """The plan of this id or code, on sale or not. Raises NotFound `plan_not_found`."""
    by_id = re.fullmatch(r"[1-9][0-9]{0,17}", plan)
    found = Plan.objects.filter(pk=int(plan)) if by_id else Plan.objects.filter(code=plan)
    if not found.exists():
        raise NotFound("There is no such plan.", "plan_not_found")
    return found


def priced(given: dict[str, Any]) -> Money:
    """A price that is asked for. Raises BadAmount; Invalid `bad_amount`, `currency_not_supported`."""
    price = money.parse(given["amount"], given["currency"])
    if price.amount <= 0:
        raise Invalid("A price is above zero.", "bad_amount")
    if not any(given["currency"] in registry.get(name).capabilities.currencies for name in registry.names()):
        raise Invalid(f"No acquirer of ours takes {given['currency']}.", "currency_not_supported")
    return price
