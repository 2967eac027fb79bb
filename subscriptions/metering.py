"""Tariffs by the hour: what was really used is taken from the wallet, and access ends where the money does.

Nobody pays for time without access: a charge never reaches beyond `access_until`, which each look at the meter sets to
the moment at which the wallet will be empty. So a sweep that comes late finds the truth in the times themselves.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime

from django.conf import settings
from django.db import transaction
from moneyed import Money

from accounts.models import User
from billing import events, ledger, money, wake, wallets
from billing.errors import Conflict, Forbidden, Invalid
from subscriptions import lifecycle, offers
from subscriptions.models import Meter, Period, Price, Subscription
from subscriptions.tariffs import Clock, spoken

RUNS = (Subscription.Status.ACTIVE, Subscription.Status.SUSPENDED)
TASK = "subscriptions.tasks.charge_hours"


def start(
    user_id: uuid.UUID, plan: str | int, *, actor: str, at: datetime, request_key: str | None = None
) -> Subscription:
    """Begins a subscription by the hour, which the wallet pays; the clock runs from `at`.

    Raises NotFound `plan_not_found`; Forbidden `email_not_confirmed`; Conflict `already_subscribed`, `empty_wallet`,
    `request_key_reused`.
    """
    tariff = offers.tariff(plan, at=at)
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=user_id)
        if not user.is_confirmed:
            raise Forbidden("Confirm your e-mail address first; we sent you a link.", "email_not_confirmed")
        same = Subscription.objects.filter(user=user, request_key=request_key).first() if request_key else None
        if same is not None:
            if same.plan_id != tariff.plan.pk:
                raise Conflict("This request key was used for another order.", "request_key_reused")
            return same
        _check_room(user_id, at)
        ledger.revenue(tariff.price.currency)  # the sweep's statement books to it, and makes none
        account = ledger.wallet(user_id, tariff.price.currency)
        held = money.to_minor(ledger.held(account, lock=True))
        if held <= 0:
            raise Conflict("Put money into your wallet first: this tariff is paid from it.", "empty_wallet")
        subscription = Subscription.objects.create(
            user=user, plan=tariff.plan, price=tariff.price, request_key=request_key, created_at=at
        )
        told = {"plan": tariff.plan.name, "rate": money.plain(tariff.price.money)}
        events.emit("subscription.created", subscription, actor=actor, at=at, to_state=subscription.status, data=told)
        meter = Meter(subscription=subscription, account=account, rate=tariff.price.amount, since=at, billed_to=at)
        subscription.anchor_at = subscription.valid_till = at
        _run(subscription, meter, held, actor=actor, at=at)
        meter.save(force_insert=True)
    return subscription


def is_hourly(subscription_id: uuid.UUID) -> bool:
    """Whether a subscription is paid by the hour."""
    return Meter.objects.filter(subscription_id=subscription_id).exists()


def account(subscription: Subscription, *, at: datetime) -> tuple[Money, Money]:
    """What would be charged if it were settled at `at`, and what the wallet would hold then."""
    meter = Meter.objects.select_related("account").get(subscription=subscription)
    held = money.to_minor(ledger.held(meter.account))
    till = min(at, subscription.access_until or at)
    runs = subscription.status == Subscription.Status.ACTIVE
    due = min(meter.clock.due(till), held) if runs else 0
    return _money(meter, due), _money(meter, held - due)


def tick(subscription_id: uuid.UUID, *, at: datetime) -> Subscription:
    """Charges what was used until `at`, or until the money ran out; suspends, resumes and warns as it finds things.

    The second time changes nothing.
    """
    with transaction.atomic():
        subscription, meter = _lock(subscription_id)
        if subscription.status in RUNS:
            held = _settle(subscription, meter, actor="system", at=at)
            if subscription.status == Subscription.Status.SUSPENDED and held > 0:
                meter.since = meter.billed_to = max(at, meter.since)  # nothing for the time without access
                _run(subscription, meter, held, actor="system", at=at)
            _warn(subscription, meter, held, at=at)
            _save(subscription, meter)
    return subscription


def change_tariff(
    subscription_id: uuid.UUID, plan: str | int, *, actor: str, at: datetime, reason: str = ""
) -> Subscription:
    """Puts a subscription on another tariff: what was used so far is charged at the old rate, then the new one counts.

    Raises NotFound; Conflict `same_plan`, `not_running`; Invalid `not_hourly`, `wrong_currency`.
    """
    tariff = offers.tariff(plan, at=at)
    with transaction.atomic():
        subscription, meter = _lock(subscription_id)
        if subscription.status not in RUNS:
            raise Conflict("This subscription is not running.", "not_running")
        if subscription.plan_id == tariff.plan.pk:
            raise Conflict("That is the tariff which you have.", "same_plan")
        if tariff.price.currency != meter.account.currency:
            raise Invalid(f"The wallet is in {meter.account.currency}.", "wrong_currency")
        before = subscription.plan.name
        _put_on(subscription, meter, tariff.price, actor=actor, at=at)
        told = {"from": before, "to": tariff.plan.name, "rate": money.plain(tariff.price.money)}
        events.emit("subscription.tariff_changed", subscription, actor=actor, at=at, reason=reason, data=told)
    return subscription


def reprice(subscription_id: uuid.UUID, price: Price, *, actor: str, at: datetime) -> None:
    """Gives a subscription another rate, in the caller's transaction; what was used is charged at the old one first."""
    subscription, meter = _lock(subscription_id)
    _put_on(subscription, meter, price, actor=actor, at=at)


