"""The API's throttle for ordinary pages: the same scope, the same counters."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from rest_framework.throttling import ScopedRateThrottle


class ThrottledPosts:
    """Mixin of a page view: too many POSTs from one address get 429 instead of being tried."""

    throttle_scope = "auth"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        throttle = ScopedRateThrottle()
        if request.method == "POST" and not throttle.allow_request(request, self):  # type: ignore[arg-type]
            wait = int(throttle.wait() or 60) + 1
            response = render(request, "accounts/too_many.html", {"seconds": wait}, status=429)
            response["Retry-After"] = str(wait)
            return response
        return super().dispatch(request, *args, **kwargs)  # type: ignore[misc, no-any-return]
