"""Stripe as an acquirer: the requests and the order in which they are made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import ClassVar
from urllib.parse import quote

from acquiring import asking, options
from acquiring.backends.stripe import events
from acquiring.backends.stripe.amounts import units
from acquiring.backends.stripe.finding import EXPAND, Finder, Found
from acquiring.backends.stripe.mapping import (
    CARD,
    ORDER,
    PAGE,
    TOMBSTONE,
    WAY,
    acted,
    error_of,
    payment_outcome,
    refund_outcome,
    said,
    session_outcome,
    statement_line,
)
from acquiring.base import NO_CLUE, RECEIVED_AT, BadCallback
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

LARGEST_CALLBACK = 256 * 1024  # bytes
LONGEST_TEXT = 500  # of a description
# A page lives so long at Stripe; one that must close earlier is closed by `void`.
SHORTEST, LONGEST = timedelta(minutes=31), timedelta(hours=23, minutes=59)
INTENTS, SESSIONS, REFUNDS = "/v1/payment_intents", "/v1/checkout/sessions", "/v1/refunds"
STATE = "payment_intent_unexpected_state"


def _wall_clock() -> datetime:
    return datetime.now(UTC)


class Stripe:
    """Stripe. A saved card is kept as "cus_…:pm_…".

    `secret_key`: sk_… or rk_…. `callback_secrets`: the whsec_… of the webhook endpoint; every one of them verifies,
    so that one can be rolled in peace. `tolerance`: seconds that a callback's signature stays good.
    `api_version`: the version of the API that this is written against. `payment_method_types`: what pages offer.
    `describe`: whether descriptions are sent. `now`: the clock. Raises ValueError when a credential is missing.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(
        currencies=frozenset({"RUB", "USD", "EUR", "JPY", "KZT"}),
        idempotency_window=timedelta(hours=24),
        saved_cards=True,
        two_stage=True,
        partial_refund=True,
    )

    def __init__(
        self,
        secret_key: str,
        callback_secrets: Sequence[str],
        url: str = "https://api.stripe.com",
        timeout: float = 80.0,
        *,
        tolerance: int = 300,
        api_version: str = "2026-10-28.endive",
        payment_method_types: Sequence[str] = ("card",),
        describe: bool = True,
        now: Callable[[], datetime] = _wall_clock,
        adapter: Adapter | None = None,
    ) -> None:
        options.needed("the stripe acquirer", url=url, secret_key=secret_key)
        headers = {"Authorization": f"Bearer {secret_key}", "Stripe-Version": api_version}
        self._client = Client(url, None, timeout, headers=headers, adapter=adapter)
        self._find = Finder(self._client)
        self._callback_secrets = options.several("the stripe acquirer", callback_secrets=callback_secrets)
        self._tolerance = timedelta(seconds=tolerance)
        self._types = tuple(payment_method_types)
        self._describe = describe
        self._now = now

    def checkout(self, charge: Charge) -> Outcome:
        """Opens a Checkout Session."""
        return asking.told(lambda: acted(self._post(SESSIONS, self._page(charge), charge.our_id), session_outcome))

    def charge(self, charge: Charge) -> Outcome:
        """Makes and confirms a PaymentIntent, customer absent."""
        customer, _, method = charge.token.partition(":")
        if not customer or not method:
            message = "This saved card is none of Stripe's."
            return Outcome(Status.FAILED, decline=Decline.ANOTHER_CARD, code="bad_token", message=message)
        form = self._intent(charge, CARD) | {
            "customer": customer,
            "payment_method": method,
            "off_session": "true",
            "confirm": "true",
        }
        if not charge.capture:
            form["capture_method"] = "manual"
        return asking.told(lambda: acted(self._post(INTENTS, form, charge.our_id), payment_outcome))

    def capture(self, our_id: str, reference: str, charge: Charge) -> Outcome:
        """Takes an authorized sum, in full or less; the rest is released."""
        # No key: a repeat is recognised by the state, whose truth of today is worth more than an old answer.
        form = {"amount_to_capture": str(units(charge.amount))} | EXPAND
        return asking.told(lambda: self._captured(reference, form, charge))

    def void(self, our_id: str, reference: str, clue: Clue = NO_CLUE) -> Outcome:
        """Releases a hold or closes an unpaid page; burns the key of a charge that is still on its way.

        Without a reference or a page it needs `clue.since` and `clue.amount`.
        """
        return asking.looked_up(lambda: self._closed(our_id, reference, clue))

    def refund(self, order: RefundOrder) -> Outcome:
        """Returns money of one payment, in full or part."""
        if not order.payment_reference:
            message = "Nobody has paid this payment, as far as we know."
            return Outcome(Status.FAILED, decline=Decline.OUR_FAULT, code="no_payment_intent", message=message)
        form = {
            "payment_intent": order.payment_reference,
            "amount": str(units(order.amount)),
            f"metadata[{ORDER}]": order.our_id,
            "reason": "requested_by_customer",
        }
        if not self._describe:
            del form["reason"]
        return asking.told(lambda: acted(self._post(REFUNDS, form, order.our_id), refund_outcome))

    def fetch(self, subject: Subject, our_id: str, reference: str = "", clue: Clue = NO_CLUE) -> Outcome:
        """Stripe's truth by its own id; else by the page or, with `clue.since`, among all that was made since."""
        if subject is Subject.REFUND:
            return asking.looked_up(lambda: self._find.refund(our_id, reference, clue))
        return asking.looked_up(lambda: self._find.payment(our_id, reference, clue).outcome)

    def statement(self, day: date) -> Iterator[StatementLine]:
        """Every movement of customers' money of one day (UTC). Raises Unanswered."""
        since = int(datetime.combine(day, time(), UTC).timestamp())
        params = {"created[gte]": str(since), "created[lt]": str(since + 86_400), "expand[0]": "data.source"}
        try:
            for entry in self._find.every("/v1/balance_transactions", params):
                line = statement_line(entry)
                if line is not None:
                    yield line
        except (NotSent, Malformed) as problem:
            raise Unanswered(str(problem)) from problem

    def parse(self, kind: str, headers: Mapping[str, str], body: bytes) -> Notice:
        """Verifies the signature and its age first, then translates. Raises BadCallback."""
        if len(body) > LARGEST_CALLBACK:
            raise BadCallback("larger than any callback of Stripe")
        received = headers.get(RECEIVED_AT)
        at = datetime.fromisoformat(received) if received else self._now()
        signature = headers.get("stripe-signature", "")
        events.verify(self._callback_secrets, signature, body, at=at, tolerance=self._tolerance)
        try:
            return events.notice(json.loads(body))
        except (Malformed, ValueError, RecursionError) as problem:
            raise BadCallback(f"signed, but cannot be read: {problem}") from problem

    def reply(self, notice: Notice | None, verdict: Verdict) -> Reply:
        """Any 2xx when accepted; anything else makes Stripe try again for up to three days."""
        return Reply() if verdict is Verdict.ACCEPTED else Reply(status=400, body=b'{"ok": false}')

    # --- Requests ---------------------------------------------------------------------------------------------------

    def _post(self, path: str, form: Mapping[str, str], key: str | None = None) -> Response:
        return self._client.request("POST", path, form=form, idempotency_key=key)

    def _intent(self, charge: Charge, way: str) -> dict[str, str]:
        form = {
            "amount": str(units(charge.amount)),
            "currency": charge.amount.currency.code.lower(),
            f"metadata[{ORDER}]": charge.our_id,
            f"metadata[{WAY}]": way,
        } | EXPAND
        return form | ({"description": _told(charge)} if self._describe else {})

    def _page(self, charge: Charge) -> dict[str, str]:
        item, intent = "line_items[0][price_data]", "payment_intent_data"
        form = {
            "mode": "payment",
            "client_reference_id": charge.our_id,
            f"metadata[{ORDER}]": charge.our_id,
            "success_url": charge.return_url,
            "cancel_url": charge.return_url,
            "line_items[0][quantity]": "1",
            f"{item}[currency]": charge.amount.currency.code.lower(),
            f"{item}[unit_amount]": str(units(charge.amount)),
            f"{item}[product_data][name]": _told(charge),
            f"{intent}[metadata][{ORDER}]": charge.our_id,
            f"{intent}[metadata][{WAY}]": PAGE,
            f"{intent}[description]": _told(charge),
            f"{intent}[capture_method]": "automatic" if charge.capture else "manual",
        }
        form |= {f"payment_method_types[{number}]": name for number, name in enumerate(self._types)}
        if charge.customer_email:
            form["customer_email"] = charge.customer_email
        if charge.save_card:
            form |= {"customer_creation": "always", f"{intent}[setup_future_usage]": "off_session"}
        if charge.expires_at and SHORTEST <= charge.expires_at - self._now() <= LONGEST:
            form["expires_at"] = str(int(charge.expires_at.timestamp()))
        return form

    def _captured(self, reference: str, form: dict[str, str], charge: Charge) -> Outcome:
        answer = self._post(f"{INTENTS}/{quote(reference, safe='')}/capture", form)
        if answer.status != 400 or said(error_of(answer), "code") != STATE:
            return acted(answer, payment_outcome)
        try:
            found = self._find.payment("", reference, NO_CLUE).outcome
        except NotSent as problem:  # only the question was not sent
            return Outcome.unknown(str(problem))
        if found.status is Status.SUCCEEDED and found.amount != charge.amount:
            return Outcome.unknown("another sum was captured before")
        return found

    def _closed(self, our_id: str, reference: str, clue: Clue) -> Outcome:
        found = self._find.payment(our_id, reference, clue)
        if found.outcome.absent:
            return self._buried(our_id, clue)
        path = _way_to_close(found)
        if not path:
            return found.outcome
        answer = self._post(path, {})
        if not answer.ok and answer.status != 400:
            return Outcome.unknown(f"Stripe refused to close it ({answer.status})")
        again = self._find.payment(our_id, found.outcome.reference or reference, clue)
        return again.outcome

    def _buried(self, our_id: str, clue: Clue) -> Outcome:
        """Uses the key for something else, so that a charge or page with it is refused should it still come."""
        if clue.amount is None:
            return Outcome.unknown("without its amount, a payment that has not arrived cannot be kept from arriving")
        charge = Charge(our_id, clue.amount, "", "", "")
        answer = self._post(INTENTS, self._intent(charge, TOMBSTONE), our_id)
        outcome = acted(answer, payment_outcome)
        if answer.ok and outcome.reference:  # the status says it already; this only tidies up
            self._post(f"{INTENTS}/{quote(outcome.reference, safe='')}/cancel", {})
        return outcome if outcome.status is Status.CANCELLED else Outcome.unknown(outcome.message)


def _told(charge: Charge) -> str:
    """What the customer reads that it is for."""
    return charge.description[:LONGEST_TEXT] or charge.our_id


def _way_to_close(found: Found) -> str:
    """The request that ends what is still open; "" where nothing is."""
    if found.outcome.status is Status.PENDING and found.session_id:
        return f"{SESSIONS}/{quote(found.session_id, safe='')}/expire"
    held = found.outcome.status is Status.AUTHORIZED
    if found.intent_id and (held or (found.outcome.status is Status.PENDING and not found.is_page)):
        return f"{INTENTS}/{quote(found.intent_id, safe='')}/cancel"
    return ""
