"""Where acquirers call. Nobody logs in here: the backend verifies what comes, and what is not verified is not kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from billing import callbacks
from billing.api.parsing import TooLarge
from billing.api.schema import View, in_path, says
from billing.errors import Invalid

LARGEST = 64 * 1024  # bytes; acquirers send a few kilobytes


class AsWeLike(BaseContentNegotiation):
    """An acquirer reads what its protocol says, whatever its Accept header happens to be."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


def _describe(operation: str, *parameters: OpenApiParameter) -> Callable[[View], View]:
    return says(
        operation,
        "callbacks",
        OpenApiTypes.BINARY,
        request={"*/*": OpenApiTypes.BINARY},
        refusals=(400, 404, 413),
        parameters=[in_path("acquirer", OpenApiTypes.STR, "Its name in our settings."), *parameters],
        public=True,
    )


class Callbacks(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)
    content_negotiation_class = AsWeLike

    @_describe("callback")
    def post(self, request: Request, acquirer: str) -> HttpResponse:
        """A message from an acquirer, signed by its own rules. Stored once, answered at once, acted on after that."""
        return _receive(request, acquirer, "")


class CallbacksOfKind(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)
    content_negotiation_class = AsWeLike

    @_describe("callback_of_kind", in_path("kind", OpenApiTypes.STR, "Which of its notices this is."))
    def post(self, request: Request, acquirer: str, kind: str) -> HttpResponse:
        """A message from an acquirer that has an address for each kind of message."""
        return _receive(request, acquirer, kind)


def _receive(request: Request, acquirer: str, kind: str) -> HttpResponse:
    body = request._request.read(LARGEST + 1)
    if len(body) > LARGEST:
        raise TooLarge
    try:
        body.decode()  # kept as text
    except UnicodeDecodeError:
        raise Invalid("This is not a callback of that acquirer.", "bad_callback") from None
    reply = callbacks.receive(acquirer, kind, request.headers, body, at=timezone.now())
    return HttpResponse(reply.body, status=reply.status, content_type=reply.content_type)
