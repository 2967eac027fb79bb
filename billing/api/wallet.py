"""The wallet over HTTP: what it holds, its statement, putting in, paying from it, and having it all back."""

from __future__ import annotations

import re
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from billing import money, wallets
from billing.api import examples, people, shapes
from billing.api.fields import Amount, Id, Input, Moment, MoneyText, Text, read
from billing.api.idempotency import idempotent, key_of
from billing.api.paging import NewestFirst
from billing.api.paying import HowToPay, how_to_pay, pay_at
from billing.api.schema import PAGING, in_query, page_of, says
from billing.errors import Invalid
from billing.models import Account, Invoice

TAG = "wallet"
CURRENCY = in_query("currency", OpenApiTypes.STR, "RUB where none is named.")


class Currency(Text):
    """Three letters, as ISO 4217 has them."""

    exact = True

    def to_internal_value(self, data: Any) -> str:
        code = super().to_internal_value(data)
        money.currency(code)
        return code


class TopUpInput(HowToPay):
    value = Amount(help_text="What to put in.")
    currency = Currency(min_length=3, max_length=3)
    description = Text(required=False, allow_blank=True, max_length=200, help_text="For the customer's statement.")


class PayFromWalletInput(Input):
    invoice = Id()


class CloseInput(Input):
    currency = Currency(required=False, min_length=3, max_length=3)
    expected_balance = Amount(required=False, help_text="The figure that was shown; 409 `stale_balance` if it changed.")


class WalletSerializer(serializers.Serializer[Any]):
    balance = MoneyText(source="*")
    currency = serializers.CharField(source="currency.code")


class WalletsSerializer(WalletSerializer):
    """The wallet asked for, and all that one has: one for each currency."""

    wallets = WalletSerializer(many=True)


class TopUpSerializer(serializers.Serializer[Any]):
    invoice = serializers.UUIDField(source="invoice_id")
    payment = serializers.UUIDField(source="pk")
    confirmation_url = serializers.SerializerMethodField(help_text="Where to pay; null when nothing can be paid there.")

    def get_confirmation_url(self, payment: Any) -> str | None:
        return pay_at(payment)


class StatementLineSerializer(serializers.Serializer[Any]):
    """One line of the statement. `amount` is what came in, or with a minus what went out."""

    id = serializers.IntegerField()
    at = Moment()
    amount = serializers.SerializerMethodField()
    currency = serializers.CharField(source="amount.currency.code")
    balance = MoneyText(help_text="What was there after it.")
    description = serializers.CharField()
    reference = serializers.CharField(help_text="What it books, such as payment:<id>.")

    def get_amount(self, line: wallets.Line) -> str:
        return money.plain(line.amount)


class ClosedSerializer(serializers.Serializer[Any]):
    refunds = shapes.RefundSerializer(many=True)


class Wallet(APIView):
    @says("wallet", TAG, WalletsSerializer, gets=examples.WALLET_JSON, refusals=(400,), parameters=[CURRENCY])
    def get(self, request: Request) -> Response:
        """What one's wallet holds."""
        code = _currency(request)
        rows = Account.objects.filter(user=people.caller(request), kind=Account.Kind.WALLET).order_by("currency")
        held = {row.currency: money.from_minor(row.balance, row.currency) for row in rows}
        shown = WalletSerializer(held.get(code, money.from_minor(0, code))).data
        return Response(shown | {"wallets": WalletSerializer(list(held.values()), many=True).data})


class Transactions(APIView):
    @says(
        "wallet_transactions",
        TAG,
        page_of(StatementLineSerializer),
        gets=examples.page(examples.LINE_JSON),
        refusals=(400,),
        parameters=[CURRENCY, *PAGING],
    )
    def get(self, request: Request) -> Response:
        """The statement of one's wallet, newest first, with the balance after each line."""
        user, code, size = people.caller(request), _currency(request), NewestFirst().get_page_size(request)
        before = _before(request)
        row = Account.objects.filter(user=user, kind=Account.Kind.WALLET, currency=code).first()
        lines = wallets.statement(row, before=before, count=size + 1) if row else []
        more = len(lines) > size
        onward = replace_query_param(request.build_absolute_uri(), "cursor", lines[size - 1].id) if more else None
        shown = StatementLineSerializer(lines[:size], many=True).data
        return Response({"results": shown, "next": onward, "previous": None})


class TopUp(APIView):
    @says(
        "wallet_top_up",
        TAG,
        TopUpSerializer,
        status=201,
        request=TopUpInput,
        sends={"value": "500.00", "currency": "RUB", "description": "For the summer"},
        gets=examples.TOP_UP_JSON,
        refusals=(400, 403),
        keyed=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Put money into one's wallet: the answer says where to pay. It is credited once, when it is paid."""
        body = read(TopUpInput, request.data)
        wanted = wallets.TopUp(
            amount=money.parse(body["value"], body["currency"]),
            description=body.get("description", ""),
            request_key=key_of(request),
            **how_to_pay(body),
        )
        user, actor = people.caller(request), people.actor(request)
        payment = wallets.top_up(user.pk, wanted, actor=actor, at=timezone.now())
        return Response(TopUpSerializer(payment).data, status=201)


class Pay(APIView):
    @says(
        "wallet_pay",
        TAG,
        shapes.PaymentSerializer,
        status=201,
        request=PayFromWalletInput,
        sends={"invoice": examples.INVOICE},
        gets=examples.PAYMENT_JSON,
        refusals=(400, 404),
        keyed=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Pay one's own open invoice from the wallet, whole or not at all."""
        rows = Invoice.objects.filter(pk=read(PayFromWalletInput, request.data)["invoice"])
        invoice = people.visible(request, rows, noun=Invoice.noun)
        payment = wallets.pay(invoice.pk, actor=people.actor(request), at=timezone.now())
        return Response(shapes.payment_json(payment.pk), status=201)


class Close(APIView):
    @says(
        "wallet_close",
        TAG,
        ClosedSerializer,
        request=CloseInput,
        sends={"currency": "RUB", "expected_balance": "500.00"},
        gets={"refunds": [examples.REFUND_JSON]},
        refusals=(400,),
        keyed=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Have all that the wallet holds back on the cards that filled it, the newest top-up first."""
        body, user = read(CloseInput, request.data), people.caller(request)
        code, shown = body.get("currency", "RUB"), body.get("expected_balance")
        made = wallets.close(
            user.pk,
            code,
            actor=people.actor(request),
            at=timezone.now(),
            reason="Closed by the customer",
            expected_balance=money.parse(shown, code) if shown is not None else None,
            requested_by=user.pk,
        )
        return Response(ClosedSerializer({"refunds": made}).data)


def _currency(request: Request) -> str:
    code = request.query_params.get("currency", "RUB")
    return str(money.currency(code).code)


def _before(request: Request) -> int | None:
    cursor = request.query_params.get("cursor")
    if cursor is not None and not re.fullmatch(r"[0-9]{1,18}", cursor):
        raise Invalid("This cursor is not one that a page gave.", "bad_cursor")
    return int(cursor) if cursor is not None else None
