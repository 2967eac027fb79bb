"""The local bank as its own process: `python -m acquiring.bank`. Options can also come from the environment."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from functools import partial
from pathlib import Path

from acquiring.bank import records
from acquiring.bank.app import create_api_app, create_public_app
from acquiring.bank.house import Bank, Config
from acquiring.bank.serving import Gate, Port

_STOP = {signal.SIGTERM, signal.SIGINT}


def main() -> int:
    """Runs the bank until SIGTERM or SIGINT. Returns the exit status."""
    options = _options()
    logging.basicConfig(level=logging.WARNING, format="bank: %(message)s")
    folder = Path(options.data)
    folder.mkdir(parents=True, exist_ok=True)
    config = Config(options.merchant, options.secret, options.callback_secret, options.callback_url)
    bank = Bank(config, folder / "bank.sqlite3", now=partial(records.now, options.clock))
    # Blocked here, before any thread is born, and awaited below: no handler runs in the middle of anything.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    try:
        public = Port(options.host, options.port, create_public_app(bank))
    except OSError as problem:
        sys.stderr.write(f"bank: {problem}\n")
        return 1
    url = options.public_url or f"http://{options.host}:{public.number}"
    bank.journal.public_url = url.rstrip("/")
    api = _api_port(options, public.number, bank)
    bank.api_port = api.number
    Gate(bank, api)
    bank.courier.start()
    sys.stdout.write(f"bank ready: {url} (api http://{options.host}:{api.number}, control {url}/control/)\n")
    sys.stdout.flush()
    signal.sigwait(_STOP)
    bank.stopping.set()
    public.close()
    api.close()
    bank.close()
    return 0


def _api_port(options: argparse.Namespace, public: int, bank: Bank) -> Port:
    wanted = public + 1 if options.api_port is None else options.api_port
    try:
        return Port(options.host, wanted, create_api_app(bank))
    except OSError:
        return Port(options.host, 0, create_api_app(bank))


def _options() -> argparse.Namespace:
    env = os.environ.get
    parser = argparse.ArgumentParser(prog="python -m acquiring.bank", description="A bank for a developer's machine.")
    parser.add_argument("--host", default=env("BANK_HOST", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=int(env("BANK_PORT", "8010")), help="pages, API and control")
    api_port = env("BANK_API_PORT")
    parser.add_argument(
        "--api-port", type=int, default=int(api_port) if api_port else None, help="the API alone; default: port + 1"
    )
    parser.add_argument("--data", default=env("BANK_DATA", ".var/bank"), help="folder of the books")
    parser.add_argument("--public-url", default=env("BANK_PUBLIC_URL", ""), help="how browsers reach the pages")
    parser.add_argument("--merchant", default=env("BANK_MERCHANT", "boxoffice"))
    parser.add_argument("--secret", default=env("BANK_SECRET", "laptop-bank-secret"))
    parser.add_argument("--callback-secret", default=env("BANK_CALLBACK_SECRET", "laptop-callback-secret"))
    parser.add_argument(
        "--callback-url",
        default=env("BANK_CALLBACK_URL", ""),
        help="for payments that bring none; {acquirer} stands for the protocol that they were ordered in",
    )
    parser.add_argument("--clock", default=env("CLOCK_FILE", ""), help="file with the seconds that we are ahead")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
