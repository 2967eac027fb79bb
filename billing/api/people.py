"""Who asks, and what they may see. What is somebody else's does not exist for them: 404, never 403."""

from __future__ import annotations

from typing import Any, cast

from rest_framework.request import Request

from accounts.models import User
from billing.errors import Forbidden, NotFound


def caller(request: Request) -> User:
    """The person who asks, where the view demands that somebody does."""
    return cast(User, request.user)


def actor(request: Request) -> str:
    """The caller as events name them."""
    return f"user:{request.user.pk}"


def may(request: Request, permission: str) -> bool:
    """Whether the caller is staff and holds a permission. Who is staff no more keeps nothing by an old group."""
    return caller(request).is_staff and caller(request).has_perm(permission)


def demand(request: Request, permission: str) -> None:
    """Raises Forbidden `staff_only` for everybody but staff with the permission."""
    if not may(request, permission):
        raise Forbidden("Only staff with the right permission may do that.", "staff_only")


def visible(request: Request, rows: Any, permission: str = "", *, noun: str) -> Any:
    """The one row of a queryset, if it is the caller's own or they are staff with `permission`. Raises NotFound."""
    row = rows.first()
    if row is not None and (row.user_id == caller(request).pk or (permission and may(request, permission))):
        return row
    raise NotFound(f"There is no such {noun}.", f"{noun}_not_found")
