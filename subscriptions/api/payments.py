"""Payments of subscriptions over HTTP, and beginning a payment: of a subscription, or of any invoice."""

from __future__ import annotations

import uuid

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import payments
from billing.api import examples, people
from billing.api import shapes as billing_shapes
from billing.api.fields import Id, read
from billing.api.idempotency import idempotent
from billing.api.paging import NewestFirst
from billing.api.paying import HowToPay, how_to_pay
from billing.api.schema import PAGING, in_path, page_of, says
from billing.models import Invoice, Payment
from subscriptions import agreements, lifecycle, terms
from subscriptions.api.subscriptions import visible
from subscriptions.models import Period

TAG = "payments"


class PayInput(HowToPay):
    subscription = Id(required=False)
    invoice = Id(required=False)

    def validate(self, attrs: dict[str, object]) -> dict[str, object]:
        if ("subscription" in attrs) == ("invoice" in attrs):
            raise serializers.ValidationError("Name a subscription or an invoice.")
        return attrs


class PaymentsOfSubscription(APIView):
    @says(
        "payments_of_subscription",
        TAG,
        page_of(billing_shapes.PaymentSerializer),
        gets=examples.page(examples.PAYMENT_JSON),
        refusals=(400, 404),
        parameters=[in_path("subscription_id"), *PAGING],
    )
    def get(self, request: Request, subscription_id: str) -> Response:
        """The payments of one subscription, newest first."""
        return self._page(request, subscription_id)

    def _page(self, request: Request, subscription_id: str) -> Response:
        subscription = visible(request, uuid.UUID(subscription_id))
        billed = Period.objects.filter(subscription=subscription).values("invoice_id")
        paid = billing_shapes.payments().filter(invoice_id__in=billed)
        return NewestFirst().answer(self, paid, billing_shapes.payments_json)


class SubscriptionPayments(PaymentsOfSubscription):
    @says(
        "subscription_payments",
        "subscriptions",
        page_of(billing_shapes.PaymentSerializer),
        gets=examples.page(examples.PAYMENT_JSON),
        refusals=(400, 404),
        parameters=[in_path("subscription_id"), *PAGING],
    )
    def get(self, request: Request, subscription_id: str) -> Response:
        """The payments of one subscription, newest first."""
        return self._page(request, subscription_id)


class Pay(APIView):
    @says(
        "payment_begin",
        TAG,
        billing_shapes.PaymentSerializer,
        status=201,
        request=PayInput,
        sends={"subscription": examples.SUBSCRIPTION},
        gets=examples.WAITING_JSON,
        refusals=(400, 404),
        keyed=True,
        or_else=(200, billing_shapes.InvoiceSerializer, "Nothing was to be paid: the next term is theirs."),
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Begin to pay one's own waiting subscription, its next term or an open invoice; go on with what waits."""
        body, now, actor = read(PayInput, request.data), timezone.now(), people.actor(request)
        if "subscription" in body:
            subscription = visible(request, body["subscription"], staff_too=False)
            order = lifecycle.Order(plan=subscription.plan_id, **how_to_pay(body))
            begin = agreements.pay if subscription.status in terms.RUNNING else lifecycle.pay_again
            payment = begin(subscription.pk, order, actor=actor, at=now)
            if payment is None:
                theirs = Invoice.objects.filter(period__subscription=subscription).latest("period__number")
                return Response(billing_shapes.invoices_json([theirs])[0])
        else:
            invoice = people.visible(request, Invoice.objects.filter(pk=body["invoice"]), noun=Invoice.noun)
            payment = payments.start(invoice.pk, actor=actor, at=now, **how_to_pay(body))
        return _answer(payment)


def _answer(payment: Payment) -> Response:
    return Response(billing_shapes.payment_json(payment.pk), status=201)
