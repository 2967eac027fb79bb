"""Errors in one shape: application/problem+json (RFC 9457) with a stable `code`."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from billing.context import request_id
from billing.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from billing.money import BadAmount

CONTENT_TYPE = "application/problem+json"
_STATUS = {
    Invalid: status.HTTP_400_BAD_REQUEST,
    Forbidden: status.HTTP_403_FORBIDDEN,
    NotFound: status.HTTP_404_NOT_FOUND,
    Conflict: status.HTTP_409_CONFLICT,
}


def problem(http_status: int, code: str, detail: str, **more: Any) -> Response:
    """A response in the one shape. `error_id` and `error_desc` are the same facts under the names older clients use."""
    body = {
        "type": "about:blank",
        "title": code.replace("_", " ").capitalize(),
        "status": http_status,
        "detail": detail,
        "code": code,
        "error_id": code,
        "error_desc": detail,
        "request_id": request_id.get(),
        **more,
    }
    return Response(body, status=http_status, content_type=CONTENT_TYPE)


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: every refusal of a verb and every error of the framework, in the one shape."""
    if isinstance(error, BadAmount):
        error = Invalid(str(error), "bad_amount")
    if isinstance(error, Refused):
        http_status = next((s for kind, s in _STATUS.items() if isinstance(error, kind)), 400)
        return problem(http_status, error.code, error.detail, **error.facts)
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if not isinstance(error, exceptions.APIException):
        return None
    set_rollback()
    response = _of_framework(error)
    if wait := getattr(error, "wait", None):
        response["Retry-After"] = f"{wait:.0f}"
    if header := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = header
    return response


def _of_framework(error: exceptions.APIException) -> Response:
    if isinstance(error, exceptions.ValidationError):
        fields = error.detail if isinstance(error.detail, dict) else {"body": error.detail}
        return problem(error.status_code, "invalid", _first(fields), errors=fields)
    detail, code = error.detail, error.default_code
    if isinstance(detail, dict):  # simplejwt's form
        code = str(detail.get("code", code))
        detail = detail.get("detail", error.default_detail)
    return problem(error.status_code, str(code), str(detail))


def _first(fields: Any) -> str:
    """The first message of a tree of them, with the field's name before it."""
    if isinstance(fields, dict):
        for name, value in fields.items():
            return f"{name}: {_first(value)}" if name != "non_field_errors" else _first(value)
    if isinstance(fields, list) and fields:
        return _first(fields[0])
    return str(fields)
