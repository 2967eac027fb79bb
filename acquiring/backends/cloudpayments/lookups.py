"""Asking CloudPayments: by their id, by ours, over a day. A lookup by our id gives the last operation of an order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from acquiring import asking
from acquiring.backends.cloudpayments import mapping
from acquiring.base import NO_CLUE
from acquiring.http import Client, NotSent, Response, Unanswered
from acquiring.reading import Malformed, field, moment
from acquiring.types import Clue, Decline, Outcome, StatementLine, Status, Subject

PAGE = 100  # operations of a list
MOST_PAGES = 10_000
CLOCKS_DIFFER = timedelta(minutes=5)
DISPUTABLE = timedelta(days=364)  # how far back a list of chargebacks may reach
MONEY = ("Authorized", "Completed", "Cancelled")  # a declined try is no operation: its order may be paid since

Translate = Callable[[Any], Outcome]
Model = dict[str, Any]


class Door:
    """The one way in: POST, JSON, perhaps with a key."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def post(self, path: str, body: Any, key: str = "") -> Response:
        """Their answer. Raises NotSent, Unanswered."""
        return self._client.request("POST", path, json=body, idempotency_key=key or None)


def acted(answer: Response, translate: Translate) -> Outcome:
    """What a request to act came to: "Success" speaks of the request, the Model of what became of it.

    Raises Malformed.
    """
    if answer.ok:
        if why := mapping.refusal(answer.body):
            raw = mapping.kept(answer.body)
            return Outcome(Status.FAILED, decline=Decline.OUR_FAULT, code="refused", message=why, raw=raw)
        return translate(answer.body.get("Model"))
    theirs = isinstance(answer.body, dict) and isinstance(answer.body.get("Success"), bool)
    if asking.is_unclear(answer, theirs=theirs):
        return asking.unclear(answer)
    return Outcome(
        Status.FAILED,
        decline=Decline.OUR_FAULT,
        code="unauthorized" if answer.status == 401 else f"http_{answer.status}",
        message=f"the acquirer refused the request ({answer.status})",
        shut_out=answer.status in asking.SHUT_OUT,
    )


def again(ask: Callable[[], Outcome]) -> Outcome:
    """A second question after a first request: that this one was not sent says nothing of the first."""
    try:
        return ask()
    except NotSent as problem:
        raise Unanswered(str(problem)) from problem


def payment(door: Door, our_id: str, reference: str, clue: Clue = NO_CLUE) -> Outcome:
    """A payment by their id, else by ours. A page that nobody has tried to pay is only known by its address."""
    if reference.isdecimal():
        found = by_reference(door, reference)
        if not found.absent or not our_id:
            return found
    found = looked_up(_last(door, our_id), lambda model: _of_the_page(door, model, clue))
    if found.absent and clue.page_url:
        return Outcome(Status.PENDING, our_id=our_id, amount=clue.amount, redirect_url=clue.page_url)
    return found


def by_reference(door: Door, reference: str, page_url: str = "") -> Outcome:
    """A payment by their id."""
    return looked_up(_get(door, reference), lambda model: mapping.payment_outcome(model, page_url=page_url))


def refund(door: Door, our_id: str, reference: str = "", clue: Clue = NO_CLUE) -> Outcome:
    """A refund by their id, else among those of its payment by ours, which it carries in its JsonData."""
    if reference.isdecimal():
        found = looked_up(_get(door, reference), mapping.refund_outcome)
        if not found.absent or not clue.payment_our_id:
            return found
    if not clue.payment_our_id and clue.payment_reference.isdecimal():  # of an order that is not ours
        paid = field(_get(door, clue.payment_reference).body, "Model", dict)
        clue = replace(clue, payment_our_id=mapping.word(paid, "InvoiceId"))
    if not clue.payment_our_id:
        return Outcome.unknown("a refund cannot be looked up without its payment")
    return looked_up(_last(door, clue.payment_our_id), lambda model: _among(door, model, our_id, clue))


def earlier(door: Door, our_id: str, clue: Clue) -> Outcome | None:
    """Money taken or held for an order by an earlier try than its last, which is all that a lookup by our id shows.

    None where there is none; unknown where the clue does not say since when to look.
    """
    last = field(_last(door, our_id).body, "Model", dict)
    if clue.since is None:
        return Outcome.unknown("nothing says since when to look for an earlier try")
    tries = (model for model in _before(door, last, clue) if mapping.word(model, "InvoiceId") == our_id)
    made = [mapping.payment_outcome(model) for model in tries if not mapping.is_refund(model)]
    moved = [each for each in made if each.status in (Status.SUCCEEDED, Status.AUTHORIZED)]
    return min(moved, key=lambda each: each.status is not Status.SUCCEEDED, default=None)


def looked_up(answer: Response, translate: Callable[[Any], Outcome]) -> Outcome:
    """What a lookup found; `absent` only by their own word. Raises Malformed."""
    if not answer.ok:
        return Outcome.unknown(f"the acquirer refused the lookup ({answer.status})")
    why = mapping.refusal(answer.body)
    if why:
        return Outcome.not_found() if why.strip(". ").lower() == "not found" else Outcome.unknown(why)
    return translate(field(answer.body, "Model", dict))


