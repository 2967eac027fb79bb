"""W4-W9: by the hour; the time that really passed, once, as far as the money goes, and not a moment without access."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from billing import ledger, money
from billing.errors import Refused
from billing.models import Event, Transfer
from subscriptions import endings, entitlements, hours, metering
from subscriptions.models import Price, Subscription
from tests.billing.desk import together
from tests.subscriptions import hourly
from tests.subscriptions.hourly import AT, DAY, HOUR, MINUTE, begun, charged, fill, held, spans, state, sweep, tariff
from tests.things import plan, viewer

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _tariffs(db: None) -> None:
    tariff("hourly", 1_000)
    tariff("gold", 2_500)


def told(subscription: Subscription) -> list[str]:
    rows = Event.objects.filter(subject_id=subscription.pk).order_by("id")
    return [kind.removeprefix("subscription.") for kind in rows.values_list("kind", flat=True)]


def code_of(deed: Any) -> str:
    with pytest.raises(Refused) as refusal:
        deed()
    return refusal.value.code


def watches(subscription: Subscription, at: Any) -> bool:
    return entitlements.may(subscription.user_id, "cinema", at=at)


def test_W9_activation_starts_the_clock() -> None:
    subscription = begun(10_000)
    assert (subscription.status, subscription.access_until) == ("active", AT + 10 * HOUR)
    assert told(subscription) == ["created", "activated"]
    sweep(AT + HOUR)
    assert (held(subscription), spans(subscription)) == (9_000, [(AT, AT + HOUR)])
    hourly.right(AT + HOUR)


def test_W5_the_time_that_passed_is_charged_and_not_one_hour_for_each_run() -> None:
    subscription = begun(10_000)
    sweep(AT + HOUR)
    for minutes in range(60, 120, 7):
        sweep(AT + minutes * MINUTE)  # not due yet
    assert held(subscription) == 9_000
    sweep(AT + 2 * HOUR + 30 * MINUTE)
    assert held(subscription) == 7_500
    hourly.right(AT + 3 * HOUR)


def test_W5_the_rest_of_rounding_is_neither_lost_nor_charged_twice() -> None:
    tariff("odd", 7)
    subscription = begun(1_000, "odd")
    for n in range(1, 61):
        metering.tick(subscription.pk, at=AT + n * MINUTE)
    assert charged(subscription) == 7
    assert len(spans(subscription)) == 7  # a kopeck each, and no line for nothing
    hourly.right(AT + HOUR)


def test_W8_a_day_without_the_scheduler_is_caught_up_once() -> None:
    subscription = begun(100_000)
    sweep(AT + DAY)
    sweep(AT + DAY)
    assert (held(subscription), spans(subscription)) == (76_000, [(AT, AT + DAY)])


def test_W8_and_only_as_far_as_the_balance_covered() -> None:
    subscription = begun(2_500)
    assert not watches(subscription, AT + 2.5 * HOUR) and watches(subscription, AT + 2.4 * HOUR)
    sweep(AT + DAY)
    assert state(subscription) == ("suspended", 0)
    assert spans(subscription) == [(AT, AT + 2.5 * HOUR)]
    assert Subscription.objects.get().access_until == AT + 2.5 * HOUR
    assert told(subscription) == ["created", "activated", "suspended"]
    hourly.right(AT + DAY)


def test_W6_the_time_without_access_is_not_billed() -> None:
    subscription = begun(2_000)
    sweep(AT + 3 * HOUR)
    fill(subscription.user, 1_000)
    metering.ring(subscription.user_id, at=AT + 10 * HOUR)
    sweep(AT + 10 * HOUR)
    assert state(subscription) == ("active", 1_000)
    assert Subscription.objects.get().access_until == AT + 11 * HOUR
    sweep(AT + DAY)
    assert state(subscription) == ("suspended", 0)
    assert spans(subscription) == [(AT, AT + 2 * HOUR), (AT + 10 * HOUR, AT + 11 * HOUR)]
    assert told(subscription).count("activated") == told(subscription).count("suspended") == 2
    hourly.right(AT + DAY)


def test_W6_a_top_up_that_nobody_noticed_in_time_pays_for_no_hour_without_access() -> None:
    subscription = begun(2_000)
    fill(subscription.user, 5_000, AT + 4 * HOUR)  # after it ran dry, and before any sweep
    sweep(AT + 6 * HOUR)
    assert state(subscription) == ("active", 5_000)
    assert spans(subscription) == [(AT, AT + 2 * HOUR)]


def test_W1_a_top_up_in_time_leaves_no_gap() -> None:
    subscription = begun(2_000)
    fill(subscription.user, 1_000)
    metering.ring(subscription.user_id, at=AT + HOUR)
    sweep(AT + HOUR)
    assert Subscription.objects.get().access_until == AT + 3 * HOUR
    sweep(AT + 2.5 * HOUR)
    assert state(subscription) == ("active", 500)


def test_W7_a_change_of_tariff_settles_at_the_old_rate_first() -> None:
    subscription = begun(10_000)
    metering.change_tariff(subscription.pk, "gold", actor="test", at=AT + 2 * HOUR)
    assert held(subscription) == 8_000
    metering.tick(subscription.pk, at=AT + 4 * HOUR)
    assert held(subscription) == 3_000
    assert Subscription.objects.get().access_until == AT + 4 * HOUR + HOUR * 3 / 2.5
    assert told(subscription).count("tariff_changed") == 1
    hourly.right(AT + 4 * HOUR)


def test_W7_two_changes_in_one_second_charge_nothing_twice() -> None:
    subscription = begun(10_000)
    late, early = AT + HOUR + timedelta(milliseconds=900), AT + HOUR + timedelta(milliseconds=400)
    metering.change_tariff(subscription.pk, "gold", actor="test", at=late)
    metering.change_tariff(subscription.pk, "hourly", actor="test", at=early)
    assert held(subscription) == 9_000
    assert code_of(lambda: metering.change_tariff(subscription.pk, "hourly", actor="test", at=late)) == "same_plan"
    metering.tick(subscription.pk, at=late + HOUR)
    assert held(subscription) == 8_000
    hourly.right(late + HOUR)


def test_W7_a_change_while_dry_counts_from_the_next_top_up() -> None:
    subscription = begun(1_000)
    sweep(AT + 2 * HOUR)
    metering.change_tariff(subscription.pk, "gold", actor="test", at=AT + 3 * HOUR)
    fill(subscription.user, 5_000)
    metering.tick(subscription.pk, at=AT + 5 * HOUR)
    metering.tick(subscription.pk, at=AT + 6 * HOUR)
    assert state(subscription) == ("active", 2_500)


def test_the_customer_is_told_once_that_it_runs_low_and_again_after_a_top_up() -> None:
    subscription = begun(30_000)
    for n in range(1, 13):
        sweep(AT + n * HOUR)
    assert told(subscription).count("running_low") == 1
    event = Event.objects.get(kind="subscription.running_low")
    assert (event.data["left"], event.at) == ("24 hours", AT + 6 * HOUR)
    fill(subscription.user, 30_000)
    sweep(AT + 13 * HOUR)
    assert told(subscription).count("running_low") == 1
    sweep(AT + 40 * HOUR)
    assert told(subscription).count("running_low") == 2


def test_a_balance_that_shrinks_meanwhile_ends_access_sooner_and_bills_no_more() -> None:
    subscription = begun(10_000)
    sweep(AT + HOUR)
    _take(subscription, 8_500)
    sweep(AT + 2 * HOUR)
    assert state(subscription) == ("suspended", 0)
    assert spans(subscription)[-1] == (AT + HOUR, AT + 1.5 * HOUR)
    hourly.right(AT + 2 * HOUR)


def _take(subscription: Subscription, kopecks: int) -> None:
    ledger.post(
        "test:taken",
        debit=ledger.wallet(subscription.user_id, "RUB"),
        credit=ledger.suspense("RUB"),
        amount=money.from_minor(kopecks, "RUB"),
        description="a test",
        at=AT,
    )


def test_cancelling_charges_what_was_used_and_leaves_the_rest() -> None:
    subscription = begun(10_000)
    metering.cancel(subscription.pk, actor="test", at=AT + 90 * MINUTE)
    assert state(subscription) == ("cancelled", 8_500)
    assert not watches(subscription, AT + 90 * MINUTE)
    assert code_of(lambda: metering.cancel(subscription.pk, actor="test", at=AT + DAY)) == "not_cancellable"
    endings.end_due(at=AT + 91 * MINUTE)
    sweep(AT + DAY)
    assert state(subscription) == ("ended", 8_500)
    hourly.right(AT + DAY)


def test_a_dry_one_can_be_cancelled_too() -> None:
    subscription = begun(1_000)
    sweep(AT + 2 * HOUR)
    metering.cancel(subscription.pk, actor="test", at=AT + 3 * HOUR)
    assert state(subscription) == ("cancelled", 0)
    hourly.right(AT + 3 * HOUR)


def test_bad_beginnings_are_refused_and_nothing_is_written() -> None:
    plan("month", 1, 29_900)
    poor, stranger = viewer(), viewer(confirmed=False)
    assert code_of(lambda: metering.start(poor.pk, "hourly", actor="test", at=AT)) == "empty_wallet"
    assert code_of(lambda: metering.start(poor.pk, "month", actor="test", at=AT)) == "plan_not_found"
    assert code_of(lambda: metering.start(stranger.pk, "hourly", actor="test", at=AT)) == "email_not_confirmed"
    assert not Subscription.objects.exists() and not Event.objects.exists()
    subscription = begun(1_000)
    again = code_of(lambda: metering.start(subscription.user_id, "gold", actor="test", at=AT))
    assert again == "already_subscribed"


def test_a_tariff_without_a_rate_is_not_sold() -> None:
    Price.objects.filter(plan__code="gold").delete()
    user = viewer()
    fill(user, 1_000)
    assert code_of(lambda: metering.start(user.pk, "gold", actor="test", at=AT)) == "plan_not_found"


def test_two_beginnings_with_one_key_are_one_subscription() -> None:
    user = viewer()
    fill(user, 1_000)
    one, two = (metering.start(user.pk, "hourly", actor="test", at=AT, request_key="k") for _ in range(2))
    assert one.pk == two.pk
    other = code_of(lambda: metering.start(user.pk, "gold", actor="test", at=AT, request_key="k"))
    assert other == "request_key_reused"


@pytest.mark.django_db(transaction=True)
def test_W5_overlapping_ticks_charge_once() -> None:
    subscriptions = [begun(10_000) for _ in range(5)]

    def one(n: int) -> Any:
        if n % 2:
            return hours.charge_due(at=AT + 2 * HOUR)
        return metering.tick(subscriptions[n % 5].pk, at=AT + 2 * HOUR)

    results = together(16, one)
    assert [result for result in results if isinstance(result, Exception)] == []
    sweep(AT + 2 * HOUR)
    assert [held(subscription) for subscription in subscriptions] == [8_000] * 5


@pytest.mark.django_db(transaction=True)
def test_W7_changes_ticks_and_debits_at_once_end_in_order() -> None:
    subscription = begun(10_000)

    def one(n: int) -> Any:
        if n % 3 == 0:
            return metering.change_tariff(
                subscription.pk, ("gold", "hourly")[n % 2], actor="test", at=AT + HOUR + n * timedelta(milliseconds=1)
            )
        if n % 3 == 1:
            return hours.charge_due(at=AT + HOUR)
        return metering.tick(subscription.pk, at=AT + HOUR)

    results = together(18, one)
    codes = {getattr(each, "code", repr(each)) for each in results if isinstance(each, Exception)}
    assert codes <= {"same_plan"}
    assert held(subscription) == 9_000
    hourly.right(AT + HOUR)


def test_W4_one_charge_is_one_transfer_and_one_period() -> None:
    subscription = begun(10_000)
    sweep(AT + HOUR)
    period = subscription.periods.get()
    assert period.invoice is None and period.transfer == Transfer.objects.get(reference__startswith="meter:")
    assert (period.transfer.debit.code, period.transfer.credit.code) == (
        f"wallet:{subscription.user_id}:RUB", "revenue:RUB",
    )  # fmt: skip
