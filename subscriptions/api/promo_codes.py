"""Promo codes for staff: made, listed, changed, switched off, as in the admin. Customers try them by a quote."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import money
from billing.api import history, people
from billing.api.fields import Flag, Input, Moment, Sum, Text, When, Whole, read
from billing.api.idempotency import idempotent
from billing.api.paging import NewestFirst
from billing.api.schema import PAGING, in_path, page_of, says
from billing.errors import Invalid
from subscriptions import campaigns, discounts
from subscriptions.api import examples
from subscriptions.api.plans import PlanRef, PriceInput, named
from subscriptions.models import Plan, PromoCode

TAG = "promo codes"
CODE = in_path("code", OpenApiTypes.STR, "The code, in whatever case.")
MOST = 2**31 - 1  # uses


class PromoShape(serializers.Serializer[Any]):
    code = serializers.CharField()
    percent = serializers.IntegerField(allow_null=True, help_text="That it takes off; or else an amount.")
    amount = Sum(source="amount_money", allow_null=True)
    valid_from = Moment()
    valid_until = Moment(allow_null=True)
    total_limit = serializers.IntegerField(allow_null=True, help_text="So many uses altogether; null: any number.")
    per_user_limit = serializers.IntegerField(allow_null=True, help_text="So many by one customer; null: any number.")
    plans = serializers.SerializerMethodField(help_text="Their codes; none: for every plan.")
    every_term = serializers.BooleanField(help_text="Also each next term of whoever used it.")
    is_on = serializers.BooleanField()
    taken = serializers.IntegerField(help_text="How often it is used, or reserved by a checkout that waits.")
    created_at = Moment()

    def get_plans(self, code: PromoCode) -> list[str]:
        return [plan.code for plan in code.plans.all()]


class PromoChange(Input):
    """Each member that is sent is set; the others stay. What a code that was used takes off, stays as well."""

    percent = Whole(required=False, allow_null=True, min_value=1, max_value=100)
    amount = PriceInput(required=False, allow_null=True, help_text="Off the price; or else a percent.")
    valid_from = When(required=False)
    valid_until = When(required=False, allow_null=True, help_text="Null: without an end.")
    total_limit = Whole(required=False, allow_null=True, min_value=0, max_value=MOST)
    per_user_limit = Whole(required=False, allow_null=True, min_value=0, max_value=MOST)
    plans = serializers.ListField(required=False, child=PlanRef(), max_length=100, help_text="None: every plan.")
    every_term = Flag(required=False)
    is_on = Flag(required=False, help_text="False: nobody new can use it.")


class PromoInput(PromoChange):
    """A percent or an amount; valid from now on, one use by each customer, every plan, where nothing else is said."""

    code = Text(max_length=40)


class PromoCodes(APIView):
    @says(
        "promo_codes",
        TAG,
        page_of(PromoShape),
        gets={"results": [examples.PROMO_JSON], "next": None, "previous": None},
        refusals=(400, 403),
        parameters=PAGING,
    )
    def get(self, request: Request) -> Response:
        """Every promo code, newest first, with how often it is used. For staff."""
        people.demand(request, "subscriptions.view_promocode")
        codes = PromoCode.objects.prefetch_related("plans")
        return NewestFirst().answer(self, codes, lambda rows: PromoShape(rows, many=True).data)

    @says(
        "promo_code_new",
        TAG,
        PromoShape,
        status=201,
        request=PromoInput,
        sends={"code": "SPRING", "percent": 10, "total_limit": 500, "plans": ["year"]},
        gets=examples.PROMO_JSON,
        refusals=(403, 404),
        keyed=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Make a promo code. 409 `promo_exists` where there is such a code, in whatever case. For staff."""
        people.demand(request, "subscriptions.add_promocode")
        body = {"valid_from": timezone.now()} | read(PromoInput, request.data)
        plans = _plans(body.pop("plans", []))
        worth = _worth(body)
        if not worth:
            raise Invalid("Say what it takes off: a percent, or an amount with its currency.", "invalid")
        with transaction.atomic():
            made = campaigns.make(PromoCode(**body, **worth), plans)
            history.note(request, made, history.ADDITION)
        return Response(PromoShape(made).data, status=201)


class PromoDetail(APIView):
    @says("promo_code", TAG, PromoShape, gets=examples.PROMO_JSON, refusals=(403, 404), parameters=[CODE])
    def get(self, request: Request, code: str) -> Response:
        """One promo code. For staff."""
        people.demand(request, "subscriptions.view_promocode")
        return Response(PromoShape(discounts.find(code)).data)

    @says("promo_code_delete", TAG, None, status=204, refusals=(403, 404, 409), parameters=[CODE])
    def delete(self, request: Request, code: str) -> Response:
        """Delete a code that nobody has used. 409 `promo_in_use` for another: switch that off. For staff."""
        people.demand(request, "subscriptions.delete_promocode")
        with transaction.atomic():
            row = discounts.find(code)
            history.note(request, row, history.DELETION)
            campaigns.remove(PromoCode, row.pk)
        return Response(status=204)


class ChangePromo(APIView):
    @says(
        "promo_code_change",
        TAG,
        PromoShape,
        request=PromoChange,
        sends={"is_on": False},
        gets=examples.PROMO_JSON | {"is_on": False},
        refusals=(400, 403, 404, 409),
        parameters=[CODE],
    )
    def post(self, request: Request, code: str) -> Response:
        """Change a code, or switch it off (`is_on`). What was used keeps what it took off. For staff."""
        people.demand(request, "subscriptions.change_promocode")
        body, row = read(PromoChange, request.data), discounts.find(code)
        plans = _plans(body.pop("plans")) if "plans" in body else None
        with transaction.atomic():
            changed = campaigns.change(PromoCode, row.pk, body | _worth(body), plans)
            history.note(request, changed, history.CHANGE, dict(request.data))
        return Response(PromoShape(changed).data)


def _plans(names: Iterable[str]) -> list[Plan]:
    return [named(name).get() for name in names]


def _worth(body: dict[str, Any]) -> dict[str, Any]:
    """What a code takes off, out of what was sent; nothing where nothing was said of it. Raises Invalid, BadAmount."""
    if "percent" not in body and "amount" not in body:
        return {}
    percent, amount = body.pop("percent", None), body.pop("amount", None)
    if (percent is None) == (amount is None):
        raise Invalid("A code takes off a percent, or an amount above zero with its currency.", "invalid")
    if amount is None:
        return {"percent": percent, "amount": None, "currency": ""}
    off = money.parse(amount["amount"], amount["currency"])
    return {"percent": None, "amount": money.to_minor(off), "currency": off.currency.code}
