"""Renewals by saved card: bill the next term once, charge it outside of any transaction, try again as dunning says."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Case, Count, DurationField, ExpressionWrapper, F, Max, QuerySet, Sum, When
from django.db.models.functions import Coalesce
from moneyed import Money

from billing import bulk, calls, events, guard, invoices, ledger, money, payments
from billing.errors import Refused
from billing.models import Invoice, Payment
from subscriptions import charging, discounts, dunning, herds, lifecycle, offers, redemptions, terms
from subscriptions.models import Period, Plan, Subscription

log = logging.getLogger(__name__)

BATCH = 500
LEASE = timedelta(minutes=10)  # longer than a batch of charges takes at an acquirer that answers nobody


def renew_due(*, at: datetime, limit: int = BATCH) -> int:
    """Bills and charges the terms that are due at `at`, and tries again what dunning says. Returns how many were due.

    Claiming and billing are one transaction for all of them; the charges follow, many at once, each settled alone.
    """
    try:
        permit(at=at)
    except guard.Stopped as stopped:
        log.error("renewals stopped: %s", stopped.detail)
        return 0
    began = time.monotonic()
    due = bill_due(at=at, limit=limit)
    # A payment's times are those of its own beginning: that an earlier try may be under way is counted from them.
    charging.each_at_once(due, lambda pk: charge(pk, at=at + charging.late(began)), claimed_to=at + LEASE, at=at)
    return len(due)


def bill_due(*, at: datetime, limit: int = BATCH) -> list[uuid.UUID]:
    """Claims up to `limit` subscriptions that are due, and bills those that have no next term yet; one transaction."""
    with transaction.atomic(durable=True):
        first = Subscription.objects.filter(next_charge_at__lte=at).order_by("next_charge_at", "pk")
        rows = herds.furnished(list(first.select_for_update(skip_locked=True, of=("self",))[:limit]))
        due = [row.pk for row in rows]
        Subscription.objects.filter(pk__in=due).update(next_charge_at=at + LEASE)
        billed = set(
            Period.objects.filter(subscription__in=due, starts_at=None, closed_at=None).values_list(
                "subscription_id", flat=True
            )
        )
        _bill_all([row for row in rows if row.pk not in billed and terms.renewable(row)], at=at)
    return due


def charge(subscription_id: uuid.UUID, *, at: datetime) -> Payment | None:
    """Charges the billed next term if that is due at `at`; otherwise notes when it will be. The second time finds the
    payment that is under way.
    """
    began = time.monotonic()
    with transaction.atomic(durable=True):
        subscription = lifecycle.lock(subscription_id)
        period, step = next_step(subscription, at)
        _note(subscription, step, at)
        card = subscription.method
    if step.close:
        with calls.in_turn(Payment.objects.values_list("acquirer", flat=True).get(pk=step.close)):
            payments.cancel(step.close, at=at)
    if not step.now or period is None or period.invoice_id is None or card is None:
        return None
    if period.paid is not None and not period.paid:  # discounts took everything off
        invoices.waive(period.invoice_id, actor="system", at=at)
        return None
    try:
        with calls.in_turn(card.acquirer):
            now = at + charging.late(began)
            payment = payments.start(period.invoice_id, actor="system", at=now, method_id=card.pk)
    except Refused as refusal:  # closed or the card removed in this very moment: the lease brings it back to look
        log.info("renewal of %s: %s", subscription_id, refusal.detail)
        return None
    look_again(subscription_id, at=at)
    return payment


def look_again(subscription_id: uuid.UUID, *, at: datetime) -> None:
    """Notes what comes next after news of a renewal's payment. The second time changes nothing."""
    with transaction.atomic():
        subscription = lifecycle.lock(subscription_id)
        if subscription.next_charge_at is None:
            return  # stopped, or switched off
        _, step = next_step(subscription, at)
        _note(subscription, step, at)


def tell(invoice_id: uuid.UUID, *, at: datetime) -> None:
    """A payment of this invoice failed or was closed: dunning looks at what to do. Other invoices are none of ours."""
    period = Period.objects.filter(invoice_id=invoice_id, starts_at=None, closed_at=None, number__gt=1).first()
    if period is not None:
        look_again(period.subscription_id, at=at)


def closed(invoice_id: uuid.UUID, *, at: datetime) -> None:
    """The invoice of a next term was closed unpaid: nothing more is charged for this end. Twice is once."""
    with transaction.atomic():
        found = Period.objects.filter(invoice_id=invoice_id, starts_at=None, closed_at=None, number__gt=1).first()
        if found is None:
            return
        subscription = lifecycle.lock(found.subscription_id)
        Period.objects.filter(pk=found.pk, starts_at=None).update(closed_at=at)
        subscription.next_charge_at = None
        subscription.save(update_fields=["next_charge_at", "updated_at"])


def extend(invoice_id: uuid.UUID, *, actor: str, at: datetime) -> None:
    """Begins the next term that a paid invoice was for. The second time changes nothing."""
    with transaction.atomic():
        found = Period.objects.filter(invoice_id=invoice_id, number__gt=1).first()
        if found is None:
            return
        subscription = lifecycle.lock(found.subscription_id)
        period = terms.waiting(subscription)
        if period is not None and period.pk == found.pk and subscription.status in Subscription.LIVE:
            terms.extend(subscription, period, actor=actor, at=at)


