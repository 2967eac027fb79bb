"""`script/hunt`: looks for what breaks the product, for as long as one likes. Each hunt is a program of its own.

Exit status 0: nothing found; 1: something found, told above; 2: it could not run.
"""

from local import environment, foundations, packages, ports
from local.console import say
from local.places import PYTHON, ROOT, VAR
from local.problem import Problem
from local.processes import Children

# name: how Python is called, and a line for a person
HUNTS = {
    "kills": (["-m", "tests.killing"], "kills real processes under load: --kills 100 --seed 1 --customers 50"),
    "seeds": (["manage.py", "simulate"], "simulates subscribers while everything fails: --seeds 100 --years 10"),
}
USAGE = "usage: script/hunt HUNT [options]\n\n" + "\n".join(f"  {name:<8} {what}" for name, (_, what) in HUNTS.items())


def main(arguments: list[str]) -> int:
    if arguments[:1] in (["-h"], ["--help"]):
        say(USAGE)
        return 0
    if not arguments or arguments[0] not in HUNTS:
        say(USAGE, error=True)
        return 2
    name, *options = arguments
    VAR.mkdir(exist_ok=True)
    children = Children(VAR / "hunt.json")
    try:
        packages.ensure(children, packages.PRODUCT, packages.LOCAL, packages.DEV)
        env = _migrated(children) if name == "seeds" else environment.base("", "")
        # Killing brings its own database and broker, whatever the person's environment names.
        env |= {"PYTHONPATH": f"{ROOT / 'script'}:{ROOT}"}
        return children.run(name, [str(PYTHON), *HUNTS[name][0], *options], env=env, attached=True)
    except Problem as problem:
        say(f"\n{problem}", error=True)
        return 2
    finally:
        children.stop()


def _migrated(children: Children) -> dict[str, str]:
    """The environment of a command of the product: its database runs, and has its tables. Raises Problem."""
    numbers = ports.remembered(VAR / "ports-test.json", "postgres", "valkey")
    env = environment.base(*foundations.start(children, "test", numbers, durable=False))
    if children.run("migrate", [str(PYTHON), "manage.py", "migrate", "-v", "0"], env=env):
        raise Problem("The database cannot be migrated.")
    return env
