"""How YooKassa is spoken to: which request, with which key, and where to look when no answer came."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from typing import Any, ClassVar
from urllib.parse import quote

from acquiring import asking, options
from acquiring.backends.yookassa import mapping, networks, orders
from acquiring.backends.yookassa.mapping import MAPPING, Translate
from acquiring.base import NO_CLUE, BadCallback
from acquiring.http import Adapter, Client, NotSent, Response, Unanswered
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

URL = "https://api.yookassa.ru/v3"
LARGEST_CALLBACK = 64 * 1024  # bytes
PATHS = {Subject.PAYMENT: "/payments", Subject.REFUND: "/refunds"}
PAGE = "100"  # the most that one page of a list holds
PAGES = 500  # of one lookup: a lookup that would need more is no answer
PAGES_WITHOUT_CLUE = 10
CLOCKS = timedelta(minutes=5)  # by which their clock and ours may differ
WINDOW = timedelta(hours=24)


class YooKassa:
    """YooKassa, API v3.

    `shop_id` and `secret_key`: our name there. `method`: the one way to pay on their page; "" leaves the choice to the
    customer (only cards can be saved here). `address_header`: the header, in lower case, in which our own proxy tells
    who calls; where it is set, a callback from elsewhere than their networks is refused. `timeout`: seconds to wait
    for an answer. `patience`: seconds to wait for one that is "processing". Raises ValueError when a secret is missing.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(
        currencies=frozenset({"RUB"}),
        idempotency_window=WINDOW,
        saved_cards=True,
        two_stage=True,
        partial_refund=True,
        receipts=True,
        closes_pages=False,
    )

    def __init__(
        self,
        shop_id: str,
        secret_key: str,
        url: str = URL,
        *,
        method: str = "bank_card",
        address_header: str = "",
        timeout: float = 15.0,
        patience: float = 2.0,
        sleep: Callable[[float], object] = time.sleep,
        adapter: Adapter | None = None,
    ) -> None:
        options.needed("the YooKassa acquirer", shop_id=shop_id, secret_key=secret_key, url=url)
        auth = (shop_id, secret_key)
        self._client = Client(url, auth, timeout, idempotency_header="Idempotence-Key", adapter=adapter)
        self._method, self._address_header = method, address_header
        self._patience, self._sleep = patience, sleep

    def checkout(self, charge: Charge) -> Outcome:
        """Opens their page, for an hour; they cannot be told another time."""
        return self._act("/payments", lambda: orders.page(charge, self._method), Subject.PAYMENT, charge.our_id)

    def charge(self, charge: Charge) -> Outcome:
        """Charges a saved method, customer absent."""
        return self._act("/payments", lambda: orders.by_token(charge), Subject.PAYMENT, charge.our_id)

    def capture(self, our_id: str, reference: str, charge: Charge) -> Outcome:
        """Takes an authorized sum, in full or less."""
        if charge.receipt and self.fetch(Subject.PAYMENT, our_id, reference).amount == charge.amount:
            charge = replace(charge, receipt=None)  # in full: the one of the payment holds, another would be a second
        outcome = self._step(reference, "capture", lambda: orders.taken(charge))
        if outcome.decline is not Decline.OUR_FAULT:
            return outcome
        # Taken before, perhaps by a call whose answer was lost: a hold is taken once, whatever the key.
        found = self.fetch(Subject.PAYMENT, our_id, reference)
        if found.status is Status.SUCCEEDED and found.amount != charge.amount:
            return Outcome.unknown("the held sum was taken before, and it was another one")
        return outcome if found.status is Status.AUTHORIZED else found

    def void(self, our_id: str, reference: str, clue: Clue = NO_CLUE) -> Outcome:
        """Releases a hold. A page that nobody paid cannot be closed: PENDING until it closes by itself, in an hour.

        Neither can a request that is on its way still be stopped: `absent` as long as they know nothing of it.
        """
        found = self.fetch(Subject.PAYMENT, our_id, reference, clue)
        if found.status is not Status.AUTHORIZED:
            return found
        outcome = self._step(found.reference, "cancel", dict)
        if outcome.decline is Decline.NOT_SENT:  # says nothing of the payment itself
            return Outcome.unknown(outcome.message)
        if outcome.decline is Decline.OUR_FAULT:  # somebody took or released it meanwhile
            return self.fetch(Subject.PAYMENT, our_id, found.reference)
        return outcome

    def refund(self, order: RefundOrder) -> Outcome:
        """Returns money of one payment, in full or part."""
        return self._act("/refunds", lambda: orders.refund(order), Subject.REFUND, order.our_id)

    def fetch(self, subject: Subject, our_id: str, reference: str = "", clue: Clue = NO_CLUE) -> Outcome:
        """Their truth, by their own id and else by looking for ours through their lists.

        `absent` only where the clue says since when to look, or which payment's refunds to look through.
        """
        return asking.looked_up(lambda: self._found(subject, our_id, reference, clue))

    def statement(self, day: date) -> Iterator[StatementLine]:
        """What was taken, held and given back on one day (UTC). Raises Unanswered."""
        since = datetime.combine(day, clock_time(), UTC)
        taken, created = _between("captured_at", since), _between("created_at", since)
        held = created | {"status": "waiting_for_capture"}
        for subject, params in ((Subject.PAYMENT, taken), (Subject.PAYMENT, held), (Subject.REFUND, created)):
            try:
                for item in self._listed(PATHS[subject], params, PAGES):
                    paid = str(item.get("payment_id", "")) if isinstance(item, dict) else ""
                    reference = paid if subject is Subject.REFUND else ""
                    yield StatementLine(subject, MAPPING[subject](item), reference)
            except (NotSent, Malformed) as problem:
                raise Unanswered(str(problem)) from problem

    def parse(self, kind: str, headers: Mapping[str, str], body: bytes) -> Notice:
        """Reads a notification, which is unsigned: a doorbell. Raises BadCallback."""
        if len(body) > LARGEST_CALLBACK:
            raise BadCallback("larger than any notification of YooKassa")
        if self._address_header and not networks.is_theirs(headers.get(self._address_header, "")):
            raise BadCallback("it does not come from YooKassa's networks")
        try:
            return mapping.notice(json.loads(body), hashlib.sha256(body).hexdigest()[:16])
        except (Malformed, ValueError, RecursionError) as problem:
            raise BadCallback(f"cannot be read: {problem}") from problem

    def reply(self, notice: Notice | None, verdict: Verdict) -> Reply:
        """200 when accepted; anything else makes them try again for a day."""
        return Reply() if verdict is Verdict.ACCEPTED else Reply(status=400, body=b'{"ok": false}')

    # --- Within ---------------------------------------------------------------------------------------------------

    def _act(self, path: str, write: Callable[[], orders.Body], subject: Subject, key: str) -> Outcome:
        try:
            body = write()
        except ValueError as problem:
            return Outcome(Status.FAILED, decline=Decline.OUR_FAULT, code="bad_order", message=str(problem))
        return asking.told(lambda: mapping.acted(self._answer(path, body, key), MAPPING[subject]))

    def _step(self, reference: str, step: str, write: Callable[[], orders.Body]) -> Outcome:
        # A key of its own each time: the payment's state keeps it once, and the refusal of an earlier moment, which
        # its key would give again, is worth less than the truth of this one.
        path = f"/payments/{quote(reference, safe='')}/{step}"
        return self._act(path, write, Subject.PAYMENT, str(uuid.uuid4()))

    def _answer(self, path: str, body: orders.Body, key: str) -> Response:
        """The final answer to a request; "processing" is asked again with the same key as long as patience lasts."""
        waited = 0.0
        while True:
            try:
                answer = self._client.request("POST", path, json=body, idempotency_key=key)
            except NotSent as problem:
                if waited:  # they have it since the first time
                    raise Unanswered(str(problem)) from problem
                raise
            pause = mapping.pause(answer)
            if pause is None or waited + pause > self._patience:
                return answer
            self._sleep(pause)
            waited += pause

    def _found(self, subject: Subject, our_id: str, reference: str, clue: Clue) -> Outcome:
        translate = MAPPING[subject]
        if reference:
            answer = self._client.request("GET", f"{PATHS[subject]}/{quote(reference, safe='')}")
            found = mapping.looked_up(answer, translate)
            if not found.absent or not our_id:
                return found
        if not our_id:
            return Outcome.unknown("there is no id to look for")
        params = _where(subject, clue)
        items = self._listed(PATHS[subject], params, PAGES if params else PAGES_WITHOUT_CLUE)
        return _best((item for item in items if mapping.is_ours(item, subject, our_id)), translate, bool(params))

    def _listed(self, path: str, params: Mapping[str, str], pages: int) -> Iterator[Any]:
        """The objects of a list, newest first. Raises NotSent, Unanswered, Malformed."""
        cursor: dict[str, str] = {}
        for _ in range(pages):
            answer = self._client.request("GET", path, params={"limit": PAGE} | dict(params) | cursor)
            if not answer.ok:
                raise Unanswered(f"YooKassa refused its list ({answer.status})")
            items, following = mapping.page(answer.body)
            yield from items
            if not following:
                return
            cursor = {"cursor": following}
        raise Unanswered(f"not among the last {pages} pages")


