"""From exceptions of the network to outcomes: what every backend does around its calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from acquiring.http import Crowded, NotSent, Response, ShutOut, Unanswered
from acquiring.reading import Malformed
from acquiring.types import Outcome

DOOR = frozenset({401, 407, 429})  # statuses of those who let nothing through, in whatever words
SHUT_OUT = DOOR | {403}  # 403 only in the acquirer's own: there are filters that look at answers, when all is done
CROWDED = "crowded"  # the code of what waited for its turn in vain
UNCLEAR = frozenset({408, 409, 425})  # statuses after which nobody can say what was done


def told(ask: Callable[[], Outcome]) -> Outcome:
    """The outcome of an order to move money: certainly not sent, or unknown, where the network or the answer failed."""
    try:
        return ask()
    except NotSent as problem:
        door = isinstance(problem, ShutOut)
        code = CROWDED if isinstance(problem, Crowded) else "not_sent"
        return replace(Outcome.not_sent(str(problem)), code=code, shut_out=door, wait=_wait(problem))
    except (Unanswered, Malformed) as problem:
        return _unknown(problem)


def looked_up(ask: Callable[[], Outcome]) -> Outcome:
    """The outcome of a question: that it was not sent says nothing of what was asked about."""
    try:
        return ask()
    except (NotSent, Unanswered, Malformed) as problem:
        return _unknown(problem)


def is_unclear(answer: Response, *, theirs: bool) -> bool:
    """Whether a refusal (4xx) of an order leaves open what was done. `theirs`: its body is the acquirer's own word."""
    return answer.status in UNCLEAR or (not theirs and answer.status not in DOOR)


def unclear(answer: Response) -> Outcome:
    """What such an answer comes to."""
    return Outcome.unknown(f"something answered {answer.status}, which does not tell what was done")


def _unknown(problem: Exception) -> Outcome:
    if isinstance(problem, Malformed):
        return Outcome.unknown(f"the acquirer's answer cannot be read: {problem}")
    code = CROWDED if isinstance(problem, Crowded) else ""
    return replace(Outcome.unknown(str(problem)), code=code, wait=_wait(problem))


def _wait(problem: Exception) -> timedelta | None:
    return problem.wait if isinstance(problem, ShutOut) else None
