"""Cases of reconciliation, and what staff do about them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from billing import money, resolutions
from billing.admin import telling
from billing.admin.deeds import Deed, Done, WithDeeds
from billing.admin.lists import AcquirerFilter, as_id, people
from billing.models import Case


class Way(Deed):
    """One way to resolve a case."""

    permission = "billing.resolve_case"
    what = ""

    def applies(self, row: Case) -> bool:
        return row.status == Case.Status.OPEN and self.slug in resolutions.ways(row)

    def tells(self, row: Case, at: datetime) -> list[tuple[str, str]]:
        return [
            ("The case", row.sentence),
            ("The acquirer says", money.spoken(row.their_money)),
            ("Booked here", money.spoken(row.our_money)),
            ("What happens", self.what),
        ]

    def do(self, row: Case, data: dict[str, Any], *, staff: Any, at: datetime) -> Done:
        resolutions.resolve(
            row.pk, self.slug, actor=f"user:{staff.pk}", reason=data["reason"], at=at, resolved_by=staff.pk
        )
        return Done("The case is resolved.")


class Book(Way):
    slug, label = "book", "Book to suspense…"
    what = (
        "The difference is booked between cash and suspense, so that our cash is what the acquirer has. A payment that "
        "still waits over another amount is given up, and its invoice may be paid anew, also by the saved card: see to "
        "it that what lies in suspense goes back to the customer some other way."
    )


class GiveBack(Way):
    slug, label, danger, confirm = "give_back", "Give the money back…", True, "Give the money back"
    what = (
        "What is not booked here is booked to suspense, the acquirer returns it to the card that paid, and suspense is "
        "empty again. A payment that still waits over another amount is given up."
    )


class WentBack(Way):
    slug, label = "went_back", "It went back…"
    what = (
        "You have seen in the acquirer's cabinet that this money went back to the card; the acquirer itself cannot be "
        "asked. Suspense is empty again. A payment that still waits over another amount is given up."
    )


class Record(Way):
    slug, label = "record", "Record the refund…"
    what = (
        "The refund is written down as made; the acquirer is not asked again. A subscription goes on as it is: to end "
        "it, use Cancel on its page."
    )

    def applies(self, row: Case) -> bool:
        return super().applies(row) and row.payment_id is not None


class Lost(Way):
    slug, label = "loss", "The dispute is lost…"
    what = "What is in suspense is written off to fees."


class Won(Way):
    slug, label = "won", "The dispute is won…"
    what = "The acquirer has given the money back to us: it is booked from suspense to cash."


class Ask(Way):
    slug, label = "ask", "Ask the bank now…"
    what = "The acquirer is asked. Where it now says what our books say, the case is closed; else it stays."


class Dismiss(Way):
    slug, label = "dismiss", "Leave it as it is…"
    what = (
        "Nothing more is booked: what was asked back before stays in suspense. The case is closed with your reason, "
        "and the same difference makes no other. A payment that still waits over another amount is given up."
    )


class KindFilter(admin.SimpleListFilter):
    title, parameter_name = "kind", "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind.value, str(kind.label)) for kind in Case.Kind]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Case]) -> QuerySet[Case]:
        return queryset.filter(kind=self.value()) if self.value() in Case.Kind.values else queryset


@admin.register(Case)
class CaseAdmin(WithDeeds):
    deeds = (Record(), GiveBack(), WentBack(), Book(), Lost(), Won(), Ask(), Dismiss())
    list_display = (
        telling.moment_column("created_at", "Found"), "get_kind_display", telling.state_column(), "acquirer",
        telling.money_column("their_money", "They say", "theirs"), telling.money_column("our_money", "Ours", "ours"),
        telling.link_column("payment", "Payment"), "sentence",
    )  # fmt: skip
    list_filter = ("status", KindFilter, AcquirerFilter, "created_at")
    list_select_related = ("payment", "refund")
    ordering = ("-created_at", "id")
    search_help_text = "A whole id (case, payment, refund, person), an acquirer's id, e-mail or name"
    fields = (
        telling.state_column(), "get_kind_display", "sentence", "acquirer",
        telling.money_column("their_money", "They say"), telling.money_column("our_money", "Ours"),
        telling.link_column("payment", "Payment"), telling.link_column("refund", "Refund"), "reference",
        "payment_reference", "day", telling.moment_column("created_at", "Found"), "resolution", "reason",
        telling.link_column("resolved_by", "Resolved by"), telling.moment_column("resolved_at", "Resolved"), "id",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Case]:
        return super().get_queryset(request).select_related("payment__user", "refund", "resolved_by")

    def sought(self, request: HttpRequest, term: str) -> Q:
        found = as_id(term)
        if found:
            return Q(pk=found) | Q(payment_id=found) | Q(refund_id=found) | Q(payment__user_id=found)
        return Q(reference=term) | Q(payment_reference=term) | Q(payment__user_id__in=people(request, term))

    def parked_rows(self, request: HttpRequest) -> tuple[QuerySet[Case], str]:
        return self.get_queryset(request).filter(status=Case.Status.OPEN), "sentence"
