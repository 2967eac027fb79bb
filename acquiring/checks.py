"""System checks: an acquirer that is set up wrongly is told at the start, not by the first customer."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as Caution
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from acquiring import registry

SANDBOX = "acquiring.backends.sandbox.Sandbox"


@register()
def check_options(app_configs: object = None, **kwargs: object) -> list[CheckMessage]:
    """E001: an acquirer that cannot be made from its settings. E002: no acquirer at all."""
    if not settings.ACQUIRERS:
        return [Error("ACQUIRERS names no acquirer, so nobody can pay", id="acquiring.E002")]
    return [
        Error(f"acquirer {name!r}: {problem}", hint=f'see settings.ACQUIRERS["{name}"]', id="acquiring.E001")
        for name, entry in settings.ACQUIRERS.items()
        for problem in _problems(entry)
    ]


@register()
def check_sandbox(app_configs: object = None, **kwargs: object) -> list[CheckMessage]:
    """E003: the local bank, where money is not real, outside a developer's machine."""
    if settings.DEBUG or getattr(settings, "ALLOW_SANDBOX", False) is True:
        return []
    return [
        Error(
            f"acquirer {name!r} is the local bank, which moves no real money",
            hint="name a real acquirer, or set ALLOW_SANDBOX for a demonstration",
            id="acquiring.E003",
        )
        for name, entry in settings.ACQUIRERS.items()
        if entry.get("backend") == SANDBOX
    ]


@register()
def check_routes(app_configs: object = None, **kwargs: object) -> list[CheckMessage]:
    """E004: a route that leads to an acquirer that nobody set up, or that has no share above zero."""
    found: list[CheckMessage] = []
    for number, route in enumerate(settings.ACQUIRER_ROUTES, 1):
        shares = route.get("shares")
        if not isinstance(shares, dict) or not all(_is_share(share) for share in shares.values()):
            problem = 'needs "shares": a percentage from 0 for each acquirer by name'
        elif unknown := sorted(set(shares) - set(settings.ACQUIRERS)):
            problem = f"names {', '.join(unknown)}, which is not in ACQUIRERS"
        elif not any(shares.values()):
            problem = "gives nobody a share above 0"
        elif strange := sorted(set(route) - {"currency", "goods", "shares"}):
            problem = f"has {', '.join(strange)}, which means nothing here"
        else:
            continue
        found.append(Error(f"route {number} of ACQUIRER_ROUTES {problem}", id="acquiring.E004"))
    return found


@register()
def check_shares_of_calls(app_configs: object = None, **kwargs: object) -> list[CheckMessage]:
    """W005: more processes than an acquirer bears calls at once; each makes one, so that is too many."""
    found: list[CheckMessage] = []
    for name, entry in settings.ACQUIRERS.items():
        if _problems(entry):
            continue  # E001 tells
        bears = registry.get(name).capabilities.calls_at_once
        if 0 < bears < (processes := settings.CALLING_PROCESSES):
            text = f"acquirer {name!r} bears {bears} calls at once, and CALLING_PROCESSES is {processes}"
            found.append(Caution(text, hint="run fewer processes", id="acquiring.W005"))
    return found


def _is_share(share: object) -> bool:
    return isinstance(share, int) and not isinstance(share, bool) and share >= 0


def _problems(entry: Mapping[str, Any]) -> list[str]:
    """What is wrong with one entry. Names settings, never their values."""
    try:
        backend = import_string(entry.get("backend", ""))
    except ImportError:
        return [f"its backend {entry.get('backend', '')!r} cannot be imported"]
    options = entry.get("options", {})
    needed = inspect.signature(backend).parameters.values()
    required = [each.name for each in needed if each.default is each.empty and each.kind is not each.VAR_KEYWORD]
    missing = [f"{name} is missing or empty" for name in required if not options.get(name)]
    if missing:
        return missing
    try:
        backend(**options)
    except (TypeError, ValueError, ImproperlyConfigured) as problem:
        return [str(problem)]
    return []
