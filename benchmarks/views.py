"""The bare things as Django views: the same application, middleware and connection, and nothing of the product."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from benchmarks import bare
from benchmarks.fill import shop
from subscriptions.models import Subscription


def empty(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"ok": True})


class Empty(APIView):
    """Of DRF the frame alone: nobody is asked who they are."""

    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request) -> Response:
        return Response({"ok": True})


class OneQuery(Empty):
    """The roles owed to somebody, by one query of the ORM."""

    def get(self, request: Request) -> Response:
        user_id = uuid.UUID(request.query_params["user_id"])
        rows = Subscription.objects.filter(user_id=user_id, access_until__gt=timezone.now())
        owed = rows.values_list("access_until", "plan__roles")
        return Response({"user_id": str(user_id), "entitlements": [_owed(*row) for row in owed]})


def _owed(until: datetime | None, roles: list[str]) -> dict[str, Any]:
    return {"role": roles[0], "until": until}


@csrf_exempt
def store(request: HttpRequest) -> HttpResponse:
    with transaction.atomic(), connection.cursor() as cursor:
        bare.store(cursor, *bare.read(request.body))
    return JsonResponse({"ok": True})


@csrf_exempt
def settle(request: HttpRequest) -> HttpResponse:
    with transaction.atomic(), connection.cursor() as cursor:
        bare.settle(cursor, *bare.read(request.body))
    return JsonResponse({"ok": True})


@csrf_exempt
def begin(request: HttpRequest) -> HttpResponse:
    with transaction.atomic(), connection.cursor() as cursor:
        page = bare.begin(cursor, json.loads(request.body)["user"], shared())
    return JsonResponse({"redirect_url": page}, status=201)


@csrf_exempt
def give_back(request: HttpRequest) -> HttpResponse:
    asked = json.loads(request.body)
    with transaction.atomic(), connection.cursor() as cursor:
        bare.give_back(cursor, asked["payment"], asked["user"])
    return JsonResponse({"ok": True})


def shared() -> dict[str, int]:
    """The ids that every new subscription has in common."""
    plan, price, revenue, *_ = shop()
    return {"plan_id": plan.pk, "price_id": price.pk, "revenue_id": revenue.pk}
