"""T-Bank as an acquirer: which calls are made, in which order. What they say is read in `mapping`.

Init and Charge know no idempotency key, so each is preceded by the question what became of the order so far; one
OrderId is one attempt. Money goes back by Cancel, which has a key of its own, ExternalRequestId.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

from acquiring import asking, options
from acquiring.backends.tbank import mapping, notices, orders, signing
from acquiring.backends.tbank.wire import TRIES, Wire
from acquiring.base import NO_CLUE, BadCallback
from acquiring.http import Adapter, Client, NotSent, Unanswered
from acquiring.reading import Malformed
from acquiring.types import (
    Capabilities,
    Charge,
    Clue,
    Decline,
    Notice,
    Outcome,
    RefundOrder,
    Reply,
    StatementLine,
    Status,
    Subject,
    Verdict,
)

LIVE = "https://securepay.tinkoff.ru/v2"
LARGEST_CALLBACK = 64 * 1024  # bytes
# A charge that has not come about by then is not waited for: its order is cancelled. T-Bank does the one or the other,
# so a charge still on its way is refused or given back, and the customer's days of grace are not spent on waiting.
DEAD = timedelta(hours=1)
TOMBSTONE = 1000  # kopecks: what an order is closed with whose sum nobody told


class TBank:
    """T-Bank's internet acquiring (T-Kassa).

    `terminal_key` and `passwords`: from the cabinet; the first password signs, every one verifies notifications, so
    that one can be changed in peace. `callback_url`: where notifications go. `url`: the API, live and for DEMO
    terminals alike. `taxation`: of receipts that name no tax system. `repeat_refunds`: whether a refund whose answer
    was lost may be sent again while it is not certain that nothing was made: T-Bank knows it by its ExternalRequestId,
    but not where the payment came by SBP, which it does not tell. So True only where the terminal takes no SBP.
    `ca_bundle`: a file of certificates to trust instead of the usual ones. `clock`: says the time. Raises ValueError
    when a credential is missing.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(
        currencies=frozenset({mapping.RUB}),
        idempotency_window=timedelta(hours=24),
        saved_cards=True,
        two_stage=True,
        partial_refund=True,
        receipts=True,
        statements=False,
        repeats_at_once=False,  # Init and Charge know no key
    )

    def __init__(
        self,
        terminal_key: str,
        passwords: Sequence[str],
        callback_url: str,
        url: str = LIVE,
        timeout: float = 20.0,
        taxation: str = "",
        repeat_refunds: bool = False,
        ca_bundle: str = "",
        adapter: Adapter | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        options.needed("the T-Bank acquirer", terminal_key=terminal_key, url=url)
        self._passwords = options.several("the T-Bank acquirer", passwords=passwords)
        self._wire = Wire(Client(url, None, timeout, adapter=adapter, ca_bundle=ca_bundle), terminal_key, passwords[0])
        self._terminal, self._callback_url = terminal_key, callback_url
        self._taxation, self._repeat_refunds, self._clock = taxation, repeat_refunds, clock

    # --- The port -------------------------------------------------------------------------------------------------

    def checkout(self, charge: Charge) -> Outcome:
        """Opens T-Bank's page. Given again, an order whose page nobody has opened gets another one, in its place."""
        return self._ordered(lambda: self._at_the_door(lambda: self._checkout(charge)))

    def charge(self, charge: Charge) -> Outcome:
        """Charges a saved card: Init, then Charge. Given again, it goes on where it stopped.

        UNKNOWN with `reference` where Charge was sent and nobody knows what came of it: it is not given again then.
        """
        return self._ordered(lambda: self._at_the_door(lambda: self._charge(charge)))

    def capture(self, our_id: str, reference: str, charge: Charge) -> Outcome:
        """Takes an authorized sum, in full or less (Confirm)."""
        return self._ordered(lambda: self._capture(reference, charge))

    def void(self, our_id: str, reference: str, clue: Clue = NO_CLUE) -> Outcome:
        """Releases a hold or closes an unpaid page. An order never seen is made and cancelled: none comes after it."""
        outcome = self._ordered(lambda: self._void(our_id, reference, clue))
        if outcome.decline in (Decline.NOT_SENT, Decline.OUR_FAULT):  # says nothing of the payment itself
            return Outcome(Status.UNKNOWN, code=outcome.code, message=outcome.message, raw=outcome.raw)
        return outcome

    def refund(self, order: RefundOrder) -> Outcome:
        """Returns money of one payment, in full or part. The same order again is recognised by T-Bank."""
        return self._ordered(lambda: self._at_the_door(lambda: self._refund(order), only_shut_out=True))

    def fetch(self, subject: Subject, our_id: str, reference: str = "", clue: Clue = NO_CLUE) -> Outcome:
        """T-Bank's truth. Of a refund it knows only what it did to its payment, which the clue must name.

        An order whose Charge has not come about in an hour is cancelled there, which ends it: nothing can follow.
        """
        if subject is Subject.REFUND:
            return asking.looked_up(lambda: self._fetch_refund(our_id, reference, clue))
        return asking.looked_up(lambda: self._fetch_payment(our_id, reference, clue))

    def statement(self, day: date) -> Iterator[StatementLine]:
        """T-Bank's API lists nothing (`capabilities.statements`). Raises Unanswered."""
        raise Unanswered("T-Bank lists no operations; it is asked about each of ours")

    def parse(self, kind: str, headers: Mapping[str, str], body: bytes) -> Notice:
        """Verifies the Token first, then translates. Raises BadCallback."""
        if len(body) > LARGEST_CALLBACK:
            raise BadCallback("larger than any notification of T-Bank")
        try:
            data = signing.read(body)
        except (ValueError, RecursionError):
            raise BadCallback("not JSON") from None
        if not isinstance(data, dict) or not signing.verified(data, self._passwords):
            raise BadCallback("the Token is missing or wrong")
        if data.get("TerminalKey") != self._terminal:
            raise BadCallback("signed, but for another terminal")
        try:
            return notices.notice(data)
        except Malformed as problem:
            raise BadCallback(f"signed, but cannot be read: {problem}") from problem

    def reply(self, notice: Notice | None, verdict: Verdict) -> Reply:
        """OK when accepted; anything else makes T-Bank send it again for a month."""
        if verdict is Verdict.ACCEPTED:
            return Reply(200, b"OK", "text/plain")
        return Reply(500, b"NOT TAKEN", "text/plain")

    # --- In which order -------------------------------------------------------------------------------------------

    def _checkout(self, charge: Charge) -> Outcome:
        each, free = self._wire.every(charge.our_id)
        known = mapping.best(each)
        if known is not None and (known.state != "NEW" or free > TRIES):
            return mapping.same_order(known, charge.amount)
        # Where a page is NEW, its address was lost: nobody has opened it, and T-Bank tells it no second time.
        for lost in [one for one in each if one.state == "NEW"]:
            closed = self._wire.cancelled(lost)
            if closed.state != "CANCELED":
                return closed.outcome
        order = mapping.order_id(charge.our_id, free)
        answer = self._wire.call("Init", orders.page(charge, order, self._callback_url, self._taxation, self._clock()))
        return mapping.opened(answer, charge.amount) if mapping.accepted(answer) else mapping.refused(answer)

    def _charge(self, charge: Charge) -> Outcome:
        known = self._wire.known(charge.our_id)
        if known is None:
            answer = self._wire.call("Init", orders.absent(charge, charge.our_id, self._callback_url, self._taxation))
            if not mapping.accepted(answer):
                return mapping.refused(answer)
            known = mapping.found(answer)
        elif known.state != "NEW" or known.outcome.amount != charge.amount:
            return mapping.same_order(known, charge.amount)
        reference = known.outcome.reference
        try:
            return self._charged(
                self._wire.call("Charge", {"PaymentId": reference, "RebillId": charge.token}), reference
            )
        except (Unanswered, Malformed) as problem:  # with its id, by which it is asked about, and not given again
            doubt = Outcome.unknown(f"T-Bank does not say what became of the charge: {problem}")
            return replace(doubt, our_id=charge.our_id, reference=reference)

    def _charged(self, answer: Any, reference: str) -> Outcome:
        """What the answer to Charge came to. Raises Unanswered, Malformed where nobody knows."""
        outcome = mapping.charged(answer)
        if outcome is not None:
            return outcome
        try:
            now = self._wire.state(reference)
        except NotSent as problem:  # of this question; the charge was sent
            raise Unanswered(str(problem)) from problem
        if now is None or now.state == "NEW":
            raise Unanswered(f"it answered {mapping.error_code(answer)}")
        return now.outcome

    def _capture(self, reference: str, charge: Charge) -> Outcome:
        known = self._wire.state(reference)
        if known is None:
            return Outcome.unknown("T-Bank does not know this payment")
        if known.outcome.status is not Status.AUTHORIZED:
            return mapping.same_order(known, charge.amount)
        body: dict[str, Any] = {"PaymentId": reference, "Amount": mapping.kopecks(charge.amount)}
        if charge.receipt is not None:
            body["Receipt"] = orders.receipt(charge.receipt, self._taxation)
        answer = self._wire.call("Confirm", body)
        return mapping.found(answer).outcome if mapping.accepted(answer) else mapping.refused(answer)

    def _void(self, our_id: str, reference: str, clue: Clue) -> Outcome:
        known = self._wire.state(reference) if reference else None
        if known is None and not our_id:
            return Outcome.not_found()
        each = [known] if known else self._wire.every(our_id)[0]
        told = mapping.best(each)
        if told is None:
            units = mapping.kopecks(clue.amount) if clue.amount is not None else TOMBSTONE
            answer = self._wire.call("Init", orders.tombstone(our_id, units, self._clock()))
            if not mapping.accepted(answer):
                return mapping.refused(answer)
            each = [mapping.found(answer)]
        elif told.outcome.status is Status.SUCCEEDED:
            return told.outcome
        open_ = [one.state in mapping.UNPAID or one.outcome.status is Status.AUTHORIZED for one in each]
        ends = [self._wire.cancelled(one) if still else one for one, still in zip(each, open_, strict=True)]
        going_on = [one for one in ends if one.outcome.status not in (Status.CANCELLED, Status.FAILED)]
        last = going_on[0] if going_on else mapping.best(ends)  # one of several pages may be in the middle of a payment
        return last.outcome if last else Outcome.unknown("nothing was cancelled")

    def _refund(self, order: RefundOrder) -> Outcome:
        units = mapping.kopecks(order.amount)
        try:
            known = self._wire.state(order.payment_reference)
        except mapping.Refused:
            raise
        except (Unanswered, Malformed) as problem:  # of the question; nothing was asked for yet
            return Outcome.not_sent(str(problem))
        # Cancel closes what is not paid and releases what is held: only of a paid payment does it give money back.
        if known is None or known.state not in mapping.TAKEN:
            message = f"the payment is {known.state}" if known else "T-Bank does not know this payment"
            return Outcome(Status.FAILED, decline=Decline.OUR_FAULT, code="not_paid", message=message)
        if known.state in mapping.RETURNING:  # of two at once nobody could tell which was made
            return Outcome.not_sent("a refund of this payment is under way; the next one waits")
        body: dict[str, Any] = {"PaymentId": order.payment_reference, "Amount": units}
        body["ExternalRequestId"] = order.our_id
        if order.receipt is not None:
            body["Receipt"] = orders.receipt(order.receipt, self._taxation)
        return mapping.refund_outcome(self._wire.call("Cancel", body), order, known.state)

    def _fetch_payment(self, our_id: str, reference: str, clue: Clue) -> Outcome:
        known = self._wire.state(reference, clue) if reference else None
        if known is None and not our_id:
            return Outcome.not_found()
        if known is None:
            known = self._wire.known(our_id, clue)
            if known is None:
                return Outcome.not_found()
            if known.state == "NEW" and not clue.page_url and not reference:
                # An Init whose answer was lost: nobody has its page. Of a Charge that was sent we have the reference.
                message = "T-Bank has the order, and nobody has come to pay it"
                return Outcome(Status.UNKNOWN, again=True, message=message, raw=known.outcome.raw)
        elif known.state == "NEW" and not clue.page_url and clue.since and clue.since + DEAD < self._clock():
            return self._wire.cancelled(known).outcome  # nobody was given a page of this order
        return self._wire.with_card(known.outcome, clue)

    def _fetch_refund(self, our_id: str, reference: str, clue: Clue) -> Outcome:
        payment = self._wire.state(clue.payment_reference) if clue.payment_reference else None
        if payment is None and clue.payment_our_id:
            payment = self._wire.known(clue.payment_our_id)
        if payment is None:
            return Outcome.unknown("T-Bank keeps no refunds; without its payment this one cannot be looked up")
        return mapping.refund_found(payment, our_id, reference, self._repeat_refunds)

    def _at_the_door(self, ask: Callable[[], Outcome], *, only_shut_out: bool = False) -> Outcome:
        try:
            return ask()
        except mapping.Refused as problem:  # the order itself was not given
            outcome = mapping.refused(problem.data)
            if only_shut_out and not outcome.shut_out:  # it was only asked about
                return Outcome.not_sent(str(problem))
            return outcome

    def _ordered(self, ask: Callable[[], Outcome]) -> Outcome:
        try:
            return mapping.retry_at(asking.told(ask), self._clock())
        except ValueError as problem:  # it cannot even be said in T-Bank's words, so it was not sent
            return Outcome(Status.FAILED, decline=Decline.OUR_FAULT, code="unsayable", message=str(problem))
