"""Sweeps that stopped themselves, and what staff decide about them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from billing import guard
from billing.admin import telling
from billing.admin.deeds import Deed, Done, ReasonForm, WithDeeds
from billing.admin.lists import as_id
from billing.models import Halt


class FiguresForm(ReasonForm):
    """The number of people that was shown travels with the form: another one is refused."""

    expected_people = forms.IntegerField(widget=forms.HiddenInput)


class LetRun(Deed):
    slug, label, permission = "let-run", "Let it run…", "billing.release_halt"
    form, danger, confirm = FiguresForm, True, "Let it run"

    def applies(self, row: Halt) -> bool:
        return bool(row.status in Halt.STANDING)

    def shown(self, row: Halt, at: datetime) -> dict[str, Any]:
        return {"expected_people": row.people}

    def tells(self, row: Halt, at: datetime) -> list[tuple[str, str]]:
        return [
            *_figures(row),
            ("What happens", "The sweep goes on at once and moves what is due, up to these figures and for a day at "
             "most. Should more be due, it stops again."),
        ]  # fmt: skip

    def do(self, row: Halt, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        guard.let_run(
            row.pk,
            people=data["expected_people"],
            actor=f"user:{staff.pk}",
            reason=data["reason"],
            at=at,
            decided_by=staff.pk,
        )
        return Done("The sweep goes on with its next tick.")


class KeepStopped(Deed):
    slug, label, permission = "keep-stopped", "Keep stopped…", "billing.release_halt"

    def applies(self, row: Halt) -> bool:
        return bool(row.status == Halt.Status.STOPPED)

    def tells(self, row: Halt, at: datetime) -> list[tuple[str, str]]:
        return [*_figures(row), ("What happens", "Nothing of it moves. It leaves the list of what needs a human until "
                "more is due; it can be let run from its own page at any time.")]  # fmt: skip

    def do(self, row: Halt, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        guard.keep_stopped(row.pk, actor=f"user:{staff.pk}", reason=data["reason"], at=at, decided_by=staff.pk)
        return Done("It stays stopped.")


def _figures(row: Halt) -> list[tuple[str, str]]:
    return [
        ("The sweep", row.sweep),
        ("Due now", f"{guard.spoken(row.sums)} of {row.people} people"),
        ("Expected", f"{guard.spoken(row.expected_sums)} of {row.expected_people} people"),
    ]


@admin.register(Halt)
class HaltAdmin(WithDeeds):
    deeds = (LetRun(), KeepStopped())
    list_display = (
        telling.moment_column("created_at", "Stopped"), "sweep", telling.state_column(), "people", "due", "expected",
        "reason",
    )  # fmt: skip
    list_filter = ("status",)
    ordering = ("-created_at", "id")
    search_help_text = "The name of a sweep, or a whole id"
    fields = (
        telling.state_column(), "sentence", "sweep", "people", "due", "expected_people", "expected", "reason",
        telling.link_column("decided_by", "Decided by"), telling.moment_column("let_until", "May run until"),
        telling.moment_column("created_at", "Stopped"), telling.moment_column("updated_at", "Last change"), "id",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Halt]:
        return super().get_queryset(request).select_related("decided_by")

    def sought(self, request: HttpRequest, term: str) -> Q:
        found = as_id(term)
        return Q(pk=found) if found else Q(sweep=term)

    @admin.display(description="Due")
    def due(self, row: Halt) -> str:
        return guard.spoken(row.sums)

    @admin.display(description="Expected")
    def expected(self, row: Halt) -> str:
        return guard.spoken(row.expected_sums)

    def parked_rows(self, request: HttpRequest) -> tuple[QuerySet[Halt], str]:
        return self.get_queryset(request).filter(status=Halt.Status.STOPPED), "sentence"
