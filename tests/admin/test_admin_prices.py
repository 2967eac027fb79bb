"""P12 for staff: prices are put right while nobody has them; old subscribers are moved by a preview and a button."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from accounts.models import User
from billing.models import Payment
from subscriptions import price_moves
from subscriptions.admin.prices import PriceForm
from subscriptions.models import Moving, Plan, Price, PriceMove, Subscription
from tests.admin.desk import Desk, list_of, page_of
from tests.things import DAY, now, run_until_idle

pytestmark = pytest.mark.django_db
ADD = "/admin/subscriptions/pricemove/add/"


@pytest.fixture
def marketing(staff: Callable[..., Desk], plans: None) -> Desk:
    return staff("marketing")


@pytest.fixture
def dearer(plans: None) -> Price:
    return Price.objects.create(plan=Plan.objects.get(code="year"), amount=299_900, starts_at=now() - DAY)


def form(price: Price, **more: str) -> dict[str, str]:
    date = now() + 40 * DAY
    fields = {"plan": str(price.plan_id), "from_price": "", "to_price": str(price.pk), "reason": "dearer films"}
    return fields | {"effective_from_0": f"{date:%Y-%m-%d}", "effective_from_1": "00:00:00"} | more


def test_P12_a_used_price_is_shown_frozen_and_cannot_be_sent(marketing: Desk, paid: Payment) -> None:
    price = Price.objects.get(plan__code="year")
    page = marketing.open(price)
    assert "This price is used, so it stays as it is" in page.text and 'name="_save"' not in page.text
    body = {"sum": "1", "currency": "RUB", "starts_at_0": "2026-01-01", "starts_at_1": "00:00:00"}
    assert marketing.client.post(page_of(price), body).status_code == 403
    assert marketing.client.post(page_of(price).replace("change", "delete"), {"post": "yes"}).status_code == 403


def test_P12_an_unused_price_is_put_right_and_deleted(marketing: Desk, dearer: Price) -> None:
    body = {"sum": "2 999", "currency": "rub", "starts_at_0": "2026-01-01", "starts_at_1": "00:00:00"}
    assert marketing.client.post(page_of(dearer), body | {"sum": "many"}).status_code == 200
    assert marketing.client.post(page_of(dearer), body | {"sum": "3199.50"}).status_code == 302
    dearer.refresh_from_db()
    assert dearer.amount == 319_950
    taken = Price.objects.get(plan__code="year", amount=269_900).starts_at
    twice = {"starts_at_0": f"{taken:%Y-%m-%d}", "starts_at_1": "03:00:00"}
    assert "from that very moment" in marketing.client.post(page_of(dearer), body | {"sum": "1"} | twice).text
    assert marketing.client.post(page_of(dearer).replace("change", "delete"), {"post": "yes"}).status_code == 302
    assert not Price.objects.filter(pk=dearer.pk).exists()


def test_P12_a_price_that_got_used_meanwhile_is_refused_in_words(paid: Payment) -> None:
    body = {"sum": "1", "currency": "RUB", "starts_at": "2026-01-01"}
    form = PriceForm(body, instance=Price.objects.get(plan__code="year"))
    assert not form.is_valid() and "This price is used" in str(form.errors)


def test_P12_proposed_looked_at_announced_and_moved(
    marketing: Desk, dearer: Price, subscription: Subscription, anna: User
) -> None:
    Subscription.objects.update(price=Price.objects.get(amount=269_900))
    assert "View price move" not in marketing.open(ADD).text
    answer = marketing.client.post(ADD, form(dearer))
    assert answer.status_code == 302, answer.context["errors"]
    move = PriceMove.objects.get()
    page = marketing.open(move)
    assert page.status_code == 200 and "2\xa0699.00" in page.text and "2\xa0999.00" in page.text
    assert "Who would move: 1" in page.text and "anna@" not in page.text  # marketing knows no names
    answer = marketing.press(move, "announce")
    assert "1 subscribers are being told" in marketing.told(answer)
    assert Moving.objects.get().told_at is None
    run_until_idle(now())
    move.refresh_from_db()
    assert move.status == "announced"
    assert marketing.open(move).status_code == 200 and marketing.found(PriceMove) == [move.pk]
    price_moves.move_due(at=now() + 41 * DAY)
    assert Subscription.objects.get().price == dearer
    assert "Moved" in marketing.open(move).text


def test_P12_a_proposal_that_cannot_be_is_told_on_the_form(marketing: Desk, dearer: Price) -> None:
    soon = now() + DAY
    answer = marketing.client.post(ADD, form(dearer, effective_from_0=f"{soon:%Y-%m-%d}"))
    assert "at least 30 days before" in answer.text
    other = Price.objects.get(plan__code="month")
    assert "another plan" in marketing.client.post(ADD, form(dearer, to_price=str(other.pk))).text
    assert not PriceMove.objects.exists()


def test_P12_a_move_is_withdrawn_with_a_reason(marketing: Desk, dearer: Price, subscription: Subscription) -> None:
    Subscription.objects.update(price=Price.objects.get(amount=269_900))
    marketing.client.post(ADD, form(dearer))
    move = PriceMove.objects.get()
    marketing.press(move, "announce")
    assert "keeps the old price" in marketing.told(marketing.press(move, "withdraw"))
    move.refresh_from_db()
    assert move.status == "withdrawn" and Moving.objects.get().outcome == "kept"


def test_P12_a_stale_preview_shows_the_new_one(marketing: Desk, dearer: Price, subscription: Subscription) -> None:
    Subscription.objects.update(price=Price.objects.get(amount=269_900))
    marketing.client.post(ADD, form(dearer))
    move = PriceMove.objects.get()
    assert "look again" in marketing.told(marketing.press(move, "announce", {"expected_people": "7"}))
    assert not Moving.objects.exists()


def test_P12_support_looks_and_may_not_move_anybody(support: Desk, dearer: Price, subscription: Subscription) -> None:
    wanted = price_moves.Proposal(dearer.plan, dearer, now() + timedelta(days=40), "a test")
    move = price_moves.propose(wanted, actor="test", at=now())
    assert support.open(move).status_code == 200 and "announce/" not in support.open(move).text
    assert support.open(ADD).status_code == 403
    assert support.open(page_of(move).replace("change", "announce")).status_code == 403
    assert support.open(list_of(Price)).status_code == 200


def test_M5_garbage_ids_and_pages_of_moves_are_no_crash(root: Desk, dearer: Price) -> None:
    wanted = price_moves.Proposal(dearer.plan, dearer, now() + timedelta(days=40), "a test")
    move: Any = price_moves.propose(wanted, actor="test", at=now())
    for who in ("0", "-1", "x", "9" * 30):
        assert root.open(move, who=who).status_code == 200
    for term in ("\x00", "year", "9" * 40, str(move.pk)):
        assert root.open(list_of(PriceMove), q=term).status_code in (200, 302)
