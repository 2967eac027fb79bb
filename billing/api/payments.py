"""Payments and refunds over HTTP. Beginning a payment stands in subscriptions.api: it may name a subscription."""

from __future__ import annotations

import uuid

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import money, payments, refunds
from billing.api import examples, people, shapes
from billing.api.fields import Amount, Id, Input, Text, read
from billing.api.idempotency import idempotent, key_of
from billing.api.schema import in_path, says
from billing.errors import Invalid
from billing.models import Payment

VIEW, CHECK = "billing.view_payment", "billing.check_payment"
REFUND, CAPTURE = "billing.refund_payment", "billing.capture_payment"
TAG = "payments"


class PaymentInput(Input):
    payment = Id()


class RefundInput(Input):
    payment = Id()
    amount = Amount(required=False, help_text="All that is left, when not given.")
    currency = Text(required=False, min_length=3, max_length=3, help_text="A check: the payment's currency.")
    reason = Text(max_length=300)


class PaymentDetail(APIView):
    @says(
        "payment",
        TAG,
        shapes.PaymentSerializer,
        gets=examples.PAYMENT_JSON,
        refusals=(404,),
        parameters=[in_path("payment_id")],
    )
    def get(self, request: Request, payment_id: str) -> Response:
        """One payment, with its refunds and with how all of it came about, in words."""
        payment = _visible(request, uuid.UUID(payment_id))
        return Response(shapes.payments_json([payment], staff=people.may(request, VIEW))[0])


class Check(APIView):
    @says(
        "payment_check",
        TAG,
        shapes.PaymentSerializer,
        request=PaymentInput,
        sends={"payment": examples.PAYMENT},
        gets=examples.PAYMENT_JSON,
        refusals=(400, 404),
    )
    def post(self, request: Request) -> Response:
        """Ask the acquirer now what became of a payment."""
        payment = _visible(request, read(PaymentInput, request.data)["payment"], CHECK)
        payments.check(payment.pk, at=timezone.now())
        return Response(shapes.payment_json(payment.pk))


class Confirm(APIView):
    @says(
        "payment_confirm",
        TAG,
        shapes.PaymentSerializer,
        request=PaymentInput,
        sends={"payment": examples.PAYMENT},
        gets=examples.PAYMENT_JSON,
        refusals=(400, 403, 404),
        keyed=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Take the sum that a two-stage acquirer holds. For staff."""
        people.demand(request, CAPTURE)
        payment_id = read(PaymentInput, request.data)["payment"]
        payments.capture(payment_id, at=timezone.now())
        return Response(shapes.payment_json(payment_id))


class Refunds(APIView):
    @says(
        "payment_refund",
        TAG,
        shapes.RefundSerializer,
        status=201,
        request=RefundInput,
        sends={"payment": examples.PAYMENT, "amount": "224.00", "reason": "The film did not start"},
        gets=examples.REFUND_JSON,
        refusals=(400, 403, 404),
        keyed=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Give the money of a payment back, all or a part. For staff; a customer gets theirs back by cancelling."""
        people.demand(request, REFUND)
        body = read(RefundInput, request.data)
        payment = people.visible(request, Payment.objects.filter(pk=body["payment"]), REFUND, noun=Payment.noun)
        if body.get("currency", payment.currency) != payment.currency:
            raise Invalid(f"The payment was made in {payment.currency}.", "wrong_currency")
        refund = refunds.request(
            payment.pk,
            amount=money.parse(body["amount"], payment.currency) if "amount" in body else None,
            reason=body["reason"],
            actor=people.actor(request),
            at=timezone.now(),
            requested_by=people.caller(request).pk,
            request_key=key_of(request),
        )
        return Response(shapes.RefundSerializer(refund, context={"staff": True}).data, status=201)


def _visible(request: Request, payment_id: uuid.UUID, permission: str = VIEW) -> Payment:
    payment: Payment = people.visible(request, shapes.payments().filter(pk=payment_id), permission, noun=Payment.noun)
    return payment