def cancel(
    subscription_id: uuid.UUID, *, actor: str, at: datetime, reason: str = "", request_key: str | None = None
) -> Subscription:
    """Ends a subscription by the hour now: what was used is charged, what is left stays in the wallet.

    The same `request_key` finds what it did the first time. Raises NotFound; Conflict `not_cancellable`.
    """
    with transaction.atomic():
        subscription, meter = _lock(subscription_id)
        if request_key and subscription.cancel_key == request_key:
            return subscription
        if subscription.status not in RUNS:
            raise Conflict("There is nothing to cancel: this subscription is not running.", "not_cancellable")
        held = _settle(subscription, meter, actor=actor, at=at)
        subscription.cancelled_at, subscription.cancel_reason, subscription.next_action_at = at, reason[:300], at
        subscription.cancel_key = request_key or ""
        if subscription.status == Subscription.Status.ACTIVE:
            subscription.access_until = max(at, meter.billed_to)
        meter.next_tick_at = None
        _save(subscription, meter)
        events.change(
            subscription,
            subscription.cancel,
            actor=actor,
            at=at,
            reason=reason,
            save=["cancelled_at", "cancel_reason", "cancel_key", "next_action_at"],
            data={"refund": money.plain(_money(meter, 0)), "plan": subscription.plan.name,
                  "explanation": left_over(_money(meter, held))},
        )  # fmt: skip
    return subscription


def left_over(held: Money) -> str:
    """What a customer who leaves reads."""
    return f"What was used is paid; {money.spoken(held)} stays in your wallet, and you can have it back from there."


def ring(user_id: uuid.UUID, *, at: datetime) -> None:
    """The customer's wallet has moved: have the sweep look at their meter."""
    rows = Meter.objects.filter(subscription__user_id=user_id, subscription__status__in=RUNS)
    if rows.exclude(next_tick_at__lte=at).update(next_tick_at=at):
        wake.after_commit(TASK)


def to_ring(user_ids: Collection[uuid.UUID], *, at: datetime) -> set[uuid.UUID]:
    """Of these customers, those whose meter `ring` would have looked at earlier than at its time."""
    rows = Meter.objects.filter(subscription__user__in=list(user_ids), subscription__status__in=RUNS)
    return set(rows.exclude(next_tick_at__lte=at).values_list("subscription__user_id", flat=True))


@wallets.in_use
def runs_from(user_id: uuid.UUID, currency: str) -> str:
    """Why a wallet cannot be emptied: a clock runs on it."""
    rows = Meter.objects.filter(
        subscription__user_id=user_id, subscription__status__in=RUNS, account__currency=currency
    )
    return "A subscription by the hour is paid from this wallet; cancel it first." if rows.exists() else ""


def _check_room(user_id: uuid.UUID, at: datetime) -> None:
    live = Subscription.objects.filter(user_id=user_id, status__in=Subscription.LIVE).first()
    if live is not None:
        raise Conflict("You have a subscription already.", "already_subscribed", subscription=str(live.pk))
    if lifecycle.running_out(user_id, at=at) is not None:
        raise Conflict("What you have paid for still runs; begin this when it is over.", "already_subscribed")


