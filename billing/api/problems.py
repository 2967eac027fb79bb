"""Errors in one shape: application/problem+json (RFC 9457) with a stable `code`."""

from __future__ import annotations

from typing import Any

from django.core import exceptions as django
from django.core.signals import got_request_exception
from django.db import OperationalError
from django.http import Http404
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError
from django.utils.log import log_response
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from billing.api.parsing import TooLarge
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


def handle(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's exception handler: refusals of verbs, errors of the framework and bugs, in the one shape."""
    error = _as_ours(error)
    set_rollback()
    if isinstance(error, Refused):
        return problem(_STATUS.get(type(error), 400), error.code, error.detail, **error.facts)
    if not isinstance(error, exceptions.APIException):
        return _unexpected(error, context)
    response = _of_framework(error)
    if wait := getattr(error, "wait", None):
        response["Retry-After"] = f"{wait:.0f}"
    if header := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = header
    return response


def _as_ours(error: Exception) -> Exception:
    """Errors of Django and of the money module, as those that have a place in the API."""
    if isinstance(error, BadAmount):
        return Invalid(str(error), "bad_amount")
    if isinstance(error, Http404):
        return exceptions.NotFound()
    if isinstance(error, django.PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(error, django.RequestDataTooBig):
        return TooLarge()
    if isinstance(error, django.SuspiciousOperation | MultiPartParserError | UnreadablePostError):
        return exceptions.ParseError()
    return error


def _unexpected(error: Exception, context: dict[str, Any]) -> Response:
    """A bug, or the database out of reach. The log and whoever listens hear all of it, the client nothing."""
    request = context["request"]
    if isinstance(error, OperationalError):
        response = problem(503, "busy", "We cannot answer at the moment. Try again, with the same Idempotency-Key.")
        response["Retry-After"] = "5"
    else:
        response = problem(500, "internal_error", "Something went wrong on our side. It has been noted.")
    got_request_exception.send(sender=type(context["view"]), request=request._request)
    log_response("%s: %s", response.reason_phrase, request.path, response=response, request=request, exception=error)
    return response


def _of_framework(error: exceptions.APIException) -> Response:
    if isinstance(error, exceptions.ValidationError):
        fields = error.detail if isinstance(error.detail, dict) else {"body": error.detail}
        return problem(error.status_code, "invalid", _first(fields), errors=fields)
    detail: Any = error.detail
    code: Any = error.default_code
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
