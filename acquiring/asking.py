"""From exceptions of the network to outcomes: what every backend does around its calls."""

from __future__ import annotations

from collections.abc import Callable

from acquiring.http import NotSent, Unanswered
from acquiring.types import Outcome


def told(ask: Callable[[], Outcome]) -> Outcome:
    """The outcome of an order to move money: certainly not sent, or unknown, where the network failed."""
    try:
        return ask()
    except NotSent as problem:
        return Outcome.not_sent(str(problem))
    except Unanswered as problem:
        return Outcome.unknown(str(problem))


def looked_up(ask: Callable[[], Outcome]) -> Outcome:
    """The outcome of a question: that it was not sent says nothing of what was asked about."""
    try:
        return ask()
    except (NotSent, Unanswered) as problem:
        return Outcome.unknown(str(problem))
