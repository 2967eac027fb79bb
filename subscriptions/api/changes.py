"""Another plan, a rest and a trial over HTTP."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api import people
from billing.api.examples import INVOICE, PAYMENT, SUBSCRIPTION
from billing.api.fields import Amount, Flag, Id, Input, Moment, MoneyText, read
from billing.api.idempotency import idempotent
from billing.api.paying import HowToPay, figure, how_to_pay, pay_at
from billing.api.schema import says
from subscriptions import changes, lifecycle, next_plans, pauses, trials
from subscriptions.api import examples, shapes
from subscriptions.api.plans import PlanRef
from subscriptions.api.subscriptions import own

TAG = "subscriptions"


class OwnInput(Input):
    subscription = Id()


class OtherPlanInput(OwnInput):
    plan = PlanRef()


class UpgradeInput(HowToPay):
    subscription = Id()
    plan = PlanRef()
    by_saved_card = Flag(required=False, help_text="true: the card that renewals are charged to pays the difference.")
    expected_total = Amount(required=False, help_text="The figure that was shown; 409 `stale_total` when it changed.")


class NextPlanInput(OtherPlanInput):
    expected_price = Amount(required=False, help_text="The price that was shown; 409 `stale_total` when it changed.")


class TrialInput(Input):
    plan = PlanRef()


class SwitchSerializer(serializers.Serializer[Any]):
    """What another plan would cost now; send `total` along as `expected_total`."""

    plan = serializers.CharField(source="offer.plan.code")
    price = MoneyText()
    credit = MoneyText(help_text="What is left of the running term.")
    total = MoneyText(source="to_pay")
    currency = serializers.CharField(source="price.currency.code")
    valid_till = Moment(source="ends_at", help_text="Where the new term would end.")
    explanation = serializers.CharField()


class UpgradeSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="change.subscription_id")
    plan = serializers.CharField(source="change.plan.code", help_text="The plan that begins when this is paid.")
    invoice = serializers.UUIDField(source="change.invoice_id")
    payment = serializers.UUIDField(source="payment.pk")
    redirect_url = serializers.SerializerMethodField(help_text="Where to pay; null when nothing can be paid there.")

    def get_redirect_url(self, upgrade: changes.Upgrade) -> str | None:
        return pay_at(upgrade.payment)


SWITCH_JSON: dict[str, Any] = {
    "plan": "year",
    "price": "2699.00",
    "credit": "532.66",
    "total": "2166.34",
    "currency": "RUB",
    "valid_till": "2027-02-28T09:00:00Z",
    "explanation": "One year, 12 months: 2\u00a0699.00\u00a0₽. Of Three months 2 months are left, the one in progress "
    "among them: 532.66\u00a0₽ less. The new term is counted from 28 February 2026, when that month began. To pay: "
    "2\u00a0166.34\u00a0₽.",
}
UPGRADE_JSON: dict[str, Any] = {
    "id": SUBSCRIPTION,
    "plan": "year",
    "invoice": INVOICE,
    "payment": PAYMENT,
    "redirect_url": "https://bank.example/pay/pay_7Kd2",
}
OWN = {"subscription": SUBSCRIPTION}


class ChangeQuote(APIView):
    @says(
        "change_quote",
        TAG,
        SwitchSerializer,
        request=OtherPlanInput,
        sends=OWN | {"plan": "year"},
        gets=SWITCH_JSON,
        refusals=(400, 404, 409),
    )
    def post(self, request: Request) -> Response:
        """What a dearer plan would cost at once: its price less what is left of the running term."""
        body, mine = own(request, OtherPlanInput)
        return Response(SwitchSerializer(changes.preview(mine, body["plan"], at=timezone.now())).data)


class Change(APIView):
    @says(
        "change",
        TAG,
        UpgradeSerializer,
        status=201,
        request=UpgradeInput,
        sends=OWN | {"plan": "year", "expected_total": "2166.34"},
        gets=UPGRADE_JSON,
        refusals=(400, 404),
        keyed=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Ask for a dearer plan at once. It begins when the difference is paid; until then nothing changes."""
        body, mine = own(request, UpgradeInput)
        expected = figure(body, "expected_total", mine.price.currency)
        order = lifecycle.Order(plan=body["plan"], expected_total=expected, **how_to_pay(body))
        asked = changes.upgrade(
            mine.pk,
            order,
            actor=people.actor(request),
            at=timezone.now(),
            by_saved_card=body.get("by_saved_card", False),
        )
        return Response(UpgradeSerializer(asked).data, status=201)


class NextPlan(APIView):
    @says(
        "next_plan",
        TAG,
        shapes.SubscriptionSerializer,
        request=NextPlanInput,
        sends=OWN | {"plan": "month"},
        gets=examples.SUBSCRIPTION_JSON,
        refusals=(400, 404),
        keyed=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Choose another plan from the next term on. The plan of now, chosen again, withdraws that."""
        (body, mine), now, actor = own(request, NextPlanInput), timezone.now(), people.actor(request)
        expected = figure(body, "expected_price", mine.price.currency)
        if mine.next_plan_id is not None and str(body["plan"]) in (mine.plan.code, str(mine.plan_id)):
            kept = next_plans.keep_plan(mine.pk, actor=actor, at=now, expected_price=expected)
            return Response(shapes.subscriptions_json([kept])[0])
        chosen = next_plans.plan_next(mine.pk, body["plan"], actor=actor, at=now, expected_price=expected)
        return Response(shapes.subscriptions_json([chosen])[0])


class Pause(APIView):
    @says(
        "pause",
        TAG,
        shapes.SubscriptionSerializer,
        request=OwnInput,
        sends=OWN,
        gets=examples.SUBSCRIPTION_JSON | {"status": "paused"},
        refusals=(400, 403, 404),
        keyed=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Rest: no access and no charge until one goes on; the whole days rested are kept. Not every plan allows it."""
        _, mine = own(request, OwnInput)
        rests = pauses.pause(mine.pk, actor=people.actor(request), at=timezone.now(), by_customer=True)
        return Response(shapes.subscriptions_json([rests])[0])


class Resume(APIView):
    @says(
        "resume",
        TAG,
        shapes.SubscriptionSerializer,
        request=OwnInput,
        sends=OWN,
        gets=examples.SUBSCRIPTION_JSON,
        refusals=(400, 404),
        keyed=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Go on after a rest: the end moves by the whole days rested."""
        _, mine = own(request, OwnInput)
        runs = pauses.resume(mine.pk, actor=people.actor(request), at=timezone.now())
        return Response(shapes.subscriptions_json([runs])[0])


class Trial(APIView):
    @says(
        "trial",
        TAG,
        shapes.SubscriptionSerializer,
        status=201,
        request=TrialInput,
        sends={"plan": "year"},
        gets=examples.SUBSCRIPTION_JSON,
        refusals=(400, 403, 404),
        keyed=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Try a plan for nothing, once ever. It ends by itself unless one agrees to renew it by a card."""
        body = read(TrialInput, request.data)
        begun = trials.begin(people.caller(request).pk, body["plan"], actor=people.actor(request), at=timezone.now())
        begun.refresh_from_db()
        return Response(shapes.subscriptions_json([begun])[0], status=201)
