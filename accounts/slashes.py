"""The API answers with and without a trailing slash; a redirect would lose the body of a POST."""

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, re_path


def both(route: str, view: Callable[..., Any], name: str) -> URLPattern:
    """A URL pattern for the regex `route`, written without slashes at its ends; reversed without the slash."""
    return re_path(rf"^{route}/?\Z", view, name=name)


def documented(endpoints: list[tuple[Any, ...]], **kwargs: Any) -> list[tuple[Any, ...]]:
    """Hook for SPECTACULAR_SETTINGS["PREPROCESSING_HOOKS"]: the schema shows each address without the slash."""
    return [(path.rstrip("/"), *rest) for path, *rest in endpoints]
