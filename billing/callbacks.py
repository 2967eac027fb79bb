"""Callbacks: verify, store, answer at once; then act. Kept for ever, acted on once, parked when they make no sense."""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction

from acquiring import registry
from acquiring.base import RECEIVED_AT, BadCallback
from acquiring.types import Notice, Outcome, Reply, Status, Subject, Verdict
from billing import (
    batches,
    calls,
    events,
    outcomes,
    payments,
    receipts,
    reconciliation,
    refunds,
    second_holds,
    settlement,
    suspense,
    sweeps,
    wake,
)
from billing.errors import Invalid, NotFound
from billing.models import Callback, Case, Invoice, Payment, Receipt, Refund

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=1)
BACK_OFF = tuple(timedelta(seconds=s) for s in (1, 5, 30, 120, 600, 3600))
PARK_AFTER = 10  # attempts
PRIVATE_HEADERS = {"authorization", "cookie"}


class NotYet(Exception):
    """It came before what it is about, or the acquirer cannot be asked now; tried again. The text is for staff."""


def receive(acquirer: str, kind: str, headers: Mapping[str, str], body: bytes, *, at: datetime) -> Reply:
    """Verifies and stores a callback, once however often it comes. Returns what the acquirer expects to read.

    Raises NotFound `unknown_acquirer`; Invalid `bad_callback` for a forged, unsigned or unreadable one (nothing kept).
    """
    try:
        backend = registry.get(acquirer)
    except registry.UnknownAcquirer:
        raise NotFound("There is no such acquirer.", "unknown_acquirer") from None
    headers = {name.lower(): value for name, value in headers.items() if not name.startswith(":")}
    headers[RECEIVED_AT] = at.isoformat()
    try:
        notice = backend.parse(kind, headers, body)
    except BadCallback as error:
        log.warning("bad callback for %s: %s", acquirer, error)
        raise Invalid("This is not a callback of that acquirer.", "bad_callback") from None
    if notice.asks:  # nothing has happened, so there is nothing to keep
        return backend.reply(notice, _verdict(acquirer, notice.outcome, at))
    if notice.ignorable:
        return backend.reply(notice, Verdict.ACCEPTED)
    callback = Callback(
        acquirer=acquirer,
        dedupe_key=_short(notice.dedupe_key),
        kind=notice.kind.replace("\x00", "")[:60],
        headers={k: v for k, v in headers.items() if k not in PRIVATE_HEADERS} | {":kind": kind},
        body=body.decode(),
        next_attempt_at=at,
        received_at=at,
    )
    Callback.objects.bulk_create([callback], ignore_conflicts=True)  # one statement; the unique key knows the known
    wake.after_commit("billing.tasks.process_callbacks")
    return backend.reply(notice, Verdict.ACCEPTED)


def _verdict(acquirer: str, asked: Outcome, at: datetime) -> Verdict:
    """Whether the acquirer may take this money from a customer now."""
    found = Payment.objects.filter(pk=_uuid(asked.our_id), acquirer=acquirer).select_related("invoice").first()
    if found is None:
        return Verdict.UNKNOWN_ORDER
    if asked.amount != found.money:
        return Verdict.WRONG_AMOUNT
    if not found.is_live or found.invoice.status != Invoice.Status.OPEN:
        return Verdict.NOT_PAYABLE
    expires_at = found.invoice.expires_at
    return Verdict.EXPIRED if expires_at is not None and expires_at <= at else Verdict.ACCEPTED


def process_due(*, at: datetime, limit: int = 100) -> int:
    """Acts on the stored callbacks that are due at `at`. Returns how many were taken up."""
    rows = sweeps.claim(
        Callback.objects.filter(status=Callback.Status.RECEIVED),
        "next_attempt_at",
        at=at,
        lease=LEASE,
        limit=limit,
        counter="attempts",
    )
    sweeps.each(batches.settle(rows, at=at), lambda pk: process(pk, at=at))
    return len(rows)


def process(callback_id: int, *, at: datetime) -> Callback:
    """Acts on one stored callback. What it tells is applied idempotently, so dying half-way costs nothing."""
    callback = Callback.objects.get(pk=callback_id)
    if callback.status == Callback.Status.PROCESSED:
        return callback
    try:
        trouble = _act(callback, batches.notice_of(callback), at)
    except NotYet as early:
        log.info("callback %s is tried again: %s", callback.pk, early)
        _set_back(callback, str(early), at)
    except Exception as error:
        log.exception("callback %s failed", callback.pk)
        _set_back(callback, f"{type(error).__name__}: {error}", at)
    else:
        callback.status = Callback.Status.PARKED if trouble else Callback.Status.PROCESSED
        callback.note, callback.processed_at = trouble, at
    return _write_down(callback)


