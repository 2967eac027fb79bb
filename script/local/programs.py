"""The programs of one installation, as command lines: what script/server runs, and what tests kill."""

from collections.abc import Mapping
from pathlib import Path

from local.places import PYTHON

QUIET = ["-W", "ignore:You're running the worker with superuser"]


def module(*words: str) -> list[str]:
    """A program of the virtual environment's Python."""
    return [str(PYTHON), *QUIET, "-m", *words]


def web(bind: str) -> list[str]:
    """The shop, its admin and its API, on `bind` (host:port)."""
    words = ["gunicorn", "billing_project.wsgi", "--bind", bind, "--worker-class", "gthread"]
    words += ["--workers", "2", "--threads", "4", "--graceful-timeout", "5", "--no-control-socket"]
    words += ["--access-logfile", "-", "--access-logformat", "%(m)s %(U)s %(s)s %(M)sms"]
    return module(*words)


def worker(name: str = "") -> list[str]:
    """A Celery worker; each further one on a machine needs a `name` of its own."""
    words = ["worker", "--concurrency", "2", "--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
    return _celery(*words, *(["--hostname", f"{name}@%h"] if name else []))


def beat() -> list[str]:
    """The scheduler."""
    return _celery("beat", "--loglevel", "WARNING", "--pidfile=")


def bank(
    env: Mapping[str, str], *, host: str, public_url: str, port: int, api_port: int, data: Path, shop: str
) -> list[str]:
    """The local bank, with the secrets of `env`; `shop` is where it finds ours."""
    options = {
        "host": host,
        "public-url": public_url,
        "port": port,
        "api-port": api_port,
        "data": data,
        "merchant": env["BANK_MERCHANT"],
        "secret": env["BANK_SECRET"],
        "callback-secret": env["BANK_CALLBACK_SECRETS"].split(",")[0],
        "callback-url": f"{shop}/api/v1/callbacks/{{acquirer}}",
        "clock": env.get("CLOCK_FILE", ""),
    }
    return module("acquiring.bank", *(word for name, value in options.items() for word in (f"--{name}", str(value))))


def _celery(*words: str) -> list[str]:
    return module("celery", "--app", "billing_project.celery", "--quiet", *words)
