"""What goes on behind: events and their delivery, acquirers' callbacks, request keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing import callbacks, events
from billing.admin import telling, timeline
from billing.admin.deeds import Deed, Done, WithDeeds
from billing.admin.lists import AcquirerFilter, ReadOnly, as_id, as_number, people
from billing.admin.unparking import DealtWith
from billing.models import Callback, Delivery, Event, RequestKey


class SubjectFilter(admin.SimpleListFilter):
    """Events by what they happened to."""

    title, parameter_name = "what it happened to", "of"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(noun, noun) for noun in sorted(timeline.subjects())]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        return queryset.filter(subject_type=self.value()) if self.value() in timeline.subjects() else queryset


@admin.register(Event)
class EventAdmin(ReadOnly):
    list_display = (
        telling.moment_column("at", "When"), "kind", "subject", "change", "who",
        telling.link_column("user", "Customer"), "reason",
    )  # fmt: skip
    list_filter = (SubjectFilter, "at")
    list_select_related = ("user",)
    ordering = ("-id",)
    search_help_text = "A whole id of what it happened to or of a person, e-mail or name, a kind (invoice.paid)"
    fields = (
        telling.moment_column("at", "When"), "kind", "subject", "change", "who", "reason",
        telling.link_column("user", "Customer"), "request_id", "told", "deliveries",
    )  # fmt: skip

    def sought(self, request: HttpRequest, term: str) -> Q:
        found = as_id(term)
        if found:
            return Q(subject_type__in=list(timeline.subjects()), subject_id=found) | Q(user_id=found)
        if term.partition(".")[0] in timeline.subjects():
            return Q(kind=term)
        return Q(user_id__in=people(request, term))

    @admin.display(description="What")
    def subject(self, row: Event) -> SafeString | str:
        to = timeline.subject_address(row.subject_type, row.subject_id)
        return format_html('<a href="{}">{}</a>', to, row.subject_type) if to else row.subject_type

    @admin.display(description="From → to")
    def change(self, row: Event) -> str:
        return f"{row.from_state or '·'} → {row.to_state}" if row.to_state else telling.NOTHING

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Names the actors of the whole page in one query."""
        page = super().get_changelist_instance(request)
        rows = list(page.result_list)
        for row, name in zip(rows, timeline.actor_names(rows), strict=True):
            row.actor_name = name
        page.result_list = rows
        return page

    @admin.display(description="Who")
    def who(self, row: Event) -> str:
        return str(getattr(row, "actor_name", "") or timeline.actor_names([row])[0])

    @admin.display(description="Told with it")
    def told(self, row: Event) -> SafeString:
        return telling.block(row.data)

    @admin.display(description="Handed to")
    def deliveries(self, row: Event) -> SafeString:
        return format_html('<a href="{}">Its deliveries →</a>', telling.listed(Delivery, row.pk))


