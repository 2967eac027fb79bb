"""How endpoints describe themselves to OpenAPI, in one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers

from billing.api.idempotency import HEADER
from billing.api.problems import CONTENT_TYPE

View = TypeVar("View", bound=Callable[..., Any])
MEANING = {
    400: "The request is wrong, and will be wrong again.",
    401: "Who asks is not known: no token, or one too old.",
    403: "This person may not do that.",
    404: "There is no such thing, or it is somebody else's.",
    409: "The thing's state does not allow it, a figure is stale, or the same request is in flight.",
    413: "The body is too large.",
    429: "Too many tries; `Retry-After` tells the seconds to wait.",
    422: "The Idempotency-Key was used for another request.",
}


class Problem(serializers.Serializer[Any]):
    """RFC 9457, with a stable `code`."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="A sentence for the person who asked.")
    code = serializers.CharField(help_text="Stable; made for programs.")
    error_id = serializers.CharField(help_text="The same as `code`.")
    error_desc = serializers.CharField(help_text="The same as `detail`.")
    request_id = serializers.CharField(allow_blank=True, help_text="Name it when you ask for help.")

    def get_fields(self) -> dict[str, Any]:  # the name `errors` is taken by the class itself
        errors = serializers.JSONField(required=False, help_text="What is wrong, field by field.")
        return super().get_fields() | {"errors": errors}


def in_path(name: str, kind: Any = OpenApiTypes.UUID, about: str = "") -> OpenApiParameter:
    return OpenApiParameter(name, kind, OpenApiParameter.PATH, description=about)


def in_query(name: str, kind: Any, about: str) -> OpenApiParameter:
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, description=about)


KEY = OpenApiParameter(
    HEADER,
    {"type": "string", "minLength": 1, "maxLength": 100, "pattern": "^[ -~]+$"},
    OpenApiParameter.HEADER,
    description="Makes repeating safe: the same key and body get the first answer again.",
)
PAGING = (
    in_query("cursor", OpenApiTypes.STR, "From `next` or `previous` of a page."),
    in_query("page_size", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}, "Rows of a page."),
)


def says(
    operation: str,
    tag: str,
    answer: Any,
    *,
    status: int = 200,
    request: Any = None,
    sends: Mapping[str, Any] | None = None,
    gets: Any = None,
    refusals: Sequence[int] = (),
    parameters: Sequence[OpenApiParameter] = (),
    keyed: bool = False,
    public: bool = False,
    or_else: tuple[int, Any, str] | None = None,
) -> Callable[[View], View]:
    """Describes an operation: its name, what it takes and answers, with a true example of both (`sends`, `gets`).

    `or_else`: the status and shape of another good answer, and when it is given.
    """
    codes = {*refusals, *(() if public else (401,)), *((400, 409, 422) if keyed else ()), *((413,) if request else ())}
    examples = [OpenApiExample("Request", sends, request_only=True)] if sends else []
    shown = [OpenApiExample("Response", gets)] if gets else []
    responses: dict[Any, Any] = {
        status: OpenApiResponse(answer, description="", examples=shown) if answer else OpenApiResponse(None)
    }
    if or_else is not None:
        responses[or_else[0]] = OpenApiResponse(or_else[1], description=or_else[2])
    for code in sorted(codes):
        responses[code, CONTENT_TYPE] = OpenApiResponse(Problem, description=MEANING[code])
    return extend_schema(
        operation_id=operation,
        tags=[tag],
        request=request,
        responses=responses,
        parameters=[*parameters, *([KEY] if keyed else [])],
        examples=examples,
        auth=[] if public else None,
        filters=False,
    )


@cache
def page_of(shape: Any) -> Any:
    """The schema of a page of `shape`."""
    return inline_serializer(
        f"{shape.__name__.removesuffix('Serializer')}Page",
        {
            "results": shape(many=True),
            "next": serializers.URLField(allow_null=True),
            "previous": serializers.URLField(allow_null=True),
        },
    )
