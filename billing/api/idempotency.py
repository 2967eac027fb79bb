"""`Idempotency-Key`: the first answer to a key is kept, and given again to whoever repeats the request."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, cast

from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from billing.api.people import caller
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
        key = request.headers.get(HEADER)
        if key is None:
            return view(self, request, *args, **kwargs)
        if not 1 <= len(key) <= 100 or not key.isprintable() or not key.isascii():
            raise Invalid("An Idempotency-Key is up to 100 printable ASCII characters.", "bad_idempotency_key")
        row, answer = _claim(request, key)
        if row is None:
            return cast(Response, answer)
        # Whoever took over after the lease has another one: what we do to the row must not undo theirs.
        ours = RequestKey.objects.filter(pk=row.pk, leased_until=row.leased_until, status=None)
        try:
            response = view(self, request, *args, **kwargs)
        except BaseException:
            ours.delete()
            raise
        ours.update(status=response.status_code, answer=json.loads(json.dumps(response.data, cls=JSONEncoder)))
        return response

    return wrapper


def key_of(request: Request) -> str | None:
    """The request's key, made unique to its user, for verbs that keep it themselves."""
    key = request.headers.get(HEADER, "")
    return hashlib.sha256(f"{request.user.pk}:{key}".encode()).hexdigest() if key else None


def _claim(request: Request, key: str) -> tuple[RequestKey | None, Any]:
    """The row to work under, or None and the answer to give at once."""
    now = timezone.now()
    user = caller(request)
    path = request.path.rstrip("/")[:200]  # both forms of an address are one
    digest = hashlib.sha256(json.dumps(request.data, sort_keys=True, cls=JSONEncoder).encode()).hexdigest()
    try:
        with transaction.atomic():
            row = RequestKey.objects.create(
                user=user,
                key=key,
                path=path,
                body_digest=digest,
                leased_until=now + LEASE,
            )
        return row, None
    except IntegrityError:
        pass
    with transaction.atomic():
        known = RequestKey.objects.select_for_update().filter(user=user, key=key).first()
        if known is None:  # the first request was refused a moment ago
            return None, problem(status.HTTP_409_CONFLICT, "request_in_flight", "Try again.")
        if known.body_digest != digest or known.path != path:
            return None, problem(
                status.HTTP_422_UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "This Idempotency-Key was used for another request.",
            )
        if known.status is not None:
            return None, Response(known.answer, status=known.status, headers={"Idempotent-Replayed": "true"})
        if known.leased_until > now:
            return None, problem(
                status.HTTP_409_CONFLICT, "request_in_flight", "The first request with this key is not done yet."
            )
        known.leased_until = now + LEASE
        known.save(update_fields=["leased_until"])
        return known, None
