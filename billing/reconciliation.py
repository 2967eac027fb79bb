"""Reconciliation: an acquirer's statement of a day against our payments and refunds. Each difference is one case."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, Sum

from acquiring import registry
from acquiring.http import Unanswered
from acquiring.types import Outcome, StatementLine, Status, Subject
from billing import calls, events, ledger, money, outcomes, payments, refunds, second_holds, statements, suspense
from billing.models import Case, Payment, Refund
from billing.statements import Ours

log = logging.getLogger(__name__)

DAYS = 3  # each daily run looks again at so many days: what settles late is not missed
Kind = Case.Kind


@dataclass(slots=True)
class Result:
    """What one run came to."""

    acquirer: str
    day: date
    lists: bool = True  # the acquirer gave a statement; else it was asked about each operation of ours
    lines: int = 0
    opened: list[Case] = field(default_factory=list)
    closed: list[Case] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)


def run_lately(*, at: datetime) -> list[Result]:
    """Compares the last days with every acquirer; one that cannot be reached is left to the next run."""
    results = []
    for name in registry.names():
        for back in range(DAYS, 0, -1):
            try:
                results.append(run(name, at.astimezone(UTC).date() - timedelta(days=back), at=at))
            except Unanswered as error:
                log.warning("no statement of %s: %s", name, error)
                break
    return results


def days_since(first: date, last: date) -> list[date]:
    """Every day from `first` to `last`, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def run(acquirer: str, day: date, *, at: datetime) -> Result:
    """Compares one day (UTC). The same difference makes one case; one that has vanished closes its case.

    What is not final here is asked about before it makes a case. Raises Unanswered; registry.UnknownAcquirer.
    """
    result = Result(acquirer, day, lists=calls.acquirer(acquirer).capabilities.statements)
    with statements.listing() as listed:
        for lines in statements.chunks(statements.of(acquirer, day)):
            result.lines += len(lines)
            listed.add(lines)
            known = statements.ours(acquirer, lines)
            for line in lines:
                _compare(result, line, known, at=at)
        since = datetime.combine(day, time(), UTC)
        left = listed.without(acquirer, since, since + timedelta(days=1))
    _missing_there(result, left, at=at)
    _vanished(result, at=at)
    return result


def charged_back(payment: Payment, outcome: Outcome, *, at: datetime, day: date | None = None) -> Case | None:
    """Books money that the customer's bank took back, and opens a case; None where none, or no more than is booked.

    `outcome` tells all that is taken back: of a chargeback that has grown only the difference is booked. What was won
    counts no more, but at acquirers whose `chargebacks_add_up`; all that ever was, told after a win, is old news.
    """
    if outcome.charged_back is None or payment.status != Payment.Status.SUCCEEDED:
        return None
    with transaction.atomic():
        payment = refunds.lock_payment(payment.pk)
        key = f"{payment.acquirer}:chargeback:{payment.pk}:" + (f"{outcome.dispute}:" if outcome.dispute else "")
        won = Sum("theirs", default=0, filter=Q(resolution="won"))
        disputes = payment.cases.filter(kind=Kind.CHARGEBACK, dedupe_key__startswith=key)
        sums = disputes.aggregate(ever=Sum("theirs", default=0), won=won)
        told = sums["ever"]
        adds_up = outcome.dispute or registry.get(payment.acquirer).capabilities.chargebacks_add_up
        known = told if adds_up else told - sums["won"]
        more = outcome.charged_back - money.from_minor(known, payment.currency)
        if more.amount <= 0 or money.to_minor(outcome.charged_back) == told:
            return None
        case, _ = _open(
            f"{key}{told}",
            Kind.CHARGEBACK,
            payment=payment,
            reference=payment.acquirer_payment_id,
            ours=payment.captured_money,
            theirs=more,
            day=day,
            sentence=f"The customer's bank took {money.spoken(more)} {'more ' if told else ''}of this payment back.",
            at=at,
        )
        payment.charged_back = min(payment.captured, payment.charged_back + money.to_minor(more))
        payment.save(update_fields=["charged_back", "updated_at"])
        debit, credit = ledger.suspense(payment.currency), ledger.cash(payment.acquirer, payment.currency)
        ledger.post(f"case:{case.pk}", debit=debit, credit=credit, amount=more, description="Chargeback", at=at)
    return case


