"""Counters that all processes share: in Redis, and in this process alone while Redis is away."""

from __future__ import annotations

import logging
import time
from typing import Any

from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

AWAY = 10.0  # seconds for which Redis is left alone after it did not answer
TIMES = {"socket_connect_timeout": 0.5, "socket_timeout": 0.5}

_back_at = 0.0  # by the monotonic clock


class SharedCache(BaseCache):
    """Django's cache in Redis for what is counted and may be lost: guesses, requests of an address.

    A customer must not see an error because a counter is out of reach, and must not guess for free either: then each
    process counts by itself. Nothing that must be right is kept here.
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        options = {**params.get("OPTIONS", {}), **TIMES}
        self._shared = RedisCache(server, {**params, "OPTIONS": options})
        self._own = LocMemCache("shared-cache-away", {**params, "OPTIONS": {}})

    def add(self, key: str, value: Any, *args: Any, **more: Any) -> bool:
        return bool(self._either("add", key, value, *args, **more))

    def get(self, key: str, *args: Any, **more: Any) -> Any:
        return self._either("get", key, *args, **more)

    def set(self, key: str, value: Any, *args: Any, **more: Any) -> None:
        self._either("set", key, value, *args, **more)

    def touch(self, key: str, *args: Any, **more: Any) -> bool:
        return bool(self._either("touch", key, *args, **more))

    def delete(self, key: str, *args: Any, **more: Any) -> bool:
        return bool(self._either("delete", key, *args, **more))

    def incr(self, key: str, *args: Any, **more: Any) -> int:
        return int(self._either("incr", key, *args, **more))

    def clear(self) -> None:
        """Forgets what this process counted by itself: the broker lives in the same Redis."""
        self._own.clear()

    def _either(self, verb: str, *args: Any, **more: Any) -> Any:
        global _back_at
        if time.monotonic() >= _back_at:
            try:
                return getattr(self._shared, verb)(*args, **more)
            except RedisError as error:
                log.warning("the shared cache does not answer; this process counts by itself: %s", error)
                _back_at = time.monotonic() + AWAY
        return getattr(self._own, verb)(*args, **more)
