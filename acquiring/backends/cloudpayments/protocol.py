"""CloudPayments' API: POST and JSON for everything, HTTP Basic, `X-Request-ID` remembered for one hour."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from acquiring import asking, options
from acquiring.backends.cloudpayments import lookups, mapping, notices, orders
from acquiring.backends.cloudpayments.lookups import Door, acted
from acquiring.base import NO_CLUE
from acquiring.http import Adapter, Client, NotSent, Unanswered
from acquiring.reading import Malformed, text
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

URL = "https://api.cloudpayments.ru"
PAGES = ("order", "widget")


class CloudPayments:
    """CloudPayments (developers.cloudpayments.ru).

    `public_id` and `api_secret`: of the terminal, from the cabinet. `callback_secrets`: each of them verifies callbacks
    (the API secret where none is given). `page`: "order" for their hosted page, "widget" for parameters of their
    widget. `currency`: of notices that name none. `receipt_key`: what a fiscal receipt is called in their JSON.
    `timeout`: seconds to wait for an answer. `calls_at_once`: what the terminal bears, of all processes.
    Raises ValueError when a credential is missing.
    """

    capabilities: Capabilities = Capabilities(
        currencies=frozenset({"RUB", "USD", "EUR", "KZT"}),
        idempotency_window=timedelta(hours=1),
        saved_cards=True,
        two_stage=True,
        partial_refund=True,
        receipts=True,
        calls_at_once=30,
        works_within=timedelta(minutes=10),  # their answer may take five
        chargebacks_add_up=True,  # its list does not say how much of a dispute was won
        repeats_at_once=False,  # what a key does while its first request runs is not documented
    )

    def __init__(
        self,
        public_id: str,
        api_secret: str,
        callback_secrets: Sequence[str] = (),
        url: str = URL,
        page: str = "order",
        currency: str = "RUB",
        receipt_key: str = "CustomerReceipt",
        timeout: float = 30.0,
        calls_at_once: int = 30,
        adapter: Adapter | None = None,
    ) -> None:
        options.needed("CloudPayments", public_id=public_id, api_secret=api_secret, url=url)
        several = options.several("CloudPayments", least=0, callback_secrets=callback_secrets)
        if page not in PAGES:
            raise ValueError(f"CloudPayments needs page to be one of {', '.join(PAGES)}")
        bears = options.at_least_one("CloudPayments", calls_at_once=calls_at_once)
        self.capabilities = replace(self.capabilities, calls_at_once=bears)
        client = Client(
            url,
            (public_id, api_secret),
            timeout,
            idempotency_header="X-Request-ID",
            adapter=adapter,
            at_once=options.share(bears),
        )
        self._door = Door(client)
        self._public_id, self._page, self._currency, self._receipt_key = public_id, page, currency, receipt_key
        self._callback_secrets = several or (api_secret,)

    def checkout(self, charge: Charge) -> Outcome:
        """Opens their hosted page, or gives the parameters of their widget, for which nobody is called."""
        if self._page == "widget":
            values = orders.widget(charge, self._public_id, self._receipt_key)
            return Outcome(Status.PENDING, our_id=charge.our_id, amount=charge.amount, widget=values)
        body = orders.page(charge, self._receipt_key)
        return asking.told(
            lambda: acted(self._door.post("/orders/create", body, charge.our_id), lambda model: _opened(model, charge))
        )

    def charge(self, charge: Charge) -> Outcome:
        """Charges a saved token, customer absent."""
        path = "/payments/tokens/charge" if charge.capture else "/payments/tokens/auth"
        body = orders.token(charge, self._receipt_key)
        return asking.told(
            lambda: _the_same(
                acted(
                    self._door.post(path, body, charge.our_id),
                    lambda model: mapping.payment_outcome(model, final=True),
                ),
                charge,
            )
        )

    def capture(self, our_id: str, reference: str, charge: Charge) -> Outcome:
        """Takes an authorized sum, in full or less."""
        if not reference.isdecimal():
            return _nothing_to("take")
        return asking.told(lambda: self._captured(our_id, reference, charge))

    def void(self, our_id: str, reference: str, clue: Clue = NO_CLUE) -> Outcome:
        """Releases a hold or closes an unpaid page (known by `clue.page_url`).

        A charge still on its way cannot be stopped here: the answer is `absent` until it has arrived.
        """
        return asking.looked_up(lambda: self._voided(our_id, reference, clue))

    def refund(self, order: RefundOrder) -> Outcome:
        """Returns money of one payment, in full or part."""
        if not order.payment_reference.isdecimal():
            return _nothing_to("give back")
        body = orders.refund(order, self._receipt_key)
        return asking.told(
            lambda: acted(
                self._door.post("/payments/refund", body, order.our_id), lambda model: self._refunded(model, order)
            )
        )

    def fetch(self, subject: Subject, our_id: str, reference: str = "", clue: Clue = NO_CLUE) -> Outcome:
        """Their truth, by their id and else by ours; for a refund that needs the payment's own id (`clue`)."""
        if subject is Subject.PAYMENT:
            return asking.looked_up(lambda: lookups.payment(self._door, our_id, reference, clue))
        return asking.looked_up(lambda: lookups.refund(self._door, our_id, reference, clue))

    def statement(self, day: date) -> Iterator[StatementLine]:
        """Every operation of one day (UTC) in which money moved or is held. Raises Unanswered."""
        try:
            yield from lookups.statement(self._door, day)
        except (NotSent, Malformed) as problem:
            raise Unanswered(str(problem)) from problem

    def parse(self, kind: str, headers: Mapping[str, str], body: bytes) -> Notice:
        """Verifies the signature first, then translates. Raises BadCallback."""
        return notices.read(kind, headers, body, self._callback_secrets, self._currency)

    def reply(self, notice: Notice | None, verdict: Verdict) -> Reply:
        """The code that answers a `check`; of all others 0 ends their tries."""
        if notice is not None and notice.asks:
            ours = notice.subject is Subject.REFUND  # nobody but us can ask for one
            return Reply(body=_code(0 if ours else notices.VERDICTS[verdict]))
        if verdict is Verdict.ACCEPTED:
            return Reply(body=_code(0))
        return Reply(status=503, body=_code(13))

    def _captured(self, our_id: str, reference: str, charge: Charge) -> Outcome:
        body = orders.confirm(reference, charge, self._receipt_key)
        answer = acted(self._door.post("/payments/confirm", body, f"{our_id}:confirm"), _done)
        if answer.status is not Status.SUCCEEDED and answer.decline is not Decline.OUR_FAULT:
            return answer
        # Neither a yes nor a no comes with the payment: a repeat is refused although the money was taken.
        truth = lookups.again(lambda: lookups.by_reference(self._door, reference))
        if truth.status is Status.AUTHORIZED and answer.decline:
            return answer
        return _the_same(truth, charge) if truth.status is Status.SUCCEEDED else truth

    def _voided(self, our_id: str, reference: str, clue: Clue) -> Outcome:
        closed = False
        if clue.page_url and not reference:  # first the page, then the look at what was paid there before
            order = {"Id": clue.page_url.rstrip("/").rpartition("/")[2]}
            answer = acted(self._door.post("/orders/cancel", order, f"{our_id}:close"), _done)
            closed = answer.status is _DONE or answer.code == "refused"  # closed before, or paid: the look will tell
        truth = lookups.payment(self._door, our_id, reference)
        if truth.status is Status.AUTHORIZED:
            # The key is the transaction's: of one order more than one may be held within the hour that a key lives.
            key = f"{our_id}:void:{truth.reference}"
            self._door.post("/payments/void", {"TransactionId": int(truth.reference)}, key)
            return lookups.again(lambda: lookups.by_reference(self._door, truth.reference))
        waits = truth.absent or (truth.status is Status.PENDING and truth.decline is not None)
        if not (clue.page_url and waits):
            return truth
        if not closed:
            return Outcome.unknown("the page is not closed, and nobody has paid there")
        earlier = None if truth.absent else lookups.earlier(self._door, our_id, clue)
        return earlier or Outcome(Status.CANCELLED, our_id=our_id, message="The page was closed.")

    def _refunded(self, model: Any, order: RefundOrder) -> Outcome:
        reference = mapping.number(model, "TransactionId")
        said = asking.looked_up(lambda: lookups.refund(self._door, order.our_id, reference))
        if said.status is not Status.UNKNOWN:
            return said
        # They have taken it in, under this id, by which it is asked about again later.
        return Outcome(Status.PENDING, reference=reference, our_id=order.our_id, amount=order.amount)


_DONE = Status.SUCCEEDED


def _done(model: Any) -> Outcome:
    return Outcome(_DONE)


def _opened(model: Any, charge: Charge) -> Outcome:
    if not (url := text(model, "Url")).startswith("http"):
        raise Malformed("Url")
    opened = Outcome(
        Status.PENDING, our_id=charge.our_id, amount=mapping.amount(model), redirect_url=url, raw=mapping.kept(model)
    )
    return _the_same(opened, charge)


def _the_same(outcome: Outcome, charge: Charge) -> Outcome:
    """A key used before gives the first answer again, whatever is asked now: that is no answer to another order."""
    if outcome.amount in (None, charge.amount) and outcome.our_id in ("", charge.our_id):
        return outcome
    return Outcome(Status.UNKNOWN, message="the acquirer answered another order", raw=outcome.raw)


def _nothing_to(what: str) -> Outcome:
    message = f"There is nothing to {what}: the payment has no id of theirs."
    return Outcome(Status.FAILED, decline=Decline.OUR_FAULT, code="not_paid", message=message)


def _code(code: int) -> bytes:
    return json.dumps({"code": code}).encode()
