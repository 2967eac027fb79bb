"""Products and orders over HTTP: buy, look, give back."""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import money, orders
from billing.api import examples, people, shapes
from billing.api.fields import (
    UUID_PATH,
    Amount,
    Id,
    Input,
    Moment,
    MoneyText,
    Sum,
    Text,
    Whole,
    read,
    state,
)  # fmt: skip
from billing.api.idempotency import idempotent, key_of
from billing.api.paging import NewestFirst
from billing.api.paying import HowToPay, how_to_pay, pay_at
from billing.api.schema import PAGING, in_query, page_of, says
from billing.errors import Forbidden, Invalid
from billing.models import Invoice, Product

VIEW, REFUND = "billing.view_invoice", "billing.refund_payment"
TAG = "orders"


class OrderInput(HowToPay):
    product_id = Whole(min_value=1, max_value=2**63 - 1)
    product_count = Whole(required=False, min_value=1, max_value=orders.MOST)


class ReturnedInput(Input):
    amount = Amount()
    currency = Text(min_length=3, max_length=3)


class OrderRefundInput(Input):
    invoice_guid = Id()
    price = ReturnedInput()
    reason = Text(required=False, max_length=300)


class OrderedSerializer(serializers.Serializer[Any]):
    redirect_url = serializers.SerializerMethodField(help_text="Where to pay; null when nothing can be paid there.")
    invoice_guid = serializers.UUIDField(source="invoice_id")
    payment = serializers.UUIDField(source="pk")

    def get_redirect_url(self, payment: Any) -> str | None:
        return pay_at(payment)


class ProductSerializer(serializers.Serializer[Any]):
    """What was ordered, as it was called then."""

    id = serializers.IntegerField(allow_null=True)
    code = serializers.CharField()
    name = serializers.CharField()
    count = serializers.IntegerField()


class OrderSerializer(serializers.Serializer[Any]):
    invoice_guid = serializers.UUIDField()
    user_guid = serializers.UUIDField()
    number = serializers.IntegerField()
    status = state(Invoice.Status)
    product = ProductSerializer()
    price = Sum()
    to = Moment(allow_null=True, help_text="Till when it lasts; null: for good, or not paid yet.")
    refunded = MoneyText()
    created_at = Moment()

    def get_fields(self) -> dict[str, Any]:  # `from` is a word of Python
        start = Moment(allow_null=True, source="begins", help_text="When it was paid.")
        return super().get_fields() | {"from": start}


class Orders(APIView):
    @says(
        "orders",
        TAG,
        page_of(OrderSerializer),
        gets=examples.page(examples.ORDER_JSON),
        refusals=(400, 403),
        parameters=[
            in_query("product_id", OpenApiTypes.INT64, "Orders of this product only."),
            in_query("user_guid", OpenApiTypes.UUID, "Somebody else's; for staff and services."),
            *PAGING,
        ],
    )
    def get(self, request: Request) -> Response:
        """One's own orders, newest first."""
        return NewestFirst().answer(self, _sought(request), lambda rows: OrderSerializer(_shown(rows), many=True).data)

    @says(
        "order",
        TAG,
        OrderedSerializer,
        request=OrderInput,
        sends={"product_id": 7, "product_count": 2},
        gets=examples.ORDERED_JSON,
        refusals=(400, 403),
        keyed=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Order a product, any number of it: the answer says where to pay."""
        body = read(OrderInput, request.data)
        wanted = orders.Wanted(
            product_id=body["product_id"],
            count=body.get("product_count", 1),
            request_key=key_of(request),
            **how_to_pay(body),
        )
        payment = orders.buy(people.caller(request).pk, wanted, actor=people.actor(request), at=timezone.now())
        return Response(OrderedSerializer(payment).data)


class OrderRefund(APIView):
    @says(
        "order_refund",
        TAG,
        shapes.RefundSerializer,
        status=201,
        request=OrderRefundInput,
        sends={"invoice_guid": examples.INVOICE, "price": {"amount": "224.00", "currency": "RUB"}},
        gets=examples.REFUND_JSON,
        refusals=(400, 403, 404),
        keyed=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Give an order back, all or a part. For staff."""
        people.demand(request, REFUND)
        body = read(OrderRefundInput, request.data)
        refund = orders.give_back(
            body["invoice_guid"],
            money.parse(body["price"]["amount"], body["price"]["currency"]),
            reason=body.get("reason", "Returned"),
            actor=people.actor(request),
            at=timezone.now(),
            requested_by=people.caller(request).pk,
            request_key=key_of(request),
        )
        return Response(shapes.RefundSerializer(refund, context={"staff": True}).data, status=201)


def _sought(request: Request) -> QuerySet[Invoice]:
    """The orders that the caller may see and asks for."""
    user, product = request.query_params.get("user_guid"), request.query_params.get("product_id")
    whose = people.caller(request).pk
    if user is not None:
        if not re.fullmatch(UUID_PATH, user):
            raise Invalid("user_guid is no id.", "invalid")
        if uuid.UUID(user) != whose and not people.may(request, VIEW):
            raise Forbidden("Only staff may ask for somebody else.", "staff_only")
        whose = uuid.UUID(user)
    rows = Invoice.objects.filter(user_id=whose, purpose=orders.PURPOSE).prefetch_related("lines", "payments")
    if product is not None:
        if not re.fullmatch(r"[0-9]{1,18}", product):
            raise Invalid("product_id is a number.", "invalid")
        codes = [f"product:{code}" for code in Product.objects.filter(pk=product).values_list("code", flat=True)]
        rows = rows.filter(lines__product__in=codes)
    return rows


def _shown(rows: list[Invoice]) -> list[dict[str, Any]]:
    lines = {row.pk: row.lines.all()[0] for row in rows}
    codes = {line.product.removeprefix("product:") for line in lines.values()}
    known = {product.code: product for product in Product.objects.filter(code__in=codes)}
    return [_json(row, lines[row.pk], known) for row in rows]


def _ends_at(row: Invoice, product: Product | None) -> datetime | None:
    """When what was bought is over; None while it is not paid, and for what lasts for good."""
    if row.paid_at is None or product is None or product.days is None:
        return None
    return row.paid_at + timedelta(days=product.days)


def _json(row: Invoice, line: Any, known: dict[str, Product]) -> dict[str, Any]:
    code = line.product.removeprefix("product:")
    product = known.get(code)
    back = sum(payment.refunded for payment in row.payments.all() if not payment.surplus)
    return {
        "invoice_guid": row.pk,
        "user_guid": row.user_id,
        "number": row.number,
        "status": row.status,
        "product": {
            "id": product.pk if product else None, "code": code, "name": line.description, "count": line.quantity,
        },
        "price": row.money,
        "begins": row.paid_at,
        "to": _ends_at(row, product),
        "refunded": money.from_minor(back, row.currency),
        "created_at": row.created_at,
    }  # fmt: skip
