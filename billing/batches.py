"""The ordinary callback, many at once: signed, of a payment that waits, over what its open invoice asks for.

What is written is what `callbacks.process` and `settlement.apply` write for each, in a few statements and one
transaction. Whatever is not ordinary, or is in somebody else's hands at this moment, is left to them.
"""

from __future__ import annotations

import logging
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from acquiring import registry
from acquiring.types import Notice, Outcome, Status, Subject
from billing import bulk, events, ledger, mismatches, outcomes, receipts, settlement
from billing.models import Callback, Invoice, Payment, Transfer
from billing.models.state import StatefulModel

log = logging.getLogger(__name__)

FEW = 2  # fewer are not worth a batch


@dataclass(frozen=True, slots=True)
class Said:
    """What one callback says of a payment."""

    callback: Callback
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Made:
    """A payment that was made, its invoice, both locked; and what the acquirer says of it."""

    payment: Payment
    invoice: Invoice
    outcome: Outcome


def settle(callback_ids: Sequence[int], *, at: datetime) -> list[int]:
    """Settles the ordinary ones of these claimed callbacks. Returns the others, in their order, with nothing done."""
    if len(callback_ids) < FEW:
        return list(callback_ids)
    try:
        with transaction.atomic():
            done = _settled(callback_ids, at)
    except Exception:  # nothing of it is written; one by one the culprit is found, and the others go on
        log.exception("a batch of %s callbacks failed", len(callback_ids))
        return list(callback_ids)
    return [pk for pk in callback_ids if pk not in done]


def notice_of(callback: Callback) -> Notice:
    """What a stored callback says, verified anew. Raises BadCallback, UnknownAcquirer."""
    backend = registry.get(callback.acquirer)
    return backend.parse(callback.headers.get(":kind", ""), callback.headers, callback.body.encode())


def _settled(callback_ids: Sequence[int], at: datetime) -> set[int]:
    received = Callback.objects.filter(pk__in=callback_ids, status=Callback.Status.RECEIVED).order_by("pk")
    said = _successes(list(received.select_for_update(skip_locked=True, no_key=True)))
    made = _locked(said) if len(said) >= FEW else []
    if not made:
        return set()
    write(made, before=Payment.Status.PENDING, at=at)
    done = [said[each.payment.pk].callback for each in made]
    for callback, each in zip(done, made, strict=True):
        callback.status, callback.note, callback.processed_at = Callback.Status.PROCESSED, "", at
        callback.subject_type, callback.subject_id = Payment.noun, each.payment.pk
    bulk.save(done, "status", "note", "processed_at", "subject_type", "subject_id")
    return {callback.pk for callback in done}


def _successes(callbacks: Iterable[Callback]) -> dict[uuid.UUID, Said]:
    """By payment: the callbacks that may be ordinary. Of a payment that several speak of, none is."""
    said: dict[uuid.UUID, Said] = {}
    spoken_of: Counter[uuid.UUID] = Counter()
    for callback in callbacks:
        try:
            notice = notice_of(callback)
            payment_id = uuid.UUID(notice.outcome.our_id)
        except Exception:  # noqa: S112  the long way says what is wrong with it
            continue
        spoken_of[payment_id] += 1
        outcome = notice.outcome
        if notice.subject != Subject.PAYMENT or notice.only_receipt or not notice.trusted:
            continue
        if outcome.status == Status.SUCCEEDED and outcome.charged_back is None and not outcome.decline:
            said[payment_id] = Said(callback, outcomes.kept(outcome))
    return {payment_id: each for payment_id, each in said.items() if spoken_of[payment_id] == 1}


def _locked(said: dict[uuid.UUID, Said]) -> list[Made]:
    """The payments that are ordinary, locked after their invoices; what somebody else holds is passed over."""
    bills = Invoice.objects.filter(payments__in=list(said), status=Invoice.Status.OPEN).order_by("pk")
    bills = bills.select_related("account")
    invoices = {invoice.pk: invoice for invoice in bills.select_for_update(of=("self",), skip_locked=True)}
    waiting = Payment.objects.filter(
        pk__in=list(said), invoice__in=list(invoices), status=Payment.Status.PENDING, surplus=False, parked=""
    )
    made = []
    for payment in waiting.order_by("pk").select_for_update(skip_locked=True):
        payment.invoice = invoices[payment.invoice_id]
        if _ordinary(payment, said[payment.pk]):
            made.append(Made(payment, payment.invoice, said[payment.pk].outcome))
    return made


def _ordinary(payment: Payment, said: Said) -> bool:
    """Whether this is the plain answer to our order, with no card to be kept."""
    if said.callback.acquirer != payment.acquirer or not payment.acquirer_payment_id:
        return False
    if said.outcome.reference != payment.acquirer_payment_id or mismatches.odd(payment, said.outcome, sure=False):
        return False
    if receipts.rules(payment.acquirer) is not None:
        return False
    card = said.outcome.card
    return not (payment.save_card and card and card.token)


def write(made: Sequence[Made], *, before: str, at: datetime) -> None:
    """Settles these payments, all in the state `before`, and their open invoices: rows, events and books."""
    for each in made:
        settlement.note(each.payment, each.outcome, at)
        settlement.take(each.payment, each.outcome, at)
        each.payment.succeed()
        each.invoice.paid_at, each.invoice.next_sweep_at = at, None
        each.invoice.pay()
    payments, invoices = [each.payment for each in made], [each.invoice for each in made]
    bulk.save(payments, "status", "updated_at", *settlement.NOTED, *settlement.TAKEN)
    bulk.save(invoices, "status", "updated_at", "paid_at", "next_sweep_at")
    _tell(made, before, at)
    _book(made, at)


def _tell(made: Sequence[Made], before: str, at: datetime) -> None:
    """`payment.succeeded`, then `invoice.paid`, as each acquirer's word."""
    lines = settlement.what_of([each.invoice for each in made])
    by_acquirer: dict[str, list[Made]] = defaultdict(list)
    for each in made:
        by_acquirer[each.payment.acquirer].append(each)
    for acquirer, theirs in by_acquirer.items():
        actor = f"acquirer:{acquirer}"
        payments = [(each.payment, settlement.told(each.payment, lines[each.invoice.pk])) for each in theirs]
        invoices = [(each.invoice, {"payment": str(each.payment.pk)}) for each in theirs]
        _changed(payments, before, actor, at)
        _changed(invoices, Invoice.Status.OPEN, actor, at)


def _changed(facts: Sequence[tuple[StatefulModel, dict[str, str]]], before: str, actor: str, at: datetime) -> None:
    row = facts[0][0]
    events.emit_many(row.event_kind, facts, actor=actor, at=at, from_state=before, to_state=row.status)


def _book(made: Sequence[Made], at: datetime) -> None:
    """cash ← the invoice's account, for each."""
    kinds = {(each.payment.acquirer, each.payment.currency) for each in made}
    cash = {kind: ledger.cash(*kind) for kind in sorted(kinds)}
    ledger.post_many(
        [
            Transfer(
                reference=f"payment:{each.payment.pk}",
                debit=cash[each.payment.acquirer, each.payment.currency],
                credit=each.invoice.account,
                amount=each.payment.captured,
                currency=each.payment.currency,
                description=f"Payment of invoice {each.invoice.number}",
                at=each.outcome.occurred_at or at,
            )
            for each in made
        ]
    )