def _lock(subscription_id: uuid.UUID) -> tuple[Subscription, Meter]:
    subscription = lifecycle.lock(subscription_id)
    found = Meter.objects.select_for_update().filter(subscription=subscription).first()
    if found is None:
        raise Invalid("This subscription is not paid by the hour.", "not_hourly")
    return subscription, found


def _settle(subscription: Subscription, meter: Meter, *, actor: str, at: datetime) -> int:
    """Charges an active one until `at` or until it runs dry, and then suspends it. Returns what the wallet holds."""
    held = money.to_minor(ledger.held(meter.account, lock=True))
    if subscription.status != Subscription.Status.ACTIVE:
        return held
    dry = max(meter.clock.dry_at(held), meter.billed_to)
    if subscription.access_until is not None:
        dry = min(dry, max(subscription.access_until, meter.billed_to))
    till = min(at, dry)
    amount = min(meter.clock.due(till), held)
    if amount > 0:
        _charge(subscription, meter, amount, till, at=at)
        held -= amount
    if at < dry:
        _foresee(subscription, meter, held, at)
        return held
    meter.clock, meter.billed_to, meter.next_tick_at = meter.clock.stopped(dry), dry, None
    subscription.access_until = dry
    told = {"plan": subscription.plan.name, "dry_at": dry.isoformat()}
    events.change(subscription, subscription.suspend, actor=actor, at=at, reason="The wallet is empty", data=told)
    return held


def _put_on(subscription: Subscription, meter: Meter, price: Price, *, actor: str, at: datetime) -> None:
    """Charges what was used at the old rate, and goes on at the rate of `price` and its plan."""
    held = _settle(subscription, meter, actor=actor, at=at)
    subscription.plan, subscription.price = price.plan, price
    moment = max(at, meter.billed_to)  # of two changes in one second the other may have had the later clock
    runs = subscription.status == Subscription.Status.ACTIVE
    carry = meter.clock.stopped(moment).carry if runs else meter.carry
    meter.clock = Clock(price.amount, moment, carry)
    meter.billed_to = moment
    if runs:
        _foresee(subscription, meter, held, at)
    subscription.save(update_fields=["plan", "price", "updated_at"])
    _save(subscription, meter)


def _charge(subscription: Subscription, meter: Meter, amount: int, till: datetime, *, at: datetime) -> None:
    meter.periods += 1
    transfer = ledger.post(
        f"meter:{subscription.pk}:{meter.periods}",
        debit=meter.account,
        credit=ledger.revenue(meter.account.currency),
        amount=_money(meter, amount),
        description=f"{subscription.plan.name}, by the hour",
        at=till,
    )
    Period.objects.create(
        subscription=subscription,
        number=meter.periods,
        months=0,
        refund_policy=subscription.plan.refund_policy,
        starts_at=meter.billed_to,
        ends_at=till,
        transfer=transfer,
        created_at=at,
    )
    meter.clock, meter.billed_to = meter.clock.taken(amount), till
    subscription.valid_till = till


def _run(subscription: Subscription, meter: Meter, held: int, *, actor: str, at: datetime) -> None:
    """Starts the clock: access until the money runs out."""
    _foresee(subscription, meter, held, at)
    told = {"plan": subscription.plan.name, "access_until": subscription.access_until}
    saved = ["anchor_at", "valid_till", "access_until"]
    events.change(subscription, subscription.activate, actor=actor, at=at, save=saved, data=told)


def _foresee(subscription: Subscription, meter: Meter, held: int, at: datetime) -> None:
    dry = max(meter.clock.dry_at(held), meter.billed_to)
    subscription.access_until = dry
    meter.next_tick_at = min(dry, at + settings.METER_EVERY)


def _warn(subscription: Subscription, meter: Meter, held: int, *, at: datetime) -> None:
    """Tells the customer once that the money will not last long; after more of it, it may be told again."""
    if subscription.status != Subscription.Status.ACTIVE or subscription.access_until is None:
        return
    left = subscription.access_until - at
    if left > settings.METER_LOW:
        meter.warned_at = None
    elif meter.warned_at is None:
        meter.warned_at = at
        told = {"plan": subscription.plan.name, "left": spoken(left), "balance": money.spoken(_money(meter, held))}
        events.emit("subscription.running_low", subscription, actor="system", at=at, data=told)


def _money(meter: Meter, minor: int) -> Money:
    return money.from_minor(minor, meter.account.currency)


def _save(subscription: Subscription, meter: Meter) -> None:
    subscription.save(update_fields=["valid_till", "access_until", "updated_at"])
    meter.save()
