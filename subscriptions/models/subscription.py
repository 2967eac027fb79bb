from __future__ import annotations

import uuid
from datetime import datetime, tzinfo
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Func, Q
from django_fsm import FSMField, transition
from moneyed import Money

from billing import money
from billing.models import Invoice, PaymentMethod, Transfer
from billing.models.state import StatefulModel
from subscriptions.calendar import anniversary, days_after
from subscriptions.models.plan import Plan, Price


class Subscription(StatefulModel):
    """A promise to one user."""

    class Status(models.TextChoices):
        PENDING = "pending", "Waiting for payment"
        ACTIVE = "active", "Active"
        PAST_DUE = "past_due", "Past due"
        PAUSED = "paused", "Paused"
        SUSPENDED = "suspended", "Suspended"
        CANCELLED = "cancelled", "Cancelled"
        EXPIRED = "expired", "Expired"
        ENDED = "ended", "Ended"
        ABANDONED = "abandoned", "Abandoned"

    LIVE = (Status.PENDING, Status.ACTIVE, Status.PAST_DUE, Status.PAUSED, Status.SUSPENDED)
    noun = "subscription"
    told_as: ClassVar[dict[str, str]] = {"active": "activated"}

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="subscriptions", db_index=False
    )
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="subscriptions")
    price = models.ForeignKey(Price, on_delete=models.PROTECT, related_name="subscriptions")
    status = FSMField(max_length=12, choices=Status, default=Status.PENDING, protected=True)
    next_plan = models.ForeignKey(
        Plan, null=True, blank=True, on_delete=models.PROTECT, related_name="+", help_text="From the next term on."
    )
    next_price = models.ForeignKey(Price, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    switches_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When a paid term of another plan begins."
    )
    auto_renew = models.BooleanField(default=False)
    renewal_consent_at = models.DateTimeField(
        null=True, blank=True, help_text="When the customer agreed to be charged each term."
    )
    method = models.ForeignKey(
        PaymentMethod, null=True, blank=True, on_delete=models.PROTECT, related_name="+",
        help_text="The saved card that renewals are charged to.",
    )  # fmt: skip
    anchor_at = models.DateTimeField(null=True, blank=True, help_text="Months are counted from here.")
    valid_till = models.DateTimeField(null=True, blank=True, help_text="End of what is paid.")
    access_until = models.DateTimeField(null=True, blank=True, help_text="End of access: valid till, and any grace.")
    next_action_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="When a sweep looks at it.")
    trial = models.BooleanField(default=False, help_text="Begun as a trial: one for each customer, ever.")
    paused_at = models.DateTimeField(null=True, blank=True)
    next_charge_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When the next term is charged, or tried again."
    )
    remind_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="When the customer is reminded.")
    reminded_till = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="The end that the customer was reminded of last."
    )
    cancelled_at = models.DateTimeField(null=True, blank=True)
    cancel_reason = models.CharField(max_length=300, blank=True)
    cancel_key = models.CharField(max_length=120, blank=True, editable=False, help_text="Of the request that cancels.")
    request_key = models.CharField(max_length=120, null=True, blank=True)  # noqa: DJ001  unique, where there is one

    class Meta:
        permissions = (
            ("cancel_subscription", "Can cancel subscriptions"),
            ("give_subscription", "Can give terms for nothing"),
            ("pause_subscription", "Can pause and resume subscriptions"),
            ("switch_subscription", "Can set the plan of the next term"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(status__in=["pending", "active", "past_due", "paused", "suspended"]),
                name="subscription_one_live_per_user",
            ),
            models.UniqueConstraint(fields=["user", "request_key"], name="subscription_request_key"),
            models.UniqueConstraint(fields=["user"], condition=Q(trial=True), name="subscription_one_trial_per_user"),
            models.CheckConstraint(
                condition=~Q(status__in=["active", "past_due", "cancelled", "expired", "ended"])
                | Q(valid_till__isnull=False, access_until__isnull=False, anchor_at__isnull=False),
                name="subscription_begun_has_a_term",
            ),
            models.CheckConstraint(
                condition=Q(next_plan__isnull=True, next_price__isnull=True)
                | Q(next_plan__isnull=False, next_price__isnull=False),
                name="subscription_next_plan_has_a_price",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["cancelled", "expired", "ended"])
                | Q(next_plan__isnull=True)
                | Q(status="cancelled", switches_at__isnull=False),
                name="subscription_cancelled_has_no_next_plan",
            ),
            models.CheckConstraint(
                condition=Q(switches_at__isnull=True) | Q(next_plan__isnull=False),
                name="subscription_switches_to_a_plan",
            ),
            models.CheckConstraint(
                condition=Q(status="paused", paused_at__isnull=False)
                | (~Q(status="paused") & Q(paused_at__isnull=True)),
                name="subscription_paused_when_paused",
            ),
            models.CheckConstraint(
                condition=Q(auto_renew=False) | Q(renewal_consent_at__isnull=False),
                name="subscription_renews_with_consent",
            ),
            models.CheckConstraint(
                condition=Q(next_charge_at__isnull=True) | Q(auto_renew=True, method__isnull=False),
                name="subscription_charged_while_it_renews",
            ),
        )
        indexes = (
            # The access check reads nothing but this.
            models.Index(
                fields=["user", "access_until"],
                include=["plan"],
                condition=Q(access_until__isnull=False),
                name="subscription_access",
            ),
            models.Index(fields=["next_action_at"], condition=Q(next_action_at__isnull=False), name="subscription_due"),
            models.Index(
                fields=["next_charge_at"], condition=Q(next_charge_at__isnull=False), name="subscription_charge_due"
            ),
            models.Index(  # what the guard of renewals looks at
                fields=["valid_till"],
                condition=Q(auto_renew=True, status__in=["active", "past_due"]),
                name="subscription_renewing",
            ),
            models.Index(
                fields=["switches_at"],
                condition=Q(switches_at__isnull=False) & ~Q(status="paused"),
                name="subscription_switch_due",
            ),
            models.Index(fields=["remind_at"], condition=Q(remind_at__isnull=False), name="subscription_remind_due"),
            models.Index(fields=["-created_at", "id"], name="subscription_recent"),
        )

    def __str__(self) -> str:
        return f"{self.plan.name}, {self.get_status_display().lower()}"

    @property
    def plan_ahead(self) -> Plan:
        """The plan of the last term that is paid: what the end of that term, and all that follows it, goes by."""
        return self.next_plan if self.switches_at is not None and self.next_plan is not None else self.plan

    @property
    def price_ahead(self) -> Price:
        """The price of the last term that is paid."""
        return self.next_price if self.switches_at is not None and self.next_price is not None else self.price

    @property
    def customer_id(self) -> uuid.UUID:
        return self.user_id

    def has_access(self, at: datetime) -> bool:
        """Whether films play at `at`."""
        begun = self.anchor_at is not None and self.anchor_at <= at
        return begun and self.access_until is not None and at < self.access_until

    @transition(status, source=[Status.PENDING, Status.SUSPENDED], target=Status.ACTIVE)
    def activate(self) -> None: ...

    @transition(status, source=Status.ACTIVE, target=Status.PAST_DUE)
    def fall_due(self) -> None: ...

    @transition(status, source=[Status.PAST_DUE], target=Status.ACTIVE)
    def recover(self) -> None: ...

    @transition(status, source=Status.ACTIVE, target=Status.PAUSED)
    def pause(self) -> None: ...

    @transition(status, source=Status.PAUSED, target=Status.ACTIVE)
    def resume(self) -> None: ...

    @transition(status, source=Status.ACTIVE, target=Status.SUSPENDED)
    def suspend(self) -> None: ...

    @transition(status, source=[Status.ACTIVE, Status.PAST_DUE, Status.SUSPENDED], target=Status.CANCELLED)
    def cancel(self) -> None: ...

    @transition(status, source=Status.PAST_DUE, target=Status.EXPIRED)
    def expire(self) -> None: ...

    @transition(status, source=Status.CANCELLED, target=Status.ENDED)
    def end(self) -> None: ...

    @transition(status, source=Status.PENDING, target=Status.ABANDONED)
    def abandon(self) -> None: ...


