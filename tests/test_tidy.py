"""Habits of the code that no linter knows. Each test lists every offence, with its file and line."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from local.postgres import SETTINGS

ROOT = Path(__file__).parents[1]
PRODUCT = ("accounts", "acquiring", "billing", "billing_project", "notifications", "subscriptions")
FOLDERS = (*PRODUCT, "benchmarks", "script", "tests")
FILE_LINES = 300
FUNCTION_LINES = 50

# The mouths read the clock and hand it down as at=; below them time is an argument.
MOUTHS = ("api", "admin", "admin.py", "management", "pages", "pages.py", "tasks.py")
CLOCKS = {("timezone", "now"), ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today")}

# Rates of faults and seconds of delay, in the toy bank; no money.
FLOATS = {"acquiring/bank/control.py", "acquiring/bank/faults.py"}

# What makes a query set ask the database. One that is not asked locks nothing.
EVALUATING = {"count", "earliest", "exists", "first", "get", "in_bulk", "iterator", "last", "latest"}
EVALUATORS = {"dict", "len", "list", "next", "set", "sorted", "tuple"}
# A lock inside the subquery of an UPDATE, which asks for it.
LOCKED_SUBQUERIES = {"billing/sweeps.py"}


def sources(*folders: str) -> Iterator[tuple[str, str]]:
    """Path and text of the Python files in these folders, without the migrations."""
    for folder in folders or FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in file.parts:
                yield str(file.relative_to(ROOT)), file.read_text()


def nodes(*folders: str) -> Iterator[tuple[str, ast.AST]]:
    for path, text in sources(*folders):
        for node in ast.walk(ast.parse(text)):
            yield path, node


def calls(*folders: str) -> Iterator[tuple[str, ast.Call]]:
    return ((path, node) for path, node in nodes(*folders) if isinstance(node, ast.Call))


def place(path: str, node: ast.AST) -> str:
    return f"{path}:{getattr(node, 'lineno', 0)}"


def none(offences: Iterable[str]) -> None:
    listed = list(offences)
    assert not listed, "\n" + "\n".join(listed)


def test_files_are_short():
    lengths = {path: len(text.splitlines()) for path, text in sources()}

    assert "billing/money.py" in lengths
    none(f"{path}: {length} lines" for path, length in lengths.items() if length >= FILE_LINES)


def test_functions_are_short():
    functions = [(path, node) for path, node in nodes() if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]

    def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
        return (node.end_lineno or 0) - node.lineno + 1

    too_long = [(path, node) for path, node in functions if length(node) > FUNCTION_LINES]
    none(f"{place(path, node)} {node.name}: {length(node)} lines" for path, node in too_long)


def test_money_never_becomes_a_float():
    none(
        place(path, call)
        for path, call in calls("acquiring", "billing", "subscriptions")
        if isinstance(call.func, ast.Name) and call.func.id == "float" and path not in FLOATS
    )


def test_only_the_mouths_read_the_clock():
    def reads_the_clock(call: ast.Call) -> bool:
        match call.func:
            case ast.Attribute(value=ast.Name(id=module) | ast.Attribute(attr=module), attr=name):
                return (module, name) in CLOCKS
        return False

    none(
        place(path, call)
        for path, call in calls("billing", "subscriptions", "notifications")
        if reads_the_clock(call) and path.split("/")[1] not in MOUTHS
    )


def test_a_lock_is_taken_and_not_only_described():
    idle = []
    for path, text in sources(*PRODUCT):
        tree = ast.parse(text)
        parents = {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
        for node in ast.walk(tree):
            locks = isinstance(node, ast.Attribute) and node.attr == "select_for_update"
            if locks and path not in LOCKED_SUBQUERIES and not _is_evaluated(node, parents):
                idle.append(place(path, node))

    none(idle)


def _is_evaluated(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether the chain of calls that `node` begins ends in one that asks the database."""
    while True:
        parent = parents[node]
        match parent:
            case ast.Attribute(attr=name) if name in EVALUATING:
                return True
            case ast.For(iter=iterated) | ast.comprehension(iter=iterated):
                return iterated is node
            case ast.Call(func=ast.Name(id=name)) if name in EVALUATORS:
                return True
            case ast.Subscript(slice=index) if not isinstance(index, ast.Slice):
                return True
            case ast.Attribute() | ast.Subscript() | ast.Starred():
                node = parent
            case ast.Call(func=called) if called is node:
                node = parent
            case _:
                return False


def test_one_module_speaks_http():
    found = set()
    for path, node in nodes(*PRODUCT):
        match node:
            case ast.Import(names=names) if any(name.name.split(".")[0] == "requests" for name in names):
                found.add(path)
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] == "requests":
                found.add(path)

    assert found == {"acquiring/http.py"}


def test_the_example_of_production_names_every_setting():
    settings = "".join((ROOT / "billing_project" / name).read_text() for name in ("settings.py", "acquirers.py"))
    read = set(re.findall(r'(?:required|secrets|_url|env\.\w+)\(\s*"([A-Z_]+)"', settings))
    shown = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))

    assert "SECRET_KEY" in read
    none(sorted(read - shown))


def test_postgresql_is_set_up_in_compose_as_on_a_laptop() -> None:
    compose = (ROOT / "compose.yaml").read_text()
    assert not [name for name, value in SETTINGS.items() if f"-c {name}={value}" not in compose]
