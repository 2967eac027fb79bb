"""`script/bench`: measures the hot paths against the bare thing, on a PostgreSQL and a broker of its own.

Exit status 0: every goal is reached; 1: one is missed; 2: bad arguments, or it could not run.
"""

from local import environment, packages, ports
from local.console import say
from local.places import PYTHON, VAR, only_one
from local.postgres import Postgres
from local.problem import Problem
from local.processes import Children
from local.valkey import Valkey


def main(arguments: list[str]) -> int:
    children = Children(VAR / "bench.json")
    try:
        with only_one(VAR / "bench.lock", "script/bench"):
            children.stop_left_overs()
            packages.ensure(children, packages.PRODUCT, packages.LOCAL)
            command = [str(PYTHON), "-m", "benchmarks", *arguments]
            if {"-h", "--help"} & set(arguments):
                return children.run("bench", command, env=environment.base("", ""), attached=True)
            return children.run("bench", command, env=prepared(children), attached=True)
    except Problem as problem:
        say(f"\n{problem}", error=True)
        return 2
    finally:
        children.stop()


def prepared(children: Children) -> dict[str, str]:
    """The environment of the measuring processes. Their database and broker are ours, whatever the person exported.

    The database is as safe against a loss of power as the one of production: what that costs is part of the figures.
    """
    numbers = ports.remembered(VAR / "ports-bench.json", "postgres", "valkey")
    (VAR / "log").mkdir(parents=True, exist_ok=True)
    valkey = Valkey("bench", numbers["valkey"], children)
    valkey.start()
    children.wait_for("The broker", valkey.ready)
    postgres = Postgres("bench", numbers["postgres"], children, durable=True)
    process = postgres.start()
    children.wait_for("PostgreSQL", lambda: postgres.ready(process))
    return environment.without_postgres(environment.base(postgres.url, valkey.url))
