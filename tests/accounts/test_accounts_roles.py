"""M14: staff roles are groups, with the permissions that the settings name."""

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command

from accounts.roles import ROLES, sync_roles

pytestmark = pytest.mark.django_db


def permissions(role):
    return set(Group.objects.get(name=role).permissions.values_list("codename", flat=True))


def test_m14_the_four_roles_exist_after_migrate():
    assert set(ROLES) <= set(Group.objects.values_list("name", flat=True))


def test_m14_a_role_gets_what_the_patterns_match_and_unknown_ones_are_ignored():
    sync_roles({"support": ["accounts.view_*", "nowhere.add_nothing"]})

    assert permissions("support") == {"view_user"}


def test_m14_the_table_is_the_truth_and_may_be_applied_again():
    sync_roles({"support": ["accounts.*"]})
    sync_roles({"support": ["accounts.view_user"]})
    sync_roles({"support": ["accounts.view_user"]})

    assert permissions("support") == {"view_user"}


def test_m14_a_role_that_the_table_does_not_name_is_left_alone():
    sync_roles({"support": ["accounts.view_user"]})
    sync_roles({})

    assert permissions("support") == {"view_user"}


def test_m14_migrate_applies_the_settings(settings):
    settings.STAFF_ROLES = {"administrator": ["accounts.assign_roles"], "usher": []}
    call_command("migrate", verbosity=0)

    assert permissions("administrator") == {"assign_roles"}
    assert permissions("usher") == set()
