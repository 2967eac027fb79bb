"""What subscriptions add to billing's pages: for which plan and term a payment was, and a filter by plan."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from billing.admin.invoices import InvoiceAdmin
from billing.admin.payments import PaymentAdmin
from billing.models import Invoice, Payment
from subscriptions.models import Period, Plan


class PlanFilter(admin.SimpleListFilter):
    """Payments by the plan that they were for."""

    title, parameter_name = "plan", "plan"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(plan.code, plan.name) for plan in Plan.objects.all()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        its_own, later = Q(plan__code=self.value()), Q(plan=None, subscription__plan__code=self.value())
        periods = Period.objects.filter(its_own | later)
        return queryset.filter(invoice_id__in=periods.values("invoice"))


def term_panel(request: HttpRequest, row: Payment | Invoice) -> SafeString | str:
    """The subscription and the term that an invoice billed."""
    if not request.user.has_perm("subscriptions.view_subscription"):
        return ""
    invoice_id = row.invoice_id if isinstance(row, Payment) else row.pk
    period = Period.objects.filter(invoice_id=invoice_id).select_related("plan", "subscription__plan").first()
    return render_to_string("admin/boxoffice/term.html", {"period": period}, request) if period else ""


PaymentAdmin.list_filter.append(PlanFilter)
PaymentAdmin.extra_panels.append(term_panel)
InvoiceAdmin.extra_panels.append(term_panel)
