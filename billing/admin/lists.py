"""Lists that stay quick at a million rows, and pages on which nothing can be edited."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.functional import cached_property
from django.utils.safestring import SafeString

from accounts.models import User
from acquiring import registry
from billing.admin import timeline

if TYPE_CHECKING:
    Stock = admin.ModelAdmin[Any]
    StockInline = admin.TabularInline[Any, Any]
    StockPaginator = Paginator[Any]
else:
    Stock, StockInline, StockPaginator = admin.ModelAdmin, admin.TabularInline, Paginator

Panel = Callable[[HttpRequest, Any], SafeString | str]
PEOPLE = 200  # how many persons one search word may mean


class CappedPaginator(StockPaginator):
    """Counts no further than anybody pages: neither the count nor the last page reads the whole table."""

    cap = 10_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.cap].count())

    @property
    def capped(self) -> bool:
        """Whether there may be more rows than are counted."""
        return self.count >= self.cap


class ParkedFilter(admin.SimpleListFilter):
    """Rows whose `parked` sentence asks for a human."""

    title = "needs a human"
    parameter_name = "parked"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes"), ("no", "No")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "yes":
            return queryset.exclude(parked="")
        return queryset.filter(parked="") if self.value() == "no" else queryset


class AcquirerFilter(admin.SimpleListFilter):
    """By acquirer; the choices are the settings', because asking a big table for its distinct values is slow."""

    title = "acquirer"
    parameter_name = "acquirer"
    path = "acquirer"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in registry.names()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.path: self.value()}) if self.value() in registry.names() else queryset


class ReadOnly(Stock):
    """Looks, never edits. `columns` of lists and pages come from `telling`; `noun` gives the page its timeline.

    `extra_panels` is where apps above add to the top of the page of a row, as `UserAdmin.extend` does for people.
    """

    change_form_template = "admin/boxoffice/change_form.html"
    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # each would count the whole table
    list_per_page = 50
    list_max_show_all = 0
    search_fields = ("pk",)  # shows the box; `sought` does the search
    extra_panels: ClassVar[list[Panel]] = []

    def __init_subclass__(cls) -> None:
        cls.extra_panels = []  # each page has its own

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return [field for _, options in self.get_fieldsets(request, obj) for field in options["fields"]]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if any("\x00" in value for values in dict(request.GET.lists()).values() for value in values):
            return HttpResponseRedirect(request.path)  # PostgreSQL has no such character, so no row has it
        return super().changelist_view(request, extra_context)

    # --- searching

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By what the term looks like, so that each search is one index and not a scan for everything at once."""
        term = search_term.strip()
        return (queryset.filter(self.sought(request, term)) if term else queryset), False

    def sought(self, request: HttpRequest, term: str) -> Q:
        """What rows a search for `term` means."""
        raise NotImplementedError

    # --- the page of a row

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        row = context.get("original")
        if row is not None:
            context["panels"] = [panel(request, row) for panel in self.extra_panels]
            if hasattr(row, "noun") and request.user.has_perm("billing.view_event"):
                context["timeline"] = timeline.of(row)
        return super().render_change_form(request, context, *args, **kwargs)


class ReadOnlyInline(StockInline):
    """Rows below a row; looked at only."""

    extra = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return list(self.fields or ())


def as_id(term: str) -> uuid.UUID | None:
    """The whole of an id, in any spelling; None for any other term."""
    try:
        return uuid.UUID(term)
    except ValueError:
        return None


def as_number(term: str) -> int | None:
    """A number such as an invoice's, with or without "№" or "#"; None for any other term."""
    digits = term.lstrip("№# ")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None


def people(request: HttpRequest, term: str) -> list[uuid.UUID]:
    """The persons whose e-mail or name holds `term`; the newest few hundred when there are too many."""
    match = Q(email__icontains=term) | Q(name__icontains=term)
    found = list(User.objects.filter(match).values_list("pk", flat=True)[: PEOPLE + 1])
    if len(found) > PEOPLE:
        messages.warning(request, f"“{term:.40}” means more than {PEOPLE} people; the newest {PEOPLE} were looked at.")
    return found[:PEOPLE]
