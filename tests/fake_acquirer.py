"""An acquirer in memory: it does what a test programs, remembers every call, and knows the truth of every operation.

`settings.ACQUIRERS = fake_acquirer.SETTING; bank = fake_acquirer.installed()` installs one. Then
`bank.program("checkout", Fault.LOSE_ANSWER)` spoils the next checkout, `bank.pay(payment.pk)` is the customer on the
page, `client.post(url, **bank.callback(payment.pk))` the bank telling of it, and `bank.took(payment.pk)` the truth.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import Enum, auto
from threading import RLock
from typing import Any, ClassVar
from uuid import UUID

from moneyed import Money

from acquiring import registry
from acquiring.base import NO_CLUE, BadCallback
from acquiring.types import (
    Capabilities,
    Card,
    Charge,
    Clue,
    Notice,
    Outcome,
    RefundOrder,
    Reply,
    StatementLine,
    Status,
    Subject,
    Verdict,
)
from billing import money
from tests.fake_operations import CARD, FINAL, Operation, told, wire

NAME = "fake"
SECRET = "fake-callback-secret"
SIGNATURE = "x-fake-signature"
SETTING = {NAME: {"backend": "tests.fake_acquirer.FakeAcquirer"}}


class Fault(Enum):
    """What may go wrong with one call."""

    NOT_SENT = auto()  # connection refused: the request certainly never left
    LOSE_REQUEST = auto()  # time-out before anything happened
    LOSE_ANSWER = auto()  # time-out after it happened
    DECLINE = auto()  # the acquirer says no
    PENDING = auto()  # the acquirer has it and is not done
    AUTHORIZE = auto()  # held, not taken


OTHERWISE = {Fault.DECLINE: Status.FAILED, Fault.PENDING: Status.PENDING, Fault.AUTHORIZE: Status.AUTHORIZED}
Step = Fault | Outcome | BaseException | Callable[[], Outcome]
Order = Charge | RefundOrder | str


@dataclass(frozen=True, slots=True)
class Call:
    """One call that came in."""

    method: str
    our_id: str
    order: Order


class FakeAcquirer:
    """`trusted=False` makes its callbacks mere doorbells."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        currencies=frozenset({"RUB", "USD", "EUR", "JPY", "KZT"}),
        idempotency_window=timedelta(hours=24),
        saved_cards=True,
        two_stage=True,
        partial_refund=True,
        receipts=True,
    )

    def __init__(self, *, secret: str = SECRET, trusted: bool = True) -> None:
        self.secret, self.trusted = secret, trusted
        self.calls: list[Call] = []
        self.operations: dict[tuple[Subject, str], Operation] = {}
        self._steps: dict[str, deque[Step]] = defaultdict(deque)
        self._numbers = itertools.count(1)
        self._lock = RLock()

    def program(self, method: str, *steps: Step) -> None:
        """What the next calls of `method` come to, one step each: a fault, an outcome as it is, or an exception.

        A callable is called (it may wait, or act in between) and its outcome is the answer. After the last step
        everything goes well again.
        """
        self._steps[method].extend(steps)

    def pay(self, our_id: UUID | str, card: Card = CARD) -> Outcome:
        """The customer pays on the page; possible on a closed one too, as at a real bank that was slow to close it."""
        self.operations[Subject.PAYMENT, str(our_id)].card = card
        return self.settle(our_id, Status.SUCCEEDED)

    def settle(self, our_id: UUID | str, status: Status, subject: Subject = Subject.PAYMENT) -> Outcome:
        """The truth about an operation becomes `status`: a card refused, a sum held, a pending refund made."""
        with self._lock:
            operation = self.operations[subject, str(our_id)]
            operation.status, operation.at = status, datetime.now(UTC)
            return told(operation)

    def pay_again(self, our_id: UUID | str, status: Status = Status.SUCCEEDED) -> Outcome:
        """Misbehaves: takes (or holds) the money of an order once more, under another reference."""
        with self._lock:
            first = self.operations[Subject.PAYMENT, str(our_id)]
            again = replace(first, reference=f"pay_{next(self._numbers)}", status=status)
            again.at = datetime.now(UTC)
            self.operations[Subject.PAYMENT, again.reference] = again
            return told(again)

    def forget(self, our_id: UUID | str) -> None:
        """The acquirer loses an operation: `fetch` no longer knows it."""
        for subject in Subject:
            self.operations.pop((subject, str(our_id)), None)

    def called(self, method: str) -> list[Call]:
        """The calls of one method so far."""
        return [call for call in self.calls if call.method == method]

    def took(self, our_id: UUID | str) -> Money | None:
        """What was really taken for a payment of ours, None when nothing."""
        operation = self.operations.get((Subject.PAYMENT, str(our_id)))
        return operation.amount if operation and operation.status == Status.SUCCEEDED else None

    def returned(self, payment_our_id: UUID | str) -> list[Money]:
        """The refunds really made of a payment of ours."""
        made = (each for each in self.operations.values() if each.payment_our_id == str(payment_our_id))
        return [each.amount for each in made if each.status == Status.SUCCEEDED and each.amount]

    def callback(
        self, our_id: UUID | str, subject: Subject = Subject.PAYMENT, *, event: str = "", **changes: Any
    ) -> dict[str, Any]:
        """A signed callback that tells the truth but for `changes`, as arguments of a test client's post.

        Two with the same `event` are two deliveries of one notice.
        """
        operation = self.operations.get((subject, str(our_id)))
        body = {"event": event or f"evt_{next(self._numbers)}", "subject": subject.value, "our_id": str(our_id)}
        if operation:
            body |= wire(operation)
        return self.sign(json.dumps(body | changes).encode())

    def sign(self, body: bytes) -> dict[str, Any]:
        """Any body with a good signature, as arguments of a test client's post."""
        return {"data": body, "content_type": "application/json", "headers": {SIGNATURE: self._signature(body)}}

    def _signature(self, body: bytes) -> str:
        return hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()

    def checkout(self, charge: Charge) -> Outcome:
        return self._act("checkout", charge, lambda: self._collect(charge, Status.PENDING))

    def charge(self, charge: Charge) -> Outcome:
        return self._act("charge", charge, lambda: self._collect(charge, Status.SUCCEEDED))

    def capture(self, our_id: str, reference: str, charge: Charge) -> Outcome:
        return self._act("capture", charge, lambda: self._capture(our_id))

    def void(self, our_id: str, reference: str, clue: Clue = NO_CLUE) -> Outcome:
        return self._act("void", our_id, lambda: self._void(our_id, reference))

    def refund(self, order: RefundOrder) -> Outcome:
        return self._act("refund", order, lambda: self._refund(order))

    def fetch(self, subject: Subject, our_id: str, reference: str = "", clue: Clue = NO_CLUE) -> Outcome:
        return self._act("fetch", our_id or reference, lambda: self._truth(subject, our_id or reference, reference))

    def statement(self, day: date) -> Iterator[StatementLine]:
        for each in list(self.operations.values()):
            if each.status == Status.SUCCEEDED and each.at.date() == day:
                yield StatementLine(each.subject, told(each), each.of)

    def parse(self, kind: str, headers: Mapping[str, str], body: bytes) -> Notice:
        if not hmac.compare_digest(self._signature(body).encode(), headers.get(SIGNATURE, "").encode()):
            raise BadCallback("the signature is missing or wrong")
        try:
            data = json.loads(body)
            amount = money.from_minor(data["amount"], data["currency"]) if data.get("amount") is not None else None
            subject, status = Subject(data["subject"]), Status(data["status"])
            outcome = told(Operation(subject, data["our_id"], data.get("reference", ""), amount, status, CARD))
            return Notice(data["event"], subject, kind or "notice", outcome, self.trusted)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise BadCallback(f"signed, but cannot be read: {error!r}") from error

    def reply(self, notice: Notice | None, verdict: Verdict) -> Reply:
        return Reply() if verdict is Verdict.ACCEPTED else Reply(status=400, body=b'{"ok": false}')

    def _act(self, method: str, order: Order, deed: Callable[[], Outcome]) -> Outcome:
        our_id = order if isinstance(order, str) else order.our_id
        with self._lock:
            self.calls.append(Call(method, our_id, order))
            step = self._steps[method].popleft() if self._steps[method] else None
        if isinstance(step, BaseException):
            raise step
        if isinstance(step, Outcome):
            return step
        if callable(step):
            return step()
        with self._lock:
            return self._faulty(step, method, our_id, deed) if step else deed()

    def _faulty(self, fault: Fault, method: str, our_id: str, deed: Callable[[], Outcome]) -> Outcome:
        if fault == Fault.NOT_SENT:
            return Outcome.not_sent("connection refused")
        outcome = Outcome.unknown("no answer in time") if fault == Fault.LOSE_REQUEST else deed()
        if fault == Fault.LOSE_ANSWER:
            return Outcome.unknown("no answer in time")
        if fault in OTHERWISE and outcome.status != Status.CANCELLED:
            return self.settle(our_id, OTHERWISE[fault], Subject.REFUND if method == "refund" else Subject.PAYMENT)
        return outcome

    def _collect(self, charge: Charge, status: Status) -> Outcome:
        key = (Subject.PAYMENT, charge.our_id)
        if key not in self.operations:
            card = CARD if status == Status.SUCCEEDED else None
            self.operations[key] = Operation(*key, f"pay_{next(self._numbers)}", charge.amount, status, card)
        return told(self.operations[key])

    def _capture(self, our_id: str) -> Outcome:
        operation = self.operations.get((Subject.PAYMENT, our_id))
        if operation and operation.status == Status.AUTHORIZED:
            operation.status = Status.SUCCEEDED
        return self._truth(Subject.PAYMENT, our_id)

    def _truth(self, subject: Subject, our_id: str, reference: str = "") -> Outcome:
        operation = self._named(subject, reference) or self.operations.get((subject, our_id))
        return told(operation) if operation else Outcome.not_found()

    def _named(self, subject: Subject, reference: str) -> Operation | None:
        named = (each for each in self.operations.values() if each.subject == subject and each.reference == reference)
        return next(named, None) if reference else None

    def _void(self, our_id: str, reference: str) -> Outcome:
        key = (Subject.PAYMENT, our_id)
        # An id never heard of is closed in advance: a checkout still on its way must not open.
        operation = self._named(Subject.PAYMENT, reference) or self.operations.setdefault(
            key, Operation(*key, "", None, Status.CANCELLED)
        )
        if operation.status not in FINAL:
            operation.status = Status.CANCELLED
        return told(operation)

    def _refund(self, order: RefundOrder) -> Outcome:
        key = (Subject.REFUND, order.our_id)
        if key not in self.operations:
            paid = self._named(Subject.PAYMENT, order.payment_reference)
            paid = paid or self.operations.get((Subject.PAYMENT, order.payment_our_id))
            made = [each for each in self.operations.values() if each.status == Status.SUCCEEDED and each.amount]
            spent = sum((each.amount for each in made if paid and each.of == paid.reference), start=order.amount * 0)
            good = paid and paid.status == Status.SUCCEEDED and paid.amount and order.amount + spent <= paid.amount
            self.operations[key] = Operation(
                *key,
                f"ref_{next(self._numbers)}",
                order.amount,
                Status.SUCCEEDED if good else Status.FAILED,
                payment_our_id=order.payment_our_id or (paid.our_id if paid else ""),
                of=paid.reference if paid else "",
            )
        return told(self.operations[key])


def installed() -> FakeAcquirer:
    """The one that the code under test talks to, once settings name it."""
    backend = registry.get(NAME)
    assert isinstance(backend, FakeAcquirer)
    return backend
