"""What may be done about a case. Each way writes transfers and events as everything else does, and once."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from acquiring import registry
from acquiring.types import Clue, Outcome, RefundOrder, Status, Subject
from billing import calls, events, ledger, payments, reconciliation, refunds, sending, settlement, suspense
from billing.errors import Conflict, Invalid, NotFound
from billing.models import Account, Case, Payment, Refund

Kind = Case.Kind
WAYS: dict[str, tuple[str, ...]] = {
    Kind.MISSING_HERE: ("book", "give_back", "went_back", "dismiss"),
    Kind.UNKNOWN_REFUND: ("record", "book", "dismiss"),
    Kind.CHARGEBACK: ("loss", "won"),
    Kind.MISSING_THERE: ("ask", "dismiss"),
    Kind.AMOUNT_DIFFERS: ("book", "give_back", "went_back", "dismiss"),
    Kind.STATE_DIFFERS: ("ask", "dismiss"),
}
NOT_MADE = (Status.FAILED, Status.CANCELLED)
A_WORD = timedelta(days=1)  # an acquirer that has not said by then what became of a refund is not waited for


def resolve(
    case_id: uuid.UUID, how: str, *, actor: str, reason: str, at: datetime, resolved_by: uuid.UUID | None = None
) -> Case:
    """Does `how` (one of its `ways`) about an open case, and closes it.

    Raises NotFound; Invalid `bad_resolution`; Conflict `case_resolved`, `still_differs`, `refund_not_made`,
    `refund_in_progress`, `given_back`, `record_it`, and those of `refunds.record_external`.
    """
    case = Case.objects.select_related("payment", "refund").filter(pk=case_id).first()
    if case is None:
        raise NotFound("There is no such case.", "case_not_found")
    if case.status != Case.Status.OPEN:
        raise Conflict("This case is resolved already.", "case_resolved")
    if how not in ways(case):
        raise Invalid("That is no way to resolve this case.", "bad_resolution")
    _call(case, how, at=at)
    with transaction.atomic():
        asked, case = case.sent_at, _lock(case_id)
        if how != "give_back" and case.sent_at != asked:
            raise Conflict("Somebody else has it given back at this moment: look again.", "refund_in_progress")
        if how == "book":
            _check_it_cannot_be_recorded(case)
            suspense.book(case, at=at)
            _give_up(case, actor=actor, reason=reason, at=at)
        elif how in ("give_back", "went_back"):
            suspense.book(case, at=at)
            suspense.book_back(case, at=at)
            _give_up(case, actor=actor, reason=reason, at=at)
        elif how in ("loss", "won"):
            _end_dispute(case, how, at=at)
        elif how == "record":
            _record(case, actor=actor, reason=reason, at=at)
        elif how == "dismiss":
            _give_up(case, actor=actor, reason=reason, at=at)
        case.resolved_by_id = resolved_by
        reconciliation.close(case, how, actor=actor, reason=reason, at=at)
    return case


def _call(case: Case, how: str, *, at: datetime) -> None:
    """What the acquirer is asked before anything is closed here."""
    if how == "ask":
        _ask(case, at=at)
    elif how == "give_back":
        with transaction.atomic():
            suspense.book(_lock(case.pk), at=at)
        _give_back(case, at=at)
    elif how == "book" and case.sent_at is not None:
        _check_nothing_goes_back(case, at=at)


def ways(case: Case) -> tuple[str, ...]:
    """What may be done about a case.

    What a payment of ours brought too much goes back. It is kept in suspense only where the acquirer was asked for that
    in vain: the invoice may be paid anew, and its customer would have paid twice. That it went back is staff's word
    only where the acquirer tells of no refund.
    """
    if case.refund_id is not None or case.theirs <= case.ours:
        never = {"give_back", "went_back"}
    elif case.sent_at is None:
        never = {"went_back", "book"} if case.kind == Kind.AMOUNT_DIFFERS else {"went_back"}
    else:
        known = case.acquirer in settings.ACQUIRERS
        never = {"went_back"} if known and registry.get(case.acquirer).capabilities.statements else set()
    return tuple(way for way in WAYS[case.kind] if way not in never)


def _lock(case_id: uuid.UUID) -> Case:
    case = Case.objects.select_for_update(of=("self",)).select_related("payment", "refund").get(pk=case_id)
    if case.status != Case.Status.OPEN:
        raise Conflict("This case is resolved already.", "case_resolved")
    if case.kind == Kind.UNKNOWN_REFUND and case.payment is None and case.payment_reference:
        # Its payment may have become known since: a second capture whose news came later.
        known = Payment.objects.filter(acquirer=case.acquirer, acquirer_payment_id=case.payment_reference)
        case.payment = known.first()
    return case


def _check_it_cannot_be_recorded(case: Case) -> None:
    """A refund of a payment of ours belongs to that payment: in suspense it would leave too much to give back."""
    if case.kind != Kind.UNKNOWN_REFUND or case.payment is None:
        return
    payment = refunds.lock_payment(case.payment.pk)
    if payment.refunds.filter(status__in=Refund.LIVE).exists():
        raise Conflict("A refund of this payment is under way. Wait until it is settled.", "refund_in_progress")
    account = payment.invoice.account  # what a wallet was topped up with may be spent: it cannot give that back
    spent = account.kind == Account.Kind.WALLET and ledger.held(account, lock=True) < case.their_money
    if payment.refundable >= case.their_money and not spent:
        raise Conflict("This payment has room for it: record it there.", "record_it")


def _give_up(case: Case, *, actor: str, reason: str, at: datetime) -> None:
    """A payment over another amount that is booked to suspense is not waited for any more, nor asked about."""
    if case.kind != Kind.AMOUNT_DIFFERS or case.payment is None or case.refund is not None:
        return
    payment = refunds.lock_payment(case.payment.pk)
    if payment.status == Payment.Status.SUCCEEDED:
        return
    payment.next_check_at, payment.parked = None, ""
    saved = ["next_check_at", "parked"]
    if payment.is_live:
        told = settlement.told(payment)
        events.change(payment, payment.cancel, actor=actor, at=at, reason=reason, save=saved, data=told)
    else:
        payment.save(update_fields=[*saved, "updated_at"])


def _end_dispute(case: Case, how: str, *, at: datetime) -> None:
    if how == "won":
        suspense.post(case, ":won", case.their_money, at=at)
        payment = refunds.lock_payment(case.payment.pk) if case.payment else None
        if payment is not None:  # what the bank has returned can be given back again
            payment.charged_back = max(payment.charged_back - case.theirs, 0)
            payment.save(update_fields=["charged_back", "updated_at"])
            if payment.surplus:
                _give_back_surplus(case, payment, at=at)
        return
    ledger.post(
        f"case:{case.pk}:loss",
        debit=ledger.fees(case.currency),
        credit=ledger.suspense(case.currency),
        amount=case.their_money,
        description="A dispute that was lost",
        at=at,
    )


def _give_back_surplus(case: Case, payment: Payment, *, at: datetime) -> None:
    """Money that nobody owed, returned to us by the customer's bank, goes to the customer; the sweep sends it."""
    back = min(payment.refundable, case.their_money)
    if back.amount > 0:
        reason = "Nobody owed this payment, and the dispute about it was won"
        key = f"won:{case.pk}"
        refunds.promise(payment, amount=back, reason=reason, actor="system", at=at, request_key=key)
        refunds.hurry()


