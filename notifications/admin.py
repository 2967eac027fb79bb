"""Mails to customers, as staff see them. This app may not see billing's pages, so it has its own few lines of each."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

from notifications import mailings
from notifications.models import Message

if TYPE_CHECKING:
    StockAdmin = admin.ModelAdmin[Message]
    StockPaginator = Paginator[Message]
else:
    StockAdmin, StockPaginator = admin.ModelAdmin, Paginator


class CappedPaginator(StockPaginator):
    """Counts no further than anybody pages."""

    cap = 10_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.cap].count())

    @property
    def capped(self) -> bool:
        return self.count >= self.cap


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2, "cols": 80, "autofocus": True}),
        help_text="Kept in the history, with your name.",
    )


class SendAgain:
    """A parked mail is handed over again."""

    slug, label, confirm, danger = "again", "Send again…", "Send the mail", False
    permission = "billing.retry_parked"
    what = "The mail is handed over again. If it did go out before, they get it twice."


class DealtWith:
    """A parked mail needs nobody any more."""

    slug, label, confirm, danger = "dealt-with", "Dealt with…", "", False
    permission = "billing.resolve_case"
    what = "It leaves the list of what needs a human, and your reason is kept. The mail is not sent."


Deed = type[SendAgain] | type[DealtWith]
DEEDS: tuple[Deed, ...] = (SendAgain, DealtWith)


@admin.register(Message)
class MessageAdmin(StockAdmin):
    change_form_template = "admin/boxoffice/change_form.html"
    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_max_show_all = 0
    list_per_page = 50
    list_display = ("made", "recipient", "subject", "state", "attempts", "sent")
    list_filter = ("status", "created_at")
    ordering = ("-event_id",)  # newest first, by an index
    search_fields = ("pk",)
    search_help_text = "A whole e-mail address, or the whole id of a mail"
    fields = readonly_fields = (
        "state", "why_parked", "recipient", "subject", "text", "about", "attempts", "made", "sent", "id",
    )  # fmt: skip

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if any("\x00" in value for values in dict(request.GET.lists()).values() for value in values):
            return HttpResponseRedirect(request.path)
        return super().changelist_view(request, extra_context)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Message], search_term: str
    ) -> tuple[QuerySet[Message], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            return queryset.filter(Q(pk=uuid.UUID(term)) | Q(event__user_id=uuid.UUID(term))), False
        except ValueError:
            return queryset.filter(recipient=term.lower()), False

    # --- telling

    @admin.display(description="Written", ordering="created_at")
    def made(self, row: Message) -> str:
        return _moment(row.created_at)

    @admin.display(description="Sent", ordering="sent_at")
    def sent(self, row: Message) -> str:
        return _moment(row.sent_at)

    @admin.display(description="State", ordering="status")
    def state(self, row: Message) -> SafeString:
        return format_html('<span class="state state-{}">{}</span>', row.status, row.get_status_display())

    @admin.display(description="Last error")
    def why_parked(self, row: Message) -> SafeString | str:
        return format_html('<strong class="parked">{}</strong>', row.error) if row.error else "–"

    @admin.display(description="Text")
    def text(self, row: Message) -> SafeString:
        return format_html('<pre class="data">{}</pre>', row.body)

    @admin.display(description="About")
    def about(self, row: Message) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("admin:billing_event_change", args=[row.event_id]), row.event)

    # --- sending again

    def parked_rows(self, request: HttpRequest) -> tuple[QuerySet[Message], str]:
        return self.get_queryset(request).select_related("event__user").filter(status=Message.Status.PARKED), "error"

    def buttons(self, request: HttpRequest, row: Message) -> list[tuple[Any, str]]:
        if row.status != Message.Status.PARKED:
            return []
        return [
            (deed, reverse(f"admin:notifications_message_{deed.slug}", args=[row.pk]))
            for deed in DEEDS
            if request.user.has_perm(deed.permission)
        ]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.deed_view)
        return [
            path(f"<path:object_id>/{deed.slug}/", view, {"deed": deed}, name=f"notifications_message_{deed.slug}")
            for deed in DEEDS
        ] + super().get_urls()

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        context["deeds"] = self.buttons(request, context["original"])
        return super().render_change_form(request, context, *args, **kwargs)

    def deed_view(self, request: HttpRequest, object_id: str, deed: Deed) -> HttpResponse:
        """GET says what will happen and asks why; POST does it."""
        if not (self.has_view_permission(request) and request.user.has_perm(deed.permission)):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]
        page = reverse("admin:notifications_message_change", args=[row.pk])
        if row.status != Message.Status.PARKED:
            messages.warning(request, f"This mail is not parked: it is {row.get_status_display().lower()}.")
            return HttpResponseRedirect(page)
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if not form.is_valid():
            return self._ask(request, deed, form, row, page)
        reason = form.cleaned_data["reason"]
        self.log_change(request, row, f"{deed.label.rstrip('…')}: {reason}")
        if deed is DealtWith:
            mailings.dismiss(row.pk, by=f"user:{request.user.pk}", reason=reason)
            messages.success(request, "It is off the list; the reason is kept.")
            return HttpResponseRedirect(page)
        after = mailings.retry(row.pk, at=timezone.now())
        if after.status == Message.Status.SENT:
            messages.success(request, f"Sent to {after.recipient}.")
        else:
            messages.warning(request, f"Not sent yet: {after.error} It is tried again by itself.")
        return HttpResponseRedirect(page)

    def _ask(self, request: HttpRequest, deed: Deed, form: ReasonForm, row: Message, page: str) -> HttpResponse:
        facts = [
            ("To", row.recipient),
            ("Subject", row.subject),
            ("Parked because", row.error),
            ("What happens", deed.what),
        ]
        context = {"title": deed.label.rstrip("…"), "opts": self.opts, "deed": deed, "form": form, "facts": facts}
        context |= {**self.admin_site.each_context(request), "row": row, "back": page}
        return TemplateResponse(request, "admin/boxoffice/deed.html", context)


def _moment(at: Any) -> str:
    if at is None:
        return "–"
    local = timezone.localtime(at)
    return f"{local.day} {local:%b %Y, %H:%M}"
