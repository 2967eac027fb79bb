"""Staff roles: Django groups, whose permissions the settings spell out.

This app knows no other app, so `settings.STAFF_ROLES` holds the table: role → patterns of "app.codename", for instance
`{"support": ["accounts.view_user", "billing.view_*"]}`. The table is the truth for the roles it names: each migrate
puts their permissions back to it. A role it does not name exists and is left as it is.
"""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from django.apps import AppConfig
from django.apps import apps as global_apps
from django.conf import settings
from django.contrib.auth.models import Group, Permission

SUPPORT = "support"
BILLING_MANAGER = "billing manager"
MARKETING = "marketing"
ADMINISTRATOR = "administrator"
ROLES = (SUPPORT, BILLING_MANAGER, MARKETING, ADMINISTRATOR)


def sync_roles(table: Mapping[str, Iterable[str]], using: str = "default") -> None:
    """Create the roles and give those in `table` exactly the permissions that its patterns match.

    Safe to repeat. A pattern that matches nothing is ignored: its app may not be migrated yet.
    """
    permissions = {
        f"{app}.{codename}": pk
        for pk, app, codename in Permission.objects.using(using).values_list(
            "pk", "content_type__app_label", "codename"
        )
    }
    for role in dict.fromkeys([*ROLES, *table]):
        group, _ = Group.objects.using(using).get_or_create(name=role)
        if role in table:
            group.permissions.set(
                pk for name, pk in permissions.items() if any(fnmatchcase(name, pattern) for pattern in table[role])
            )


def sync_after_migrate(sender: AppConfig, using: str, apps: Any = global_apps, **kwargs: Any) -> None:
    """Keep the roles true after every migrate. Runs once per app, as the permissions of each appear."""
    table: Mapping[str, Iterable[str]] = getattr(settings, "STAFF_ROLES", {})
    named = any(pattern.split(".")[0] in (sender.label, "*") for patterns in table.values() for pattern in patterns)
    if sender.label != "accounts" and not named:
        return
    try:  # `migrate accounts zero` and the like: there may be no groups at this point of history
        apps.get_model("auth", "Group")
    except LookupError:
        return
    sync_roles(table, using)
