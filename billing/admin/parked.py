"""Needs a human: whatever the system has set aside, on one page, with the sentence why and a button.

A ModelAdmin takes part by having `parked_rows(request)`, which gives its rows and the name of the field that says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import capfirst

from billing.admin import telling

SHOWN = 50


@dataclass(frozen=True, slots=True)
class Parked:
    """A row that waits, why, since when, and what can be done."""

    row: Any
    url: str
    customer: Any
    since: str
    why: str
    buttons: list[tuple[Any, str]]


@dataclass(frozen=True, slots=True)
class Section:
    """The rows of one kind that wait."""

    title: str
    rows: list[Parked]
    more: bool
    url: str


def sections(request: HttpRequest) -> list[Section]:
    """What waits, of all that this person may see; kinds of which nothing waits are left out."""
    found = []
    for model_admin in _taking_part(request):
        rows, field = model_admin.parked_rows(request)
        latest = list(rows.order_by("-pk")[: SHOWN + 1])
        if latest:
            told = [_told(model_admin, request, row, field) for row in latest[:SHOWN]]
            title = capfirst(str(model_admin.opts.verbose_name_plural))
            found.append(Section(title, told, len(latest) > SHOWN, telling.list_address(model_admin.model)))
    return found


def count(request: HttpRequest) -> int | None:
    """How many rows wait, no further than a page of each kind; None for one who may see none of them."""
    taking_part = list(_taking_part(request))
    if not taking_part:
        return None
    return sum(int(model_admin.parked_rows(request)[0].order_by()[:SHOWN].count()) for model_admin in taking_part)


def page(request: HttpRequest) -> HttpResponse:
    """The page of what needs a human."""
    if not any(_taking_part(request)):
        raise PermissionDenied
    context = {
        **admin.site.each_context(request),
        "title": "Needs a human",
        "sections": sections(request),
    }
    return TemplateResponse(request, "admin/boxoffice/needs_a_human.html", context)


def page_address() -> str:
    """Where the page is."""
    return reverse("admin:needs_a_human")


def _taking_part(request: HttpRequest) -> Iterator[Any]:
    for model_admin in admin.site._registry.values():
        if hasattr(model_admin, "parked_rows") and model_admin.has_view_permission(request):
            yield model_admin


def _told(model_admin: Any, request: HttpRequest, row: Any, field: str) -> Parked:
    ways = ("updated_at", "received_at", "created_at", "event.at")
    since = next((at for way in ways if (at := _reach(row, way))), None)
    customer = next((who for way in ("user", "payment.user", "event.user") if (who := _reach(row, way))), None)
    buttons = model_admin.buttons(request, row)
    return Parked(row, telling.address(row), customer, telling.moment(since), getattr(row, field), buttons)


def _reach(row: Any, way: str) -> Any:
    """What stands at the end of a way of attributes; None where the way breaks off."""
    for name in way.split("."):
        row = getattr(row, name, None)
    return row