def _record(case: Case, *, actor: str, reason: str, at: datetime) -> None:
    if case.payment is None:
        raise Conflict("It is no refund of a payment of ours: book it to suspense.", "not_our_payment")
    refund = refunds.record_external(
        case.payment.pk, amount=case.their_money, reference=case.reference, reason=reason[:300], actor=actor, at=at
    )
    case.refund = refund
    case.save(update_fields=["payment", "refund", "updated_at"])


def _ask(case: Case, *, at: datetime) -> None:
    row = case.refund or case.payment
    if row is None:
        raise Conflict("There is nothing of ours to ask about.", "still_differs")
    if isinstance(row, Payment):
        row = payments.check(row.pk, at=at)
        reference = row.acquirer_payment_id
    else:
        row = refunds.check(row.pk, at=at)
        reference = row.acquirer_refund_id
    said = calls.acquirer(case.acquirer).fetch(Subject(row.noun), str(row.pk), reference, calls.clue(row))
    final = "succeeded" if said.status == Status.SUCCEEDED else ""
    if said.absent or (row.status == "succeeded") != bool(final) or (final and said.amount != row.money):
        raise Conflict(f"It still differs: the acquirer says {said.message or said.status}.", "still_differs")


def _order(case: Case) -> RefundOrder:
    return RefundOrder(
        our_id=str(case.pk),  # the key: asked twice, it is one refund
        payment_our_id=str(case.payment.order_id) if case.payment else "",
        payment_reference=case.reference,
        amount=case.their_money - case.our_money,
        reason="Nobody owed this payment",
    )


def _check_nothing_goes_back(case: Case, *, at: datetime) -> None:
    """What the acquirer was asked to return is kept in suspense when it is certain that it does not.

    Where it cannot say, staff have looked there themselves after a day.
    """
    said = _asked_about(case, _order(case))
    if said.status == Status.SUCCEEDED:
        raise Conflict("The acquirer has given it back meanwhile: choose that, and it is booked.", "given_back")
    nothing = said.absent or said.status in NOT_MADE
    silent = said.status == Status.UNKNOWN and not said.again and case.sent_at and at >= case.sent_at + A_WORD
    if sending.on_its_way(case, at=at) or not (nothing or silent):
        what = "choose to give it back once more, to hear what became of it" if said.again else "wait for its answer"
        raise Conflict(f"The acquirer may still give it back, or has done so: {what}.", "refund_in_progress")


def _give_back(case: Case, *, at: datetime) -> None:
    order = _order(case)
    said = _earlier_try(case, order)
    if said is None:
        if not sending.claim(case, at=at):
            raise _not_made("an earlier try may still be under way")
        said = calls.acquirer(case.acquirer).refund(order)
        if case.sent_at is None and said.unheard:
            sending.withdraw(case, at=at)
        elif said.status in NOT_MADE and not said.unheard and not _still_goes(case, at):
            sending.over(case, at=at)
    if said.status != Status.SUCCEEDED:
        raise _not_made(said.message or said.status)


def _still_goes(case: Case, at: datetime) -> bool:
    """Whether the try before this one may still be acted upon."""
    return case.sent_at is not None and sending.on_its_way(case, at=at)


def _earlier_try(case: Case, order: RefundOrder) -> Outcome | None:
    """What became of what was asked before, maybe longer ago than its key is known; None where nothing was made."""
    if case.sent_at is None:
        return None
    said = _asked_about(case, order)
    nothing = said.absent or said.again or said.status in NOT_MADE
    if not nothing and said.amount not in (None, order.amount):
        raise _not_made("it made a refund over another amount")
    return None if nothing else said


def _asked_about(case: Case, order: RefundOrder) -> Outcome:
    clue = Clue(case.created_at, order.amount, "", "", order.payment_our_id, order.payment_reference)
    return calls.acquirer(case.acquirer).fetch(Subject.REFUND, order.our_id, "", clue)


def _not_made(why: str) -> Conflict:
    return Conflict(
        f"The acquirer has not given it back ({why}); the money is in suspense. Try again.", "refund_not_made"
    )