def _set_back(callback: Callback, why: str, at: datetime) -> None:
    callback.note = why[:2000]
    callback.next_attempt_at = at + sweeps.back_off(callback.attempts - 1, *BACK_OFF)
    if callback.attempts >= PARK_AFTER:
        callback.status = Callback.Status.PARKED


def _write_down(callback: Callback) -> Callback:
    """What became of it, unless another process has done it meanwhile."""
    callback.note = outcomes.storable(callback.note)
    names = ("status", "note", "next_attempt_at", "processed_at", "subject_type", "subject_id")
    undone = Callback.objects.filter(pk=callback.pk).exclude(status=Callback.Status.PROCESSED)
    written = undone.update(**{name: getattr(callback, name) for name in names})
    return callback if written else Callback.objects.get(pk=callback.pk)


def retry(callback_id: int, *, at: datetime) -> Callback:
    """Acts on a parked callback again."""
    Callback.objects.filter(pk=callback_id, status=Callback.Status.PARKED).update(
        status=Callback.Status.RECEIVED, attempts=1, next_attempt_at=at
    )
    return process(callback_id, at=at)


def _short(key: str) -> str:
    """A key that fits its column, whatever the acquirer puts into it; two stay two."""
    fits = len(key) <= 120 and key.isprintable()
    return key if fits else hashlib.sha256(key.encode(errors="backslashreplace")).hexdigest()


def _act(callback: Callback, notice: Notice, at: datetime) -> str:
    """Applies a notice. Returns why it must be parked, or nothing."""
    if notice.subject == Subject.REFUND:
        return _act_on_refund(callback, notice, at)
    payment = _spoken_of(callback.acquirer, notice.outcome)
    if payment is None:
        return f"{callback.acquirer} speaks of a payment that we do not know: {notice.outcome.our_id or 'no id'}."
    callback.subject_type, callback.subject_id = Payment.noun, payment.pk
    said = notice.outcome
    if notice.only_receipt:
        return _note_receipt(callback, payment, said, at)
    if notice.trusted and not payment.is_live and said.status in (Status.FAILED, Status.CANCELLED):
        return payment.parked  # old news: whether its page is closed now, only our own asking can tell
    if other := second_holds.heard_of(payment, said, at=at):
        callback.subject_id = other.pk
        return ""
    found = payments.check_as(payment.pk, said.reference, at=at) if said.status == Status.SUCCEEDED else payment
    if notice.trusted and not _is_doubtful(payment, said):
        payment = settlement.apply(payment.pk, said, actor=f"acquirer:{callback.acquirer}", at=at)
        reconciliation.charged_back(payment, said, at=at)
        _keep_late_card(payment, said, at)
    else:
        payment = payments.check(payment.pk, at=at) if found.pk == payment.pk else found
    callback.subject_id = payment.pk  # the same order captured again is a payment of its own
    return payment.parked


def _is_doubtful(payment: Payment, said: Outcome) -> bool:
    """Whether news may be older than what we know, so that only our own asking can tell what is true now.

    Bad news of a hold may have been overtaken by the good. Where no refund is told by an id of its own, money that came
    for a payment given up here may have gone back already.
    """
    if said.status in (Status.FAILED, Status.CANCELLED):
        return bool(payment.status == Payment.Status.AUTHORIZED)
    dead = payment.status in (Payment.Status.CANCELLED, Payment.Status.FAILED, Payment.Status.UNKNOWN)
    lists = registry.get(payment.acquirer).capabilities.statements
    return said.status == Status.SUCCEEDED and bool(dead) and not lists


def _note_receipt(callback: Callback, operation: Payment | Refund, said: Outcome, at: datetime) -> str:
    if receipts.is_to_come(operation):
        raise NotYet(f"The receipt of a {operation.noun} that is not settled here yet. Ask the acquirer about it.")
    receipts.note(operation, said.receipt, actor=f"acquirer:{callback.acquirer}", at=at)
    return ""


def _spoken_of(acquirer: str, said: Outcome) -> Payment | None:
    """The payment that a notice means: by our id or, where it bears none (disputes), by the acquirer's."""
    ours = Payment.objects.filter(acquirer=acquirer)
    if not said.our_id and said.reference:
        return ours.filter(acquirer_payment_id=said.reference).first()
    return ours.filter(pk=_uuid(said.our_id)).first()


