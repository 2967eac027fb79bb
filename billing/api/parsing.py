"""JSON as money needs it: no NaN, no infinity, no float, no NUL, no lone surrogate, no bottomless nesting."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import IO, Any

from django.conf import settings
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser

MAX_DEPTH = 20
MAX_DIGITS = 40  # of a number; far more than any amount or id has


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is too large."
    default_code = "too_large"


class StrictJSONParser(JSONParser):
    """Numbers with a fraction become Decimal. What is not plain JSON of plain text is a 400."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        raw = stream.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
        if len(raw) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise TooLarge
        try:
            body = json.loads(raw.decode(), parse_float=_decimal, parse_int=_int, parse_constant=_no_constant)
        except (ValueError, ArithmeticError, RecursionError):
            raise ParseError("The body is not JSON.") from None
        _look(body, 0)
        return body


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError("too many digits")
    return int(text)


def _decimal(text: str) -> Decimal:
    """Refuses "1e999999999", which takes a gigabyte to write out, before anybody tries."""
    if len(text) > MAX_DIGITS:
        raise ValueError("too many digits")
    number = Decimal(text)
    if abs(number.adjusted()) > MAX_DIGITS:
        raise ValueError("too large or too small")
    return number


def _look(value: Any, depth: int) -> None:
    """Raises ParseError for text that PostgreSQL or UTF-8 cannot hold, and for nesting that nobody needs."""
    if depth > MAX_DEPTH:
        raise ParseError("The body is nested too deeply.")
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= c <= "\udfff" for c in value):
            raise ParseError("The body holds a character that is no text.")
    elif isinstance(value, dict):
        for key, item in value.items():
            _look(key, depth + 1)
            _look(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _look(item, depth + 1)
