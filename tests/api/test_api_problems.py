"""M12: every error has the one shape, and no error tells of the inside."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.db import OperationalError
from rest_framework.test import APIClient

from billing.api.parsing import MAX_DIGITS
from tests.api.client import V1, Api, check_problem
from tests.fake_acquirer import FakeAcquirer

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "path", ["nowhere", "", "auth/nowhere", "payments", "payments/x/y", "%00", "a%0Ab", "x" * 3000]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PROPFIND"])
def test_M12_an_address_that_there_is_not(plans: None, path: str, method: str) -> None:
    answer = APIClient().generic(method, V1 + path)
    assert (answer.status_code, answer.data["code"]) == (404, "not_found")
    check_problem(answer)


@pytest.mark.parametrize(
    ("method", "route"),
    [
        ("GET", "subscriptions/subscribe"),
        ("PUT", "subscriptions"),
        ("DELETE", "subscriptions"),
        ("GET", "payments/refund"),
        ("GET", "payments/payment"),
        ("POST", "access"),
        ("GET", "subscriptions/plans/new"),
        ("PATCH", "subscriptions/plans/year"),
        ("PURGE", "invoices"),
    ],
)
def test_M12_a_method_that_an_address_does_not_have(anna: Api, method: str, route: str) -> None:
    answer = anna.http.generic(method, V1 + route)
    assert (answer.status_code, answer.data["code"]) == (405, "method_not_allowed")
    assert answer["Allow"]
    check_problem(answer)


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/xml", "nonsense", "/"],
)
def test_M12_a_body_that_is_not_json(anna: Api, content_type: str) -> None:
    answer = anna.http.generic("POST", V1 + "subscriptions/subscribe", b"plan=year", content_type=content_type)
    assert (answer.status_code, answer.data["code"]) == (415, "unsupported_media_type")
    check_problem(answer)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("multipart/form-data", b"x"), ("multipart/form-data; boundary=x", b"x" * 400_000),
     ("application/x-www-form-urlencoded", b"a=" + b"x" * 400_000),
     ("application/x-www-form-urlencoded", b"a&" * 2000)],
)  # fmt: skip
def test_M12_a_form_in_a_session_is_refused(anna: Api, content_type: str, body: bytes) -> None:
    browser = APIClient(enforce_csrf_checks=True, raise_request_exception=False)
    browser.force_login(anna.user)
    browser.cookies["csrftoken"] = "c" * 32
    answer = browser.generic("POST", V1 + "subscriptions/subscribe", body, content_type=content_type)
    assert 400 <= answer.status_code < 500
    check_problem(answer)


def test_M12_an_answer_that_we_do_not_have(anna: Api) -> None:
    answer = anna.http.get(V1 + "subscriptions", headers={"Accept": "application/xml"})
    assert (answer.status_code, answer.data["code"]) == (406, "not_acceptable")
    check_problem(answer)


@pytest.mark.parametrize("route", ["subscriptions/subscribe", "subscriptions", "callbacks/fake"])
def test_M12_options_are_told(anna: Api, route: str) -> None:
    assert anna.http.options(V1 + route).status_code == 200


def test_M12_a_bug_is_told_without_the_inside_and_logged_with_it(
    anna: Api, acquirer: FakeAcquirer, caplog: pytest.LogCaptureFixture
) -> None:
    acquirer.program("checkout", ZeroDivisionError("secret of the inside"))
    with caplog.at_level(logging.ERROR, "django.request"):
        answer = anna.post("subscriptions/subscribe", {"plan": "year"})

    assert (answer.status_code, answer.data["code"]) == (500, "internal_error")
    assert b"secret" not in answer.content and b"ZeroDivision" not in answer.content
    (record,) = [record for record in caplog.records if record.name == "django.request"]
    assert record.exc_info and "secret of the inside" in caplog.text


def test_M12_a_bug_is_told_to_whoever_listens_for_bugs(anna: Api, acquirer: FakeAcquirer) -> None:
    anna.http.raise_request_exception = True  # the test client itself listens
    acquirer.program("checkout", ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        anna.post("subscriptions/subscribe", {"plan": "year"})


def test_M12_a_database_out_of_reach_is_a_reason_to_come_again(anna: Api, acquirer: FakeAcquirer) -> None:
    acquirer.program("checkout", OperationalError("lock timeout"))
    answer = anna.post("subscriptions/subscribe", {"plan": "year"})
    assert (answer.status_code, answer.data["code"], answer["Retry-After"]) == (503, "busy", "5")


def test_P7_an_error_names_the_request(anna: Api) -> None:
    answer = anna.http.get(V1 + "nowhere", headers={"X-Request-ID": "one-that-i-chose"})
    assert answer.data["request_id"] == answer["X-Request-ID"] == "one-that-i-chose"


@pytest.mark.parametrize(
    ("body", "status"), [(b"1" * MAX_DIGITS, 400), (b'{"plan": 1' + b"0" * MAX_DIGITS + b"}", 400), (b"1.5", 400)]
)
def test_M12_numbers_have_an_end(anna: Api, body: bytes, status: int) -> None:
    assert anna.raw("subscriptions/quote", body).status_code == status


@pytest.mark.parametrize("errors", [{"plan": 1.5}, {}, {"plan": ["year"]}, {"plan": "year", "save_card": "yes"}])
def test_M12_what_is_wrong_is_told_field_by_field(anna: Api, errors: dict[str, Any]) -> None:
    answer = anna.post("subscriptions/subscribe", errors)
    assert answer.status_code == 400 and answer.data["code"] == "invalid"
    (field,) = answer.data["errors"]
    assert answer.data["detail"].startswith(f"{field}: ")
