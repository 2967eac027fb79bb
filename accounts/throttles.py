"""The API's throttle for ordinary pages (the same scope, the same counters), and one that counts wrong guesses only."""

import time
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from rest_framework.exceptions import Throttled
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


@contextmanager
def guessing(request: Any, scope: str, *, misses: Container[str], said: str) -> Iterator[None]:
    """Around looking for something that could be guessed. Wrong guesses are counted, right ones are free.

    A wrong one is an exception whose `code` is in `misses`. After the rate "<scope>_user" of them by one person, or
    "<scope>_address" from one address, every further guess raises Throttled (with `said`) until that time is over: a
    right one as well, or it could be told from the others. Each is counted before it is looked at, so that many at
    once are not more than the rate.
    """
    throttle = ScopedRateThrottle()
    keys = [_counter(throttle, f"{scope}_user", str(request.user.pk))] if request.user.is_authenticated else []
    keys.append(_counter(throttle, f"{scope}_address", throttle.get_ident(request)))
    waits = [left for key, most, left in keys if _counted(key, left) > most]
    if waits:
        _take_back(keys)
        raise Throttled(wait=max(waits), detail=said)
    try:
        yield
    except BaseException as error:
        if getattr(error, "code", "") not in misses:
            _take_back(keys)
        raise
    else:
        _take_back(keys)


def _counter(throttle: ScopedRateThrottle, rate: str, who: str) -> tuple[str, int, int]:
    """The counter of this stretch of time, how far it may go, and the seconds until the next stretch."""
    most, seconds = throttle.parse_rate(throttle.THROTTLE_RATES[rate])
    assert most is not None and seconds is not None
    now = int(time.time())
    return f"guesses:{rate}:{who}:{now // seconds}", most, seconds - now % seconds


def _counted(key: str, left: int) -> int:
    cache.add(key, 0, left)
    try:
        return cache.incr(key)
    except ValueError:  # pushed out of the cache this very moment
        return 1


def _take_back(keys: list[tuple[str, int, int]]) -> None:
    for key, _, _ in keys:
        with suppress(ValueError):  # it is gone with its stretch of time
            cache.decr(key)


def retry_after(error: Throttled) -> int:
    """Seconds, one at least."""
    return int(getattr(error, "wait", 0) or 0) + 1
