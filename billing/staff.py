"""Who of the staff may do what: a person's roles, which are Django groups, as an administrator sets them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from types import SimpleNamespace

from django.contrib.auth.models import Group
from django.db import transaction

from accounts.models import User
from billing import events
from billing.errors import Conflict, Forbidden, Invalid, NotFound


def set_roles(user_id: uuid.UUID, roles: Iterable[str], *, by: User, at: datetime, reason: str = "") -> User:
    """Gives somebody exactly these roles. With a role one is staff; without one no more, unless a superuser gave them
    permissions of their own. The second time changes nothing.

    Raises NotFound `user_not_found`; Invalid `role_not_found`; Forbidden `superuser` where only a superuser may;
    Conflict `own_roles`: nobody shuts themselves out, or in.
    """
    wanted = sorted(set(roles))
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).filter(pk=user_id).first()
        if user is None:
            raise NotFound("There is no such person.", "user_not_found")
        if user.pk == by.pk:
            raise Conflict("Somebody else has to change your own roles.", "own_roles")
        if user.is_superuser and not by.is_superuser:
            raise Forbidden("Only a superuser changes the roles of a superuser.", "superuser")
        groups = {group.name: group for group in Group.objects.filter(name__in=wanted)}
        missing = [name for name in wanted if name not in groups]
        if missing:
            raise Invalid(f"There is no role “{missing[0]}”.", "role_not_found")
        before = sorted(user.groups.values_list("name", flat=True))
        staff = bool(wanted) or user.is_superuser or user.user_permissions.exists()
        if (before, user.is_staff) == (wanted, staff):
            return user
        user.groups.set(groups.values())
        user.is_staff = staff
        user.save(update_fields=["is_staff"])
        row = SimpleNamespace(noun="user", pk=user.pk, customer_id=user.pk)
        data = {"before": before, "roles": wanted, "is_staff": staff}
        events.emit("user.roles_set", row, actor=f"user:{by.pk}", at=at, reason=reason, data=data)
    return user
