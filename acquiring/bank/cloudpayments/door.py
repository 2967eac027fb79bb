"""The way in to CloudPayments: who may come, how answers look, and that one X-Request-ID acts once an hour."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, g, request

from acquiring.bank import acting
from acquiring.bank.acting import Answer, Body
from acquiring.bank.cloudpayments import asked
from acquiring.bank.cloudpayments.asked import Fields, Unacceptable
from acquiring.bank.house import the_bank
from acquiring.bank.records import Refusal, stamp

WINDOW = timedelta(hours=1)
AT_ONCE = 30  # requests of one terminal; the next one is sent away

cloudpayments = Blueprint("cloudpayments", __name__, url_prefix="/cloudpayments")
_inside = threading.BoundedSemaphore(AT_ONCE)


@cloudpayments.before_request
def _door() -> Response | None:
    """Who may come in: nobody while refusing, only the terminal itself, not too many at once; slowly if so ordered."""
    if request.endpoint == "cloudpayments.widget":  # a browser's
        return None
    acting.refuse()
    if not acting.is_merchant():
        return Response("", 401)
    if not _inside.acquire(blocking=False):
        return Response("", 429)
    g.inside = True
    acting.slow()
    return None


@cloudpayments.teardown_request
def _out(problem: BaseException | None) -> None:
    if g.pop("inside", False):
        _inside.release()


@cloudpayments.errorhandler(Unacceptable)
def _refused(problem: Unacceptable) -> Response:
    return reply(no(str(problem)))


def reply(body: Body, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(json.dumps(body, ensure_ascii=False), status, content_type="application/json; charset=utf-8")


def yes(model: Any = None, message: str | None = None) -> Body:
    """The request was acted upon."""
    return {"Success": True, "Message": message} | ({} if model is None else {"Model": model})


def no(message: str) -> Body:
    """The request was not acted upon."""
    return {"Success": False, "Message": message}


def fields() -> Fields:
    """The fields of this request. Raises Unacceptable."""
    return Fields(asked.body())


def act_once(act: Callable[[Fields], Body], before: Callable[[Fields], None] = lambda fields: None) -> Response:
    """Acts once per X-Request-ID, with the ordered time-outs and errors around it."""
    asked_for, given = fields(), request.headers.get("X-Request-ID", "")
    key = f"cloudpayments:{given}" if given else ""

    def once() -> Answer:
        if not _remembered(key):
            before(asked_for)
        return _once(key, lambda: act(asked_for))

    status, answer = acting.faulty(once, (500, {}))
    return reply(answer, status)


def _once(key: str, act: Callable[[], Body]) -> Answer:
    """The first answer of this key, whatever is asked now. Only a success is remembered."""

    def acted() -> Answer:
        try:
            return 200, act()
        except (Refusal, Unacceptable) as refusal:  # changes nothing, so this is no half-done act
            return 200, no(str(refusal))

    books = the_bank().books
    with books.transaction():
        answer = acting.once(key, {}, acted, window=WINDOW, mismatch=(200, no("X-Request-ID was used elsewhere")))
        if not answer[1]["Success"]:
            books.query("DELETE FROM answers WHERE key = ? AND body LIKE '%\"Success\": false%'", key)
        return answer


def _remembered(key: str) -> bool:
    bank = the_bank()
    since = stamp(bank.journal.now() - WINDOW)
    return bool(key and bank.books.query("SELECT 1 FROM answers WHERE key = ? AND at > ?", key, since))
