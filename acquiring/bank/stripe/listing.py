"""Stripe's lists: newest first, by `created` (whole seconds), with a cursor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from werkzeug.datastructures import MultiDict

from acquiring.bank.records import stamp
from acquiring.bank.stripe.forms import Body, Refused

Row = TypeVar("Row")
MOST, UNLESS_TOLD = 100, 10


def window(args: MultiDict[str, str], column: str) -> tuple[str, list[str]]:
    """The SQL condition and its values for `created[gte]`, `[gt]`, `[lt]`, `[lte]`."""
    conditions, values = ["1"], []
    for name, sign, plus in (("gte", ">=", 0), ("gt", ">=", 1), ("lt", "<", 0), ("lte", "<", 1)):
        given = args.get(f"created[{name}]")
        if given is None:
            continue
        if not given.isascii() or not given.isdecimal() or len(given) > 11:
            raise Refused(400, f"Invalid timestamp: {given}", "parameter_invalid_integer", f"created[{name}]")
        conditions.append(f"{column} {sign} ?")
        values.append(stamp(datetime.fromtimestamp(int(given) + plus, UTC)))
    return " AND ".join(conditions), values


def page(
    args: MultiDict[str, str], url: str, rows: Sequence[Row], shape: Callable[[Row], Body], known: str = ""
) -> Body:
    """A page of `rows`, which come newest first. `known` are the parameters of this list besides."""
    plain = {name.partition("[")[0] for name in args}
    for name in plain - set(known.split()) - {"limit", "starting_after", "created", "expand"}:
        raise Refused(400, f"Received unknown parameter: {name}", "parameter_unknown", name)
    limit = args.get("limit", str(UNLESS_TOLD))
    if not limit.isascii() or not limit.isdecimal() or not 1 <= int(limit) <= MOST:
        raise Refused(400, "Invalid limit: must be from 1 to 100", param="limit")
    after, first = args.get("starting_after"), 0
    shaped: list[Any] | None = None
    if after is not None:
        shaped = [shape(row) for row in rows]
        ids = [each["id"] for each in shaped]
        if after not in ids:
            raise Refused(400, f"No such object: '{after}'", "resource_missing", "starting_after")
        first = ids.index(after) + 1
    last = first + int(limit)
    data = shaped[first:last] if shaped is not None else [shape(row) for row in rows[first:last]]
    return {"object": "list", "url": url, "has_more": len(rows) > last, "data": data}
