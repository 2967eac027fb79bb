"""Threads that take turns: what the product does side by side happens one after another here, in the order asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Self
from unittest.mock import patch

from subscriptions import charging


class OneByOne:
    """A pool that does what it is given at once. Whoever dies in it takes the whole process along, as SIGKILL would."""

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *trouble: object) -> None:
        """Nothing is under way."""

    def submit(self, verb: Callable[..., Any], *args: Any, **more: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(verb(*args, **more))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def taken() -> Iterator[None]:
    """The threads of charges take turns, on this one's connection; a single charge goes their way too."""

    def here(verb: Callable[..., Any], *args: Any, **more: Any) -> Any:
        return verb(*args, **more)

    with patch.multiple(charging, ThreadPoolExecutor=OneByOne, _apart=here, FEW=1, late=lambda began: timedelta()):
        yield
