"""The second guard: what must never be is refused by PostgreSQL, whatever the code above it does."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import DataError, IntegrityError, transaction

from subscriptions.models import Change, Period, Price, Subscription
from tests.rows import changed, invoice, refused, transfer
from tests.things import now, plan, viewer

pytestmark = pytest.mark.django_db


def subscription(**more: Any) -> Subscription:
    bought = more.pop("plan", None) or plan(f"plan{uuid.uuid4().hex[:8]}")
    return Subscription.objects.create(
        **{"user": viewer(), "plan": bought, "price": bought.prices.get(), "created_at": now()} | more
    )


@pytest.mark.parametrize("state", ["pending", "active", "past_due", "paused", "suspended"])
def test_a_customer_has_one_live_subscription(state: str) -> None:
    term = {"anchor_at": now(), "valid_till": now(), "access_until": now()}
    first = subscription(status=state, paused_at=now() if state == "paused" else None, **term)
    with pytest.raises(IntegrityError, match="subscription_one_live_per_user"), transaction.atomic():
        subscription(user=first.user, status="pending")
    Subscription.objects.filter(pk=first.pk).update(status="cancelled", paused_at=None)
    subscription(user=first.user, status="pending")


def test_a_begun_subscription_has_a_term() -> None:
    changed("subscription_begun_has_a_term", subscription(), status="active")


def test_what_is_paused_says_since_when_and_nothing_else_does() -> None:
    changed("subscription_paused_when_paused", subscription(), paused_at=now())
    begun = subscription(status="active", anchor_at=now(), valid_till=now(), access_until=now())
    changed("subscription_paused_when_paused", begun, status="paused")


def test_a_next_plan_has_a_price() -> None:
    sold = subscription()
    changed("subscription_next_plan_has_a_price", sold, next_plan=sold.plan)


def test_only_a_plan_that_was_chosen_can_be_to_come() -> None:
    changed("subscription_switches_to_a_plan", subscription(), switches_at=now())


@pytest.mark.parametrize("state", ["cancelled", "expired", "ended"])
def test_what_is_over_has_no_next_plan_but_one_that_is_paid(state: str) -> None:
    begun = subscription(status="active", anchor_at=now(), valid_till=now(), access_until=now())
    chosen = {"next_plan": begun.plan, "next_price": begun.price}
    changed("subscription_cancelled_has_no_next_plan", begun, status=state, **chosen)
    paid = {"status": state, **chosen, "switches_at": now()}
    if state == "cancelled":
        Subscription.objects.filter(pk=begun.pk).update(**paid)
    else:
        changed("subscription_cancelled_has_no_next_plan", begun, **paid)


def test_a_trial_is_no_longer_than_a_year() -> None:
    changed("plan_trial_sane", plan("long"), trial_days=367)


def test_a_customer_has_one_trial_ever() -> None:
    first = subscription(trial=True, status="abandoned")
    with pytest.raises(IntegrityError, match="subscription_one_trial_per_user"), transaction.atomic():
        subscription(user=first.user, trial=True, status="abandoned")
    subscription(user=first.user, status="abandoned")
    changed("subscription_one_trial_per_user", subscription(user=first.user, status="abandoned"), trial=True)


def test_one_change_of_a_subscription_waits() -> None:
    sold, dearer = subscription(), plan("dearer")
    term = {"subscription": sold, "number": 1, "months": 1, "invoice": invoice(), "created_at": now()}
    asked = {
        "subscription": sold, "period": Period.objects.create(**term), "plan": dearer, "price": dearer.prices.get(),
        "credit": 0, "returnable": 0, "counts_from": now(), "created_at": now(),
    }  # fmt: skip
    first = Change.objects.create(**asked, invoice=invoice(purpose="change"))
    refused("change_one_waits", Change, **asked, invoice=invoice(purpose="change"))
    Change.objects.filter(pk=first.pk).update(closed_at=now())
    second = Change.objects.create(**asked, invoice=invoice(purpose="change"))
    Change.objects.filter(pk=second.pk).update(done_at=now())
    Change.objects.create(**asked, invoice=invoice(purpose="change"))
    changed("change_one_waits", first, closed_at=None)


def test_a_request_key_makes_one_subscription() -> None:
    first = subscription(request_key="k", status="abandoned")
    with pytest.raises(IntegrityError, match="subscription_request_key"), transaction.atomic():
        subscription(user=first.user, request_key="k")


def period(of: Subscription, number: int, start: int | None, end: int | None, **more: Any) -> Period:
    zero = now().replace(microsecond=0)
    return Period.objects.create(
        **{
            "subscription": of,
            "number": number,
            "months": 1,
            "starts_at": zero + timedelta(days=start) if start is not None else None,
            "ends_at": zero + timedelta(days=end) if end is not None else None,
            "invoice": invoice(user=of.user),
            "created_at": zero,
        }
        | more
    )


def test_periods_of_a_subscription_may_touch_and_never_overlap() -> None:
    sold = subscription()
    period(sold, 1, 0, 30)
    period(sold, 2, 30, 60)
    for start, end, name in ((29, 31, "period_no_overlap"), (0, 1, "period_(start|no_overlap)"), (59, 90, "overlap")):
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            period(sold, 3, start, end)
    period(subscription(), 1, 0, 30)  # somebody else's
    period(sold, 3, None, None)  # not begun
    with pytest.raises(IntegrityError, match="period_number"), transaction.atomic():
        period(sold, 3, 60, 90)


def test_a_period_ends_after_it_starts_and_was_billed_by_one_thing() -> None:
    sold = subscription()
    for start, end in ((1, 1), (1, None), (None, 1)):
        with pytest.raises(IntegrityError, match="period_ends_after_it_starts"), transaction.atomic():
            period(sold, 1, start, end)
    with pytest.raises((IntegrityError, DataError)), transaction.atomic():
        period(sold, 1, 2, 1)
    for more in ({"invoice": None}, {"transfer": transfer()}):
        with pytest.raises(IntegrityError, match="period_has_an_invoice_or_a_transfer"), transaction.atomic():
            period(sold, 1, 0, 30, **more)


def test_a_plan_has_one_price_from_a_date_and_costs_something() -> None:
    price = plan().prices.get()
    fields = {"plan": price.plan, "currency": "RUB", "starts_at": price.starts_at}
    refused("price_one_from_a_date", Price, **fields, amount=1)
    refused("price_above_zero", Price, **{**fields, "currency": "USD"}, amount=0)
    refused("plan_months_sane", type(price.plan), code="never", name="x", months=0)
    refused("plan_grace_sane", type(price.plan), code="long", name="x", months=1, grace_days=61)
