"""Cases in the ledger: what an acquirer has more (or less) than we have booked lies in suspense until it goes back."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import transaction
from django.db.models import F, Q
from moneyed import Money

from acquiring.types import Outcome, Status
from billing import ledger, money
from billing.models import Case, Payment, Transfer

Kind = Case.Kind
RETURNED = Q(kind=Kind.UNKNOWN_REFUND) & ~Q(resolution__in=["record", "vanished"])  # in the acquirer's cabinet
BY_CASE = Q(kind=Kind.AMOUNT_DIFFERS, refund=None, theirs__gt=F("ours"), resolution__in=["give_back", "went_back"])


def explaining(payment: Payment) -> list[Case]:
    """The cases that tell of money of a payment which the acquirer gave back, and no refund of ours tells of."""
    return list(payment.cases.filter(RETURNED | BY_CASE))


def post(case: Case, step: str, into_cash: Money, *, at: datetime) -> None:
    """Books between cash and suspense, once for each step of a locked case."""
    cash, suspense = ledger.cash(case.acquirer, case.currency), ledger.suspense(case.currency)
    debit, credit = (cash, suspense) if into_cash.amount > 0 else (suspense, cash)
    reference = f"case:{case.pk}{step}"
    if into_cash.amount and not Transfer.objects.filter(reference=reference).exists():
        ledger.post(
            reference, debit=debit, credit=credit, amount=abs(into_cash), description=case.sentence[:200], at=at
        )


def book(case: Case, *, at: datetime) -> None:
    """What the acquirer has more (or less) than we have booked goes to suspense."""
    refund = case.kind == Kind.UNKNOWN_REFUND or case.refund is not None
    more = case.their_money - case.our_money
    post(case, "", more * -1 if refund else more, at=at)


def book_back(case: Case, *, at: datetime) -> None:
    """What went to suspense has gone back to the customer."""
    post(case, ":back", (case.their_money - case.our_money) * -1, at=at)


def given_back(case_id: uuid.UUID, said: Outcome, *, at: datetime) -> str:
    """Books, once, what a case gave back at the acquirer, however that case was closed meanwhile.

    Returns why that cannot be, or nothing.
    """
    if said.status != Status.SUCCEEDED:
        return ""
    with transaction.atomic():
        case = Case.objects.select_for_update(of=("self",)).select_related("refund").get(pk=case_id)
        asked = case.their_money - case.our_money
        if said.amount != asked:
            spoken = money.spoken(said.amount) if said.amount else "no sum"
            return f"{case.acquirer} speaks of {spoken} for what a case gave back; we asked for {money.spoken(asked)}."
        book(case, at=at)
        book_back(case, at=at)
    return ""