def unknown_refund(
    acquirer: str, outcome: Outcome, payment_reference: str, *, at: datetime, day: date | None = None
) -> Case | None:
    """The case of a refund that was made, and not by us; None where it was not made or has no id."""
    if outcome.status != Status.SUCCEEDED or not outcome.reference or outcome.amount is None:
        return None
    amount, outcome = outcome.amount, outcomes.kept(outcome)
    payment = Payment.objects.filter(acquirer=acquirer, acquirer_payment_id=payment_reference or "-").first()
    whose = "a payment of ours" if payment else f"payment {payment_reference or 'without an id'}, not ours"
    return _open(
        f"{acquirer}:unknown_refund:{outcome.reference}",
        Kind.UNKNOWN_REFUND,
        acquirer=acquirer,
        payment=payment,
        reference=outcome.reference[:255],
        payment_reference=payment_reference[:255],
        theirs=amount,
        day=day,
        sentence=f"{acquirer} gave back {money.spoken(amount)} of {whose}; we did not ask for it.",
        at=at,
    )[0]


def given_back_there(
    payment_id: uuid.UUID, said: Outcome, *, at: datetime, day: date | None = None
) -> tuple[list[Case], Case | None]:
    """More of a payment went back than we have promised, at an acquirer that lists no refunds: its case.

    Returns the cases that tell of it, the new one among them; and the new one.
    """
    with transaction.atomic():
        payment = refunds.lock_payment(payment_id)
        if said.refunded is None or payment.status != Payment.Status.SUCCEEDED:
            return [], None
        more = said.refunded - payment.refunded_money
        cases = suspense.explaining(payment) if more.amount > 0 else []
        more -= money.from_minor(sum(case.theirs - case.ours for case in cases), payment.currency)
        if more.amount <= 0:
            return cases, None
        reference = f"{said.reference}:{money.to_minor(said.refunded)}"
        outcome = Outcome(Status.SUCCEEDED, reference, amount=more)
        new = unknown_refund(payment.acquirer, outcome, payment.acquirer_payment_id, at=at, day=day)
        return [*cases, new] if new else cases, new


def _compare(result: Result, line: StatementLine, known: Ours, *, at: datetime) -> None:
    said = line.outcome
    if line.subject == Subject.REFUND:
        _compare_refund(result, line, known, at=at)
        return
    ours = known.payment(said)
    if ours is None:
        if said.status == Status.SUCCEEDED and said.amount is not None:
            sentence = f"{result.acquirer} took {money.spoken(said.amount)} as {said.reference}, which we do not know."
            _note(result, Kind.MISSING_HERE, said, None, said.amount * 0, sentence, at=at)
        return
    if said.status == Status.SUCCEEDED and said.reference != ours.acquirer_payment_id:
        ours = payments.check_as(ours.pk, said.reference, at=at)  # our order may be captured under another id
    if second_holds.listed(ours, said, at=at):
        return
    dealt_with = ours.pk in known.dealt_with
    if (said.status == Status.SUCCEEDED) != (ours.status == Payment.Status.SUCCEEDED) and not dealt_with:
        ours = payments.check(ours.pk, at=at)  # news that were lost
    _differ(result, said, ours, ours.captured_money, at=at, payment=ours)
    if not result.lists:
        before, new = given_back_there(ours.pk, said, at=at, day=result.day)
        result.seen |= {case.dedupe_key for case in before}
        result.opened += [new] if new else []
    if said.charged_back is not None:
        case = charged_back(ours, said, at=at, day=result.day)
        result.opened += [case] if case else []


def _compare_refund(result: Result, line: StatementLine, known: Ours, *, at: datetime) -> None:
    said = line.outcome
    ours = known.refund(said)
    if ours is None:
        given_back = known.given_back.get(said.our_id)  # by a case
        if given_back is None or suspense.given_back(given_back, said, at=at):
            key = f"{result.acquirer}:unknown_refund:{said.reference}"[:400]
            before = Case.objects.filter(dedupe_key=key).exists()
            case = unknown_refund(result.acquirer, said, line.payment_reference, at=at, day=result.day)
            result.opened += [case] if case and not before else []
            result.seen |= {case.dedupe_key} if case else set()
        return
    if (said.status == Status.SUCCEEDED) != (ours.status == Refund.Status.SUCCEEDED):
        ours = refunds.check(ours.pk, at=at)
    booked = ours.money if ours.status == Refund.Status.SUCCEEDED else ours.money * 0
    _differ(result, said, ours, booked, at=at, payment=ours.payment, refund=ours)


def _differ(result: Result, said: Outcome, ours: Any, booked: Any, *, at: datetime, **rows: Any) -> None:
    """Opens a case where an operation that both know is not the same on both sides."""
    if said.amount is None:
        return
    taken = said.amount if said.status == Status.SUCCEEDED else said.amount * 0
    if taken == booked:
        return
    if said.status == Status.SUCCEEDED and taken != ours.money:
        sentence = f"{result.acquirer} says {money.spoken(taken)}, we asked for {money.spoken(ours.money)}."
        _note(result, Kind.AMOUNT_DIFFERS, said, rows, booked, sentence, at=at)
        return
    sentence = f"{result.acquirer} says it is {said.status}, here it is {ours.get_status_display().lower()}."
    _note(result, Kind.STATE_DIFFERS, said, rows, booked, sentence, at=at)


