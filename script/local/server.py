"""`script/server`: everything that Boxoffice needs, on this machine, until Ctrl-C."""

import argparse
import hashlib
import http.client
import os
import shutil
import time
from urllib.parse import urlsplit

from local import environment, foundations, packages, ports, postgres, programs, stop
from local.console import say
from local.places import PYTHON, ROOT, VAR, only_one
from local.problem import Problem
from local.processes import Children

USAGE = """Starts the whole of Boxoffice on this machine; Ctrl-C stops everything.

In the environment, all optional:
  PORT, BANK_PORT   of the shop (8000) and of the local bank (8010)
  HOST              address to listen on (127.0.0.1)
  PUBLIC_URL        where a browser finds the shop, when not at http://HOST:PORT
  DATABASE_URL      a PostgreSQL to use instead of our own
  BROKER_URL        a Redis or RabbitMQ to use instead of our own
  BANK_API_URL      a bank to use instead of the local one
and every setting of billing_project/settings.py. Data lies in .var/, the virtual environment in .venv/."""
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 -- the person's own HOST is compared with them
CODE = ("accounts", "acquiring", "billing", "billing_project", "notifications", "subscriptions", "requirements.txt")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("script/server", None, USAGE, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reset", action="store_true", help="throw all data of this checkout away and begin anew")
    parser.add_argument(
        "--acquirer",
        metavar="NAMES",
        help="sandbox, cloudpayments, yookassa, stripe, tbank, or several with commas: the local bank plays each",
    )
    options = parser.parse_args(arguments)
    if options.acquirer:
        os.environ["ACQUIRERS"] = options.acquirer
    began = time.monotonic()
    with only_one(VAR / "server.lock", "script/server"):
        children = Children(VAR / "server.json")
        children.stop_left_overs()
        server = Server(children)
        try:
            if options.reset:
                reset()
            server.start()
            say(server.welcome(time.monotonic() - began))
            children.watch()
        except stop.Stop:
            say("\nStopping ...")
            raise
        finally:
            children.stop()
            say("Everything is stopped.")


def reset() -> None:
    """Only what is ours is thrown away. Raises Problem when that would not be all."""
    if theirs := [name for name in ("DATABASE_URL", "BANK_API_URL") if environment.given(name)]:
        raise Problem(
            f"--reset throws away only what script/server made itself, and your environment has another place for it: "
            f"{', '.join(theirs)}. Unset that, or empty the other place by its own means."
        )
    say("Throwing the data of this checkout away.")
    (VAR / "clock").unlink(missing_ok=True)
    for path in (postgres.home() / "server", VAR / "bank", VAR / "mail", VAR / "log"):
        shutil.rmtree(path, ignore_errors=True)
        if path.exists():
            raise Problem(f"{path} cannot be removed: does it belong to another account?")


class Server:
    """One run: its ports, its addresses and its programs."""

    def __init__(self, children: Children) -> None:
        """Raises Problem when a port is taken, before anything has been started."""
        self.children = children
        self.host = environment.given("HOST") or "127.0.0.1"
        self.port = ports.asked("PORT", 8000)
        self.own_bank = not environment.given("BANK_API_URL")
        self.bank_port = ports.asked("BANK_PORT", 8010)
        ports.check_free(self.host, self.port, "PORT")
        if self.own_bank:
            if self.bank_port == self.port:
                raise Problem(f"PORT and BANK_PORT are both {self.port}: choose two different ones.")
            ports.check_free(self.host, self.bank_port, "BANK_PORT")
        # Where a program of this machine finds the shop, however the outside world does.
        self.address = "127.0.0.1" if self.host in EVERYWHERE else self.host
        self.ports = ports.remembered(
            VAR / "ports.json", "postgres", "valkey", "bank_api", avoid={self.port, self.bank_port}
        )

    def start(self) -> None:
        """Raises Problem when anything does not come up."""
        (VAR / "mail").mkdir(parents=True, exist_ok=True)
        local = [packages.LOCAL] if foundations.needed() else []
        packages.ensure(self.children, packages.PRODUCT, *local)
        say("Starting the database, the broker and the bank ...")
        database_url, broker_url = foundations.start(self.children, "server", self.ports, durable=True)
        api = url(self.address, self.ports["bank_api"])
        self.env = environment.server(database_url, broker_url, url(self.address, self.port), api)
        visible = urlsplit(self.env["PUBLIC_URL"]).hostname if self.host in EVERYWHERE else self.address
        self.bank_url = url(visible or self.address, self.bank_port)  # where the customer's browser finds it
        if self.own_bank:
            self._start_bank()
        self._prepare()
        say("Starting web, worker and beat ...")
        self._start_programs()
        if self.own_bank:
            health = (self.address, self.bank_port, "/control/health")
            self.children.wait_for("The bank", lambda: answers(*health))
        self.children.wait_for("The shop", lambda: answers(self.address, self.port, "/healthz"))

    def _start_bank(self) -> None:
        command = programs.bank(
            self.env,
            host=self.host,
            public_url=self.bank_url,
            port=self.bank_port,
            api_port=self.ports["bank_api"],
            data=VAR / "bank",
            shop=url(self.address, self.port),
        )
        self.children.start("bank", command, env=self.env)

    def _prepare(self) -> None:
        """Migrations and demo data. On our own database only when the code has changed since the last time."""
        own_postgres = not environment.given("DATABASE_URL")
        stamp = postgres.home() / "server.stamp"
        state = f"{code_hash()} {self._database_age()}" if own_postgres else ""
        if own_postgres and stamp.exists() and stamp.read_text() == state:
            return
        say("Migrating the database and loading the demo data ...")
        command = [str(PYTHON), "-m", "local.prepare"]
        env = self.env | {"PYTHONPATH": str(ROOT / "script"), "LOG_LEVEL": self.env.get("LOG_LEVEL", "WARNING")}
        if self.children.run("prepare", command, env=env) != 0:
            raise Problem("The database could not be prepared; the reason stands above.")
        if own_postgres:
            stamp.write_text(state)

    @staticmethod
    def _database_age() -> str:
        """Tells a data folder from one made anew in its place."""
        return str((postgres.home() / "server" / "PG_VERSION").stat().st_mtime_ns)

    def _start_programs(self) -> None:
        bind = url(self.host, self.port).removeprefix("http://")
        commands = {"web": programs.web(bind), "worker": programs.worker(), "beat": programs.beat()}
        for name, command in commands.items():
            env = environment.scheduler(self.env) if name == "beat" else self.env
            self.children.start(name, command, env=env)

    def welcome(self, seconds: float) -> str:
        shop = self.env["PUBLIC_URL"].rstrip("/")
        bank = f"{self.bank_url}/control/" if self.own_bank else self.env["BANK_API_URL"]
        return f"""
Ready in {seconds:.1f} s

  Shop        {shop}/
  Admin       {shop}/admin/
  API         {shop}/api/v1/docs/
  Bank        {bank}
  Mail        {self.env["EMAIL_FILE_PATH"]}
  Logs        {VAR / "log"} (database and broker)

  Staff       admin@example.com / admin
  Customer    viewer@example.com / viewer

  In another terminal:
  {self.by_hand()} .venv/bin/python manage.py audit

Ctrl-C stops everything.
"""

    def by_hand(self) -> str:
        """The settings with which manage.py looks at this shop; what the environment gave holds there too."""
        names = [name for name in ("DEBUG", "DATABASE_URL", "BANK_API_URL") if not environment.given(name)]
        return " ".join(f"{name}={self.env[name]}" for name in names if name in self.env)


def url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def answers(host: str, port: int, path: str) -> bool:
    """Whether a GET is answered with 200; no proxy is asked."""
    connection = http.client.HTTPConnection(host, port, timeout=1)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def code_hash() -> str:
    """Changes with every file of the product, so that no migration and no demo data is ever forgotten."""
    digest = hashlib.sha256()
    for name in CODE:
        path = ROOT / name
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.suffix == ".pyc" or not file.is_file():
                continue
            digest.update(f"{file.relative_to(ROOT)}\n".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()
