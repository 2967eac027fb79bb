"""How staff pages tell things: money, moments, states, links. One look on every list and page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from operator import attrgetter
from typing import Any
from urllib.parse import parse_qs, urlencode

from django.contrib import admin
from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from moneyed import Money

from acquiring.http import redact
from billing import money

NOTHING = "–"
Column = Any  # a function of a row; Django takes such in `fields`, its types know only names

# Anywhere in the name of a field or header. `redact` knows the acquirers' exact words; this adds a margin.
SECRET_WORDS = ("token", "secret", "crypt", "sign", "hmac", "auth", "password", "cookie", "cvv", "cvc")


def moment(at: datetime | None) -> str:
    """A time in the zone of the settings: "2 Aug 2026, 15:04"."""
    if at is None:
        return NOTHING
    local = timezone.localtime(at)
    return f"{local.day} {local:%b %Y, %H:%M}"


def day(at: datetime | None) -> str:
    """The date alone: "2 Aug 2026"."""
    return moment(at).split(",")[0]


def badge(state: str, label: str) -> SafeString:
    """A state as a coloured word."""
    return format_html('<span class="state state-{}">{}</span>', state, label)


def address(row: Model) -> str:
    """Where the admin shows a row; empty where it does not."""
    try:
        return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    except NoReverseMatch:
        return ""


def link(row: Model | None, text: str = "") -> SafeString | str:
    """A row by its name, leading to its page."""
    if row is None:
        return NOTHING
    return format_html('<a href="{}">{}</a>', address(row), text or str(row))


def named(row: Any) -> str:
    """A row among others of its kind: whose it is, and what."""
    payment = getattr(row, "payment", row)
    return f"{payment.user}, {row}" if hasattr(payment, "user") else str(row)


def list_address(model: type[Model]) -> str:
    """Where the admin lists `model`."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def listed(model: type[Model], term: object) -> str:
    """The address of a list of `model` that searches for `term`."""
    return f"{list_address(model)}?{urlencode({'q': term})}"


def money_column(attribute: str, label: str, ordering: str = "", zero: str = "") -> Column:
    """A column of `row.<attribute>`, which is Money; `attribute` may hold dots. `zero`: what to say instead of 0.00."""

    @admin.display(description=label, ordering=ordering or None)
    def column(row: Any) -> str:
        value: Money | None = attrgetter(attribute)(row)
        if value is None:
            return NOTHING
        return money.spoken(value) if value.amount or not zero else zero

    column.__name__ = f"money_{attribute.replace('.', '_')}"  # becomes the cell's CSS class
    return column


def moment_column(attribute: str, label: str) -> Column:
    """A column of `row.<attribute>`, a time."""

    @admin.display(description=label, ordering=attribute)
    def column(row: Any) -> str:
        return moment(getattr(row, attribute))

    column.__name__ = f"moment_{attribute}"
    return column


def state_column(attribute: str = "status", label: str = "State") -> Column:
    """A column of `row.<attribute>`, a state with choices."""

    @admin.display(description=label, ordering=attribute)
    def column(row: Any) -> SafeString:
        return badge(getattr(row, attribute), getattr(row, f"get_{attribute}_display")())

    column.__name__ = f"state_{attribute}"
    return column


def state_or_trouble() -> Column:
    """The state, and whether a human must look, in one narrow column."""

    @admin.display(description="State", ordering="status")
    def column(row: Any) -> SafeString:
        state = badge(row.status, row.get_status_display())
        if not row.parked:
            return state
        return format_html('{} <strong class="parked" title="{}">needs a human</strong>', state, row.parked)

    column.__name__ = "state_status"
    return column


def link_column(attribute: str, label: str, text: Callable[[Any], str] = str) -> Column:
    """A column that leads to `row.<attribute>`, another row; `attribute` may hold dots."""

    @admin.display(description=label)
    def column(row: Any) -> SafeString | str:
        target = row
        for name in attribute.split("."):
            target = getattr(target, name) if target is not None else None
        return link(target, text(target) if target is not None else "")

    column.__name__ = f"link_{attribute.replace('.', '_')}"
    return column


def warning(text: str) -> SafeString | str:
    """A plain sentence that asks for a human."""
    return format_html('<strong class="parked">{}</strong>', text) if text else NOTHING


def refusal(message: str, code: str, advice: str = "") -> str:
    """Why an acquirer said no, and what is to be done next, in one line."""
    parts = [message, f"({code})" if code else "", f"→ {advice.replace('_', ' ')}" if advice else ""]
    return " ".join(part for part in parts if part) or NOTHING


def sentences(told: Iterable[str]) -> SafeString:
    """Plain sentences, each on a line of its own."""
    return format_html_join(mark_safe("<br>"), "{}", ((each,) for each in told))


def yes(attribute: str, label: str) -> Column:
    """A column that says yes or no in words: a red cross would look like something wrong."""

    @admin.display(description=label, ordering=attribute)
    def column(row: Any) -> str:
        return "yes" if getattr(row, attribute) else "no"

    column.__name__ = f"yes_{attribute}"
    return column


def without_secrets(data: Any) -> Any:
    """JSON-like `data` with whatever may be a secret hidden."""
    return redact(data, frozenset(_secret_names(data)))


def body(text: str) -> SafeString | str:
    """The body of a message from outside, readable and without secrets; not shown at all when it cannot be read."""
    if not text:
        return NOTHING
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = {name: values[0] if len(values) == 1 else values for name, values in parse_qs(text).items()}
    if not isinstance(data, dict | list) or not data:
        return f"Not shown: {len(text)} characters that cannot be read."
    return block(data)


def block(data: Any) -> SafeString:
    """JSON-like data, readable and without secrets."""
    try:
        text = json.dumps(without_secrets(data), indent=2, ensure_ascii=False, default=str)
    except RecursionError:
        text = "Not shown: nested too deeply."
    return format_html('<pre class="data">{}</pre>', text)


def _secret_names(data: Any) -> set[str]:
    if isinstance(data, dict):
        plain = {str(key).lower().replace("_", "").replace("-", "") for key in data}
        own = {name for name in plain if any(word in name for word in SECRET_WORDS)}
        return own.union(*(_secret_names(value) for value in data.values()))
    if isinstance(data, list | tuple):
        return set[str]().union(*(_secret_names(item) for item in data))
    return set()
