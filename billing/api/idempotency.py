"""`Idempotency-Key`: the first answer to a key is kept, and given again to whoever repeats the request."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from billing.api.problems import problem
from billing.errors import Invalid
from billing.models import RequestKey

HEADER = "Idempotency-Key"
LEASE = timedelta(minutes=1)  # after this a request in flight counts as dead and may be taken over

View = Callable[..., Response]


def idempotent(view: View) -> View:
    """Wraps a POST method of an APIView.

    Same key and body: the stored first answer. Same key, other body: 422. Same key in flight: 409. Without a key the
    view runs as it is. The verbs below are idempotent by themselves, so a request that died and is taken over after
    its lease does no harm. Refusals (4xx) are not stored: the same key may be tried again once the cause is gone.
    """

    @wraps(view)
    def wrapper(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get(HEADER, "")
        if not key:
            return view(self, request, *args, **kwargs)
        if len(key) > 100 or not key.isprintable() or not key.isascii():
            raise Invalid("An Idempotency-Key is up to 100 printable ASCII characters.", "bad_idempotency_key")
        row, answer = _claim(request, key)
        if row is None:
            return answer
        try:
            response = view(self, request, *args, **kwargs)
        except BaseException:
            row.delete()
            raise
        row.status, row.answer = response.status_code, json.loads(json.dumps(response.data, cls=JSONEncoder))
        row.save(update_fields=["status", "answer"])
        return response

    return wrapper


def key_of(request: Request) -> str | None:
    """The request's key, made unique to its user, for verbs that keep it themselves."""
    key = request.headers.get(HEADER, "")
    return hashlib.sha256(f"{request.user.pk}:{key}".encode()).hexdigest() if key else None


def _claim(request: Request, key: str) -> tuple[RequestKey | None, Any]:
    """The row to work under, or None and the answer to give at once."""
    now = timezone.now()
    digest = hashlib.sha256(json.dumps(request.data, sort_keys=True, cls=JSONEncoder).encode()).hexdigest()
    try:
        with transaction.atomic():
            row = RequestKey.objects.create(
                user=request.user,
                key=key,
                path=request.path[:200],
                body_digest=digest,
                leased_until=now + LEASE,
            )
        return row, None
    except IntegrityError:
        pass
    with transaction.atomic():
        row = RequestKey.objects.select_for_update().filter(user=request.user, key=key).first()
        if row is None:  # the first request was refused a moment ago
            return None, problem(status.HTTP_409_CONFLICT, "request_in_flight", "Try again.")
        if row.body_digest != digest or row.path != request.path[:200]:
            return None, problem(
                status.HTTP_422_UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "This Idempotency-Key was used for another request.",
            )
        if row.status is not None:
            return None, Response(row.answer, status=row.status, headers={"Idempotent-Replayed": "true"})
        if row.leased_until > now:
            return None, problem(
                status.HTTP_409_CONFLICT, "request_in_flight", "The first request with this key is not done yet."
            )
        row.leased_until = now + LEASE
        row.save(update_fields=["leased_until"])
        return row, None
