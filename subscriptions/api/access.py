"""What may this person watch, and until when."""

from __future__ import annotations

import re
import uuid
from typing import Any, cast

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.authentication import JWTAuthentication, JWTStatelessUserAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed
from rest_framework_simplejwt.tokens import Token

from accounts.models import User
from billing.api import people
from billing.api.fields import UUID_PATH, Moment
from billing.api.schema import in_query, says
from billing.errors import Forbidden, Invalid, NotFound
from subscriptions import entitlements, explain
from subscriptions.api import examples
from subscriptions.api.subscriptions import VIEW

UNTIL = Moment()
AS_EVERYWHERE: Any = [{"jwtAuth": []}, {"cookieAuth": []}]  # though by another class


class EntitlementSerializer(serializers.Serializer[Any]):
    role = serializers.CharField()
    until = Moment()


class AccessSerializer(serializers.Serializer[Any]):
    user_id = serializers.UUIDField()
    entitlements = EntitlementSerializer(many=True)
    explanation = serializers.CharField(
        required=False, help_text="With `explain=true`: why there is access and until when, or why there is none."
    )


class Access(APIView):
    # A token says who asks. Whether they may still come in is looked up together with what is owed to them.
    authentication_classes = (JWTStatelessUserAuthentication, SessionAuthentication)

    @extend_schema(auth=AS_EVERYWHERE)
    @says(
        "access",
        "access",
        AccessSerializer,
        gets=examples.ACCESS_JSON,
        refusals=(400, 403, 404),
        parameters=[
            in_query("user_id", OpenApiTypes.UUID, "Somebody else; for staff and services."),
            in_query("explain", OpenApiTypes.BOOL, "Say it in words, too."),
        ],
    )
    def get(self, request: Request) -> Response:
        """The roles owed to the caller, each until its end."""
        asked = request.query_params.get("user_id")
        if asked is None:
            user_id = uuid.UUID(str(people.caller(request).pk))
            person = _admitted(entitlements.look(user_id, at=timezone.now()))
        else:
            user_id, person = _other(request, asked)
        owed = [{"role": each.role, "until": UNTIL.to_representation(each.until)} for each in person.entitlements]
        told = {"user_id": str(user_id), "entitlements": owed}
        if request.query_params.get("explain") == "true":  # for people; a film server asks without it, and often
            told["explanation"] = " ".join(explain.access(user_id, at=timezone.now()))
        return Response(told)


def _admitted(person: entitlements.Person | None) -> entitlements.Person:
    """The caller themselves. Raises what every other view raises of a token whose person is gone or shut out."""
    if person is None:
        raise AuthenticationFailed("User not found", code="user_not_found")
    if not person.is_active:
        raise AuthenticationFailed("User is inactive", code="user_inactive")
    return person


def _other(request: Request, asked: str) -> tuple[uuid.UUID, entitlements.Person]:
    """Whom the caller asks about. Raises Invalid, Forbidden `staff_only`, NotFound."""
    if request.auth is not None:  # so far the person is the token's word
        request.user = cast(User, JWTAuthentication().get_user(cast(Token, request.auth)))
    if not re.fullmatch(UUID_PATH, asked):
        raise Invalid("user_id is no id.", "invalid")
    user_id = uuid.UUID(asked)
    if user_id != people.caller(request).pk and not people.may(request, VIEW):
        raise Forbidden("Only staff may ask for somebody else.", "staff_only")
    person = entitlements.look(user_id, at=timezone.now())
    if person is None:
        raise NotFound("There is no such person.", "user_not_found")
    return user_id, person
