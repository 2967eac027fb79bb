"""Where a process may die, found in the product's source: around every commit and every call to the outside.

A site is a `with transaction.atomic` block, a write that stands outside any such block of its function, or a call of
an acquirer or of the mail server. Each has two points: just before it takes effect, and just after.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("billing", "subscriptions", "notifications")
# Mouths only translate; the audit only reads; the schedule is written by migrations; `bulk` writes for its callers.
NOT_VERBS = frozenset(
    {"admin.py", "apps.py", "audit.py", "bulk.py", "handlers.py", "schedule.py", "tasks.py", "urls.py"}
)

COMMIT, WRITE, CALL = "commit", "write", "call"
WRITES = frozenset({"bulk_create", "bulk_update", "create", "delete", "get_or_create", "save", "update"})
PORT = frozenset({"capture", "charge", "checkout", "fetch", "refund", "statement", "void"})
MAIL = frozenset({"open", "send"})


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """One place in the source: from line `first` and column `column` (counted in bytes) to line `last`."""

    file: str
    first: int
    column: int
    last: int
    kind: str
    function: str

    def __str__(self) -> str:
        return f"{self.kind} {self.file}:{self.first}:{self.column + 1} ({self.function})"


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """One moment at which a process may die."""

    site: Site
    after: bool

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} {self.site}"


@cache
def sites() -> tuple[Site, ...]:
    """Every site of the product's verbs, in the order of the source."""
    found: list[Site] = []
    for room in ROOMS:
        for file in sorted((ROOT / room).glob("*.py")):
            if file.name not in NOT_VERBS:
                name = file.relative_to(ROOT).as_posix()
                found += _Walk(name).of(ast.parse(file.read_text()))
    return tuple(sorted(found))


def points() -> list[Point]:
    """Every point, in the order of the source."""
    return [Point(site, after) for site in sites() for after in (False, True)]


@cache
def files() -> frozenset[str]:
    """The files whose frames are the product's verbs, as tracebacks name them."""
    names = (path for room in ROOMS for path in (ROOT / room).glob("*.py") if path.name not in NOT_VERBS)
    return frozenset(str(path) for path in names)


def around(frame: FrameType, kind: str) -> Site | None:
    """The site of this kind at which a frame stands."""
    return _at(frame.f_code, frame.f_lasti, frame.f_lineno, kind)


@cache
def _at(code: CodeType, instruction: int, line: int, kind: str) -> Site | None:
    name = Path(code.co_filename).relative_to(ROOT).as_posix()
    column = next(islice(code.co_positions(), instruction // 2, None))[2]
    near = [site for site in sites() if site.file == name and site.kind == kind and site.first <= line <= site.last]
    # Two calls may stand in one line; what ends a `with` block has no column of its own.
    return min(near, key=lambda site: (site.column != column, site.last - site.first), default=None)


class _Walk:
    """Walks one file; knows in which function it is, and whether inside a transaction of that function."""

    def __init__(self, file: str) -> None:
        self.file = file

    def of(self, tree: ast.AST, function: str = "", inside: bool = False) -> Iterator[Site]:
        for node in ast.iter_child_nodes(tree):
            match node:
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                    yield from self.of(node, f"{function}.{name}".strip("."))
                    continue
                case ast.With() if block := _atomic(node):
                    yield self._site(block, COMMIT, function)
                    yield from self.of(node, function, True)
                    continue
                case ast.Call(func=ast.Attribute(attr=attr, value=receiver)):
                    if _calls_out(attr, receiver):
                        yield self._site(node, CALL, function)
                    elif not inside and _writes(attr, receiver, node):
                        yield self._site(node, WRITE, function)
            yield from self.of(node, function, inside)

    def _site(self, node: ast.expr, kind: str, function: str) -> Site:
        return Site(
            self.file, node.lineno, node.col_offset, node.end_lineno or node.lineno, kind, function or "<module>"
        )


def _atomic(node: ast.With) -> ast.expr | None:
    """The `transaction.atomic(...)` that a `with` enters."""
    for item in node.items:
        match item.context_expr:
            case ast.Call(func=ast.Attribute(attr="atomic", value=ast.Name(id="transaction"))):
                return item.context_expr
    return None


def _calls_out(attr: str, receiver: ast.expr) -> bool:
    match receiver:
        case ast.Name(id="backend") | ast.Call(func=ast.Attribute(attr="acquirer", value=ast.Name(id="calls"))):
            return attr in PORT
        case ast.Name(id="mail" | "connection"):
            return attr in MAIL
    return False


def _writes(attr: str, receiver: ast.expr, call: ast.Call) -> bool:
    """Whether this writes a row. A dictionary's `update` takes an argument without a name."""
    return attr in WRITES and not (attr == "update" and call.args)
