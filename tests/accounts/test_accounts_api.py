"""P3: register, confirm, log in, refresh, log out, see oneself."""

import json
import re

import pytest
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings
from rest_framework.test import APIClient

from accounts.models import User
from tests.accounts.conftest import PASSWORD
from tests.accounts.urls import urlpatterns

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("mails_at_once")]
AUTH = "/api/v1/auth/"


def post(api: APIClient, route: str, **body):
    return api.post(AUTH + route, body, format="json")


def bearer(api: APIClient, access: str) -> APIClient:
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    return api


@pytest.fixture
def tokens(api, anna):
    return post(api, "token", email=anna.email, password=PASSWORD).data


def test_p3_the_whole_story(api, mailoutbox):
    born = post(api, "register", email="New@example.org", password=PASSWORD, name="Lev")
    assert born.status_code == 201
    assert born.data == {"id": str(User.objects.get().pk), "email": "new@example.org", "confirmed": False}

    entered = post(api, "token", email="NEW@example.org", password=PASSWORD)
    assert entered.status_code == 200 and entered.data["confirmed"] is False

    token = re.search(r"/confirm/([^/]+)/", mailoutbox[0].body).group(1)
    assert post(api, "confirm", token=token).data == born.data | {"confirmed": True}
    assert post(api, "confirm", token=token).status_code == 200

    me = bearer(api, entered.data["access"]).get(AUTH + "me")
    assert me.data == born.data | {"name": "Lev", "confirmed": True, "roles": []}


@pytest.mark.parametrize("slash", ["", "/"])
def test_p3_a_slash_at_the_end_makes_no_difference(api, anna, slash):
    assert post(api, "token" + slash, email=anna.email, password=PASSWORD).status_code == 200


def test_p3_a_line_break_at_the_end_is_another_address(api):
    assert api.get(AUTH + "me%0A").status_code == 404


def test_p3_the_answer_to_a_known_email_looks_like_any_other(api, anna, mailoutbox):
    answer = post(api, "register", email=anna.email, password="another long password")

    assert answer.status_code == 201 and answer.data.keys() == {"id", "email", "confirmed"}
    assert answer.data["id"] != str(anna.pk) and answer.data["confirmed"] is False
    assert "already have an account" in mailoutbox[0].body


@pytest.mark.parametrize(
    "change",
    [
        {"email": "nonsense"},
        {"email": "a\x00@x.org"},
        {"email": "a@x\ud800.org"},
        {"email": "a" * 250 + "@x.org"},
        {"email": ["a@x.org"]},
        {"email": None},
        {"password": "short"},
        {"password": "12345678"},
        {"password": "p\x00ssword and more"},
        {"password": "p\ud800ssword and more"},
        {"password": "p" * 129},
        {"password": {}},
        {"name": "a\x00b"},
        {"name": "a\nb"},
        {"name": "\ud800"},
        {"name": "n" * 151},
    ],
    ids=repr,
)
def test_p3_a_bad_registration_is_400_and_saves_nothing(api, change):
    body = {"email": "new@example.org", "password": PASSWORD} | change
    answer = api.post(AUTH + "register", json.dumps(body), content_type="application/json")

    assert answer.status_code == 400 and not User.objects.exists()


@pytest.mark.parametrize("body", [[], "text", 1, None, {}])
@pytest.mark.parametrize("route", ["register", "confirm", "token", "refresh", "logout"])
def test_p3_a_body_that_is_no_request_is_400(api, route, body):
    answer = api.post(AUTH + route, json.dumps(body), content_type="application/json")

    assert answer.status_code == 400


@pytest.mark.parametrize("token", ["x", "a:b:c", "é", "t" * 1001, "a\x00"])
def test_p3_a_bad_confirmation_token_is_400(api, token):
    assert post(api, "confirm", token=token).status_code == 400


@pytest.mark.parametrize(
    ("email", "password"), [("anna@example.org", "wrong"), ("nobody@x.org", PASSWORD), ("x", PASSWORD)]
)
def test_p3_wrong_credentials_are_401(api, anna, email, password):
    answer = post(api, "token", email=email, password=password)

    assert answer.status_code == 401 and answer["WWW-Authenticate"]


@pytest.mark.parametrize("value", ["a\x00", "a\ud800", "a" * 300])
@pytest.mark.parametrize("field", ["email", "password"])
def test_p3_credentials_that_cannot_be_are_400(api, anna, field, value):
    body = json.dumps({"email": anna.email, "password": PASSWORD} | {field: value})

    assert api.post(AUTH + "token", body, content_type="application/json").status_code == 400


def test_p3_who_is_switched_off_gets_no_token_and_no_new_one(api, anna, tokens):
    User.objects.update(is_active=False)

    assert post(api, "token", email=anna.email, password=PASSWORD).status_code == 401
    assert post(api, "refresh", refresh=tokens["refresh"]).status_code == 401
    assert bearer(api, tokens["access"]).get(AUTH + "me").status_code == 401


def test_p3_a_refresh_token_works_once(api, tokens):
    fresh = post(api, "refresh", refresh=tokens["refresh"])

    assert fresh.status_code == 200 and fresh.data.keys() == {"access", "refresh"}
    assert post(api, "refresh", refresh=tokens["refresh"]).status_code == 401
    assert post(api, "refresh", refresh=fresh.data["refresh"]).status_code == 200


def test_p3_the_refresh_token_of_a_deleted_person_is_401(api, anna, tokens):
    anna.delete()

    assert post(api, "refresh", refresh=tokens["refresh"]).status_code == 401


@pytest.mark.parametrize("refresh", ["x", "a.b.c", ""])
def test_p3_a_bad_refresh_token_is_refused(api, refresh):
    for route in ("refresh", "logout"):
        assert post(api, route, refresh=refresh).status_code in (400, 401)


def test_p3_an_access_token_is_no_refresh_token(api, tokens):
    assert post(api, "refresh", refresh=tokens["access"]).status_code == 401


def test_p3_after_logging_out_the_refresh_token_is_dead(api, tokens):
    answer = post(api, "logout", refresh=tokens["refresh"])

    assert answer.status_code == 204 and not answer.content
    assert post(api, "refresh", refresh=tokens["refresh"]).status_code == 401


def test_p3_oneself_is_for_who_is_logged_in(api):
    assert api.get(AUTH + "me").status_code == 401


def test_m14_oneself_shows_the_roles(api, anna, tokens):
    from django.contrib.auth.models import Group

    anna.groups.add(Group.objects.get_or_create(name="support")[0])

    assert bearer(api, tokens["access"]).get(AUTH + "me").data["roles"] == ["support"]


@pytest.mark.parametrize("route", ["register", "confirm", "token"])
def test_p3_trying_too_often_is_429(api, route, monkeypatch):
    monkeypatch.setattr("rest_framework.throttling.ScopedRateThrottle.THROTTLE_RATES", {"auth": "2/min"})

    assert [post(api, route).status_code for _ in range(3)] == [400, 400, 429]


def test_p4_the_schema_tells_of_these_routes_without_a_slash():
    with patched_settings({"PREPROCESSING_HOOKS": ["accounts.slashes.documented"]}):
        paths = SchemaGenerator(patterns=urlpatterns).get_schema(public=True)["paths"]

    for route in ("register", "confirm", "token", "refresh", "logout"):
        assert "post" in paths[AUTH + route]
    assert "get" in paths[AUTH + "me"]
    assert list(paths[AUTH + "logout"]["post"]["responses"]) == ["204", "401"]
