"""Our own WSGI application, called inside the process: every middleware, no socket. Both sides are called so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from io import BytesIO
from typing import Any
from wsgiref.util import setup_testing_defaults

from django.core.wsgi import get_wsgi_application


@cache
def _application() -> Callable[..., Any]:
    return get_wsgi_application()


def call(method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """The answer's body. Raises AssertionError for an answer that is no success."""
    path, _, query = path.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_HOST": "shop.invalid",
        "wsgi.input": BytesIO(body),
    }
    environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in (headers or {}).items()}
    setup_testing_defaults(environ)
    status: list[str] = []
    response = _application()(environ, lambda line, *rest: status.append(line))
    try:
        answer = b"".join(response)
    finally:
        response.close()  # Django gives the connection back to the pool here
    assert status[0].startswith("2"), f"{method} {path}: {status[0]} {answer[:300]!r}"
    return answer