class _During(Func):
    """The period as a range that holds its start and not its end."""

    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


class Period(models.Model):
    """One span of a subscription that was billed: the joint between promise and money.

    It has no times until its invoice is paid: then the first begins, and each other where the one before ends.
    `plan` and `price` are those that it was billed at; a charge by the hour names none.
    """

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="periods", db_index=False)
    number = models.PositiveIntegerField(help_text="1 for the first.")
    months = models.PositiveSmallIntegerField()
    days = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="Length of a term of days, which has no months."
    )
    refund_policy = models.CharField(
        max_length=16,
        choices=Plan.RefundPolicy,
        default=Plan.RefundPolicy.UNUSED_MONTHS,
        help_text="The plan's rule when it was bought; a change of the plan's changes nothing here.",
    )
    plan = models.ForeignKey(Plan, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    price = models.ForeignKey(Price, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    counts_from = models.DateTimeField(
        null=True, blank=True, help_text="What its months are counted from, where that is not its start."
    )
    closed_at = models.DateTimeField(null=True, blank=True, help_text="When it was given up unpaid.")
    invoice = models.OneToOneField(
        Invoice, null=True, blank=True, on_delete=models.PROTECT, related_name="period", help_text="What billed it."
    )
    transfer = models.OneToOneField(
        Transfer, null=True, blank=True, on_delete=models.PROTECT, related_name="+", help_text="Or what paid it."
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("subscription", "number")
        constraints = (
            models.UniqueConstraint(fields=["subscription", "number"], name="period_number"),
            models.UniqueConstraint(
                fields=["subscription"],
                condition=Q(starts_at__isnull=True, closed_at__isnull=True),
                name="period_one_waits",
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) | Q(starts_at__isnull=True), name="period_closed_never_begins"
            ),
            models.CheckConstraint(
                condition=Q(starts_at__isnull=True, ends_at__isnull=True)
                | Q(starts_at__isnull=False, ends_at__isnull=False, ends_at__gt=F("starts_at")),
                name="period_ends_after_it_starts",
            ),
            models.CheckConstraint(
                condition=Q(invoice__isnull=False, transfer__isnull=True)
                | Q(invoice__isnull=True, transfer__isnull=False),
                name="period_has_an_invoice_or_a_transfer",
            ),
            ExclusionConstraint(
                name="period_no_overlap",
                expressions=[
                    ("subscription", RangeOperators.EQUAL),
                    (_During("starts_at", "ends_at", RangeBoundary()), RangeOperators.OVERLAPS),
                ],
                condition=Q(starts_at__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"Period {self.number}"

    def end_from(self, begin: datetime, zone: tzinfo) -> datetime:
        """When a term of this length that begins at `begin` ends."""
        return days_after(begin, self.days, zone) if self.days else anniversary(begin, self.months, zone)

    @property
    def sold(self) -> Plan:
        """The plan that it was billed for, whatever the subscription is for by now."""
        return self.plan or self.subscription.plan

    @property
    def paid(self) -> Money | None:
        """What its invoice was over."""
        return money.from_minor(self.invoice.total, self.invoice.currency) if self.invoice else None
