"""How well the acquirers are, and the two switches of staff."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from billing import health
from billing.admin import telling
from billing.admin.deeds import Deed, Done, WithDeeds
from billing.admin.lists import as_id
from billing.models import AcquirerHealth


class SwitchOff(Deed):
    slug, label, permission = "switch-off", "Switch off…", "billing.switch_acquirer"
    danger, confirm = True, "Switch it off"

    def applies(self, row: AcquirerHealth) -> bool:
        return bool(row.status != AcquirerHealth.Status.OFF)

    def tells(self, row: AcquirerHealth, at: datetime) -> list[tuple[str, str]]:
        return [("What happens", f"No new page is opened at {row.name}. Pages that are open there can still be paid, "
                 "saved cards of it are still charged, and refunds still go out through it.")]  # fmt: skip

    def do(self, row: AcquirerHealth, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        health.switch_off(row.name, actor=f"user:{staff.pk}", reason=data["reason"], at=at)
        return Done(f"No new page is opened at {row.name}.")


class SwitchOn(Deed):
    slug, label, permission = "switch-on", "Switch on…", "billing.switch_acquirer"

    def applies(self, row: AcquirerHealth) -> bool:
        return bool(row.status == AcquirerHealth.Status.OFF)

    def tells(self, row: AcquirerHealth, at: datetime) -> list[tuple[str, str]]:
        return [("What happens", f"{row.name} takes its share of new pages again.")]

    def do(self, row: AcquirerHealth, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        health.switch_on(row.name, actor=f"user:{staff.pk}", reason=data["reason"], at=at)
        return Done(f"{row.name} takes part again.")


@admin.register(AcquirerHealth)
class AcquirerHealthAdmin(WithDeeds):
    deeds = (SwitchOff(), SwitchOn())
    list_display = (
        "name", telling.state_column(), "failures", telling.moment_column("retry_at", "Tried again"), "sentence",
        telling.moment_column("updated_at", "Last change"),
    )  # fmt: skip
    list_filter = ("status",)
    ordering = ("name",)
    search_help_text = "The name of an acquirer, or a whole id"
    fields = (
        "name", telling.state_column(), "failures", "trips", "sentence",
        telling.moment_column("retry_at", "Tried again"), telling.moment_column("updated_at", "Last change"), "id",
    )  # fmt: skip

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        health.all_rows(at=timezone.now())  # one that never failed has no row yet
        return super().changelist_view(request, extra_context)

    def sought(self, request: HttpRequest, term: str) -> Q:
        found = as_id(term)
        return Q(pk=found) if found else Q(name=term)

    def parked_rows(self, request: HttpRequest) -> tuple[QuerySet[AcquirerHealth], str]:
        return self.get_queryset(request).filter(status__in=AcquirerHealth.DOWN), "sentence"
