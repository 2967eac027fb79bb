"""What an acquirer said, made fit to be kept: odd characters in a name must not keep money out of the books."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from acquiring.types import Decline, Outcome, Status


def kept(outcome: Outcome) -> Outcome:
    """The outcome with texts that PostgreSQL can store."""
    texts = {name: storable(getattr(outcome, name)) for name in ("reference", "redirect_url", "code", "message", "raw")}
    return replace(outcome, **texts)


def of_the_payment(outcome: Outcome) -> Outcome:
    """What an answer says of the payment: a refusal of this one request says nothing of what an earlier one did."""
    refused = outcome.shut_out or outcome.decline in (Decline.NOT_SENT, Decline.OUR_FAULT)
    if refused and not outcome.reference:
        return Outcome(Status.UNKNOWN, code=outcome.code, message=outcome.message, wait=outcome.wait, raw=outcome.raw)
    return outcome


def storable(value: Any) -> Any:
    """Text or JSON without what PostgreSQL refuses: NUL, lone surrogates, and numbers that are none."""
    match value:
        case str():
            return value.replace("\0", "\ufffd").encode(errors="replace").decode()
        case Mapping():
            return {storable(key): storable(each) for key, each in value.items()}
        case list() | tuple():
            return [storable(each) for each in value]
        case float() if not math.isfinite(value):
            return str(value)
        case _:
            return value