def _where(subject: Subject, clue: Clue) -> dict[str, str]:
    """The part of a list that holds the operation if there is one; empty where the clue does not say."""
    if subject is Subject.REFUND and clue.payment_reference:
        return {"payment_id": clue.payment_reference}
    if clue.since is None:
        return {}
    since = {"created_at.gte": orders.moment(clue.since - CLOCKS)}
    if subject is Subject.REFUND:
        return since
    # A payment is sent again for as long as its key is known and no longer; twice that is beyond any doubt.
    return since | {"created_at.lt": orders.moment(clue.since + 2 * WINDOW)}


def _between(name: str, since: datetime) -> dict[str, str]:
    until = since + timedelta(days=1)
    return {f"{name}.gte": orders.moment(since), f"{name}.lt": orders.moment(until)}


def _best(items: Iterator[Any], translate: Translate, covered: bool) -> Outcome:
    """What became of an order that several objects may speak of (a key is forgotten after a day): money moved counts.

    Else a hold, else what may still be paid, else the latest.
    """
    found: list[Outcome] = []
    for item in items:
        found.append(translate(item))
        if found[-1].status is Status.SUCCEEDED:
            return found[-1]
    ranks = (Status.AUTHORIZED, Status.PENDING)
    best = sorted(found, key=lambda one: ranks.index(one.status) if one.status in ranks else len(ranks))
    if best:
        return best[0]
    return Outcome.not_found() if covered else Outcome.unknown("not among the latest, and nothing says since when")