def bill(rows: Sequence[Subscription], *, actor: str, at: datetime) -> list[uuid.UUID]:
    """Bills the next term of each of these locked subscriptions, in a few statements however many they are.

    Returns their invoices, in the same order. Raises IntegrityError where one has a next term that waits already: no
    term is billed twice.
    """
    found = Period.objects.filter(subscription__in=rows).order_by().values_list("subscription_id")
    numbers = dict(found.annotate(last=Max("number")))
    book = discounts.of_renewals(rows, at=at)
    sold = [(row, offers.renewal(row, at=at, book=book)) for row in rows]
    accounts = {currency: ledger.revenue(currency) for currency in {offer.price.currency for _, offer in sold}}
    drafts = [
        invoices.Draft(
            user_id=row.user_id,
            lines=[offer.line(_begins(row))],
            account=accounts[offer.price.currency],
            purpose="subscription",
        )
        for row, offer in sold
    ]
    invoices.issue_many(drafts, actor=actor, at=at)
    billed = [redemptions.Renewed(draft.user_id, draft.id, o.quote) for (_, o), draft in zip(sold, drafts, strict=True)]
    redemptions.renew(billed, at=at)
    bulk.insert(
        Period,
        [
            {
                "subscription_id": row.pk,
                "number": numbers.get(row.pk, 0) + 1,
                "months": offer.plan.months,
                "refund_policy": offer.plan.refund_policy,
                "plan_id": offer.plan.pk,
                "price_id": offer.price.pk,
                "invoice_id": draft.id,
            }
            for (row, offer), draft in zip(sold, drafts, strict=True)
        ],
        created_at=at,
    )
    return [draft.id for draft in drafts]


def _begins(row: Subscription) -> str:
    """The day from which it goes on, as the customer reads it."""
    begins = row.valid_till.astimezone(row.plan_ahead.zone) if row.valid_till else None
    return f", from {begins.day} {begins:%B %Y}" if begins else ""


def _bill_all(rows: list[Subscription], *, at: datetime) -> None:
    """Bills what can be billed: one that cannot does not keep the others waiting."""
    if not rows:
        return
    try:
        with transaction.atomic():
            bill(rows, actor="system", at=at)
    except Exception:
        log.exception("a renewal cannot be billed")
        if len(rows) > 1:
            half = len(rows) // 2
            _bill_all(rows[:half], at=at)
            _bill_all(rows[half:], at=at)


def next_step(subscription: Subscription, at: datetime) -> tuple[Period | None, dunning.Step]:
    """The next term that is billed, and what to do about it at `at`."""
    if not terms.renewable(subscription):
        removed = subscription.auto_renew and subscription.method is not None and subscription.method.removed_at
        return None, dunning.Step(stop="The card was removed." if removed else "")
    if _changing(subscription):
        return None, dunning.Step(at=at + dunning.LOOK_AGAIN)
    period = terms.waiting(subscription)
    if period is None or period.invoice is None:
        first = min(terms.charge_times(subscription))
        return None, dunning.Step(at=max(first, at + LEASE))
    if period.invoice.status == Invoice.Status.PAID:  # its news is on the way
        return period, dunning.Step(at=at + dunning.LOOK_AGAIN)
    if period.invoice.status != Invoice.Status.OPEN:
        return period, dunning.Step()
    return period, dunning.step(subscription, period.invoice.pk, at=at)


def _changing(subscription: Subscription) -> bool:
    """Whether another plan is being paid for at this moment: the next term is then not charged beside it."""
    return charging.changing([subscription.pk]) != set()


def _note(subscription: Subscription, step: dunning.Step, at: datetime) -> None:
    """Writes down when the subscription is looked at next, and asks for another card where this one will not do."""
    before = subscription.next_charge_at
    subscription.next_charge_at = at + LEASE if step.now else step.at
    changed = ["next_charge_at", "updated_at"]
    if subscription.status == Subscription.Status.ACTIVE:
        subscription.next_action_at = terms.falls_due_at(subscription)
        changed.append("next_action_at")
    subscription.save(update_fields=changed)
    if step.stop and before is not None:
        events.emit(
            "subscription.card_needed",
            subscription,
            actor="system",
            at=at,
            reason=step.stop,
            data=terms.told(subscription) | {"why": step.stop},
        )


def permit(*, at: datetime) -> None:
    """Asks the guard about all that is due. Raises guard.Stopped."""
    due = Subscription.objects.filter(next_charge_at__lte=at)
    people, amounts = _sums(due)
    if people:
        guard.permit("renewals", people=people, amounts=amounts, forecast=lambda: _forecast(at), at=at)


def _forecast(at: datetime) -> guard.Forecast:
    """What the terms themselves say is due, whatever the sweep's own column says."""
    lead = Case(When(switches_at=None, then=F("plan__renewal_lead_hours")), default=F("next_plan__renewal_lead_hours"))
    hours = ExpressionWrapper(lead * timedelta(hours=1), DurationField())
    longest = timedelta(hours=Plan.objects.aggregate(longest=Max("renewal_lead_hours"))["longest"] or 0)
    ending = Subscription.objects.filter(
        auto_renew=True,
        status__in=terms.RUNNING,
        access_until__gt=at - timedelta(days=1),
        valid_till__lte=at + longest + settings.DUNNING_LAST_CALL,  # by an index
    ).annotate(charge_from=F("valid_till") - hours - settings.DUNNING_LAST_CALL)
    return guard.Forecast(*_sums(ending.filter(charge_from__lte=at)))


def _sums(rows: QuerySet[Subscription]) -> tuple[int, tuple[Money, ...]]:
    """How many people, and what their next terms cost at most, by currency: nobody's discounts are looked up here."""
    amount = Coalesce("next_price__amount", "price__amount")
    found = rows.order_by().values_list("price__currency").annotate(Count("pk"), sum=Sum(amount))
    counted = [(people, money.from_minor(int(amount), currency)) for currency, people, amount in found]
    return sum(people for people, _ in counted), tuple(amount for _, amount in counted)
