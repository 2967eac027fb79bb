"""What staff do for somebody else's subscription over HTTP, as in the admin: each with its permission and a reason."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api import people
from billing.api.examples import SUBSCRIPTION
from billing.api.fields import Amount, Input, Text, When, Whole, read
from billing.api.idempotency import idempotent, key_of
from billing.api.paying import figure
from billing.api.schema import in_path, says
from billing.errors import NotFound
from subscriptions import cancellation, favours, grants, pauses
from subscriptions.api import examples, shapes
from subscriptions.api.plans import PlanRef
from subscriptions.api.subscriptions import unsubscribed
from subscriptions.models import Subscription

TAG = "subscriptions of others"
WHICH = in_path("subscription_id")
GIVE, CANCEL = "subscriptions.give_subscription", "subscriptions.cancel_subscription"
PAUSE = "subscriptions.pause_subscription"
WHY = {"reason": "Ticket 4711"}
PAUSED = {"status": "paused", "paused_at": "2026-11-21T09:00:00Z"}
NAME = Text(max_length=254, help_text="An e-mail address, or somebody's id.")


class ReasonInput(Input):
    reason = Text(max_length=300, help_text="For colleagues: the customer does not read it.")


class LengthInput(ReasonInput):
    months = Whole(required=False, min_value=1, max_value=grants.MOST_MONTHS)
    days = Whole(required=False, min_value=1, max_value=grants.MOST_DAYS, help_text="Or months: one of the two.")


class GiveInput(LengthInput):
    people = serializers.ListField(child=NAME, min_length=1, max_length=grants.MOST_PEOPLE)
    plan = PlanRef(help_text="On sale or not.")


class ExtendInput(LengthInput):
    expected_till = When(required=False, help_text="The new end that was shown; 409 `stale_till` when it changed.")


class FavourInput(ReasonInput):
    plan = PlanRef()


class CancelInput(ReasonInput):
    expected_refund = Amount(required=False, help_text="The figure that was shown; 409 `stale_refund` when it changed.")


def _of_one(
    name: str, request: type[Input], gets: dict[str, Any] = examples.SUBSCRIPTION_JSON, **sends: Any
) -> Callable[[Any], Any]:
    """What the document says of a deed that gives the subscription back; `sends` beside the reason, as an example."""
    return says(
        name,
        TAG,
        shapes.SubscriptionSerializer,
        request=request,
        sends=sends | WHY,
        gets=gets,
        refusals=(403, 404),
        parameters=[WHICH],
        keyed=True,
    )


class GivenShape(serializers.Serializer[Any]):
    who = serializers.CharField()
    subscription = serializers.UUIDField(source="subscription.pk", allow_null=True, default=None)
    text = serializers.CharField(help_text="What became of it: given, or why not.")


class GivenToAllShape(serializers.Serializer[Any]):
    results = GivenShape(many=True)


class Give(APIView):
    @says(
        "subscription_give",
        TAG,
        GivenToAllShape,
        request=GiveInput,
        sends={"people": ["anna@example.org"], "plan": "year", "months": 1, **WHY},
        gets={"results": [{"who": "anna@example.org", "subscription": SUBSCRIPTION, "text": "Given."}]},
        refusals=(403, 404),
        keyed=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Give a term for nothing to one or to many: a new subscription, or a longer one of the same plan. For staff.

        Each gets it for itself: who cannot, keeps nobody else from it.
        """
        people.demand(request, GIVE)
        body = read(GiveInput, request.data)
        gift, actor = _gift(body["plan"], body), people.actor(request)
        given = grants.give_many(
            body["people"], gift, actor=actor, at=timezone.now(), reason=body["reason"], request_key=key_of(request)
        )
        return Response(GivenToAllShape({"results": given}).data)


class Extend(APIView):
    @_of_one("subscription_extend", ExtendInput, days=10)
    @idempotent
    def post(self, request: Request, subscription_id: str) -> Response:
        """Add a term for nothing where the paid one ends. For staff."""
        body, row = _asked(request, subscription_id, GIVE, ExtendInput)
        longer = grants.extend(
            row.pk,
            _gift(row.plan.code, body),
            actor=people.actor(request),
            at=timezone.now(),
            reason=body["reason"],
            expected_till=body.get("expected_till"),
            request_key=key_of(request),
        )
        return Response(shapes.subscriptions_json([longer])[0])


class Favour(APIView):
    @_of_one("subscription_favour", FavourInput, plan="year")
    @idempotent
    def post(self, request: Request, subscription_id: str) -> Response:
        """Move somebody to a dearer plan for nothing, to the end of what is paid. For staff.

        The next term is of the plan and price of before, unless another was chosen; no more comes back than was paid.
        """
        body, row = _asked(request, subscription_id, GIVE, FavourInput)
        moved = favours.upgrade(
            row.pk,
            body["plan"],
            actor=people.actor(request),
            at=timezone.now(),
            reason=body["reason"],
            request_key=key_of(request),
        )
        return Response(shapes.subscriptions_json([moved])[0])


class Pause(APIView):
    @_of_one("subscription_pause", ReasonInput, gets=examples.SUBSCRIPTION_JSON | PAUSED)
    @idempotent
    def post(self, request: Request, subscription_id: str) -> Response:
        """Pause somebody's subscription, whatever its plan says of customers. For staff."""
        body, row = _asked(request, subscription_id, PAUSE, ReasonInput)
        rests = pauses.pause(row.pk, actor=people.actor(request), at=timezone.now(), reason=body["reason"])
        return Response(shapes.subscriptions_json([rests])[0])


class Resume(APIView):
    @_of_one("subscription_resume", ReasonInput)
    @idempotent
    def post(self, request: Request, subscription_id: str) -> Response:
        """Go on after somebody's rest: the end moves by the whole days rested. For staff."""
        body, row = _asked(request, subscription_id, PAUSE, ReasonInput)
        runs = pauses.resume(row.pk, actor=people.actor(request), at=timezone.now(), reason=body["reason"])
        return Response(shapes.subscriptions_json([runs])[0])


class Cancel(APIView):
    @says(
        "subscription_cancel",
        TAG,
        shapes.UnsubscribedSerializer,
        request=CancelInput,
        sends={"expected_refund": "2474.08", **WHY},
        gets=examples.UNSUBSCRIBED_JSON,
        refusals=(403, 404),
        parameters=[WHICH],
        keyed=True,
    )
    @idempotent
    def post(self, request: Request, subscription_id: str) -> Response:
        """Cancel somebody's subscription; what its plan's rules give back goes to the card that paid. For staff."""
        body, row = _asked(request, subscription_id, CANCEL, CancelInput)
        done = cancellation.cancel(
            row.pk,
            actor=people.actor(request),
            at=timezone.now(),
            reason=body["reason"],
            expected_refund=figure(body, "expected_refund", row.price.currency),
            requested_by=people.caller(request).pk,
            request_key=key_of(request),
        )
        return Response(unsubscribed(done))


def _asked(
    request: Request, subscription_id: str, permission: str, kind: type[Input]
) -> tuple[dict[str, Any], Subscription]:
    """The body, and the subscription of whomever. Raises Forbidden, ValidationError, NotFound."""
    people.demand(request, permission)
    body = read(kind, request.data)
    row = shapes.subscriptions().filter(pk=uuid.UUID(subscription_id)).first()
    if row is None:
        raise NotFound("There is no such subscription.", "subscription_not_found")
    return body, row


def _gift(plan: str | int, body: dict[str, Any]) -> grants.Gift:
    return grants.Gift(plan, months=body.get("months", 0), days=body.get("days", 0))
