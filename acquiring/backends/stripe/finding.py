"""Looking payments and refunds up at Stripe, which finds nothing by our ids.

Its search does, but late; lists are exact, so what was made since a payment was ours to send is listed and compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from acquiring.backends.stripe.mapping import (
    ORDER,
    PAGE,
    WAY,
    acted,
    error_of,
    metadata,
    payment_outcome,
    refund_outcome,
    said,
    session_outcome,
)
from acquiring.http import Client, Response, Unanswered
from acquiring.reading import Malformed, field
from acquiring.types import Clue, Outcome, Status

EXPAND = {"expand[0]": "latest_charge"}
EXPAND_PAGE = {"expand[0]": "payment_intent.latest_charge"}
PAGE_SIZE = 100
MOST_PAGES = 1000
# An order is sent (again) only while its key is known; clocks differ by some minutes.
BEFORE, AFTER = timedelta(minutes=5), timedelta(hours=25)
SESSION_ID = re.compile(r"\bcs_(?:test|live)_[\w-]+")
FINAL_FIRST = (Status.SUCCEEDED, Status.AUTHORIZED, Status.PENDING, Status.FAILED, Status.CANCELLED)


@dataclass(frozen=True, slots=True)
class Found:
    """What a lookup of a payment came to, and what there is to close."""

    outcome: Outcome
    session_id: str = ""
    intent_id: str = ""
    is_page: bool = False


class Finder:
    """Lookups. Every one raises NotSent or Unanswered where the network fails, Malformed for what cannot be read."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def payment(self, our_id: str, reference: str, clue: Clue) -> Found:
        """One payment: by its PaymentIntent, else by its page, else among what was made since."""
        page = SESSION_ID.search(clue.page_url)
        if reference:
            answer = self._get(f"/v1/payment_intents/{quote(reference, safe='')}", EXPAND)
            if answer.ok:
                return self._whole(answer.body, page[0] if page else "")
            if not _is_missing(answer):
                return Found(_refused(answer))
            if not our_id:
                return Found(Outcome.not_found())
        if page:
            return self._page(page[0])
        return self._since(our_id, clue)

    def refund(self, our_id: str, reference: str, clue: Clue) -> Outcome:
        """One refund: by its id, else among those of its payment, else among what was made since."""
        if reference:
            answer = self._get(f"/v1/refunds/{quote(reference, safe='')}")
            if answer.ok:
                return acted(answer, refund_outcome)
            if not _is_missing(answer):
                return _refused(answer)
        if not our_id:
            return Outcome.not_found()
        if clue.payment_reference:
            params = {"payment_intent": clue.payment_reference}
        elif clue.since:
            params = _window(clue)
        else:
            return Outcome.unknown("Stripe finds a refund only by its payment or by its time")
        made = [entry for entry in self.every("/v1/refunds", params) if metadata(entry, ORDER) == our_id]
        outcomes = [refund_outcome(entry) for entry in made]
        return _best(outcomes) if outcomes else Outcome.not_found()

    def every(self, path: str, params: Mapping[str, str]) -> Iterator[Any]:
        """Every entry of a list, page after page, newest first."""
        more = dict(params) | {"limit": str(PAGE_SIZE)}
        for _ in range(MOST_PAGES):
            answer = self._get(path, more)
            if not answer.ok:
                raise Unanswered(f"Stripe refused a list ({answer.status})")
            entries = field(answer.body, "data", list)
            yield from entries
            if not field(answer.body, "has_more", bool) or not entries:
                return
            last = said(entries[-1], "id")
            if not last or more.get("starting_after") == last:
                raise Malformed("id")
            more["starting_after"] = last
        raise Unanswered("the list has no end")

    def _since(self, our_id: str, clue: Clue) -> Found:
        if clue.since is None or not our_id:
            return Found(Outcome.unknown("Stripe finds a payment only by its own id, its page or its time"))
        params = _window(clue)
        intents = [
            entry
            for entry in self.every("/v1/payment_intents", params | {"expand[0]": "data.latest_charge"})
            if metadata(entry, ORDER) == our_id
        ]
        if intents:
            oldest_first = reversed(intents)
            return self._whole(min(oldest_first, key=lambda entry: _rank(payment_outcome(entry))), "")
        for entry in self.every("/v1/checkout/sessions", params):
            if said(entry, "client_reference_id") == our_id:
                return self._page(said(entry, "id"))
        return Found(Outcome.not_found())

    def _page(self, session_id: str) -> Found:
        answer = self._get(f"/v1/checkout/sessions/{quote(session_id, safe='')}", EXPAND_PAGE)
        if not answer.ok:
            return Found(_refused(answer))  # a page that we were given exists, whatever they say now
        outcome = acted(answer, session_outcome)
        intent = answer.body.get("payment_intent") if isinstance(answer.body, dict) else None
        is_open = said(answer.body, "status") == "open"
        return Found(outcome, session_id if is_open else "", said(intent, "id"), is_page=True)

    def _whole(self, intent: Any, session_id: str) -> Found:
        """A PaymentIntent, with its page where only that can tell whether it is over."""
        outcome = acted(Response(200, intent), payment_outcome)
        is_page = metadata(intent, WAY) == PAGE
        if not is_page or outcome.status is not Status.PENDING:
            return Found(outcome, intent_id=outcome.reference, is_page=is_page)
        if not session_id:
            answer = self._get("/v1/checkout/sessions", {"payment_intent": outcome.reference, "limit": "1"})
            listed = answer.body.get("data") if answer.ok and isinstance(answer.body, dict) else None
            session_id = said(listed[0], "id") if isinstance(listed, list) and listed else ""
        if not session_id:
            return Found(outcome, intent_id=outcome.reference, is_page=True)
        found = self._page(session_id)
        same = found.outcome.reference == outcome.reference
        return found if same else Found(outcome, found.session_id, outcome.reference, is_page=True)

    def _get(self, path: str, params: Mapping[str, str] | None = None) -> Response:
        return self._client.request("GET", path, params=params)


def _window(clue: Clue) -> dict[str, str]:
    assert clue.since is not None
    since, until = clue.since - BEFORE, clue.since + AFTER
    return {"created[gte]": str(int(since.timestamp())), "created[lt]": str(int(until.timestamp()))}


def _is_missing(answer: Response) -> bool:
    """Only Stripe's own word counts: a wrong address answers 404 as well."""
    return answer.status == 404 and said(error_of(answer), "code") == "resource_missing"


def _refused(answer: Response) -> Outcome:
    return Outcome.unknown(f"Stripe refused the lookup ({answer.status})")


def _rank(outcome: Outcome) -> int:
    return FINAL_FIRST.index(outcome.status)


def _best(outcomes: list[Outcome]) -> Outcome:
    """The one in which money moved, else the newest."""
    return min(outcomes, key=_rank)
