"""Invoices over HTTP: one's own."""

from __future__ import annotations

import uuid

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import checkouts
from billing.api import examples, people, shapes
from billing.api.fields import Input, read
from billing.api.idempotency import idempotent
from billing.api.paging import NewestFirst
from billing.api.schema import PAGING, in_path, page_of, says
from billing.models import Invoice

VIEW = "billing.view_invoice"
TAG = "invoices"


class Nothing(Input):
    """A body that holds nothing."""


class Invoices(APIView):
    @says(
        "invoices",
        TAG,
        page_of(shapes.InvoiceSerializer),
        gets=examples.page(examples.INVOICE_JSON),
        refusals=(400,),
        parameters=PAGING,
    )
    def get(self, request: Request) -> Response:
        """One's own invoices, newest first."""
        own = shapes.invoices().filter(user=people.caller(request))
        return NewestFirst().answer(self, own, shapes.invoices_json)


class InvoiceDetail(APIView):
    @says(
        "invoice",
        TAG,
        shapes.InvoiceSerializer,
        gets=examples.INVOICE_JSON,
        refusals=(404,),
        parameters=[in_path("invoice_id")],
    )
    def get(self, request: Request, invoice_id: str) -> Response:
        """One invoice, its lines as they were when it was issued."""
        rows = shapes.invoices().filter(pk=uuid.UUID(invoice_id))
        return Response(shapes.invoices_json([people.visible(request, rows, VIEW, noun=Invoice.noun)])[0])


class Void(APIView):
    @says(
        "invoice_void",
        TAG,
        shapes.InvoiceSerializer,
        request=Nothing,
        gets=examples.INVOICE_JSON | {"status": "void"},
        refusals=(404,),
        parameters=[in_path("invoice_id")],
        keyed=True,
    )
    @idempotent
    def post(self, request: Request, invoice_id: str) -> Response:
        """Close one's own open invoice, once the acquirer has closed its page. A paid one is given back by a refund."""
        read(Nothing, request.data)
        rows = Invoice.objects.filter(pk=uuid.UUID(invoice_id))
        invoice = people.visible(request, rows, noun=Invoice.noun)
        checkouts.close(invoice.pk, actor=people.actor(request), at=timezone.now(), reason="Closed by the customer")
        return Response(shapes.invoices_json(shapes.invoices().filter(pk=invoice.pk))[0])
