"""A client of the API that holds every answer against the published schema."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

from django.urls import resolve
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings
from jsonschema import Draft202012Validator, FormatChecker
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import User
from tests import fake_acquirer

V1 = "/api/v1/"
PROBLEM = {"type", "title", "status", "detail", "code", "error_id", "error_desc", "request_id"}


@cache
def openapi() -> Any:
    """The schema as OpenAPI 3.1, whose schemas are plain JSON Schema; objects closed, so that each field is told of."""
    with patched_settings({"OAS_VERSION": "3.1.0"}):
        document = copy.deepcopy(SchemaGenerator().get_schema(request=None, public=True))
    for name, schema in document["components"]["schemas"].items():
        if "properties" in schema and name != "Problem":
            schema["additionalProperties"] = False
    return document


class Api:
    """Somebody's client (`user`), or a stranger's."""

    def __init__(self, user: User | None = None, **credentials: str) -> None:
        self.user = user
        self.http = APIClient(raise_request_exception=False)
        if user:
            self.http.credentials(HTTP_AUTHORIZATION=f"Bearer {AccessToken.for_user(user)}")

    def get(self, route: str, **query: Any) -> Any:
        return self._checked("get", route, self.http.get(V1 + route, query))

    def post(self, route: str, body: Any = None, *, key: str | None = None, **more: Any) -> Any:
        headers = {"Idempotency-Key": key} if key is not None else {}
        body = {} if body is None else body
        return self._checked("post", route, self.http.post(V1 + route, body, format="json", headers=headers, **more))

    def raw(self, route: str, body: bytes, content_type: str = "application/json", **headers: str) -> Any:
        """A POST of these very bytes."""
        answer = self.http.generic("POST", V1 + route, body, content_type=content_type, headers=headers)
        return self._checked("post", route, answer)

    def put(self, route: str, body: Any) -> Any:
        return self._checked("put", route, self.http.put(V1 + route, body, format="json"))

    def delete(self, route: str) -> Any:
        return self._checked("delete", route, self.http.delete(V1 + route))

    def subscribe(self, plan: str = "year", **more: Any) -> Any:
        """A waiting subscription."""
        answer = self.post("subscriptions/subscribe", {"plan": plan, **more})
        assert answer.status_code == 201, answer.content
        return answer.data

    def _checked(self, method: str, route: str, answer: Response) -> Response:
        if answer.status_code >= 400:
            check_problem(answer)
        check_schema(method, route, answer)
        return answer


def check_problem(answer: Any) -> None:
    """An error has the one shape, and tells nothing of the inside."""
    body = answer.json()
    assert answer["Content-Type"] == "application/problem+json"
    assert set(body) >= PROBLEM
    assert body["status"] == answer.status_code
    assert (body["code"], body["detail"]) == (body["error_id"], body["error_desc"])
    assert body["code"] and body["detail"]
    assert body["request_id"] == answer["X-Request-ID"]
    assert "Traceback" not in answer.content.decode()


def check_schema(method: str, route: str, answer: Any) -> None:
    """What was answered is what the schema promises; an address or status that it does not name is left alone."""
    path = "/" + resolve(V1 + route.partition("?")[0]).route.removeprefix("^")
    for address, operations in openapi()["paths"].items():
        if _simple(path) == _simple(address) and method in operations:
            responses = operations[method]["responses"]
            assert str(answer.status_code) in responses or answer.status_code in (405, 406, 415, 500, 503), (
                f"{method} {address} does not tell of {answer.status_code}: {answer.content.decode()}"
            )
            for content in responses.get(str(answer.status_code), {}).get("content", {}).values():
                _validate(content["schema"], answer)


def _validate(schema: Any, answer: Any) -> None:
    if schema.get("format") == "binary" or (schema.get("type") == "string" and "contentMediaType" in schema):
        return
    whole = {**schema, "components": openapi()["components"]}
    Draft202012Validator(whole, format_checker=FormatChecker()).validate(answer.json())


def _simple(path: str) -> str:
    """A route or an address of the schema, each parameter as a star."""
    simple, depth = "", 0
    for character in path.replace("/?\\Z", "").replace("^", ""):
        depth -= character in ")}"
        if depth == 0:
            simple += "*" if character in "({" else character if character not in ")}" else ""
        depth += character in "({"
    return simple.rstrip("/")


def tell(acquirer: fake_acquirer.FakeAcquirer, payment: str, **changes: Any) -> Any:
    """The acquirer's callback about a payment comes in."""
    return APIClient().post(f"{V1}callbacks/{fake_acquirer.NAME}", **acquirer.callback(payment, **changes))
