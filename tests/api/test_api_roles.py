"""M14: an administrator sets a person's roles over HTTP; nobody else does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group

from accounts.models import User
from billing.models import Event
from tests.api.client import Api
from tests.things import viewer

pytestmark = pytest.mark.django_db
NOBODY = "00000000-0000-4000-8000-000000000000"


def in_role(*names: str) -> Api:
    user = viewer(is_staff=True)
    user.groups.set(Group.objects.filter(name__in=names))
    return Api(user)


@pytest.fixture
def boss(plans: None, acquirer: Any) -> Api:
    return in_role("administrator")


def where(who: Api) -> str:
    assert who.user is not None
    return f"users/{who.user.pk}/roles"


def test_M14_an_administrator_sets_roles_that_count_at_once(boss: Api, anna: Api, paid: dict[str, str]) -> None:
    assert boss.user and anna.user
    stranger = Api(viewer())
    lookup = f"payments/{paid['payment']}"
    assert stranger.get(lookup).status_code == 404
    for _ in range(2):
        answer = boss.put(where(stranger), {"roles": ["support", "marketing", "support"], "reason": "Joins on Monday"})
        assert (answer.status_code, answer.data["roles"], answer.data["is_staff"]) == (
            200, ["marketing", "support"], True,
        )  # fmt: skip
    assert stranger.get(lookup).status_code == 200
    event = Event.objects.get(kind="user.roles_set")
    assert (event.actor, event.user, event.reason) == (f"user:{boss.user.pk}", stranger.user, "Joins on Monday")
    assert event.data == {"before": [], "roles": ["marketing", "support"], "is_staff": True}
    assert LogEntry.objects.get().change_message == "Over the API. roles: marketing, support"
    assert boss.put(where(stranger), {"roles": []}).data["is_staff"] is False
    assert stranger.get(lookup).status_code == 404
    assert boss.get(where(stranger)).data["roles"] == []


@pytest.mark.parametrize("role", ["support", "billing manager", "marketing", "nobody"])
def test_M14_nobody_else_sets_or_reads_roles(role: str, boss: Api, anna: Api) -> None:
    clerk = in_role(role)
    for who in (clerk, anna):
        assert clerk.put(where(who), {"roles": ["administrator"]}).status_code == 403
        assert clerk.get(where(who)).status_code == 403
    assert Api().put(where(anna), {"roles": []}).status_code == 401
    assert not Event.objects.filter(kind="user.roles_set").exists()


def test_M14_an_administrator_who_is_staff_no_more_sets_nothing(boss: Api, anna: Api) -> None:
    assert boss.user
    User.objects.filter(pk=boss.user.pk).update(is_staff=False)
    assert boss.put(where(anna), {"roles": ["support"]}).status_code == 403


def test_M14_nobody_changes_their_own_roles_nor_a_superusers(boss: Api) -> None:
    own = boss.put(where(boss), {"roles": []})
    assert (own.status_code, own.data["code"]) == (409, "own_roles")
    root = Api(viewer(is_staff=True, is_superuser=True))
    refused = boss.put(where(root), {"roles": ["support"]})
    assert (refused.status_code, refused.data["code"]) == (403, "superuser")
    assert root.put(where(boss), {"roles": ["support"]}).data["roles"] == ["support"]


def test_M14_who_has_permissions_of_their_own_stays_staff_without_roles(boss: Api, staff: Callable[..., Api]) -> None:
    clerk = staff("billing.view_payment")
    assert boss.put(where(clerk), {"roles": ["support"]}).data["is_staff"]
    assert boss.put(where(clerk), {"roles": []}).data["is_staff"]


@pytest.mark.parametrize(
    "body",
    [{}, {"roles": None}, {"roles": "support"}, {"roles": ["emperor"]}, {"roles": [1]}, {"roles": ["sup\u0000port"]},
     {"roles": ["support"], "is_superuser": True}, {"roles": {"support": True}}, [], {"roles": ["Support"]},
     {"roles": ["support"] * 51}, {"roles": [""]}],
)  # fmt: skip
def test_M14_roles_that_make_no_sense_are_refused(boss: Api, anna: Api, body: Any) -> None:
    assert boss.put(where(anna), body).status_code == 400
    assert not Event.objects.filter(kind="user.roles_set").exists()


def test_M14_a_person_who_is_not_there_is_not_found(boss: Api) -> None:
    for user_id in (NOBODY, "1", "me"):
        assert boss.put(f"users/{user_id}/roles", {"roles": []}).status_code == 404
        assert boss.get(f"users/{user_id}/roles").status_code == 404
