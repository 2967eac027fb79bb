"""Subscriptions over HTTP: see, subscribe, unsubscribe."""

from __future__ import annotations

import uuid
from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api import people
from billing.api.examples import SUBSCRIPTION
from billing.api.fields import Amount, Flag, Id, Input, read
from billing.api.idempotency import idempotent, key_of
from billing.api.paging import NewestFirst
from billing.api.paying import HowToPay, figure, how_to_pay
from billing.api.schema import PAGING, in_path, page_of, says
from billing.errors import Conflict
from billing.models import Event, PaymentMethod
from subscriptions import agreements, cancellation, explain, lifecycle, offers
from subscriptions.api import examples, shapes
from subscriptions.api.plans import PlanRef, guessed, promo_code_field
from subscriptions.models import Subscription

VIEW = "subscriptions.view_subscription"
TAG = "subscriptions"


class SubscribeInput(HowToPay):
    plan = PlanRef()
    promo_code = promo_code_field()
    auto_renew = Flag(
        required=False, help_text="The consent to charge the card that pays for each next term; it is saved for that."
    )
    expected_total = Amount(required=False, help_text="The figure that was shown; 409 `stale_total` when it changed.")


class UnsubscribeInput(Input):
    subscription = Id()
    expected_refund = Amount(required=False, help_text="The figure that was shown; 409 `stale_refund` when it changed.")


class RenewalInput(Input):
    subscription = Id()
    auto_renew = Flag(help_text="false: nothing is charged any more. true: the consent to charge a saved card.")


class Subscriptions(APIView):
    @says(
        "subscriptions",
        TAG,
        page_of(shapes.SubscriptionSerializer),
        gets={"results": [examples.SUBSCRIPTION_JSON], "next": None, "previous": None},
        refusals=(400,),
        parameters=PAGING,
    )
    def get(self, request: Request) -> Response:
        """One's own subscriptions, newest first."""
        own = shapes.subscriptions().filter(user=people.caller(request))
        return NewestFirst().answer(self, own, shapes.subscriptions_json)


class SubscriptionDetail(APIView):
    @says(
        "subscription",
        TAG,
        shapes.DetailSerializer,
        gets=examples.DETAIL_JSON,
        refusals=(404,),
        parameters=[in_path("subscription_id")],
    )
    def get(self, request: Request, subscription_id: str) -> Response:
        """One subscription, and what cancelling it now would mean."""
        subscription = visible(request, uuid.UUID(subscription_id))
        try:
            preview = cancellation.preview(subscription, at=timezone.now())
        except Conflict:
            preview = None
        shown = shapes.SubscriptionSerializer(subscription).data
        charge = agreements.next_charge(subscription, at=timezone.now())
        return Response(
            shown
            | {
                "cancellation": preview and shapes.CancellationSerializer(preview).data,
                "next_charge": charge and shapes.NextChargeSerializer(charge).data,
                "explanation": " ".join(explain.explain(subscription, at=timezone.now())),
            }
        )


class Subscribe(APIView):
    @says(
        "subscribe",
        TAG,
        shapes.SubscribedSerializer,
        status=201,
        request=SubscribeInput,
        sends={"plan": "year", "expected_total": "2699.00", "return_url": "https://cinema.example/paid/{payment}"},
        gets=examples.SUBSCRIBED_JSON,
        refusals=(400, 403, 404, 429),
        keyed=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Subscribe to a plan: the answer says where to pay. Asking again while that waits finds the same payment."""
        body, now = read(SubscribeInput, request.data), timezone.now()
        currency = offers.find(body["plan"], at=now).price.currency if "expected_total" in body else ""
        order = lifecycle.Order(
            plan=body["plan"],
            promo_code=body.get("promo_code") or "",
            auto_renew=body.get("auto_renew", False),
            expected_total=figure(body, "expected_total", currency),
            request_key=key_of(request),
            **how_to_pay(body),
        )
        with guessed(request, order.promo_code):
            subscribed = lifecycle.subscribe(people.caller(request).pk, order, actor=people.actor(request), at=now)
        return Response(shapes.SubscribedSerializer(subscribed).data, status=201)


class Unsubscribe(APIView):
    @says(
        "unsubscribe",
        TAG,
        shapes.UnsubscribedSerializer,
        request=UnsubscribeInput,
        sends={"subscription": SUBSCRIPTION, "expected_refund": "2474.08"},
        gets=examples.UNSUBSCRIBED_JSON,
        refusals=(400, 404),
        keyed=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Cancel one's own subscription; what its plan's rules give back goes to the card that paid."""
        body, subscription = own(request, UnsubscribeInput)
        done = cancellation.cancel(
            subscription.pk,
            actor=people.actor(request),
            at=timezone.now(),
            reason="Cancelled by the customer",
            expected_refund=figure(body, "expected_refund", subscription.price.currency),
            requested_by=people.caller(request).pk,
            request_key=key_of(request),
        )
        return Response(unsubscribed(done))


class Renewal(APIView):
    @says(
        "renewal",
        TAG,
        shapes.RenewalSerializer,
        request=RenewalInput,
        sends={"subscription": SUBSCRIPTION, "auto_renew": True},
        gets=examples.RENEWAL_JSON,
        refusals=(400, 404),
        keyed=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Agree that each next term is charged to the card saved last, or end that at once."""
        (body, found), now, actor = own(request, RenewalInput), timezone.now(), people.actor(request)
        if body["auto_renew"]:
            cards = PaymentMethod.objects.filter(user=found.user_id, removed_at=None).order_by("-created_at")
            card = cards.first()
            if card is None:
                raise Conflict("There is no saved card; pay a term with save_card first.", "no_card")
            done = agreements.agree(found.pk, method_id=card.pk, actor=actor, at=now)
        else:
            done = agreements.switch_off(found.pk, actor=actor, at=now)
        charge = agreements.next_charge(done, at=now)
        shown = {"id": done.pk, "status": done.status, "auto_renew": done.auto_renew, "next_charge": charge}
        return Response(shapes.RenewalSerializer(shown).data)


def visible(request: Request, subscription_id: uuid.UUID, *, staff_too: bool = True) -> Subscription:
    """The subscription, if it is the caller's own or they are staff who may see all. Raises NotFound."""
    rows = shapes.subscriptions().filter(pk=subscription_id)
    found: Subscription = people.visible(request, rows, VIEW if staff_too else "", noun=Subscription.noun)
    return found


def own(request: Request, kind: type[Input]) -> tuple[dict[str, Any], Subscription]:
    """A body about one `subscription` of the caller's own, and that subscription. Raises NotFound."""
    body = read(kind, request.data)
    return body, visible(request, body["subscription"], staff_too=False)


def unsubscribed(done: cancellation.Cancelled) -> Any:
    """What cancelling answers."""
    shown = {
        "subscription": done.subscription,
        "refund": done.refund,
        "refunds": done.refunds,
        "explanation": _explained(done.subscription.pk),
    }
    return shapes.UnsubscribedSerializer(shown).data


def _explained(subscription_id: uuid.UUID) -> str:
    """How the cancellation found its sum: what the event of it says."""
    event = Event.objects.filter(
        subject_type=Subscription.noun, subject_id=subscription_id, kind="subscription.cancelled"
    ).last()
    return str(event.data["explanation"]) if event else "Nothing was paid, so nothing comes back."
