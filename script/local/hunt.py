"""`script/hunt`: looks for what breaks the product, for as long as one likes. Each hunt is a program of its own.

Exit status 0: nothing found; 1: something found, told above; 2: it could not run.
"""

from local import environment, packages
from local.console import say
from local.places import PYTHON, ROOT, VAR
from local.problem import Problem
from local.processes import Children

# name: the module of tests that hunts, and a line for a person
HUNTS = {
    "kills": ("tests.killing", "kills real processes under load: --kills 100 --seed 1 --customers 50"),
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
        # Its own database and broker, whatever the person's environment names.
        env = environment.base("", "") | {"PYTHONPATH": f"{ROOT / 'script'}:{ROOT}"}
        command = [str(PYTHON), "-m", HUNTS[name][0], *options]
        return children.run(name, command, env=env, attached=True)
    except Problem as problem:
        say(f"\n{problem}", error=True)
        return 2
    finally:
        children.stop()
