"""Tariffs by the hour over HTTP: see, begin, change. Cancelling is `unsubscribe`, as of every subscription."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api import people
from billing.api.examples import SUBSCRIPTION
from billing.api.fields import Id, Input, Sum, read
from billing.api.idempotency import idempotent, key_of
from billing.api.schema import says
from subscriptions import metering, offers
from subscriptions.api import examples, shapes
from subscriptions.api.plans import PlanRef
from subscriptions.api.subscriptions import own

TAG = "subscriptions"


class TariffSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="plan.pk")
    code = serializers.CharField(source="plan.code")
    name = serializers.CharField(source="plan.name")
    description = serializers.CharField(source="plan.description")
    rate = Sum(source="price.money", help_text="For an hour.")
    roles = serializers.ListField(source="plan.roles", child=serializers.CharField())


class TariffsSerializer(serializers.Serializer[Any]):
    """Every tariff on sale: there are few, so they come on one page."""

    results = TariffSerializer(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class StartInput(Input):
    plan = PlanRef()


class ChangeInput(Input):
    subscription = Id()
    plan = PlanRef()


class Tariffs(APIView):
    authentication_classes = ()
    permission_classes = ()

    @says("tariffs", TAG, TariffsSerializer, gets=examples.TARIFFS_JSON, public=True)
    def get(self, request: Request) -> Response:
        """What is sold by the hour, and paid from the wallet."""
        found = offers.tariffs(at=timezone.now())
        return Response(TariffsSerializer({"results": found, "next": None, "previous": None}).data)


class Start(APIView):
    @says(
        "tariff_start",
        TAG,
        shapes.SubscriptionSerializer,
        status=201,
        request=StartInput,
        sends={"plan": "hourly"},
        gets=examples.SUBSCRIPTION_JSON,
        refusals=(400, 403, 404),
        keyed=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Begin a subscription by the hour. The wallet must hold something; the clock runs from now."""
        body, user = read(StartInput, request.data), people.caller(request)
        actor = people.actor(request)
        begun = metering.start(user.pk, body["plan"], actor=actor, at=timezone.now(), request_key=key_of(request))
        return Response(shapes.subscriptions_json([begun])[0], status=201)


class Change(APIView):
    @says(
        "tariff_change",
        TAG,
        shapes.SubscriptionSerializer,
        request=ChangeInput,
        sends={"subscription": SUBSCRIPTION, "plan": "hourly"},
        gets=examples.SUBSCRIPTION_JSON,
        refusals=(400, 404),
        keyed=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Put one's own subscription by the hour on another tariff. What was used is charged at the old rate first."""
        body, subscription = own(request, ChangeInput)
        changed = metering.change_tariff(
            subscription.pk,
            body["plan"],
            actor=people.actor(request),
            at=timezone.now(),
            reason="Changed by the customer",
        )
        return Response(shapes.subscriptions_json([changed])[0])
