"""Deeds: the verbs that staff may do, each a button, a page that says what will happen and asks why, and a POST."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone

from acquiring.registry import UnknownAcquirer
from billing import events
from billing.admin import telling
from billing.admin.lists import ReadOnly
from billing.errors import Refused

AT_ONCE = 20  # rows of one list action: each may wait for an acquirer


class ReasonForm(forms.Form):
    """Why. A deed that needs more adds fields; `row` is what it is done to (None for many)."""

    reason = forms.CharField(
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2, "cols": 80, "autofocus": True}),
        help_text="For colleagues, kept with your name; never shown to the customer. Such as: ticket 4711",
    )

    def __init__(self, *args: Any, row: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.row = row


@dataclass(frozen=True, slots=True)
class Done:
    """What a deed came to, for the person who did it."""

    text: str
    level: int = messages.SUCCESS


class Deed:
    """One verb for staff. `applies` decides about the button only: the verb itself refuses what may not be."""

    slug: ClassVar[str]
    label: ClassVar[str]
    permission: ClassVar[str]
    form: ClassVar[type[ReasonForm]] = ReasonForm
    bulk: ClassVar[bool] = False  # also an action of the list
    danger: ClassVar[bool] = False
    confirm: ClassVar[str] = ""  # words of the last button, where the label's are not enough

    def applies(self, row: Any) -> bool:
        return True

    def tells(self, row: Any, at: datetime) -> list[tuple[str, str]]:
        """What is so, and what will happen: label and text. Raises Refused."""
        return []

    def shown(self, row: Any, at: datetime) -> dict[str, Any]:
        """Figures that travel with the form, so that what was shown is what is done."""
        return {}

    def do(self, row: Any, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        """Calls the verb. Raises Refused."""
        raise NotImplementedError


def note(kind: str, row: Any, *, staff: Any, at: datetime, reason: str) -> None:
    """Keeps who asked and why, for verbs that themselves keep no reason."""
    with transaction.atomic():
        events.emit(kind, row, actor=f"user:{staff.pk}", at=at, reason=reason)


class WithDeeds(ReadOnly):
    """A read-only page with buttons."""

    deeds: ClassVar[Sequence[Deed]] = ()
    actions_on_bottom = False

    def may(self, request: HttpRequest, deed: Deed) -> bool:
        """Whether this person may see such rows, and do this to them."""
        return self.has_view_permission(request) and request.user.has_perm(deed.permission)

    def buttons(self, request: HttpRequest, row: Any) -> list[tuple[Deed, str]]:
        """The deeds that this person may do to this row, with their addresses."""
        page = telling.address(row).removesuffix("change/")
        return [(deed, f"{page}{deed.slug}/") for deed in self.deeds if self.may(request, deed) and deed.applies(row)]

    def get_urls(self) -> list[URLPattern]:
        names = (self.opts.app_label, self.opts.model_name)
        return [
            path(
                f"<path:object_id>/{deed.slug}/",
                self.admin_site.admin_view(self.deed_view),
                {"deed": deed},
                name="{}_{}_{}".format(*names, deed.slug),
            )
            for deed in self.deeds
        ] + super().get_urls()

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        row = context.get("original")
        context["deeds"] = self.buttons(request, row) if row is not None else []
        return super().render_change_form(request, context, *args, **kwargs)

    # --- one row, from its own page

    def deed_view(self, request: HttpRequest, object_id: str, deed: Deed) -> HttpResponse:
        """GET says what will happen and asks why; POST does it."""
        if not self.may(request, deed):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]
        at, page = timezone.now(), telling.address(row)
        if request.method != "POST" and not deed.applies(row):
            messages.warning(request, f"“{_name(deed)}” does not apply to this any more: it is {_state(row)}.")
            return HttpResponseRedirect(page)
        form = deed.form(request.POST if request.method == "POST" else None, row=row, initial=deed.shown(row, at))
        if form.is_valid():
            try:
                done = deed.do(row, form.cleaned_data, staff=request.user, at=at)
            except (Refused, UnknownAcquirer) as refusal:
                row = self.get_object(request, unquote(object_id))
                form.add_error(None, _words(refusal))
                form.data = _with_fresh_figures(request.POST, deed, row, at)
                if not deed.applies(row):
                    messages.error(request, _words(refusal))
                    return HttpResponseRedirect(page)
            else:
                self.log_change(request, row, f"{_name(deed)}: {form.cleaned_data['reason']}")
                messages.add_message(request, done.level, done.text)
                return HttpResponseRedirect(page)
        try:
            facts = deed.tells(row, at)
        except Refused as refusal:
            messages.error(request, refusal.detail)
            return HttpResponseRedirect(page)
        return self._ask(request, deed, form, facts=facts, row=row, back=page)

    # --- several rows, from the list

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = dict(super().get_actions(request))
        for deed in self.deeds:
            if deed.bulk and self.may(request, deed):
                actions[f"deed_{deed.slug}"] = (self._action(deed), f"deed_{deed.slug}", deed.label)
        return actions

    def _action(self, deed: Deed) -> Callable[..., HttpResponse | None]:
        def act(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
            return self._do_many(request, deed, queryset)

        return act

    def _do_many(self, request: HttpRequest, deed: Deed, queryset: QuerySet[Any]) -> HttpResponse | None:
        rows = list(queryset[: AT_ONCE + 1])
        if len(rows) > AT_ONCE:
            messages.warning(request, f"Choose {AT_ONCE} at most: each of them may wait for an answer.")
            return None
        left_out = [row for row in rows if not deed.applies(row)]
        rows = [row for row in rows if deed.applies(row)]
        if not rows:
            messages.warning(request, f"“{_name(deed)}” applies to none of these.")
            return None
        form = deed.form(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            hidden = [("action", f"deed_{deed.slug}"), ("confirmed", "1")]
            hidden += [(ACTION_CHECKBOX_NAME, str(row.pk)) for row in rows]
            return self._ask(
                request,
                deed,
                form,
                rows=[telling.named(row) for row in rows],
                left_out=len(left_out),
                hidden=hidden,
                back=request.get_full_path(),
            )
        for row in rows:
            try:
                done = deed.do(row, form.cleaned_data, staff=request.user, at=timezone.now())
            except (Refused, UnknownAcquirer) as refusal:
                done = Done(_words(refusal), messages.ERROR)
            else:
                self.log_change(request, row, f"{_name(deed)}: {form.cleaned_data['reason']}")
            messages.add_message(request, done.level, f"{telling.named(row)}: {done.text}")
        return None

    def _ask(self, request: HttpRequest, deed: Deed, form: forms.Form, **context: Any) -> HttpResponse:
        return TemplateResponse(
            request,
            "admin/boxoffice/deed.html",
            {
                **self.admin_site.each_context(request),
                "title": _name(deed),
                "opts": self.opts,
                "deed": deed,
                "form": form,
                **context,
            },
        )


def request_key() -> str:
    """A key that travels with a form: two clicks of one button are one request."""
    return str(uuid.uuid4())


def _with_fresh_figures(posted: QueryDict, deed: Deed, row: Any, at: datetime) -> QueryDict:
    """What was typed, with the figures of now: the page that says "it is 99 now" must not send the old one again."""
    data = posted.copy()
    try:
        figures = deed.shown(row, at)
    except Refused:
        return data
    for name, value in figures.items():
        if name.startswith("expected_"):
            data[name] = value
    return data


def _name(deed: Deed) -> str:
    return deed.label.rstrip("…")


def _words(refusal: Exception) -> str:
    if isinstance(refusal, Refused):
        return refusal.detail
    return f"The acquirer {refusal} is not among the settings' any more, so it cannot be asked."


def _state(row: Any) -> str:
    return str(row.get_status_display()).lower() if hasattr(row, "get_status_display") else "settled"
