"""Fields of requests, strict: a boolean is no number, a number is no text, and what is not known is refused."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from moneyed import Money
from rest_framework import serializers

from acquiring import registry
from billing import money
from billing.errors import Invalid

UUID_PATH = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
URL_LENGTH = 500
MOMENT = r"2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})"
PLAIN_URL = re.compile(r"[!-~]+")  # ASCII without spaces and control characters


class Input(serializers.Serializer[Any]):
    """A body. A field that is not known is refused: a misspelt `amount` must not mean "all of it"."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = [name for name in data if name not in self.fields]
            if unknown:
                raise serializers.ValidationError({unknown[0][:60]: ["There is no such field."]})
        return super().to_internal_value(data)


def read(kind: type[Input], data: Any) -> dict[str, Any]:
    """What a body holds, checked. Raises ValidationError."""
    body = kind(data=data)
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)


class Text(serializers.CharField):
    """Text. Spaces around it go where a person typed it, and are an error where a program did (`exact`)."""

    exact = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=not self.exact, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class Flag(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Whole(serializers.IntegerField):
    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return int(super().to_internal_value(data))


@extend_schema_field(OpenApiTypes.UUID)
class Id(serializers.Field[uuid.UUID, Any, str, Any]):
    default_error_messages = {"invalid": "This is not an id."}

    def to_internal_value(self, data: Any) -> uuid.UUID:
        if not isinstance(data, str) or not re.fullmatch(UUID_PATH, data):
            self.fail("invalid")
        return uuid.UUID(data)

    def to_representation(self, value: uuid.UUID) -> str:
        return str(value)


AMOUNT_SCHEMA = {
    "oneOf": [
        {"type": "string", "pattern": r"^[0-9]{1,16}(\.[0-9]{1,4})?$"},
        {"type": "integer", "minimum": 0, "maximum": 10**13},
    ],
    "description": 'A string such as "299.00", or whole units.',
    "example": "299.00",
}


@extend_schema_field(AMOUNT_SCHEMA)
class Amount(serializers.Field[Any, Any, Any, Any]):
    """An amount as it came: what it means depends on the currency, so the view parses it."""

    def to_internal_value(self, data: Any) -> Any:
        return data


@extend_schema_field({"type": "string", "format": "uri", "maxLength": URL_LENGTH})
class ReturnUrl(Text):
    """Where the acquirer sends the customer back. "{payment}" in it becomes the payment's id."""

    exact = True
    default_error_messages = {
        "bad_url": f"A return_url begins with http:// or https:// and has {URL_LENGTH} characters at most, "
        'with "{{payment}}" replaced by an id.'
    }

    def to_internal_value(self, data: Any) -> str:
        url = super().to_internal_value(data)
        try:
            parts = urlsplit(url)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
        except ValueError:
            good = False
        if not good or not PLAIN_URL.fullmatch(url) or len(url.replace("{payment}", "0" * 36)) > URL_LENGTH:
            self.fail("bad_url")
        return url


class AcquirerName(Text):
    exact = True

    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        if name not in registry.names():
            raise Invalid("There is no such acquirer.", "unknown_acquirer")
        return name


@extend_schema_field({"type": "string", "format": "date-time", "example": "2027-01-01T00:00:00+03:00"})
class When(serializers.Field[datetime, Any, str, Any]):
    """A time in a request, with its offset: nobody should have to guess a zone."""

    default_error_messages = {"invalid": "This is not a time with an offset, such as 2027-01-01T00:00:00+03:00."}

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str) or not re.fullmatch(MOMENT, data):
            self.fail("invalid")
        try:
            return datetime.fromisoformat(data).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("invalid")


class Moment(serializers.DateTimeField):
    """A time in an answer: always UTC."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=UTC, **kwargs)


def state(choices: Any, **kwargs: Any) -> serializers.ChoiceField:
    """A state in an answer. (In allOf, lest the schema's generator invents a name for each list of states.)"""
    meaning = "; ".join(f"{value}: {label}" for value, label in choices.choices)
    schema = {"description": meaning, "allOf": [{"type": "string", "enum": [str(value) for value in choices.values]}]}

    @extend_schema_field(schema)
    class State(serializers.ChoiceField):
        pass

    return State(choices.choices, **kwargs)


@extend_schema_field({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$", "example": "299.00"})
class MoneyText(serializers.Field[Any, Any, str, Any]):
    """An amount in an answer: a string with the currency's own number of decimals."""

    def to_representation(self, value: Money) -> str:
        return money.plain(value)


class Sum(serializers.Serializer[Any]):
    """An amount with its currency."""

    amount = MoneyText(source="*")
    currency = serializers.CharField(source="currency.code")
