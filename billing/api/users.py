"""The roles of a person, for administrators."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from billing import staff
from billing.api import history, people
from billing.api.fields import Input, Text, read
from billing.api.schema import in_path, says
from billing.errors import NotFound

ASSIGN = "accounts.assign_roles"
TAG = "users"
ROLES_JSON: dict[str, Any] = {
    "id": "7c9d3f0e-5b7a-4a3c-9d53-0f6f3c6f2a11",
    "email": "anna@example.org",
    "is_staff": True,
    "roles": ["support"],
}


class RolesInput(Input):
    roles = serializers.ListField(child=Text(max_length=150), max_length=50, help_text="All of them; none: no staff.")
    reason = Text(required=False, allow_blank=True, max_length=300, help_text="Kept with your name.")


class RolesShape(serializers.Serializer[User]):
    id = serializers.UUIDField()
    email = serializers.CharField()
    is_staff = serializers.BooleanField()
    roles = serializers.SerializerMethodField()

    def get_roles(self, user: User) -> list[str]:
        return _roles(user.pk)


class Roles(APIView):
    @says("user_roles", TAG, RolesShape, gets=ROLES_JSON, refusals=(403, 404), parameters=[in_path("user_id")])
    def get(self, request: Request, user_id: str) -> Response:
        """Somebody's roles. For administrators."""
        people.demand(request, ASSIGN)
        user = User.objects.filter(pk=uuid.UUID(user_id)).first()
        if user is None:
            raise NotFound("There is no such person.", "user_not_found")
        return Response(RolesShape(user).data)

    @says(
        "user_roles_set",
        TAG,
        RolesShape,
        request=RolesInput,
        sends={"roles": ["support"], "reason": "Joins on Monday"},
        gets=ROLES_JSON,
        refusals=(400, 403, 404, 409),
        parameters=[in_path("user_id")],
    )
    def put(self, request: Request, user_id: str) -> Response:
        """Give somebody exactly these roles: `support`, `billing manager`, `marketing`, `administrator`, or another
        group of the admin. With one they are staff, without one no more. For administrators; not one's own.
        """
        people.demand(request, ASSIGN)
        body = read(RolesInput, request.data)
        with transaction.atomic():
            before = _roles(uuid.UUID(user_id))
            user = staff.set_roles(uuid.UUID(user_id), by=people.caller(request), at=timezone.now(), **body)
            if before != _roles(user.pk):
                history.note(request, user, history.CHANGE, {"roles": ", ".join(_roles(user.pk)) or "none"})
        return Response(RolesShape(user).data)


def _roles(user_id: uuid.UUID) -> list[str]:
    return list(Group.objects.filter(user=user_id).order_by("name").values_list("name", flat=True))