def _keep_late_card(payment: Payment, said: Outcome, at: datetime) -> None:
    """The card of a payment that was settled before, by our own asking, of an acquirer that does not tell it then."""
    told = said.card is not None and said.card.token and said.reference == payment.acquirer_payment_id
    if not told or not payment.save_card or payment.method_id or payment.status != Payment.Status.SUCCEEDED:
        return
    with transaction.atomic():
        payment = refunds.lock_payment(payment.pk)
        if payment.method_id is None and said.card is not None:
            payment.method = settlement.save_card(payment.user_id, payment.acquirer, said.card, at=at)
            payment.save(update_fields=["method", "updated_at"])
            data = settlement.told(payment)
            events.emit("payment.card_kept", payment, actor=f"acquirer:{payment.acquirer}", at=at, data=data)


def _act_on_refund(callback: Callback, notice: Notice, at: datetime) -> str:
    if notice.payment_reference and not notice.outcome.our_id and not notice.outcome.reference:
        return _rung(callback, notice, at)
    refund = Refund.objects.filter(pk=_uuid(notice.outcome.our_id), payment__acquirer=callback.acquirer).first()
    if refund is None:
        if case := Case.objects.filter(pk=_uuid(notice.outcome.our_id), acquirer=callback.acquirer).first():
            return _act_on_a_case(callback, case, notice, at)
        if notice.trusted and reconciliation.unknown_refund(
            callback.acquirer, notice.outcome, notice.payment_reference, at=at
        ):
            return ""
        return f"{callback.acquirer} speaks of a refund that we did not make: {notice.outcome.our_id or 'no id'}."
    callback.subject_type, callback.subject_id = Refund.noun, refund.pk
    if notice.only_receipt:
        return _note_receipt(callback, refund, notice.outcome, at)
    if notice.trusted:
        refund = refunds.apply(refund.pk, notice.outcome, actor=f"acquirer:{callback.acquirer}", at=at)
    else:
        refund = refunds.check(refund.pk, at=at, insist=True)
    return "" if refund.status == Refund.Status.FAILED else refund.parked


def _act_on_a_case(callback: Callback, case: Case, notice: Notice, at: datetime) -> str:
    """What a case gave back may be made after it was closed otherwise: it is booked when it is made."""
    callback.subject_type, callback.subject_id = Case.noun, case.pk
    said = notice.outcome
    if not notice.trusted:
        said = calls.acquirer(case.acquirer).fetch(Subject.REFUND, str(case.pk), said.reference)
        if said.status == Status.UNKNOWN and not notice.only_receipt:
            raise NotYet(f"{case.acquirer} does not say what became of what a case gave back: {said.message}")
    return suspense.given_back(case.pk, said, at=at)


def _rung(callback: Callback, notice: Notice, at: datetime) -> str:
    """Money of a payment went back, by which refund it does not say: those of ours that wait are asked about.

    Then the payment itself: what went back beyond our refunds was made in the acquirer's cabinet, and is a case.
    """
    found = Payment.objects.filter(acquirer=callback.acquirer, acquirer_payment_id=notice.payment_reference)
    payment = found.first()
    if payment is None:
        return f"{callback.acquirer} gave back money of payment {notice.payment_reference}, which we do not know."
    callback.subject_type, callback.subject_id = Payment.noun, payment.pk
    if notice.only_receipt:
        return _rung_of_a_receipt(callback, payment, notice.outcome, at)
    for pk in payment.refunds.filter(status__in=Refund.LIVE).values_list("pk", flat=True):
        refunds.check(pk, at=at)
    backend = calls.acquirer(payment.acquirer)
    if not backend.capabilities.statements:  # one that lists its refunds tells of each by its own id
        said = backend.fetch(Subject.PAYMENT, str(payment.order_id), payment.acquirer_payment_id, calls.clue(payment))
        if said.status == Status.UNKNOWN and not said.absent:
            raise NotYet(f"{callback.acquirer} does not say how much of this payment went back: {said.message}")
        reconciliation.given_back_there(payment.pk, said, at=at)
    if payment.refunds.exists() or payment.cases.exists():
        return ""
    return f"{callback.acquirer} gave back money of this payment; we did not ask for it."


def _rung_of_a_receipt(callback: Callback, payment: Payment, said: Outcome, at: datetime) -> str:
    """Of a refund, and where several may be meant it could be any one's: the poll asks about each."""
    waiting = list(payment.refunds.filter(fiscal_receipt__status=Receipt.Status.PENDING)[:2])
    coming = [refund for refund in payment.refunds.filter(status__in=Refund.LIVE) if receipts.is_to_come(refund)]
    if coming and not waiting:
        raise NotYet("The receipt of a refund that is not settled here yet. Ask the acquirer about the refund.")
    if len(waiting) == 1 and not coming:
        receipts.note(waiting[0], said.receipt, actor=f"acquirer:{callback.acquirer}", at=at)
    return ""


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.UUID(int=0)  # nobody's
