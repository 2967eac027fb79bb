"""Keyset pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.errors import Invalid


class NewestFirst(CursorPagination):
    """The thousandth page costs what the first does, and none shifts while rows arrive."""

    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = 100
    ordering = ("-created_at", "id")

    def get_page_size(self, request: Request) -> int:
        """Raises Invalid `bad_page_size` instead of guessing what was meant."""
        asked = request.query_params.get(self.page_size_query_param)
        if asked is None:
            return self.page_size
        if not re.fullmatch(r"[0-9]{1,3}", asked) or not 1 <= int(asked) <= self.max_page_size:
            raise Invalid(f"page_size is a number from 1 to {self.max_page_size}.", "bad_page_size")
        return int(asked)

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Raises Invalid `bad_cursor`; the framework would pass any text on to the database."""
        try:
            cursor: Any = super().decode_cursor(request)
            moment = parse_datetime(cursor.position) if cursor and cursor.position is not None else None
        except (NotFound, ValueError):
            raise Invalid("This cursor is not one that a page gave.", "bad_cursor") from None
        if cursor and cursor.position is not None and (moment is None or moment.tzinfo is None):
            raise Invalid("This cursor is not one that a page gave.", "bad_cursor")
        return cursor  # type: ignore[no-any-return]

    def answer(self, view: APIView, rows: QuerySet[Any], shown: Callable[[list[Any]], Any]) -> Response:
        """One page of the rows that `view` was asked for, each as `shown`. Raises Invalid as above."""
        return self.get_paginated_response(shown(self.paginate_queryset(rows, view.request, view=view) or []))
