"""What every program of ours stands on, the database and the broker: the person's own, or ours."""

from local import environment
from local.console import say
from local.places import VAR
from local.postgres import Postgres
from local.processes import Children
from local.valkey import Valkey


def needed() -> bool:
    """Whether any of them must be brought along."""
    return not (environment.given("DATABASE_URL") and environment.given("BROKER_URL"))


def start(children: Children, name: str, numbers: dict[str, int], *, durable: bool) -> tuple[str, str]:
    """Starts what the environment does not give; returns DATABASE_URL and BROKER_URL. Raises Problem."""
    (VAR / "log").mkdir(parents=True, exist_ok=True)
    database_url, broker_url = environment.given("DATABASE_URL"), environment.given("BROKER_URL")
    if theirs := environment.told():
        say(f"From your environment: {', '.join(theirs)}")
    if not broker_url:
        valkey = Valkey(name, numbers["valkey"], children)
        valkey.start()
        children.wait_for("The broker", valkey.ready)
        broker_url = valkey.url
    if not database_url:
        postgres = Postgres(name, numbers["postgres"], children, durable=durable)
        process = postgres.start()
        children.wait_for("PostgreSQL", lambda: postgres.ready(process))
        database_url = postgres.url
    return database_url, broker_url
