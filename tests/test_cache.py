"""Throttles count across processes, and go on counting while Redis is away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisIsAway

from billing_project import cache as shared


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[shared.SharedCache]:
    monkeypatch.setattr(shared, "_back_at", 0.0)
    made = shared.SharedCache("redis://127.0.0.1:1/0", {"KEY_PREFIX": "test"})
    yield made
    made._own.clear()


class Redis:
    """Redis as two processes see it."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.away = False

    def add(self, key: str, value: int, *_: Any) -> bool:
        self._answer()
        return self.numbers.setdefault(key, value) == value

    def incr(self, key: str) -> int:
        self._answer()
        self.numbers[key] += 1
        return self.numbers[key]

    def _answer(self) -> None:
        if self.away:
            raise RedisIsAway("gone")


def counted(cache: Any) -> int:
    cache.add("guesses", 0, 60)
    return int(cache.incr("guesses"))


def test_two_processes_count_together(cache: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    redis, other = Redis(), shared.SharedCache("redis://127.0.0.1:1/0", {})
    monkeypatch.setattr(cache, "_shared", redis)
    monkeypatch.setattr(other, "_shared", redis)
    assert [counted(cache), counted(other), counted(cache)] == [1, 2, 3]


def test_without_redis_each_process_counts_by_itself_and_nobody_sees_an_error(cache: Any) -> None:
    assert [counted(cache), counted(cache)] == [1, 2]
    with pytest.raises(ValueError, match="not found"):
        cache.incr("unseen")


def test_redis_is_left_alone_for_a_while_and_then_used_again(cache: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("billing_project.cache.time.monotonic", lambda: clock[0])
    redis = Redis()
    monkeypatch.setattr(cache, "_shared", redis)
    counted(cache)
    redis.away = True
    assert counted(cache) == 1  # its own count
    redis.away = False
    assert counted(cache) == 2
    clock[0] += shared.AWAY
    assert counted(cache) == 2  # Redis had one


def test_all_that_throttles_use_works_while_redis_is_away(cache: Any) -> None:
    cache.set("history", [1, 2], 60)
    assert (cache.get("history"), cache.touch("history", 60)) == ([1, 2], True)
    cache.set("number", 5, 60)
    assert cache.decr("number") == 4
    assert cache.delete("number")
    cache.clear()
    assert cache.get("history", "none") == "none"
