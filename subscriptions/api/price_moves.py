"""Price moves for staff: proposed, looked at, announced to those who move, withdrawn; as in the admin."""

from __future__ import annotations

import re
import uuid
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api import people
from billing.api.fields import Input, Moment, Sum, Text, When, Whole, read, state
from billing.api.idempotency import idempotent
from billing.api.paging import NewestFirst
from billing.api.schema import PAGING, in_path, page_of, says
from billing.errors import NotFound
from subscriptions import price_moves
from subscriptions.api import examples
from subscriptions.api.plans import TAG, named
from subscriptions.models import Price, PriceMove

SHOWN = 20  # of those who would move


class MoveInput(Input):
    plan = Text(max_length=40)
    from_price = Whole(required=False, allow_null=True, min_value=1, max_value=2**62)
    to_price = Whole(min_value=1, max_value=2**62)
    effective_from = When()
    reason = Text(max_length=300)


class WithdrawInput(Input):
    reason = Text(required=False, allow_blank=True, max_length=300)


class AnnounceInput(WithdrawInput):
    expected_people = Whole(required=False, min_value=0, max_value=2**31)


class MovingShape(serializers.Serializer[Any]):
    subscription = serializers.UUIDField()
    old_price = Sum(help_text="What it pays now.")
    first_at = Moment(help_text="When it is first charged the new price, if it is renewed.")


class MoveRow(serializers.Serializer[Any]):
    """A move in a list: who would move is counted on its own page."""

    id = serializers.UUIDField()
    status = state(PriceMove.Status)
    plan = serializers.CharField(source="plan.code")
    from_price = serializers.IntegerField(source="from_price_id", allow_null=True)
    to_price = serializers.IntegerField(source="to_price_id")
    new_price = Sum(source="to_price.money")
    effective_from = Moment()
    reason = serializers.CharField(help_text="For colleagues; never shown to the customers.")
    created_at = Moment()


class MoveShape(MoveRow):
    people = serializers.SerializerMethodField(help_text="How many would move, or are in it.")
    who = serializers.SerializerMethodField(help_text=f"The first {SHOWN} who would move; empty once it is announced.")

    def get_people(self, move: PriceMove) -> int:
        draft = move.status == PriceMove.Status.DRAFT
        return price_moves.candidates(move).count() if draft else move.movings.count()

    @extend_schema_field(MovingShape(many=True))
    def get_who(self, move: PriceMove) -> Any:
        if move.status != PriceMove.Status.DRAFT:
            return []
        rows = [
            {
                "subscription": row.pk,
                "old_price": row.price.money,
                "first_at": price_moves.first_at(row, move.effective_from),
            }
            for row in price_moves.candidates(move)[:SHOWN]
        ]
        return MovingShape(rows, many=True).data


class Moves(APIView):
    @says(
        "price_moves",
        TAG,
        page_of(MoveRow),
        gets={"results": [examples.MOVE_ROW_JSON], "next": None, "previous": None},
        refusals=(400, 403),
        parameters=PAGING,
    )
    def get(self, request: Request) -> Response:
        """Every price move, newest first. For staff."""
        people.demand(request, "subscriptions.view_pricemove")
        moves = PriceMove.objects.select_related("plan", "to_price")
        return NewestFirst().answer(self, moves, lambda rows: MoveRow(rows, many=True).data)

    @says(
        "price_move_new",
        TAG,
        MoveShape,
        status=201,
        request=MoveInput,
        sends={"plan": "year", "to_price": 12, "effective_from": "2027-02-01T00:00:00+03:00", "reason": "Dearer films"},
        gets=examples.MOVE_JSON,
        refusals=(403, 404),
        keyed=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Propose to move old subscribers to another price: a preview, nobody is told. For staff."""
        people.demand(request, "subscriptions.add_pricemove")
        body = read(MoveInput, request.data)
        plan = body.pop("plan")
        if not re.fullmatch(r"[A-Za-z0-9_-]+", plan):
            raise NotFound("There is no such plan.", "plan_not_found")
        wanted = price_moves.Proposal(
            plan=named(plan).get(),
            to_price=_price(body["to_price"]),
            from_price=_price(body["from_price"]) if body.get("from_price") else None,
            effective_from=body["effective_from"],
            reason=body["reason"],
        )
        move = price_moves.propose(wanted, actor=people.actor(request), at=timezone.now())
        return Response(MoveShape(move).data, status=201)


class Move(APIView):
    @says("price_move", TAG, MoveShape, gets=examples.MOVE_JSON, refusals=(403, 404), parameters=[in_path("move_id")])
    def get(self, request: Request, move_id: str) -> Response:
        """One price move, and who would move. For staff."""
        people.demand(request, "subscriptions.view_pricemove")
        return Response(_shown(move_id))


class Announce(APIView):
    @says(
        "price_move_announce",
        TAG,
        MoveShape,
        request=AnnounceInput,
        sends={"expected_people": 1},
        gets=examples.MOVE_JSON,
        refusals=(403, 404),
        parameters=[in_path("move_id")],
        keyed=True,
    )
    @idempotent
    def post(self, request: Request, move_id: str) -> Response:
        """Tell those who move; each is moved when the date, and the days of notice, have come. For staff."""
        people.demand(request, "subscriptions.announce_pricemove")
        body = read(AnnounceInput, request.data)
        price_moves.announce(uuid.UUID(move_id), actor=people.actor(request), at=timezone.now(), **body)
        return Response(_shown(move_id))


class Withdraw(APIView):
    @says(
        "price_move_withdraw",
        TAG,
        MoveShape,
        request=WithdrawInput,
        sends={"reason": "Not this year"},
        gets=examples.MOVE_JSON | {"status": "withdrawn", "people": 0, "who": []},
        refusals=(403, 404),
        parameters=[in_path("move_id")],
        keyed=True,
    )
    @idempotent
    def post(self, request: Request, move_id: str) -> Response:
        """Call a move off: who was not moved yet keeps the old price, and is told so if they had the notice.

        409 `not_a_draft` where it is done. For staff.
        """
        people.demand(request, "subscriptions.announce_pricemove")
        body = read(WithdrawInput, request.data)
        price_moves.withdraw(uuid.UUID(move_id), actor=people.actor(request), at=timezone.now(), **body)
        return Response(_shown(move_id))


def _shown(move_id: str) -> Any:
    move = PriceMove.objects.filter(pk=move_id).select_related("plan", "to_price").first()
    if move is None:
        raise NotFound("There is no such price move.", "price_move_not_found")
    return MoveShape(move).data


def _price(pk: int) -> Price:
    found = Price.objects.filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no such price.", "price_not_found")
    return found