class HandOverAgain(Deed):
    slug, label, permission, bulk = "again", "Try again…", "billing.retry_parked", True

    def applies(self, row: Delivery) -> bool:
        return row.status == Delivery.Status.PARKED

    def tells(self, row: Delivery, at: datetime) -> list[tuple[str, str]]:
        return [
            ("Event", f"{row.event.kind}, {telling.moment(row.event.at)}"),
            ("Handler", row.handler),
            ("Failed with", row.error or telling.NOTHING),
            ("What happens", "The event is handed over again at once, from the first attempt. Handlers change nothing "
             "where they have done their work already."),
        ]  # fmt: skip

    def do(self, row: Delivery, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        if row.status != Delivery.Status.PARKED:
            return Done("It is not parked any more; nothing was done.", messages.INFO)
        events.retry(row.pk, at=at)
        return Done("Taken up again; look at it in a moment.")


@admin.register(Delivery)
class DeliveryAdmin(WithDeeds):
    deeds = (HandOverAgain(), DealtWith())
    list_display = (
        "id", telling.link_column("event", "Event"), "handler", telling.state_column(), "attempts",
        telling.moment_column("next_attempt_at", "Next try"), telling.moment_column("done_at", "Done"),
    )  # fmt: skip
    list_filter = ("status",)
    list_select_related = ("event",)
    ordering = ("-id",)
    search_help_text = "An event's number, or the whole id of what it happened to"
    fields = (
        telling.state_column(), telling.link_column("event", "Event"), "handler", "attempts", "why_parked",
        telling.moment_column("next_attempt_at", "Next try"), telling.moment_column("done_at", "Done"),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return super().get_queryset(request).select_related("event")

    def sought(self, request: HttpRequest, term: str) -> Q:
        found, number = as_id(term), as_number(term)
        if found:
            return Q(event__subject_type__in=list(timeline.subjects()), event__subject_id=found)
        return Q(event_id=number) if number is not None else Q(pk__in=[])

    @admin.display(description="Last error")
    def why_parked(self, row: Delivery) -> SafeString | str:
        return telling.warning(row.error)

    def parked_rows(self, request: HttpRequest) -> tuple[QuerySet[Delivery], str]:
        rows = self.get_queryset(request).select_related("event__user")
        return rows.filter(status=Delivery.Status.PARKED), "error"


class ActAgain(Deed):
    slug, label, permission, bulk = "again", "Try again…", "billing.retry_parked", True

    def applies(self, row: Callback) -> bool:
        return row.status == Callback.Status.PARKED

    def tells(self, row: Callback, at: datetime) -> list[tuple[str, str]]:
        return [
            ("Message", f"{row.acquirer}, {row.kind}, received {telling.moment(row.received_at)}"),
            ("Parked because", row.note or telling.NOTHING),
            ("What happens", "The stored message is verified and acted upon again. What it has done already it "
             "does not do twice."),
        ]  # fmt: skip

    def do(self, row: Callback, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        if row.status != Callback.Status.PARKED:
            return Done("It is not parked any more; nothing was done.", messages.INFO)
        after = callbacks.retry(row.pk, at=at)
        if after.status == Callback.Status.PROCESSED:
            return Done("Done: it is processed now.")
        return Done(f"No better: {after.note}", messages.WARNING)


@admin.register(Callback)
class CallbackAdmin(WithDeeds):
    deeds = (ActAgain(), DealtWith())
    list_display = (
        telling.moment_column("received_at", "Received"), "acquirer", "kind", telling.state_column(), "subject",
        "attempts", "note",
    )  # fmt: skip
    list_filter = ("status", AcquirerFilter, "received_at")
    ordering = ("-id",)
    search_help_text = "The whole id of a payment or refund"
    fields = (
        telling.state_column(), "why_parked", "acquirer", "kind", "subject",
        telling.moment_column("received_at", "Received"), telling.moment_column("processed_at", "Acted upon"),
        "attempts", telling.moment_column("next_attempt_at", "Next try"), "content", "shown_headers", "dedupe_key",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Callback]:
        rows = super().get_queryset(request)
        return rows if request.resolver_match and "object_id" in request.resolver_match.kwargs else rows.defer("body")

    def sought(self, request: HttpRequest, term: str) -> Q:
        found = as_id(term)
        return Q(subject_type__in=list(timeline.subjects()), subject_id=found) if found else Q(pk__in=[])

    @admin.display(description="About")
    def subject(self, row: Callback) -> SafeString | str:
        to = timeline.subject_address(row.subject_type, row.subject_id) if row.subject_id else ""
        return format_html('<a href="{}">{}</a>', to, row.subject_type) if to else telling.NOTHING

    @admin.display(description="Note")
    def why_parked(self, row: Callback) -> SafeString | str:
        return telling.warning(row.note) if row.status == Callback.Status.PARKED else row.note or telling.NOTHING

    @admin.display(description="Body, without secrets")
    def content(self, row: Callback) -> SafeString | str:
        return telling.body(row.body)

    @admin.display(description="Headers, without secrets")
    def shown_headers(self, row: Callback) -> SafeString:
        return telling.block(row.headers)

    def parked_rows(self, request: HttpRequest) -> tuple[QuerySet[Callback], str]:
        return super().get_queryset(request).defer("body").filter(status=Callback.Status.PARKED), "note"


@admin.register(RequestKey)
class RequestKeyAdmin(ReadOnly):
    """Which requests were seen; not what was answered, which is the customer's own."""

    list_display = (
        "key", telling.link_column("user", "Customer"), "path", "status",
        telling.moment_column("created_at", "First seen"),
    )  # fmt: skip
    list_select_related = ("user",)
    ordering = ("-created_at", "id")
    search_help_text = "E-mail or name, or a person's whole id"
    fields = (
        "key", telling.link_column("user", "Customer"), "path", "status", "body_digest",
        telling.moment_column("created_at", "First seen"), telling.moment_column("leased_until", "In flight until"),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[RequestKey]:
        return super().get_queryset(request).defer("answer")

    def sought(self, request: HttpRequest, term: str) -> Q:
        found = as_id(term)
        return Q(user_id=found) | Q(pk=found) if found else Q(user_id__in=people(request, term))
