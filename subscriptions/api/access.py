"""What may this person watch, and until when."""

from __future__ import annotations

import re
import uuid
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from billing.api import people
from billing.api.fields import UUID_PATH, Moment
from billing.api.schema import in_query, says
from billing.errors import Forbidden, Invalid, NotFound
from subscriptions import entitlements, explain
from subscriptions.api import examples
from subscriptions.api.subscriptions import VIEW


class EntitlementSerializer(serializers.Serializer[Any]):
    role = serializers.CharField()
    until = Moment()


class AccessSerializer(serializers.Serializer[Any]):
    user_id = serializers.UUIDField()
    entitlements = EntitlementSerializer(many=True)
    explanation = serializers.CharField(help_text="Why there is access and until when, or why there is none, in words.")


class Access(APIView):
    @says(
        "access",
        "access",
        AccessSerializer,
        gets=examples.ACCESS_JSON,
        refusals=(400, 403, 404),
        parameters=[in_query("user_id", OpenApiTypes.UUID, "Somebody else; for staff and services.")],
    )
    def get(self, request: Request) -> Response:
        """The roles owed to the caller, each until its end."""
        user_id = _whose(request)
        now = timezone.now()
        owed, told = entitlements.of(user_id, at=now), explain.access(user_id, at=now)
        shown = {"user_id": user_id, "entitlements": owed, "explanation": " ".join(told)}
        return Response(AccessSerializer(shown).data)


def _whose(request: Request) -> uuid.UUID:
    own = people.caller(request).pk
    asked = request.query_params.get("user_id")
    if asked is None:
        return own
    if not re.fullmatch(UUID_PATH, asked):
        raise Invalid("user_id is no id.", "invalid")
    if uuid.UUID(asked) != own and not people.may(request, VIEW):
        raise Forbidden("Only staff may ask for somebody else.", "staff_only")
    if not User.objects.filter(pk=asked).exists():
        raise NotFound("There is no such person.", "user_not_found")
    return uuid.UUID(asked)
