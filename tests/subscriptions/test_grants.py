"""P13: terms for nothing, by staff, for one and for many; and trials, once for each customer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from billing.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from billing.models import Event, Invoice, Payment
from subscriptions import cancellation, changes, grants, lifecycle, offers, trials
from subscriptions.grants import Gift
from subscriptions.models import Plan, Subscription
from tests.fake_acquirer import FakeAcquirer
from tests.subscriptions.terms import at, bought, chosen, fake_bank, news, paid, right, rub, told
from tests.things import plan, run_until_idle, viewer

pytestmark = pytest.mark.django_db
MORNING = at("2026-01-31T12:00")
LATER = at("2026-03-10T12:00")
WHY = "ticket 4711"


@pytest.fixture
def bank(settings: Any) -> FakeAcquirer:
    plan("month", 1, 29_900, trial_days=7)
    plan("year", 12, 269_900)
    plan("staff", 1, 100, on_sale=False)
    return fake_bank(settings)


def given(user: Any, gift: Gift, moment: Any = MORNING) -> Subscription:
    found = grants.give(user.pk, gift, actor="staff", at=moment, reason=WHY)
    news(moment)
    return Subscription.objects.get(pk=found.pk)


@pytest.mark.parametrize(
    ("gift", "till"),
    [(Gift("year", months=2), "2026-03-31T12:00"), (Gift("staff", days=10), "2026-02-10T12:00")],
)
def test_P13_a_free_term_begins_without_money_and_keeps_its_reason(gift: Gift, till: str, bank: FakeAcquirer) -> None:
    sold = given(viewer(confirmed=False), gift)
    assert (sold.status, sold.valid_till) == ("active", at(till))
    assert told(sold) == ["subscription.created", "subscription.given", "subscription.activated"]
    assert Event.objects.get(kind="subscription.created").reason == WHY
    assert Event.objects.get(kind="invoice.paid").reason == WHY
    assert not Payment.objects.exists() and Invoice.objects.get().total == 0
    assert cancellation.preview(sold, at=MORNING).refund == rub(0)
    assert right(MORNING)
    run_until_idle(at(till) + timedelta(days=3))
    sold.refresh_from_db()
    assert sold.status == "expired"


def test_P13_who_has_the_plan_gets_it_longer_from_the_end_of_what_is_paid(bank: FakeAcquirer) -> None:
    sold = bought(bank, "month", MORNING)
    longer = given(sold.user, Gift("month", months=1), at("2026-02-10T12:00"))
    assert (longer.pk, longer.valid_till, longer.anchor_at) == (sold.pk, at("2026-03-31T12:00"), MORNING)
    assert told(sold)[2:] == ["subscription.extended"]
    spans = list(longer.periods.order_by("number").values_list("starts_at", "ends_at"))
    assert spans == [(MORNING, at("2026-02-28T12:00")), (at("2026-02-28T12:00"), at("2026-03-31T12:00"))]
    assert right(at("2026-02-10T12:00"))


def test_P13_days_of_grace_become_a_term_again(bank: FakeAcquirer) -> None:
    sold = bought(bank, "month", MORNING)
    run_until_idle(at("2026-03-01T12:00"))
    longer = given(sold.user, Gift("month", days=7), at("2026-03-01T12:00"))
    assert (longer.status, longer.valid_till) == ("active", at("2026-03-07T12:00"))
    assert told(sold)[2:] == ["subscription.past_due", "subscription.activated", "subscription.extended"]
    assert right(at("2026-03-01T12:00"))


def test_P13_the_paid_term_is_refunded_as_before_and_the_free_one_goes_with_it(bank: FakeAcquirer) -> None:
    sold = bought(bank, "year", MORNING)
    before = cancellation.preview(sold, at=LATER)
    longer = given(sold.user, Gift("year", months=1), LATER)
    after = cancellation.preview(longer, at=LATER)
    assert after == before and after.refund == rub("2249.16")


@pytest.mark.parametrize(
    "gift", [Gift("month"), Gift("month", 1, 1), Gift("month", 25), Gift("month", 0, 367), Gift("month", -1)]
)
def test_P13_a_term_without_a_sensible_length_is_refused(gift: Gift, bank: FakeAcquirer) -> None:
    with pytest.raises(Invalid) as refused:
        given(viewer(), gift)
    assert refused.value.code == "bad_term"
    assert not Subscription.objects.exists()


def test_P13_what_cannot_be_given_is_refused_and_nothing_is_written(bank: FakeAcquirer) -> None:
    other, waits = bought(bank, "year", MORNING).user, chosen("month", MORNING).subscription.user
    before = Event.objects.count()
    for user, gift, code in (
        (other, Gift("month", 1), "already_subscribed"),
        (waits, Gift("month", 1), "already_subscribed"),
        (waits, Gift("nothing", 1), "plan_not_found"),
        (waits, Gift("９", 1), "plan_not_found"),
    ):
        with pytest.raises(Refused) as refused:
            given(user, gift)
        assert refused.value.code == code
    assert Event.objects.count() == before


def test_P13_many_get_it_and_the_report_tells_who_did_not(bank: FakeAcquirer) -> None:
    anna, boris = viewer("anna@example.com"), viewer("boris@example.com")
    other = bought(bank, "year", MORNING).user
    names = ["Anna@example.com", str(boris.pk), "", "anna@example.com", str(anna.pk), other.email, "nobody", "\0"]
    report = grants.give_many(names, Gift("month", 1), actor="staff", at=MORNING, reason=WHY)
    assert [(each.who, each.subscription is not None) for each in report] == [
        ("Anna@example.com", True), (str(boris.pk), True), ("anna@example.com", False), (str(anna.pk), False),
        (other.email, False), ("nobody", False), ("\0", False),
    ]  # fmt: skip
    assert report[4].text == "They have Year already." and report[5].text == "There is no such person."
    news(MORNING)
    assert Subscription.objects.filter(plan__code="month", status="active").count() == 2
    with pytest.raises(Invalid, match="500"):
        grants.give_many(map(str, range(501)), Gift("month", 1), actor="staff", at=MORNING, reason=WHY)
    with pytest.raises(NotFound):
        grants.give_many([], Gift("nothing", 1), actor="staff", at=MORNING, reason=WHY)


def test_P13_an_extension_shows_its_end_before_and_refuses_a_stale_one(bank: FakeAcquirer) -> None:
    sold = bought(bank, "month", MORNING)
    gift = Gift("month", months=1)
    shown = grants.extended_till(sold, gift, at=MORNING)
    grants.extend(sold.pk, gift, actor="staff", at=MORNING, reason=WHY, expected_till=shown)
    with pytest.raises(Conflict) as refused:
        grants.extend(sold.pk, gift, actor="staff", at=MORNING, reason=WHY, expected_till=shown)
    assert refused.value.code == "stale_till"
    sold.refresh_from_db()
    assert sold.valid_till == shown


def test_P13_a_term_that_would_be_over_is_not_added(bank: FakeAcquirer) -> None:
    Plan.objects.update(grace_days=10)
    sold = bought(bank, "month", MORNING)
    run_until_idle(at("2026-03-05T12:00"))
    with pytest.raises(Conflict) as refused:
        grants.extend(sold.pk, Gift("month", days=1), actor="staff", at=at("2026-03-05T12:00"), reason=WHY)
    assert refused.value.code == "too_short"


def test_a_trial_begins_at_once_and_ends_by_itself(bank: FakeAcquirer) -> None:
    user = viewer()
    assert trials.on_offer(user.pk, offers.find("month", at=MORNING))
    begun = trials.begin(user.pk, "month", actor="test", at=MORNING)
    assert trials.begin(user.pk, "month", actor="test", at=MORNING).pk == begun.pk
    news(MORNING)
    begun.refresh_from_db()
    assert (begun.status, begun.valid_till) == ("active", at("2026-02-07T12:00"))
    assert begun.has_access(MORNING) and Invoice.objects.get().purpose == "trial"
    assert right(MORNING)
    run_until_idle(at("2026-02-10T12:00"))
    begun.refresh_from_db()
    assert begun.status == "expired"
    assert not trials.on_offer(user.pk, offers.find("month", at=LATER))
    with pytest.raises(Conflict) as refused:
        trials.begin(user.pk, "month", actor="test", at=LATER)
    assert refused.value.code == "trial_used"
    with pytest.raises(IntegrityError, match="one_trial"), transaction.atomic():
        Subscription.objects.create(user=user, plan=begun.plan, price=begun.price, trial=True, created_at=LATER)


def test_a_trial_becomes_a_paid_term_of_another_plan_at_the_whole_price(bank: FakeAcquirer) -> None:
    begun = trials.begin(viewer().pk, "month", actor="test", at=MORNING)
    news(MORNING)
    begun = Subscription.objects.get(pk=begun.pk)
    day = at("2026-02-03T12:00")
    up = changes.upgrade(begun.pk, lifecycle.Order(plan="year", expected_total=rub(2699)), actor="test", at=day)
    paid(bank, up, day)
    begun.refresh_from_db()
    assert (begun.plan_id, begun.anchor_at, begun.valid_till) == (up.change.plan_id, day, at("2027-02-03T12:00"))
    assert right(day)


@pytest.mark.parametrize("why", ["no_trial", "already_subscribed", "email_not_confirmed"])
def test_a_trial_that_cannot_be_is_refused(why: str, bank: FakeAcquirer) -> None:
    user = viewer(confirmed=why != "email_not_confirmed")
    if why == "already_subscribed":
        bought(bank, "year", MORNING, user)
    before = Subscription.objects.count()
    with pytest.raises((Conflict, Forbidden)) as refused:
        trials.begin(user.pk, "year" if why == "no_trial" else "month", actor="test", at=MORNING)
    assert refused.value.code == why
    assert Subscription.objects.count() == before
