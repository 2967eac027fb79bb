"""Standing discounts for staff: a percent for a customer, a percent from a number of months on; as in the admin."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import transaction
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from billing.api import history, people
from billing.api.fields import Id, Input, Moment, Text, When, Whole, read
from billing.api.idempotency import idempotent
from billing.api.paging import NewestFirst
from billing.api.schema import PAGING, in_path, page_of, says
from billing.errors import NotFound
from subscriptions import campaigns
from subscriptions.api import examples
from subscriptions.models import PersonalDiscount, TermDiscount

TAG = "discounts"
ID = in_path("discount_id", OpenApiTypes.INT)


class LatestFirst(NewestFirst):
    ordering = ("-valid_from", "-id")


class PersonalShape(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    user_id = serializers.UUIDField()
    email = serializers.CharField(source="user.email")
    percent = serializers.IntegerField()
    valid_from = Moment()
    valid_until = Moment(allow_null=True)
    note = serializers.CharField(allow_blank=True)


class PersonalChange(Input):
    """Each member that is sent is set; the others stay."""

    percent = Whole(required=False, min_value=1, max_value=100)
    valid_from = When(required=False)
    valid_until = When(required=False, allow_null=True, help_text="Null: without an end.")
    note = Text(required=False, allow_blank=True, max_length=200, help_text="Why; the customer does not see it.")


class PersonalInput(PersonalChange):
    """For the customer with this id, or else with this e-mail address; from now on, where no `valid_from` is given."""

    user_id = Id(required=False)
    email = Text(required=False, max_length=254)
    percent = Whole(min_value=1, max_value=100)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("user_id" in attrs) == ("email" in attrs):
            raise serializers.ValidationError("Name the customer by a user_id, or by an email.")
        return attrs


class MonthsShape(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    months = serializers.IntegerField(help_text="From so many months on.")
    percent = serializers.IntegerField()


class MonthsListShape(serializers.Serializer[Any]):
    results = MonthsShape(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class MonthsChange(Input):
    """Each member that is sent is set; the others stay."""

    months = Whole(required=False, min_value=1, max_value=120)
    percent = Whole(required=False, min_value=1, max_value=100)


class MonthsInput(Input):
    months = Whole(min_value=1, max_value=120)
    percent = Whole(min_value=1, max_value=100)


class PersonalDiscounts(APIView):
    @says(
        "personal_discounts",
        TAG,
        page_of(PersonalShape),
        gets={"results": [examples.PERSONAL_JSON], "next": None, "previous": None},
        refusals=(400, 403),
        parameters=PAGING,
    )
    def get(self, request: Request) -> Response:
        """Every customer's own discount, the latest first. For staff."""
        people.demand(request, "subscriptions.view_personaldiscount")
        theirs = PersonalDiscount.objects.select_related("user")
        return LatestFirst().answer(self, theirs, lambda rows: PersonalShape(rows, many=True).data)

    @says(
        "personal_discount_new",
        TAG,
        PersonalShape,
        status=201,
        request=PersonalInput,
        sends={"email": "anna@example.org", "percent": 15, "note": "A friend of the house"},
        gets=examples.PERSONAL_JSON,
        refusals=(403, 404),
        keyed=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Give a customer a percent off every term they pay for while it is valid. Of several the highest counts."""
        people.demand(request, "subscriptions.add_personaldiscount")
        body = {"valid_from": timezone.now()} | read(PersonalInput, request.data)
        user = _customer(body.pop("user_id", None), body.pop("email", ""))
        with transaction.atomic():
            made = campaigns.make(PersonalDiscount(user=user, **body))
            history.note(request, made, history.ADDITION)
        return Response(PersonalShape(made).data, status=201)


class ChangePersonal(APIView):
    @says(
        "personal_discount_change",
        TAG,
        PersonalShape,
        request=PersonalChange,
        sends={"valid_until": "2026-12-31T21:00:00Z"},
        gets=examples.PERSONAL_JSON | {"valid_until": "2026-12-31T21:00:00Z"},
        refusals=(400, 403, 404),
        parameters=[ID],
    )
    def post(self, request: Request, discount_id: str) -> Response:
        """Change a customer's discount, or end it (`valid_until`). For staff."""
        people.demand(request, "subscriptions.change_personaldiscount")
        return Response(PersonalShape(_changed(request, PersonalDiscount, discount_id, PersonalChange)).data)


class PersonalDetail(APIView):
    @says("personal_discount_delete", TAG, None, status=204, refusals=(403, 404), parameters=[ID])
    def delete(self, request: Request, discount_id: str) -> Response:
        """Take a customer's discount away. Terms that are billed keep it. For staff."""
        people.demand(request, "subscriptions.delete_personaldiscount")
        return _removed(request, PersonalDiscount, discount_id)


class MonthsDiscounts(APIView):
    @says(
        "months_discounts",
        TAG,
        MonthsListShape,
        gets={"results": [examples.MONTHS_JSON], "next": None, "previous": None},
        refusals=(403,),
    )
    def get(self, request: Request) -> Response:
        """Every discount for a number of months, the lowest number first. For staff."""
        people.demand(request, "subscriptions.view_termdiscount")
        return Response(MonthsListShape({"results": TermDiscount.objects.all(), "next": None, "previous": None}).data)

    @says(
        "months_discount_new",
        TAG,
        MonthsShape,
        status=201,
        request=MonthsInput,
        sends={"months": 6, "percent": 10},
        gets=examples.MONTHS_JSON,
        refusals=(403,),
        keyed=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """A percent off every plan of so many months or more. Of several the highest number reached counts."""
        people.demand(request, "subscriptions.add_termdiscount")
        with transaction.atomic():
            made = campaigns.make(TermDiscount(**read(MonthsInput, request.data)))
            history.note(request, made, history.ADDITION)
        return Response(MonthsShape(made).data, status=201)


class ChangeMonths(APIView):
    @says(
        "months_discount_change",
        TAG,
        MonthsShape,
        request=MonthsChange,
        sends={"percent": 12},
        gets=examples.MONTHS_JSON | {"percent": 12},
        refusals=(400, 403, 404, 409),
        parameters=[ID],
    )
    def post(self, request: Request, discount_id: str) -> Response:
        """Change a discount for a number of months. For staff."""
        people.demand(request, "subscriptions.change_termdiscount")
        return Response(MonthsShape(_changed(request, TermDiscount, discount_id, MonthsChange)).data)


class MonthsDetail(APIView):
    @says("months_discount_delete", TAG, None, status=204, refusals=(403, 404), parameters=[ID])
    def delete(self, request: Request, discount_id: str) -> Response:
        """Take a discount for a number of months away. Terms that are billed keep it. For staff."""
        people.demand(request, "subscriptions.delete_termdiscount")
        return _removed(request, TermDiscount, discount_id)


def _customer(user_id: uuid.UUID | None, email: str) -> User:
    rows = User.objects.filter(pk=user_id) if user_id else User.objects.filter(email__iexact=email)
    found = rows.first()
    if found is None:
        raise NotFound("There is no such customer.", "user_not_found")
    return found


def _changed(request: Request, kind: Any, discount_id: str, body: type[Input]) -> Any:
    with transaction.atomic():
        row = campaigns.change(kind, int(discount_id), read(body, request.data))
        history.note(request, row, history.CHANGE, dict(request.data))
    return row


def _removed(request: Request, kind: Any, discount_id: str) -> Response:
    with transaction.atomic():
        row = kind.objects.filter(pk=int(discount_id)).first()
        if row is not None:
            history.note(request, row, history.DELETION)
        campaigns.remove(kind, int(discount_id))
    return Response(status=204)
