"""`script/test`: every check and every test; with arguments only pytest, with these arguments."""

import shutil

from local import environment, foundations, packages, ports
from local.console import say
from local.places import PYTHON, VAR, only_one
from local.processes import Children

# Of the virtual environment's Python, the quick ones first.
CHECKS = {
    "ruff check": ["-m", "ruff", "check"],
    "ruff format": ["-m", "ruff", "format", "--check"],
    "import-linter": ["-c", "import sys; from importlinter import cli; sys.exit(cli.lint_imports())"],
    "django check": ["manage.py", "check", "--fail-level", "WARNING"],
    "django makemigrations": ["manage.py", "makemigrations", "--check", "--dry-run"],
    "mypy": ["-m", "mypy"],
}
# Two at once; whoever is idle takes of the other's, since the last stories are the longest ones.
EVERYTHING = ["-n", "2", "--dist", "worksteal"]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main(arguments: list[str]) -> int:
    with only_one(VAR / "test.lock", "script/test", wait=True):
        children = Children(VAR / "test.json")
        children.stop_left_overs()
        try:
            return run(children, arguments)
        finally:
            children.stop()


def run(children: Children, arguments: list[str]) -> int:
    """The exit status of pytest, or 1 when only another check has failed."""
    packages.ensure(children, packages.PRODUCT, packages.LOCAL, packages.DEV)
    env = prepared(children)
    failed = [] if arguments else [name for name in CHECKS if not passes(children, name, env)]
    status = children.run("pytest", [str(PYTHON), "-m", "pytest", *(arguments or EVERYTHING)], env=env, attached=True)
    if failed:
        say(f"\nFAILED before pytest: {', '.join(failed)}", error=True)
    return status or bool(failed)


def prepared(children: Children) -> dict[str, str]:
    """The tests' environment; their database and broker, apart from those of script/server, run."""
    numbers = ports.remembered(VAR / "ports-test.json", "postgres", "valkey")
    env = environment.base(*foundations.start(children, "test", numbers, durable=False))
    if browser := next(filter(None, map(shutil.which, BROWSERS)), None):
        env.setdefault("CHROMIUM", browser)
    return env


def passes(children: Children, name: str, env: dict[str, str]) -> bool:
    say(f"== {name}")
    return children.run(name, [str(PYTHON), *CHECKS[name]], env=env) == 0