def _missing_there(result: Result, left: dict[str, Any], *, at: datetime) -> None:
    """Our operations of the day that the statements of the days around it do not list, nor the acquirer knows."""
    backend = calls.acquirer(result.acquirer)
    for day in (result.day - timedelta(days=1), result.day + timedelta(days=1)):
        if left and result.lists and day <= at.astimezone(UTC).date():
            for lines in statements.chunks(backend.statement(day)):
                around = statements.names(lines)
                left = {pk: row for pk, row in left.items() if not {pk, _theirs(row)} & around}
    for row in left.values():
        said = backend.fetch(Subject(row.noun), str(row.pk), _theirs(row), calls.clue(row))
        if said.absent or said.status not in (Status.SUCCEEDED, Status.UNKNOWN):
            rows = {"payment": row} if isinstance(row, Payment) else {"payment": row.payment, "refund": row}
            booked = row.captured_money if isinstance(row, Payment) else row.money
            sentence = f"We have booked this {row.noun} of {money.spoken(booked)}; {result.acquirer} does not list it."
            _note(result, Kind.MISSING_THERE, Outcome(said.status, _theirs(row)), rows, booked, sentence, at=at)


def _vanished(result: Result, *, at: datetime) -> None:
    """Closes the cases of the day whose difference is not there any more.

    Chargebacks stay for staff; so does what the acquirer was asked to give back: that it has is what is not booked yet.
    """
    open_ = Case.objects.filter(acquirer=result.acquirer, day=result.day, status=Case.Status.OPEN, sent_at=None)
    for pk in open_.exclude(kind=Kind.CHARGEBACK).exclude(dedupe_key__in=result.seen).values_list("pk", flat=True):
        with transaction.atomic():
            case = Case.objects.select_for_update().get(pk=pk)
            if case.status == Case.Status.OPEN:
                case.dedupe_key = f"{case.dedupe_key[:360]}:{case.pk}"  # should it come back, it is a case again
                close(case, "vanished", actor="system", reason="The difference is not there any more", at=at)
                result.closed.append(case)


def close(case: Case, how: str, *, actor: str, reason: str, at: datetime) -> None:
    """Closes a locked case."""
    case.resolved_at, case.resolution, case.reason = at, how, reason
    saved = ["resolved_at", "resolution", "reason", "resolved_by", "dedupe_key"]
    data = {"how": how, "kind": case.kind}
    events.change(case, case.resolve, actor=actor, at=at, reason=reason, save=saved, data=data)


def _note(
    result: Result, kind: Kind, said: Outcome, rows: dict[str, Any] | None, ours: Any, sentence: str, *, at: datetime
) -> None:
    said = outcomes.kept(said)
    theirs = said.amount if said.amount is not None and said.status == Status.SUCCEEDED else ours * 0
    row = (rows or {}).get("refund") or (rows or {}).get("payment")
    key = f"{result.acquirer}:{kind}:{row.pk if row else said.reference}:{money.to_minor(theirs)}"
    more: dict[str, Any] = {"reference": said.reference[:255]} | (rows or {"acquirer": result.acquirer})
    case, new = _open(key, kind, ours=ours, theirs=theirs, day=result.day, sentence=sentence, at=at, **more)
    result.seen.add(case.dedupe_key)
    result.opened += [case] if new else []


def _open(key: str, kind: Kind, *, theirs: Any, at: datetime, ours: Any = None, **more: Any) -> tuple[Case, bool]:
    if more.get("payment") is not None:
        more["acquirer"] = more["payment"].acquirer
    with transaction.atomic():
        case, new = Case.objects.get_or_create(
            dedupe_key=key[:400],
            defaults={
                "kind": kind,
                "theirs": money.to_minor(theirs),
                "ours": money.to_minor(ours) if ours is not None else 0,
                "currency": theirs.currency.code,
                "created_at": at,
                **more,
            },
        )
        if new:
            told = {"kind": kind, "theirs": money.plain(case.their_money), "currency": case.currency}
            actor, sentence = f"acquirer:{case.acquirer}", case.sentence
            events.emit("case.opened", case, actor=actor, at=at, reason=sentence, to_state=case.status, data=told)
    return case, new


def _theirs(row: Any) -> str:
    return str(row.acquirer_payment_id if isinstance(row, Payment) else row.acquirer_refund_id)