def statement(door: Door, day: date) -> Iterator[StatementLine]:
    """The operations of a day, and what was taken back on it. Raises NotSent, Unanswered, Malformed."""
    since = datetime.combine(day, time(), UTC)
    until = since + timedelta(days=1)
    for model in _list(door, since, until):
        if since <= _created(model) < until and model.get("Status") in MONEY:
            yield _line(model)
    yield from _disputed(door, since, until)


def _line(model: Model) -> StatementLine:
    if mapping.is_refund(model):
        reference = mapping.number(model, "OriginalTransactionId")
        return StatementLine(Subject.REFUND, mapping.refund_outcome(model), reference)
    return StatementLine(Subject.PAYMENT, mapping.payment_outcome(model))


def _disputed(door: Door, since: datetime, until: datetime) -> Iterator[StatementLine]:
    """Payments of which some money was taken back in this time, with all that ever was."""
    taken: dict[str, list[Model]] = {}
    for item in _pages(door, "/chargebacks/list", since - DISPUTABLE, until):
        if item.get("Type") == "Chargeback" and item.get("Operation") == "Presentment":
            taken.setdefault(mapping.number(item, "TransactionId"), []).append(item)
    for reference, items in taken.items():
        if not any(since <= _dated(item) < until for item in items):
            continue
        said = by_reference(door, reference)
        if said.amount is None:
            raise Unanswered(f"no answer about {reference}, whose money was taken back")
        total = sum((mapping.amount(item) for item in items), said.amount * 0)
        yield StatementLine(Subject.PAYMENT, replace(said, charged_back=total))


def _of_the_page(door: Door, model: Model, clue: Clue) -> Outcome:
    if mapping.is_refund(model):  # the last thing that happened to this order
        return again(lambda: by_reference(door, mapping.number(model, "OriginalTransactionId")))
    return mapping.payment_outcome(model, page_url=clue.page_url)


def _among(door: Door, last: Model, our_id: str, clue: Clue) -> Outcome:
    """Our refund, going back from the last operation of its payment's order."""
    paid = clue.payment_reference or mapping.number(
        last, "OriginalTransactionId" if mapping.is_refund(last) else "TransactionId"
    )
    unmarked, explained = False, False
    for model in [last, *_before(door, last, clue)] if mapping.number(last, "TransactionId") != paid else []:
        if not mapping.is_refund(model) or mapping.word(model, "InvoiceId") != clue.payment_our_id:
            continue
        found = mapping.refund_outcome(model)
        if found.our_id == our_id:
            return found
        unmarked = unmarked or (not found.our_id and found.amount == clue.amount)
        of_it = mapping.number(model, "OriginalTransactionId") == paid
        explained = explained or (of_it and found.status is not Status.FAILED)
    if clue.since is None and mapping.number(last, "TransactionId") != paid:
        return Outcome.unknown("nothing says since when to look for this refund")
    if unmarked:
        return Outcome.unknown("there is a refund of this sum that does not say whose it is")
    if not explained and not _is_explained(door, last, paid, clue):
        return Outcome.unknown("the payment says that money of it went back, and no refund of it is listed")
    return Outcome.not_found()


def _is_explained(door: Door, last: Model, paid: str, clue: Clue) -> bool:
    """Whether the payment says that no money of it went back, or a refund before ours was asked for is listed."""
    if mapping.number(last, "TransactionId") != paid:
        last = field(_get(door, paid).body, "Model", dict)
    if last.get("Refunded") is not True:
        return True
    before = _list(door, _created(last), clue.since) if clue.since else iter(())
    return any(
        mapping.is_refund(model)
        and mapping.number(model, "OriginalTransactionId") == paid
        and mapping.refund_outcome(model).status is not Status.FAILED
        for model in before
    )


def _before(door: Door, last: Model, clue: Clue) -> Iterator[Model]:
    since = clue.since - CLOCKS_DIFFER if clue.since else None
    if since and since <= _created(last):
        yield from _list(door, since, _created(last) + CLOCKS_DIFFER)


def _get(door: Door, reference: str) -> Response:
    return door.post("/payments/get", {"TransactionId": int(reference)})


def _last(door: Door, our_id: str) -> Response:
    return door.post("/v2/payments/find", {"InvoiceId": our_id})


def _list(door: Door, since: datetime, until: datetime) -> Iterator[Model]:
    return _pages(door, "/v2/payments/list", since, until, TimeZone="UTC", Statuses=list(MONEY))


def _pages(door: Door, path: str, since: datetime, until: datetime, **more: Any) -> Iterator[Model]:
    """Every item of a list, which says nowhere how long it is: the first page that is not full is the last."""
    span = {
        "CreatedDateGte": since.isoformat(timespec="seconds"),
        "CreatedDateLte": until.isoformat(timespec="seconds"),
    }
    for page in range(1, MOST_PAGES + 1):
        answer = door.post(path, {"PageNumber": page, **span, **more})
        if not answer.ok or field(answer.body, "Success", bool) is False:
            raise Unanswered(f"the acquirer refused its list ({answer.status})")
        items = field(answer.body, "Model", list)
        for item in items:
            if not isinstance(item, dict):
                raise Malformed("Model")
            yield item
        if len(items) < PAGE:
            return
    raise Unanswered("the acquirer's list does not end")


def _created(model: Model) -> datetime:
    created = moment(model, "CreatedDateIso")
    if created is None:
        raise Malformed("CreatedDateIso")
    return created


def _dated(item: Model) -> datetime:
    dated = moment(item, "Date")
    if dated is None:
        raise Malformed("Date")
    return dated
